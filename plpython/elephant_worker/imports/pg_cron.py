"""Jobs of pg_cron: the rows of its table cron.job."""

from __future__ import annotations

from typing import Any

from ..schedule import pg_cron
from ..schedule.entries import Calendar, Mistake
from ..schedule.parser import read_entry
from ..vendor import vendored
from .planned import NO_TIMEOUT, Caller, Planned, rows_of, usable_name
from .target import is_local

FIXED_ZONES = ("GMT", "UTC", "Etc/GMT", "Etc/UTC")


def plan(given: dict[str, Any], caller: Caller) -> list[Planned]:
    """What the rows become. `given`: jobs, the rows; timezone and match_dom_and_dow, pg_cron's settings; port, at which
    its server listens, NULL if that is not known."""
    rows = sorted(rows_of(given, "jobs", table="cron.job"), key=_number)
    return [_plan(row, given, caller) for row in caller.each(rows)]


def _number(row: dict[str, Any]) -> tuple[bool, int]:
    number = row.get("jobid")
    return (False, number) if isinstance(number, int) else (True, 0)


def _plan(row: dict[str, Any], given: dict[str, Any], caller: Caller) -> Planned:
    number = row.get("jobid")
    planned = Planned(str(number))
    schedule, command = row.get("schedule"), row.get("command")
    planned.schedule_before = schedule if isinstance(schedule, str) else None
    if not isinstance(number, int) or not isinstance(schedule, str) or not isinstance(command, str):
        return planned.leave_out("It has no jobid, which is a number, or no schedule or command.")
    role, name = row.get("username"), row.get("jobname")
    database, active = row.get("database"), row.get("active", True)
    planned.definition = {
        "job_name": usable_name(name if isinstance(name, str) else None, f"pg_cron {number}", planned.notes),
        "rolname": role if isinstance(role, str) else caller.role,
        "datname": database if isinstance(database, str) else caller.database,
        "job_command": command,
        "timezone": given["timezone"],
        "job_timeout": NO_TIMEOUT,
    }
    if active is False:
        planned.definition["enabled"] = False
    if given["timezone"] not in FIXED_ZONES:
        # It looks at each minute, and at what the clock shows then.
        planned.definition["dst"] = "wall"
    if elsewhere := _elsewhere(row, given.get("port")):
        return planned.leave_out(elsewhere)
    return _plan_schedule(planned, schedule, bool(given.get("match_dom_and_dow")))


def _elsewhere(row: dict[str, Any], port: Any) -> str:
    """Why it does not run on this server, if so."""
    node, node_port = str(row.get("nodename") or ""), row.get("nodeport")
    if is_local(node) and (port is None or node_port in (None, port)):
        return ""
    return (
        f"pg_cron runs it on another server, {node or 'localhost'}, port {node_port}. "
        "To have it run there: CREATE SERVER, and define the job with server => '...'."
    )


def _plan_schedule(planned: Planned, text: str, both_days: bool) -> Planned:
    reading = pg_cron.read(text, both_days, large_steps=True)
    if reading is None:
        return planned.leave_out("pg_cron cannot read the schedule, and never runs it.")
    if reading.schedule is None and reading.never:
        return planned.leave_out(f"pg_cron never runs it: {reading.never}.")
    if reading.schedule is None:
        return planned.leave_out(
            f"{pg_cron.NOT_BOTH_DAYS} "
            "Leave the weekday out, and have the command begin with a condition on extract(isodow FROM now())."
        )
    planned.definition["schedule"] = reading.schedule
    if reading.never:
        planned.notes.append(f"pg_cron never runs it, since {reading.never}; here it is due once a year.")
    if reading.doubt:
        planned.notes.append(f"Of pg_cron, {reading.doubt}.")
    _compare_readings(planned, text, reading.schedule)
    return planned


def _compare_readings(planned: Planned, text: str, schedule: str) -> None:
    """Note how else the text of the schedule would be read, if it would."""
    try:
        here = read_entry(text)
    except Mistake:
        planned.notes.append(f'pg_cron reads "{schedule}"{_in_words(schedule)}. As it is, it would be refused here.')
        return
    if here != read_entry(schedule):
        planned.notes.append(
            f'pg_cron reads "{schedule}"{_in_words(schedule)}. As it is, it would be due here: {_words(text)}.'
        )


def _in_words(schedule: str) -> str:
    return f" ({_words(schedule)})" if isinstance(read_entry(schedule), Calendar) else ""


def _words(schedule: str) -> str:
    with vendored():
        from ..schedule.description import entry_in_words
    return entry_in_words(schedule)
