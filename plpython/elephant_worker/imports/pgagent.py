"""import_pgagent(): jobs of pgAgent, with their steps and schedules.

pgAgent runs the steps of a job one after the other, in the order of their names, each in a transaction of its own. So
the first step becomes a job with a schedule, and each other one a job that runs after the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from .calendar_fields import Sets, both_days_obstacle, crontab_line
from .names import Namer
from .planned import NO_TIMEOUT, Caller, Planned, check_given, grouped, rows_of, sentence
from .target import Elsewhere, Target, parameters_of, target

# The tables, and the columns by which their rows belong together.
TABLES = {
    "pga_job": ("jobid",),
    "pga_jobstep": ("jstid", "jstjobid"),
    "pga_schedule": ("jscid", "jscjobid"),
    "pga_exception": ("jexid", "jexscid"),
}
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?([+-]\d\d:\d\d)?", re.ASCII)
TIME = re.compile(r"(\d\d):(\d\d)")
LAST_DAY = 32  # its place among the days of a month
# What follows a step that has failed: the job ends there (f), or goes on (s, i).
GOES_ON = ("s", "i")


class _Odd(Exception):
    """What pgAgent cannot have written."""


class _Schedule:
    """When a job is due: entries of one window, and what they leave out."""

    def __init__(self, row: dict[str, Any], exceptions: Iterable[dict[str, Any]], now: datetime) -> None:
        self.row = row
        self.name = str(row.get("jscname"))
        self.enabled = bool(row.get("jscenabled", True))
        ends_at = row.get("jscend") or "infinity"
        self.starts_at = _later(row.get("jscstart"), now)
        self.ends_at = _later(ends_at, now)
        self.has_ended = _as_datetime(ends_at) < now
        self.notes: list[str] = []
        # Why no schedule can say it.
        self.obstacle: str | None = None
        minutes, hours = _chosen(row, "jscminutes", 60, 0), _chosen(row, "jschours", 24, 0)
        weekdays, months = _chosen(row, "jscweekdays", 7, 0), _chosen(row, "jscmonths", 12, 1)
        days = _chosen(row, "jscmonthdays", 32, 1)
        last_day = days is not None and LAST_DAY in days
        self._sets = Sets(minutes, hours, None if days is None else days - {LAST_DAY}, last_day, months, weekdays)
        if last_day and days != {LAST_DAY}:
            self.notes.append("pgAgent does not run it on the last day of a month, beside other days; here it does.")
        if minutes is hours is days is months is None:
            self.notes.append(
                "pgAgent leaves out every other minute where nothing but weekdays is chosen; here none is."
            )
        elif (minutes is None or len(minutes) > 1) and not hours is days is months is weekdays is None:
            self.notes.append("pgAgent can leave out the first times of an hour or a day; here they all count.")
        self.entries = self._entries(list(exceptions), now)

    def _entries(self, exceptions: list[dict[str, Any]], now: datetime) -> list[str]:
        skipped = {_time(row["jextime"]) for row in exceptions if row.get("jexdate") is None and row.get("jextime")}
        dates = sorted({str(row["jexdate"]) for row in exceptions if row.get("jexdate") is not None})
        if ahead := [day for day in dates if day >= now.date().isoformat()]:
            listed = ", ".join(ahead[:5]) + (" ..." if ahead[5:] else "")
            self.obstacle = (
                f"no schedule can leave out days ({listed}): define it without, and let the command look at the date"
            )
        entries = []
        for sets in _without(self._sets, skipped):
            entry = crontab_line(sets)
            if entry is None:
                entry = crontab_line(sets._replace(weekdays=None))
                self.obstacle = both_days_obstacle(entry, sets.weekdays)
            entries.append(str(entry))
        return entries


def plan(given: dict[str, Any], caller: Caller) -> list[Planned]:
    """What becomes of the jobs. `given` has the rows of TABLES, steps in the order of their names, the time zone of the
    agent, the port of this server, and now as JSON has it."""
    check_given(given, "timezone", "port", "now")
    jobs, steps, schedules, exceptions = (
        rows_of(given.get("tables"), name, keys, table=f"pgagent.{name}") for name, keys in TABLES.items()
    )
    now = _as_datetime(given["now"])
    names = Namer()
    by_job, by_schedule = grouped(steps, "jstjobid"), grouped(exceptions, "jexscid")
    schedules_of = grouped(schedules, "jscjobid")
    planned: list[Planned] = []
    for job in caller.each(sorted(jobs, key=lambda row: row["jobid"])):
        number = job["jobid"]
        own_steps, own_schedules = by_job.pop(number, []), schedules_of.pop(number, [])
        try:
            read = [_Schedule(row, by_schedule.get(row["jscid"], ()), now) for row in caller.each(own_schedules)]
            planned += _Job(job, own_steps, read, given, caller, names).planned()
        except _Odd as odd:
            planned.append(_named(f"job {number}", job, None).leave_out(sentence(f"it cannot be read: {odd}")))
    for what, orphans in (("steps", by_job), ("schedules", schedules_of)):
        for number in orphans:
            planned.append(Planned(f"{what} of job {number}").leave_out("There is no such job."))
    return planned


def _named(source_id: str, job: dict[str, Any], step: dict[str, Any] | None) -> Planned:
    """What is left out is shown by its name, too."""
    name = str(job.get("jobname") or "") + (f": {step.get('jstname')}" if step is not None else "")
    return Planned(source_id, definition={"job_name": name})


class _Job:
    def __init__(
        self,
        row: dict[str, Any],
        steps: list[dict[str, Any]],
        schedules: list[_Schedule],
        given: dict[str, Any],
        caller: Caller,
        names: Namer,
    ) -> None:
        self._row = row
        self._source_id = f"job {row.get('jobid')}"
        self._steps = [step for step in steps if step.get("jstenabled", True)]
        self._disabled = [step for step in steps if not step.get("jstenabled", True)]
        self._schedules = schedules
        self._given = given
        self._caller = caller
        self._names = names

    def planned(self) -> list[Planned]:
        found = [
            _named(f"{self._source_id}, step {step['jstid']}", self._row, step).leave_out("The step is not enabled.")
            for step in self._disabled
        ]
        if not self._steps:
            return [*found, _named(self._source_id, self._row, None).leave_out("It has no step that is enabled.")]
        targets: list[Target] = []
        for step in self._steps:
            try:
                targets.append(self._target(step))
            except Elsewhere as reason:
                return found + self._left_out(step, str(reason))
        windows = self._windows()
        for schedule in (schedule for window in windows for schedule in window):
            if schedule.obstacle:
                return found + self._left_out(None, schedule.obstacle)
        for window in windows:
            found += self._chain(window, targets, len(windows) > 1)
        return found

    def _left_out(self, culprit: dict[str, Any] | None, reason: str) -> list[Planned]:
        """A job of which one step cannot be taken over is not taken apart."""
        left = []
        for step in self._steps:
            planned = _named(self._step_id(step), self._row, step if len(self._steps) > 1 else None)
            planned.schedule_before = self._shown() if step is self._steps[0] else None
            if culprit is None or step is culprit:
                left.append(planned.leave_out(sentence(reason)))
            else:
                left.append(planned.leave_out(f"Step {culprit['jstid']} of its job is left out."))
        return left

    def _target(self, step: dict[str, Any]) -> Target:
        if step.get("jstkind") != "s":
            raise Elsewhere("the step is a batch script, not SQL")
        connection = str(step.get("jstconnstr") or "")
        if not connection:
            return Target(str(step.get("jstdbname") or "") or None, None, {})
        return target(parameters_of(connection), self._given["port"])

    def _step_id(self, step: dict[str, Any]) -> str:
        return self._source_id if len(self._steps) == 1 else f"{self._source_id}, step {step['jstid']}"

    def _shown(self) -> str | None:
        return "; ".join(entry for schedule in self._schedules for entry in schedule.entries) or None

    def _windows(self) -> list[list[_Schedule]]:
        """The schedules that one job can have: those of the same start and end. Those that are over are left out; those
        that are not enabled count only where there are no others."""
        current = [schedule for schedule in self._schedules if not schedule.has_ended]
        enabled = [schedule for schedule in current if schedule.enabled]
        windows: dict[Any, list[_Schedule]] = {}
        for schedule in enabled or current:
            windows.setdefault((schedule.starts_at, schedule.ends_at), []).append(schedule)
        return list(windows.values()) or [[]]

    def _chain(self, window: list[_Schedule], targets: list[Target], several: bool) -> list[Planned]:
        chain: list[Planned] = []
        suffix = f", schedule {window[0].row.get('jscid')}" if several else ""
        name = str(self._row.get("jobname") or "") + (f" ({window[0].name})" if several else "")
        for number, (step, where) in enumerate(zip(self._steps, targets)):
            planned = Planned(self._step_id(step) + suffix)
            own_name = name if len(self._steps) == 1 else f"{name}: {step.get('jstname')}"
            role = where.role or self._caller.role
            planned.definition = {
                "job_name": self._names.unique(role, own_name, f"pgagent {planned.source_id}", planned.notes),
                "rolname": role,
                "datname": where.database or role,
                "job_command": str(step.get("jstcode") or ""),
                "timezone": self._given["timezone"],
                "job_timeout": NO_TIMEOUT,
            }
            texts = (self._row.get("jobdesc") if number == 0 else None, step.get("jstdesc"))
            if described := ". ".join(str(text).strip().rstrip(".") for text in texts if text):
                planned.definition["job_description"] = described
            if where.settings:
                planned.definition["settings"] = where.settings
            if number == 0:
                self._schedule(planned, window)
            else:
                planned.run_after = [chain[-1].source_id]
                if self._steps[number - 1].get("jstonerror") in GOES_ON:
                    planned.definition["run_when"] = "always"
            chain.append(planned)
        return chain

    def _schedule(self, planned: Planned, window: list[_Schedule]) -> None:
        entries = [entry for schedule in window for entry in schedule.entries]
        definition = planned.definition
        planned.schedule_before = "; ".join(entries) or None
        if not entries:
            planned.notes.append(
                "All its schedules are over." if self._schedules else "It has no schedule, and waits for run_job()."
            )
            return
        definition["schedule"] = entries[0] if len(entries) == 1 else entries
        # Time that passes while the agent is down is made up for, by one run.
        definition["catch_up"] = "once"
        for attribute in ("starts_at", "ends_at"):
            if getattr(window[0], attribute) is not None:
                definition[attribute] = getattr(window[0], attribute)
        for schedule in window:
            planned.notes += [note for note in schedule.notes if note not in planned.notes]
        if not (self._row.get("jobenabled", True) and all(schedule.enabled for schedule in window)):
            definition["enabled"] = False
        if host := self._row.get("jobhostagent"):
            planned.notes.append(f'It was for the agent on the host "{host}" alone.')


def _chosen(row: dict[str, Any], name: str, length: int, first: int) -> set[int] | None:
    """The places of true in an array, counted from `first`; None if there is none, which pgAgent takes for all."""
    values = row.get(name)
    if isinstance(values, list) and len(values) == length and all(isinstance(value, bool) for value in values):
        return {number for number, value in enumerate(values, first) if value} or None
    raise _Odd(f"{name} is not an array of {length} booleans")


def _without(sets: Sets, skipped: set[tuple[int, int]]) -> list[Sets]:
    """The sets without some times of the day: hours that keep the same minutes stay together."""
    all_minutes = frozenset(range(60) if sets.minutes is None else sets.minutes)
    by_minutes: dict[frozenset[int], set[int]] = {}
    for hour in range(24) if sets.hours is None else sorted(sets.hours):
        minutes = all_minutes - {minute for at, minute in skipped if at == hour}
        if minutes:
            by_minutes.setdefault(minutes, set()).add(hour)
    if not by_minutes:
        raise _Odd("its exceptions leave nothing of a schedule")
    return [sets._replace(minutes=minutes, hours=hours) for minutes, hours in by_minutes.items()]


def _time(text: Any) -> tuple[int, int]:
    match = TIME.match(str(text))
    if match is None:
        raise _Odd(f'"{text}" is not a time of day')
    return int(match[1]), int(match[2])


def _as_datetime(text: Any) -> datetime:
    """A moment as JSON of PostgreSQL has it."""
    if text == "infinity":
        return datetime.max.replace(tzinfo=timezone.utc)
    match = MOMENT.fullmatch(str(text))
    if match is None:
        raise _Odd(f'"{text}" is not a moment')
    day, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day}.{(fraction or '')[:6].ljust(6, '0')}{offset or '+00:00'}")
    return moment.astimezone(timezone.utc)


def _later(text: Any, now: datetime) -> str | None:
    """A moment that lies ahead and comes, None for others."""
    moment = _as_datetime(text)
    return str(text) if now < moment < datetime.max.replace(tzinfo=timezone.utc) else None
