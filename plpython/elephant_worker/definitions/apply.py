"""apply_jobs(): a set of jobs becomes what a document says, or nothing of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..database import job_definition
from ..database.spi import Spi
from ..errors import UserError
from . import document
from .document import Entry, Key, Mistake
from .references import References

# Each attribute that may be wrong is tried by itself: of so many jobs.
MOST_EXAMINED = 50  # jobs
INVALID_NAME = "42602"


def apply_document(
    plpy: Any, schema: str, jobs: str | None, part: str | None, prune: bool | None, dry_run: bool | None
) -> dict[str, Any]:
    """The function `apply_document`."""
    spi = Spi(plpy, schema)
    try:
        try:
            changes = _Application(spi, jobs, part, bool(prune), bool(dry_run)).carry_out()
        except _Overtaken:
            # What another transaction has defined meanwhile is there now.
            changes = _Application(spi, jobs, part, bool(prune), bool(dry_run)).carry_out()
    except UserError as user_error:
        return {"changes": None, "user_error": user_error.as_row()}
    except spi.Error as error:
        return {"changes": None, "user_error": UserError.of(error).as_row()}
    return {"changes": json.dumps(changes), "user_error": None}


class _Overtaken(UserError):
    """Another transaction has defined a job of the document after it has been looked for."""

    def __init__(self) -> None:
        super().__init__(
            "could not apply the jobs due to a concurrent definition",
            "Another transaction has defined a job of the document, which this one cannot see.",
            "Try again.",
            "40001",
        )


class _Application:
    def __init__(self, spi: Spi, jobs: str | None, part: str | None, prune: bool, dry_run: bool) -> None:
        if jobs is None:
            raise UserError(
                "there is no document", "jobs is NULL.", "Give an array of jobs; an empty one is [].", "22004"
            )
        if prune and part is None:
            raise UserError(
                "prune needs a part",
                "It deletes the jobs of the part that the document does not have.",
                "Name the part, as in apply_jobs(..., 'billing', prune => true).",
            )
        role, kind = job_definition.identity(spi, jobs)
        if kind != "array":
            raise UserError(
                f"a document of jobs cannot be of the type {kind}",
                "It is an array of objects, each with the attributes of a job.",
                'For example: [{"job_name": "nightly", "job_command": "CALL tidy_up()", "schedule": "@daily"}].',
            )
        self._spi = spi
        self._part = part
        self._prune = prune
        self._dry_run = dry_run
        known = job_definition.attributes(spi)
        entries, self._mistakes = document.read(job_definition.elements(spi, jobs), known, part, role)
        self._unknown = set[str]().union(*(entry.names for entry in entries)) - set(known)
        self._entries, in_cycles = document.in_order(entries)
        for entry in in_cycles:
            message = "it would run after itself, directly or indirectly"
            self._mistakes.append(Mistake(entry.label, "run_after", message))
            entry.run_after.clear()
        self._entries += in_cycles
        self._keys = {entry.key for entry in entries}
        roles = {key[0] for entry in entries for key in (entry.key, *entry.run_after) if isinstance(key, tuple)}
        self._jobs: dict[Key, int] = {}
        self._surplus: dict[int, Key] = {}
        parts: dict[Key, str | None] = {}
        for row in job_definition.named_jobs(spi, roles, part):
            key = (row["rolname"], row["job_name"])
            self._jobs[key] = row["job_id"]
            parts[key] = row["part"]
            if prune and row["part"] == part and key not in self._keys:
                self._surplus[row["job_id"]] = key
        for entry in self._entries:
            belongs = parts.get(entry.key)
            if belongs not in (None, entry.part):
                message = f'it belongs to the part "{belongs}"; to take it over, set its part to NULL first'
                self._mistakes.append(Mistake(entry.label, "part", message, "55000"))
            for before in entry.run_after:
                if isinstance(before, tuple) and before not in self._keys and before not in self._jobs:
                    message = f"there is no {document.label(before)} that you may touch"
                    self._mistakes.append(Mistake(entry.label, "run_after", message, "P0002"))

    def carry_out(self) -> list[dict[str, Any]]:
        """Make the jobs what the document says; returns what that changes."""
        changes: list[dict[str, Any]] = []
        there = dict(self._jobs)
        failure = None
        if not self._mistakes:
            try:
                with self._spi.subtransaction(keep=not self._dry_run):
                    for entry in self._entries:
                        changes += self._write(entry)
                    changes += self._delete()
                    self._name_references(changes)
                return changes
            except self._spi.exceptions.UniqueViolation:
                raise _Overtaken() from None
            except self._spi.Error as error:
                if not job_definition.is_of_one_job(error):
                    raise _as_user_error(error) from None
                failure = error
        self._jobs = there
        self._find_mistakes()
        if not self._mistakes:
            raise _as_user_error(failure)
        raise document.error_of(self._mistakes)

    def _write(self, entry: Entry) -> list[dict[str, Any]]:
        job_id = self._jobs.get(entry.key)
        without, beside = self._completed(entry)
        found = job_definition.differences(self._spi, job_id, entry.given, without, beside)
        if job_id is None:
            self._jobs[entry.key] = job_definition.create(self._spi, entry.given, without, beside)
        elif found:
            job_definition.change(self._spi, job_id, entry.given, without, beside)
        return self._described("change" if job_id else "create", entry.key, found)

    def _delete(self) -> list[dict[str, Any]]:
        job_definition.delete(self._spi, list(self._surplus))
        nothing = {"attribute": None, "old_value": None, "new_value": None, "drift": None}
        return [row for key in self._surplus.values() for row in self._described("delete", key, [nothing])]

    @staticmethod
    def _described(action: str, key: Key, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"action": action, "job_name": key[1], "rolname": key[0], **row} for row in found]

    def _name_references(self, changes: list[dict[str, Any]]) -> None:
        """Have the values of run_after name jobs, as the document does."""
        rows = [row for row in changes if row["attribute"] == "run_after"]
        values = ("old_value", "new_value")
        references = References(self._spi, [row[value] for row in rows for value in values], self._jobs)
        for row in rows:
            for value in values:
                row[value] = references.written(row[value], row["rolname"])

    def _completed(self, entry: Entry) -> tuple[list[str], str]:
        """What is left out of what is given, and what comes in its place: numbers for the jobs in run_after."""
        numbers = {key if isinstance(key, int) else self._jobs.get(key) for key in entry.run_after}
        beside: dict[str, Any] = {"rolname": entry.key[0], "part": entry.part}
        if entry.run_after:
            beside["run_after"] = sorted(number for number in numbers if number is not None)
        return ["run_after", *self._unknown], json.dumps(beside)

    def _find_mistakes(self) -> None:
        """Try each job by itself, and of those that cannot be defined each attribute; undo all of it."""
        examined = 0
        with self._spi.subtransaction(keep=False):
            for entry in self._entries:
                error = self._attempt(entry, (), keep=True)
                if error is not None and examined < MOST_EXAMINED:
                    examined += 1
                    self._examine(entry, error)
                elif error is not None:
                    self._mistakes.append(Mistake(entry.label, None, str(error), error.sqlstate))

    def _examine(self, entry: Entry, error: Any) -> None:
        """Find the attributes without which a job could be defined, or would fail for another reason."""
        left = [name for name in entry.names if name not in ("job_name", *self._unknown)]
        without: list[str] = []
        if "job_command" not in entry.names:
            without.append("job_command")
            error = self._attempt(entry, without, keep=False)
        while error is not None:
            culprit, next_error = None, None
            for name in left:
                next_error = self._attempt(entry, [*without, name], keep=False)
                if str(next_error) != str(error):
                    culprit = name
                    break
            attribute = "job_name" if error.sqlstate == INVALID_NAME else culprit
            self._mistakes.append(Mistake(entry.label, attribute, _in_words(error), error.sqlstate))
            if culprit is None:
                return
            left.remove(culprit)
            without.append(culprit)
            error = next_error

    def _attempt(self, entry: Entry, without: Sequence[str], keep: bool) -> Any:
        """Write a job without some of its attributes; returns the error. What is not kept is undone."""
        job_id = self._jobs.get(entry.key)
        left_out, beside = self._completed(entry)
        given = json.loads(beside)
        for name in without:
            given.pop(name, None)
        if "job_command" in without:
            given["job_command"] = "SELECT"
        try:
            with self._spi.subtransaction(keep=keep):
                arguments = (entry.given, [*left_out, *without], json.dumps(given))
                if job_id is None:
                    job_id = job_definition.create(self._spi, *arguments)
                else:
                    job_definition.change(self._spi, job_id, *arguments)
        except self._spi.Error as error:
            if not job_definition.is_of_one_job(error):
                raise
            return error
        if keep:
            self._jobs[entry.key] = job_id
        return None


def _in_words(error: Any) -> str:
    said = UserError.of(error)
    return f"{said.message}. {said.detail}" if said.detail else said.message


def _as_user_error(error: Any) -> UserError:
    said = UserError.of(error)
    return UserError(said.message, said.detail or "Nothing has been changed.", said.hint or "Try again.", said.sqlstate)
