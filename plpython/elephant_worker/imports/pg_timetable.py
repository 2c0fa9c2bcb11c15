"""import_pg_timetable(): chains of pg_timetable, with their tasks.

The tasks of a chain are one transaction, but for those that are autonomous, run elsewhere or as another role, or whose
errors are ignored. So tasks that belong together become one command, and what follows them jobs that run after them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..schedule.entries import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Field, Mistake
from ..schedule.periods import in_words, read_period
from .calendar_fields import Sets, both_days_obstacle, crontab_line
from .names import Namer
from .planned import NO_TIMEOUT, Caller, Planned, check_given, grouped, rows_of, sentence
from .target import Elsewhere, Target, parameters_of, target

# The tables, and the columns that identify their rows.
TABLES = {"chain": ("chain_id",), "task": ("task_id",), "parameter": ("task_id", "order_id")}
MEMBER = re.compile(r"(?:(\*)|(\d{1,4})(?:-(\d{1,4}))?)(?:/(\d{1,4}))?", re.ASCII)
STEP = re.compile(r"^(\d+)/(\d+)$", re.ASCII)
BUILT_IN_HINTS = {
    "Sleep": "pg_sleep() does the same, inside a task",
    "NoOp": "delete the task, which does nothing",
    "Log": "RAISE LOG does the same",
    "CopyFromFile": "COPY reads files of the server",
    "CopyToFile": "COPY writes files of the server",
    "CopyFromProgram": "COPY ... FROM PROGRAM runs programs of the server",
    "CopyToProgram": "COPY ... TO PROGRAM runs programs of the server",
}


class _Odd(Exception):
    """Why something cannot be taken over."""


@dataclass
class _Part:
    """Tasks that become one job."""

    tasks: list[dict[str, Any]]
    target: Target
    role: str
    commands: list[str]
    parameters: list[Any] | None = None
    goes_on: bool = False
    # Whether a task that follows may join its transaction.
    is_open: bool = False

    @property
    def names(self) -> str:
        return ", ".join(str(task.get("task_name") or task["task_id"]) for task in self.tasks)


def plan(given: dict[str, Any], caller: Caller) -> list[Planned]:
    """What becomes of the chains. `given` has the rows of TABLES, database and time zone of pg_timetable's sessions,
    and the port of this server."""
    check_given(given, "timezone", "port", "datname")
    chains, tasks, parameters = (
        rows_of(given.get("tables"), name, keys, table=f"timetable.{name}") for name, keys in TABLES.items()
    )
    by_task = grouped(parameters, "task_id")
    by_chain: dict[int, list[dict[str, Any]]] = {chain["chain_id"]: [] for chain in chains}
    orphans = []
    for task in sorted(tasks, key=_order):
        number = task.get("chain_id")
        if isinstance(number, int) and number in by_chain:
            by_chain[number].append(task)
        else:
            orphans.append(Planned(f"task {task['task_id']}").leave_out("It belongs to no chain."))
    names = Namer()
    planned: list[Planned] = []
    for chain in caller.each(sorted(chains, key=lambda row: row["chain_id"])):
        planned += _Chain(chain, by_chain[chain["chain_id"]], by_task, given, caller, names).planned()
    return planned + orphans


def _order(task: dict[str, Any]) -> float:
    order = task.get("task_order")
    return float(order) if isinstance(order, (int, float)) else 0.0


class _Chain:
    def __init__(
        self,
        row: dict[str, Any],
        tasks: list[dict[str, Any]],
        parameters: dict[int, list[dict[str, Any]]],
        given: dict[str, Any],
        caller: Caller,
        names: Namer,
    ) -> None:
        self._row = row
        self._source_id = f"chain {row.get('chain_id')}"
        self._run_at = row.get("run_at")
        self._database = given["datname"]
        self._tasks = [task for task in tasks if task.get("live", True)]
        self._paused = [task for task in tasks if not task.get("live", True)]
        self._parameters = parameters
        self._given = given
        self._caller = caller
        self._names = names

    def planned(self) -> list[Planned]:
        found = [self._new(f", task {task['task_id']}").leave_out("The task is not live.") for task in self._paused]
        if not self._tasks:
            return [*found, self._new("").leave_out("It has no live task.")]
        culprit: dict[str, Any] | None = None
        try:
            self._check_conditions()
            schedule, notes = self._schedule()
            parts: list[_Part] = []
            for culprit in self._tasks:
                self._add(parts, culprit)
        except (_Odd, Elsewhere) as reason:
            said = sentence(str(reason))
            if culprit is None or len(self._tasks) == 1:
                return [*found, self._new("").leave_out(said)]
            return found + [
                self._new(f", task {task['task_id']}").leave_out(
                    said if task is culprit else f"Task {culprit.get('task_id')} of its chain is left out."
                )
                for task in self._tasks
            ]
        return found + self._jobs(parts, schedule, notes)

    def _new(self, suffix: str) -> Planned:
        """What is left out is shown by its name, too."""
        run_at = None if self._run_at is None else str(self._run_at)
        return Planned(self._source_id + suffix, run_at, {"job_name": str(self._row.get("chain_name") or "")})

    def _add(self, parts: list[_Part], task: dict[str, Any]) -> None:
        """Add a task to the part before, if both are one transaction, or as a part of its own."""
        command = str(task.get("command") or "")
        kind = task.get("kind") or "SQL"
        if kind == "BUILTIN":
            hint = BUILT_IN_HINTS.get(command)
            raise _Odd(f"the task is built in ({command})" + (f": {hint}" if hint else ", not SQL"))
        if kind != "SQL":
            raise _Odd("the task is a program, not SQL")
        connection = str(task.get("database_connection") or "").strip()
        where = target(parameters_of(connection), self._given["port"]) if connection else Target(None, None, {})
        role = str(task.get("run_as") or "").strip() or where.role or self._caller.role
        goes_on = bool(task.get("ignore_error"))
        alone = bool(connection or task.get("autonomous") or goes_on or _milliseconds(task))
        values = sorted(
            (row for row in self._parameters.get(task["task_id"], ()) if row.get("value") is not None),
            key=lambda row: row["order_id"],
        )
        if not values:
            before = parts[-1] if parts else None
            if before and before.is_open and not alone and before.role == role:
                before.tasks.append(task)
                before.commands.append(command)
            else:
                parts.append(_Part([task], where, role, [command], goes_on=goes_on, is_open=not alone))
            return
        for row in values:
            if not isinstance(row["value"], list):
                raise _Odd(f"parameter {row.get('order_id')} is not an array")
            parts.append(_Part([task], where, role, [command], row["value"], goes_on))

    def _jobs(self, parts: list[_Part], schedule: str, notes: list[str]) -> list[Planned]:
        jobs: list[Planned] = []
        for number, part in enumerate(parts):
            job = self._new(f", job {number + 1}" if len(parts) > 1 else "")
            name = str(self._row.get("chain_name") or "")
            if len(parts) > 1:
                name = f"{name}: {part.names}"
            job.definition = {
                "job_name": self._names.unique(part.role, name, f"pg_timetable {job.source_id}", job.notes),
                "rolname": part.role,
                "datname": part.target.database or (self._database if part.target.role is None else part.role),
                # A comment at the end of a command does not reach the next one.
                "job_command": "\n;\n".join(part.commands),
                "timezone": self._given["timezone"],
                "dst": "wall",  # it looks at each minute, and at what the clock shows then
            }
            for attribute, value in (
                ("settings", part.target.settings),
                ("parameters", part.parameters),
                ("job_timeout", self._timeout(part)),
                ("on_failure_command", None if part.goes_on else self._row.get("on_error")),
            ):
                if value:
                    job.definition[attribute] = value
            if number == 0:
                job.definition["schedule"] = schedule
                job.notes += notes
                self._conditions(job, len(parts))
            else:
                job.schedule_before = None
                job.run_after = [jobs[-1].source_id]
                if parts[number - 1].goes_on:
                    job.definition["run_when"] = "always"
            jobs.append(job)
        return jobs

    def _check_conditions(self) -> None:
        if self._row.get("self_destruct"):
            raise _Odd("it is to run until it succeeds, once (self_destruct): run_once() does that")
        if self._row.get("exclusive_execution"):
            raise _Odd(
                "no other chain may run beside it (exclusive_execution): define it, and let its commands "
                "take an advisory lock, as those of the others must do"
            )

    def _conditions(self, job: Planned, number_of_jobs: int) -> None:
        row = self._row
        if not row.get("live"):
            job.definition["enabled"] = False
        instances = row.get("max_instances")
        if instances != 1 and not job.definition["schedule"].startswith("@after"):
            job.definition["parallel"] = True
            job.notes.append(f"Runs may overlap, as max_instances is {16 if instances is None else instances}.")
        if row.get("client_name"):
            job.notes.append(f'It was for the client "{row["client_name"]}" alone.')
        if number_of_jobs > 1:
            job.notes.append(f"It becomes {number_of_jobs} jobs, one after the other, each a transaction of its own.")
            if _milliseconds(row):
                job.notes.append(f"The timeout of the chain, {_milliseconds(row)} ms, counts for each of them.")

    def _timeout(self, part: _Part) -> str:
        limits = [limit for limit in (_milliseconds(self._row), *map(_milliseconds, part.tasks)) if limit]
        return f"{min(limits)} milliseconds" if limits else NO_TIMEOUT

    def _schedule(self) -> tuple[str, list[str]]:
        if self._run_at is None:
            return "* * * * *", ["Without run_at it is due each minute."]
        run_at = " ".join(str(self._run_at).split())
        if run_at == "@reboot":
            return run_at, ["It runs when the server starts, not pg_timetable."]
        if run_at.startswith(("@every", "@after")):
            try:
                seconds = read_period(run_at[len("@every") :].strip())
            except Mistake as mistake:
                raise _Odd(f"{mistake.detail} {mistake.hint}".rstrip(".")) from None
            return f"{run_at[: len('@every')]} {in_words(seconds)}", []
        return _calendar(run_at)


def _milliseconds(row: dict[str, Any]) -> int:
    timeout = row.get("timeout")
    return timeout if isinstance(timeout, int) and timeout > 0 else 0


def _calendar(run_at: str) -> tuple[str, list[str]]:
    """A crontab line of pg_timetable: a day must match both day fields, and `5/10` is a step from 5 on."""
    texts = run_at.split(" ")
    if len(texts) != 5:
        raise _Odd(f'"{run_at}" has {len(texts)} fields')
    minutes, hours, days, months, weekdays = (
        _values(field_, text) for field_, text in zip((MINUTE, HOUR, DAY, MONTH, WEEKDAY), texts)
    )
    sets = Sets(minutes, hours, days, False, months, weekdays)
    entry = crontab_line(sets)
    if entry is None:
        raise _Odd(both_days_obstacle(crontab_line(sets._replace(weekdays=None)), weekdays))
    # What means the same stays as it was written, but for the form 5/10.
    written = [
        ",".join(STEP.sub(rf"\1-{field_.high}/\2", part) for part in text.split(","))
        for field_, text in zip((MINUTE, HOUR, DAY, MONTH, WEEKDAY), texts)
    ]
    return (" ".join(written) if _both_days(written) else entry), []


def _both_days(texts: list[str]) -> bool:
    """Whether a day must match both day fields of a crontab line."""
    return texts[2][0] == "*" or texts[4][0] == "*"


def _values(field_: Field, text: str) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        found = MEMBER.fullmatch(part)
        if not found:
            raise _Odd(f'"{text}" cannot be read')
        star, first, last, step = found.groups()
        low = field_.low if star else int(first)
        high = int(last) if last else field_.high if star or step else low
        reached = range(low, high + 1, int(step or 1)) if step != "0" else range(0)
        if not reached or low < field_.low or high > field_.high:
            raise _Odd(f'"{part}" is no {field_.name}')
        values.update(reached)
    return values
