"""Imports: what a source has becomes jobs, each by itself, or is shown only."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from ..database import command_syntax, job_definition
from ..database.spi import Spi
from ..errors import UserError
from .planned import Caller, Planned, sentence

SOURCES = ("pg_cron", "crontab", "pgagent", "pg_timetable")

IMPORTED, CHANGED, UNCHANGED, LEFT_OUT, REMARK = "import", "change", "none", "leave out", "remark"

Key = tuple[str, str]


def carry_out(plpy: Any, schema: str, source: str | None, given: str | None, dry_run: bool | None) -> dict[str, Any]:
    """The function `carry_out_import`; `source` is one of SOURCES, a module of this package."""
    spi = Spi(plpy, schema)
    try:
        if source not in SOURCES or given is None:
            raise UserError("there is nothing to import", f"Jobs can come from {', '.join(SOURCES)}.", "Give both.")
        lines = _import(spi, source, given, dry_run is not False)
    except UserError as user_error:
        return {"lines": None, "user_error": user_error.as_row()}
    except spi.Error as error:
        return {"lines": None, "user_error": UserError.of(error).as_row()}
    return {"lines": json.dumps(lines), "user_error": None}


def _import(spi: Spi, source: str, given: str, dry_run: bool) -> list[dict[str, Any]]:
    role, database = job_definition.caller(spi)
    try:
        read = json.loads(given)
    except (ValueError, RecursionError):
        raise UserError(
            "the document cannot be read",
            "It is nested too deep, or holds too large a number.",
            "Look at what it holds.",
        ) from None
    planned = import_module(f".{source}", __package__).plan(read, Caller(role, database))
    importer = _Importer(spi, source, planned)
    with spi.subtransaction(keep=not dry_run):
        lines = list(map(importer.bring, planned))
    if dry_run:
        for line in lines:
            if line["action"] == IMPORTED:
                line["job_id"] = None
    return lines


class _Importer:
    def __init__(self, spi: Spi, source: str, planned: list[Planned]) -> None:
        self._spi = spi
        self._part = source
        roles = {str(line.definition["rolname"]) for line in planned if not line.left_out}
        self._there = {
            (row["rolname"], row["job_name"]): row for row in job_definition.named_jobs(spi, roles, self._part)
        }
        self._brought: dict[Key, str] = {}
        self._numbers: dict[str, int] = {}

    def bring(self, planned: Planned) -> dict[str, Any]:
        """Make it a job, and say what became of it."""
        action, job_id = REMARK if planned.is_remark else LEFT_OUT, None
        definition = planned.definition
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

    def _write(self, planned: Planned, definition: dict[str, Any]) -> tuple[str, int]:
        key = (str(definition["rolname"]), str(definition["job_name"]))
        if key in self._brought:
            raise UserError(f'{self._brought[key]} is already job "{key[1]}" of role "{key[0]}"', None, None)
        there = self._there.get(key)
        if there is not None and there["part"] != self._part:
            raise UserError(
                f'role "{key[0]}" already has a job named "{key[1]}"',
                f"It does not come from {self._part}: rename one of them.",
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
    return f"{sentence(reason.message)} {reason.detail or ''}".rstrip()


def _as_text(schedule: Any) -> str | None:
    """A schedule of several entries is given as an array."""
    if isinstance(schedule, list):
        return (
            "{" + ",".join('"' + str(entry).replace("\\", r"\\").replace('"', r"\"") + '"' for entry in schedule) + "}"
        )
    return None if schedule is None else str(schedule)
