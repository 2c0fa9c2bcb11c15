"""What each job, or line, of a source becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ..errors import UserError

MAX_NAME = 100  # characters
# As many jobs as a role may have by default.
MOST_LINES = 10_000  # jobs or lines of a source, rows of a table
# Of what no other scheduler has: a limit of the time that a run may take.
NO_TIMEOUT = "1 year"


Item = TypeVar("Item")


class Caller(NamedTuple):
    """Who imports, and where; `let_interrupt` raises an exception where the import is to end."""

    role: str
    database: str
    let_interrupt: Callable[[], object] = lambda: None

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, of which each may take a while."""
        for item in items:
            self.let_interrupt()
            yield item


@dataclass
class Planned:
    """What becomes of a job or line of a source.

    `definition` has the attributes that differ from the defaults; what is not left out has at least `job_name`,
    `rolname` and `job_command`. `run_after` are the source_ids of what it runs after; these come before it.
    """

    source_id: str
    schedule_before: str | None = None
    definition: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    run_after: list[str] = field(default_factory=list)
    left_out: bool = False
    is_remark: bool = False

    def remark(self, note: str) -> Planned:
        """Have nothing become of it, since it only has a meaning for others."""
        self.is_remark = True
        return self.leave_out(note)

    def leave_out(self, reason: str) -> Planned:
        """Have nothing become of it, for a reason that is a sentence."""
        self.left_out = True
        self.notes.append(reason)
        return self


def sentence(reason: str) -> str:
    """A reason as a sentence.

    >>> sentence("it is not SQL")
    'It is not SQL.'
    """
    return reason[:1].upper() + reason[1:] + ("" if reason.endswith(".") else ".")


def usable_name(wanted: str | None, otherwise: str, notes: list[str]) -> str:
    """The name that is wanted, or another one where a job cannot have that name.

    >>> usable_name("nightly", "pg_cron 1", [])
    'nightly'
    >>> usable_name(" 42", "pg_cron 1", notes := []), notes
    ('pg_cron 1', ['A job cannot be named " 42".'])
    """
    if wanted is None:
        return otherwise
    is_number = wanted.isascii() and wanted.isdigit()
    if 1 <= len(wanted) <= MAX_NAME and wanted == wanted.strip() and not is_number:
        return wanted
    notes.append(f'A job cannot be named "{wanted[:MAX_NAME]}".')
    return otherwise


def check_given(given: Any, *names: str) -> None:
    """Refuse what lacks some of the texts that an import is given. Raises UserError (22004)."""
    for name in names:
        if not isinstance(given, dict) or not isinstance(given.get(name), str):
            raise UserError(f"{name} is missing", "It is a text, and cannot be NULL.", f"Give a {name}.", "22004")


def too_many(what: str) -> UserError:
    """The error of a source that has more than can be imported at once."""
    return UserError(
        f"{what} has too many entries",
        f"An import takes at most {MOST_LINES}.",
        "Import it in pieces, each with a part of its own.",
        "54000",
    )


def rows_of(given: Any, name: str, keys: Sequence[str] = (), *, table: str) -> list[dict[str, Any]]:
    """The rows of a table that is given; the columns `keys` identify them. Raises UserError (22023, 54000)."""
    rows = given.get(name) if isinstance(given, dict) else None
    wrong = None if isinstance(rows, list) else f"{name} is not an array"
    if isinstance(rows, list) and len(rows) > MOST_LINES:
        raise too_many(name)
    seen = set()
    for number, row in enumerate(rows if isinstance(rows, list) else (), 1):
        place = f"element {number} of {name}"
        if not isinstance(row, dict):
            wrong = f"{place} is not an object"
            break
        key = tuple(row.get(column) for column in keys)
        if not all(type(value) is int for value in key):
            wrong = f"{place} has no {' and '.join(keys)} that are numbers"
            break
        if key and key in seen:
            wrong = f"{place} has the {' and '.join(keys)} of an earlier one"
            break
        seen.add(key)
    if wrong is not None:
        raise UserError(
            wrong,
            "It is an array of objects, one for each row of the table.",
            f"Where the table is: SELECT json_agg(t) FROM {table} t;",  # noqa: S608 - only said
        )
    return rows  # type: ignore[return-value]


def grouped(rows: Iterable[dict[str, Any]], column: str) -> dict[int, list[dict[str, Any]]]:
    """The rows of a table by one of its columns, a number."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups
