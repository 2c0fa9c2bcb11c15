"""What each job, or line, of a source becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import UserError

MAX_NAME = 100  # characters


class Caller(NamedTuple):
    """Who imports, and where."""

    role: str
    database: str


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

    def leave_out(self, reason: str) -> Planned:
        """Have nothing become of it, for a reason that is a sentence."""
        self.left_out = True
        self.notes.append(reason)
        return self


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


def rows_of(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """An array of objects that an import is given. Raises UserError (22023)."""
    rows = given.get(name)
    strange = rows if not isinstance(rows, list) else next((row for row in rows if not isinstance(row, dict)), None)
    if strange is not None or rows is None:
        raise UserError(
            f"{name} is not an array of objects",
            "It has an object for each row of the table, with its columns.",
            "The table's database writes it so: json_agg(t) over the rows t of the table.",
        )
    return list(rows)
