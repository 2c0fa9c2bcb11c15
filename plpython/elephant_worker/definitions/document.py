"""A document of jobs: an array of objects, each with the attributes of a job."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import UserError

# Role and name: what a document knows a job by.
Key = tuple[str, str]
# As many mistakes as an error lists.
MOST_LISTED = 100  # mistakes


class Mistake(NamedTuple):
    """What is wrong with one attribute of one job."""

    job: str
    attribute: str | None
    message: str
    sqlstate: str = "22023"

    def __str__(self) -> str:
        where = self.job if self.attribute is None else f"{self.job}, {self.attribute}"
        return f"{where}: {self.message}"


@dataclass
class Entry:
    """A job of the document. `given` is its object as JSON, `run_after` the jobs there, by key or by number."""

    key: Key
    given: str
    names: list[str]
    part: str | None
    run_after: list[Key | int] = field(default_factory=list)

    @property
    def label(self) -> str:
        return label(self.key)


def label(key: Key) -> str:
    return f'job "{key[1]}" of role "{key[0]}"'


def read(
    rows: Iterable[Mapping[str, Any]], known: Collection[str], part: str | None, role: str
) -> tuple[list[Entry], list[Mistake]]:
    """The jobs of a document, and what is wrong with it; `rows` are its elements (see database/job_definition)."""
    entries: dict[Key, Entry] = {}
    mistakes: list[Mistake] = []
    for row in rows:
        place = f"element {row['position']}"
        if row["kind"] != "object":
            mistakes.append(Mistake(place, None, f"it is not an object but of the type {row['kind']}"))
            continue
        if row["name_kind"] != "string":
            mistakes.append(Mistake(place, "job_name", "a job of a document needs a name, which is a string", "22004"))
            continue
        if row["role_kind"] not in (None, "string"):
            mistakes.append(Mistake(f'job "{row["job_name"]}"', "rolname", "it is the name of a role, a string"))
            continue
        key = (row["rolname"] or role, row["job_name"])
        if key in entries:
            mistakes.append(Mistake(label(key), "job_name", f"it is there twice, the second time as {place}"))
            continue
        entry = entries[key] = Entry(key, row["given"], sorted(row["names"]), part or row["part"])
        for name in entry.names:
            if name not in known:
                # To look for what is meant takes a while.
                nearest_of = known if len(mistakes) < MOST_LISTED else ()
                mistakes.append(Mistake(entry.label, name, _unknown(name, nearest_of)))
        if "job_command" not in entry.names:
            mistakes.append(Mistake(entry.label, "job_command", "it is missing", "22004"))
        if part is not None and row["part"] not in (None, part):
            mistakes.append(Mistake(entry.label, "part", f'it is "{row["part"]}" here, but "{part}" in the call'))
        try:
            entry.run_after = _references(row["run_after"], key[0])
        except ValueError as error:
            mistakes.append(Mistake(entry.label, "run_after", str(error)))
    return list(entries.values()), mistakes


def _unknown(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return "there is no such attribute" + (f"; is {near[0]} meant?" if near else "")


def _references(text: str | None, role: str) -> list[Key | int]:
    """What run_after names: a job of the same role by its name, one of another role as an object, any by its number."""
    try:
        listed = json.loads(text or "null")
    except RecursionError:
        listed = ""
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise ValueError("it is an array of names of jobs")
    found: list[Key | int] = []
    for each in listed:
        if isinstance(each, str):
            found.append((role, each))
        elif isinstance(each, int) and not isinstance(each, bool) and 0 < each < 1 << 63:
            found.append(each)
        elif (
            isinstance(each, dict)
            and set(each) == {"rolname", "job_name"}
            and all(isinstance(value, str) for value in each.values())
        ):
            found.append((each["rolname"], each["job_name"]))
        else:
            raise ValueError('a job is a name, {"rolname": ..., "job_name": ...}, or a number')
    return found


def in_order(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The jobs, each after those that it runs after, so that no step closes a cycle; and those in a cycle."""
    waiting = {entry.key: entry for entry in entries}
    ordered: list[Entry] = []
    # Each is looked at again when the last job that it waits for has its place.
    followers: dict[Key, list[Key]] = {}
    left: dict[Key, int] = {}
    for entry in entries:
        before = {key for key in entry.run_after if isinstance(key, tuple) and key in waiting}
        left[entry.key] = len(before)
        for key in before:
            followers.setdefault(key, []).append(entry.key)
    ready = [key for key, count in left.items() if not count]
    for key in ready:
        ordered.append(waiting.pop(key))
        for follower in followers.get(key, ()):
            left[follower] -= 1
            if not left[follower]:
                ready.append(follower)
    return ordered, list(waiting.values())


def error_of(mistakes: Sequence[Mistake]) -> UserError:
    """All of them as one error."""
    states = {mistake.sqlstate for mistake in mistakes}
    listed = "\n".join(map(str, mistakes[:MOST_LISTED]))
    if len(mistakes) > MOST_LISTED:
        listed += f"\nand {len(mistakes) - MOST_LISTED} more"
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return UserError(
        f"the jobs have {count}",
        listed,
        "Nothing has been changed. docs/jobs.schema.json describes what a document can hold.",
        states.pop() if len(states) == 1 else "22023",
    )
