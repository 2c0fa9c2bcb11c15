"""Imports: what a source has becomes jobs, each by itself, or is shown only."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from ..database import command_syntax, job_definition
from ..database.spi import Spi
from ..errors import UserError
from .planned import MAX_NAME, MOST_LINES, Caller, Planned, sentence, too_many

SOURCES = ("pg_cron", "crontab", "pgagent", "pg_timetable")

IMPORTED, CHANGED, UNCHANGED, LEFT_OUT, REMARK = "import", "change", "none", "leave out", "remark"
GONE, DELETED = "gone", "delete"
UNMATCHED = "Nothing in the source becomes this job any more"

Key = tuple[str, str]


def carry_out(
    plpy: Any,
    schema: str,
    source: str | None,
    given: str | None,
    part: str | None,
    prune: bool | None,
    dry_run: bool | None,
) -> dict[str, Any]:
    """The function `carry_out_import`; `source`, one of SOURCES, is a module of this package, and `part` by default."""
    spi = Spi(plpy, schema)
    try:
        if source not in SOURCES or given is None:
            raise UserError("there is nothing to import", f"Jobs can come from {', '.join(SOURCES)}.", "Give both.")
        lines = _import(spi, source, given, source if part is None else part, bool(prune), dry_run is not False)
    except UserError as user_error:
        return {"lines": None, "user_error": user_error.as_row()}
    except spi.Error as error:
        return {"lines": None, "user_error": UserError.of(error).as_row()}
    return {"lines": json.dumps(lines), "user_error": None}


def _import(spi: Spi, source: str, given: str, part: str, prune: bool, dry_run: bool) -> list[dict[str, Any]]:
    role, database = job_definition.caller(spi)
    try:
        read = json.loads(given)
    except (ValueError, RecursionError):
        raise UserError(
            "the document cannot be read",
            "It is nested too deep, or holds too large a number.",
            "Look at what it holds.",
        ) from None
    planned = import_module(f".{source}", __package__).plan(
        read, Caller(role, database, lambda: spi.plpy.execute("SELECT"))
    )
    if len(planned) > MOST_LINES:
        raise too_many("jobs")
    importer = _Importer(spi, source, part, role, planned)
    with spi.subtransaction(keep=not dry_run):
        lines = list(map(importer.bring, planned))
        lines += [importer.drop(job, prune) for job in importer.gone()]
    if dry_run:
        for line in lines:
            if line["action"] == IMPORTED:
                line["job_id"] = None
    return lines


class _Importer:
    def __init__(self, spi: Spi, source: str, part: str, role: str, planned: list[Planned]) -> None:
        self._spi = spi
        self._source = source
        self._part = part
        self._role = role
        self._roles = {role, *(self._role_of(line.definition) for line in planned)}
        self._there = {
            (row["rolname"], row["job_name"]): row for row in job_definition.named_jobs(spi, self._roles, part)
        }
        self._in_source = {self._key_of(line.definition) for line in planned if line.definition}
        self._brought: dict[Key, str] = {}
        self._numbers: dict[str, int] = {}

    def bring(self, planned: Planned) -> dict[str, Any]:
        """Make it a job, and say what became of it."""
        action, job_id = REMARK if planned.is_remark else LEFT_OUT, None
        definition = planned.definition
        if definition and definition["job_name"] != (name := self._key_of(definition)[1]):
            planned.notes.append(
                f'Role "{self._role_of(definition)}" has a job "{definition["job_name"]}" of another part.'
            )
            definition["job_name"] = name
        if not planned.left_out:
            try:
                with self._spi.subtransaction():
                    action, job_id = self._write(planned, definition)
                    self._numbers[planned.source_id] = job_id
            except UserError as reason:
                planned.leave_out(_in_words(reason))
            except self._spi.Error as error:
                if not job_definition.is_of_one_job(error):
                    raise
                planned.leave_out(_in_words(UserError.of(error)))
        return {
            "source_id": planned.source_id,
            "action": action,
            "job_name": definition.get("job_name"),
            "rolname": definition.get("rolname"),
            "schedule_before": planned.schedule_before,
            "schedule": _as_text(definition.get("schedule")) if job_id is not None else None,
            "job_id": job_id,
            "note": " ".join(planned.notes) or None,
            "definition": definition if job_id is not None else None,
        }

    def _role_of(self, definition: dict[str, Any]) -> str:
        return str(definition.get("rolname", self._role))

    def _key_of(self, definition: dict[str, Any]) -> Key:
        """Role and name of a job. Where several sources of a kind are told apart by their parts, and another one has a
        job of that name, the name has the part in it: so this does not depend on which of them comes first again."""
        role, name = self._role_of(definition), str(definition["job_name"])
        there = self._there.get((role, name))
        if self._part == self._source or name.endswith(suffix := f" ({self._part})"):
            return role, name
        longer = name[: MAX_NAME - len(suffix)].rstrip() + suffix
        is_taken = (there is not None and there["part"] != self._part) or (role, longer) in self._there
        return role, longer if is_taken else name

    def gone(self) -> list[dict[str, Any]]:
        """The jobs of the part that nothing in the source becomes any more. Of other roles than those in it the caller
        may not have been able to read it, unless as a superuser."""
        sees_all = job_definition.is_superuser(self._spi)
        return [
            row
            for key, row in self._there.items()
            if row["part"] == self._part and key not in self._in_source and (sees_all or key[0] in self._roles)
        ]

    def drop(self, job: dict[str, Any], prune: bool) -> dict[str, Any]:
        """Delete a job that is gone, if that is asked for, and say so."""
        action, note = GONE, f"{UNMATCHED}; it stays, unless you give prune => true."
        if prune:
            try:
                with self._spi.subtransaction():
                    job_definition.delete(self._spi, [job["job_id"]])
                action, note = DELETED, f"{UNMATCHED}."
            except self._spi.Error as error:
                if not job_definition.is_of_one_job(error):
                    raise
                note = f"{UNMATCHED}, but it stays: {_in_words(UserError.of(error))}"
        return {
            "action": action,
            "note": note,
            **{name: job[name] for name in ("job_name", "rolname", "schedule", "job_id")},
        }

    def _write(self, planned: Planned, definition: dict[str, Any]) -> tuple[str, int]:
        key = self._key_of(definition)
        if key in self._brought:
            raise UserError(f'{self._brought[key]} is already job "{key[1]}" of role "{key[0]}"', None, None)
        there = self._there.get(key)
        if there is not None and there["part"] != self._part:
            raise UserError(
                f'role "{key[0]}" already has a job named "{key[1]}"',
                f"It does not come from {self._source}: rename one of them, or give this import a part of its own."
                if self._part == self._source
                else "It is of another part: rename one of them.",
                None,
            )
        beside: dict[str, Any] = {"part": self._part}
        if planned.run_after:
            missing = [source_id for source_id in planned.run_after if source_id not in self._numbers]
            if missing:
                raise UserError(f"it runs after {', '.join(missing)}, which are left out", None, None)
            beside["run_after"] = sorted(self._numbers[source_id] for source_id in planned.run_after)
        if there is not None and there["enabled"] != definition.get("enabled", True):
            # Where the jobs of the source have been switched off after an import, it does not switch these off.
            beside["enabled"] = there["enabled"]
            planned.notes.append(f"It is {'active' if there['enabled'] else 'not active'} here, and stays so.")
        self._note_syntax(planned, str(definition["job_command"]))
        given, extra = json.dumps(definition), json.dumps(beside)
        self._brought[key] = planned.source_id
        if there is None:
            return IMPORTED, job_definition.create(self._spi, given, (), extra)
        job_id = int(there["job_id"])
        differing = job_definition.differences(self._spi, job_id, given, (), extra)
        if not differing:
            return UNCHANGED, job_id
        planned.notes.append(f"Changes: {', '.join(row['attribute'] for row in differing)}.")
        job_definition.change(self._spi, job_id, given, (), extra)
        return CHANGED, job_id

    def _note_syntax(self, planned: Planned, command: str) -> None:
        mistake = command_syntax.syntax_error(self._spi.plpy, command)
        if mistake is not None:
            planned.notes.append(f"The command is not valid SQL: {mistake[0]} ({mistake[1]}).")


def _in_words(reason: UserError) -> str:
    return " ".join(filter(None, (sentence(reason.message), reason.detail, reason.hint)))


def _as_text(schedule: Any) -> str | None:
    """A schedule of several entries is given as an array."""
    if isinstance(schedule, list):
        return (
            "{" + ",".join('"' + str(entry).replace("\\", r"\\").replace('"', r"\"") + '"' for entry in schedule) + "}"
        )
    return None if schedule is None else str(schedule)
