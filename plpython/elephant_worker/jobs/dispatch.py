"""What becomes of the jobs that are due: decided from what was read of them, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..errors import UserError
from ..schedule.due_times import LONGEST_REPETITION, TICK, Timing, schedule
from .run import STOPPED_HINTS, Outcome, Run, Target

# How often a job is looked at whose schedule cannot be read any more; and what due times are apart, at least.
LOOK_AGAIN = 3600.0
LEAST_INTERVAL = 0.001


@dataclass(slots=True)
class Job:
    """A job as the view `job_for_worker` shows it, and why it is looked at: it is due or asked for.

    `jl_id` is the number that its run will have. Moments are seconds since 1970.
    """

    jl_id: int
    job_id: int
    cause: str
    scheduled_at: float
    withdrawn: bool = False
    attempt: int = 1
    caused_by: int | None = None
    state_set_at: float | None = None
    schedule_set_at: float | None = None
    enabled: bool = False
    schedule: str | None = None
    timezone: str = ""
    dst: str = "cron"
    starts_at: float | None = None
    ends_at: float | None = None
    catch_up: str = "skip"
    catch_up_limit: int = 1
    start_deadline: float | None = None
    parallel: bool = False
    job_command: str = ""
    job_timeout: float = 0.0
    settings: str | None = None
    parameters: list[str | None] | None = None
    rolname: str = ""
    role_oid: int | None = None
    datname: str = ""
    server: str | None = None
    database_oid: int | None = None
    defined_by: str = ""
    # What is in its way now (see OBSTACLES), and what was when it was looked at last.
    obstacle: str | None = None
    quarantined_reason: str | None = None
    _timing: Timing | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def timing(self) -> Timing:
        """When it is due. Raises UserError where the schedule cannot be read any more."""
        if self._timing is None:
            read = schedule(self.schedule or "", self.timezone, self.dst, str(self.job_id))
            self._timing = Timing(read, self.schedule_set_at or 0.0, self.starts_at, self.ends_at)
        return self._timing


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """What the worker knows when it decides."""

    now: float
    # Since when it has been there without a break, and how late that excuses a run.
    available_since: float = 0.0
    grace: float = 0.0


@dataclass(slots=True)
class Decisions:
    """What to write and what to start."""

    runs: list[Run] = field(default_factory=list)
    # Runs that end before they begin: skipped, missed, or with nowhere to run.
    ended: list[Run] = field(default_factory=list)
    # job_id: when it is due next.
    next_run_at: dict[int, float | None] = field(default_factory=dict)
    # Jobs whose schedule has changed since they became due.
    changed: list[int] = field(default_factory=list)
    # job_id: why it is in quarantine from now on, or None: it is not any more.
    quarantined: dict[int, str | None] = field(default_factory=dict)


def decide(jobs: Iterable[Job], active: Counter[int], moment: DispatchContext, new_id: Callable[[], int]) -> Decisions:
    """Decide about each job; `active` counts the runs of each that have not ended, `new_id` numbers
    rows of the log that are not the job's run."""
    decisions = Decisions()
    active = Counter(active)
    for job in jobs:
        if job.cause == "schedule":
            try:
                run = _due(job, active, moment, decisions, new_id)
            except Exception as error:  # a mistake in this package must not keep other jobs waiting
                decisions.next_run_at[job.job_id] = moment.now + LOOK_AGAIN
                _bar(job, _mistake(error), moment, decisions)
                continue
        else:
            run = _run(job) if job.schedule_set_at is not None else None  # else deleted since
        if run is None:
            continue
        reason = _why_not(job, active)
        if reason is None:
            reason = _obstacle(job)
            _quarantine(job, reason, decisions)
        if reason is None:
            decisions.runs.append(run)
            active[job.job_id] += 1
        else:
            run.end(reason, moment.now)
            decisions.ended.append(run)
    return decisions


def _due(
    job: Job, active: Counter[int], moment: DispatchContext, decisions: Decisions, new_id: Callable[[], int]
) -> Run | None:
    """The run of a job that is due, if there is to be one; notes when it is due next, and what is missed."""
    if job.schedule_set_at is None or job.schedule_set_at != job.state_set_at or not job.enabled:
        decisions.changed.append(job.job_id)
        return None
    obstacle = _obstacle(job)
    try:
        timing = job.timing
    except UserError:
        decisions.next_run_at[job.job_id] = moment.now + LOOK_AGAIN
        _bar(job, obstacle, moment, decisions)
        return None
    if obstacle is not None or not _on_time(job, timing):
        decisions.next_run_at[job.job_id] = due_again(job, moment.now, moment.now)
        _bar(job, obstacle, moment, decisions)
        return None

    kept, following = _kept(job, timing, moment)
    first = kept[0] if kept else following
    if first != job.scheduled_at:
        decisions.ended.append(_missed(job, timing, first, moment, new_id))
    if not kept:
        decisions.next_run_at[job.job_id] = following
        return None
    run = _run(job, kept[0])
    run.after_end = timing.schedule.after_end
    if len(kept) > 1 and not job.parallel:
        # One after the other: the next one is due when this one has ended.
        run.resume_at, following = following, None
    decisions.next_run_at[job.job_id] = following
    return run


def _kept(job: Job, timing: Timing, moment: DispatchContext) -> tuple[list[float], float | None]:
    """The due times up to now that are to be run, and when the job is due after the first of them."""
    due, now = job.scheduled_at, moment.now
    oldest = -float("inf") if job.start_deadline is None else now - job.start_deadline
    away = due < moment.available_since and now - due > moment.grace
    if not away:
        if due >= oldest:
            return [due], timing.next(due)
        return [], due_again(job, oldest - TICK, now)
    count = job.catch_up_limit if job.catch_up == "all" else 1
    if job.catch_up == "skip":
        oldest = max(oldest, now - moment.grace)
    kept = [due] if due >= oldest else []
    kept = [*kept, *timing.latest(max(due, oldest - TICK), now, count)][-count:]
    if len(kept) > 1:
        return kept, kept[1]
    return kept, timing.next(now) if kept else due_again(job, now, now)


def _mistake(error: Exception) -> Outcome:
    return Outcome(
        "failed",
        "XX000",
        message=f"it could not be found out when the job is due next: {error!r}",
        detail="This is a mistake in elephant_worker.",
        hint="Please report it, with the job's schedule and time zone; another schedule may do for now.",
    )


def _on_time(job: Job, timing: Timing) -> bool:
    """Whether it is due now: while its schedule could not be read, it was looked at now and then."""
    if job.quarantined_reason is None or timing.schedule.after_end is not None:
        return True
    due = timing.next(job.scheduled_at - LEAST_INTERVAL)
    return due is not None and abs(due - job.scheduled_at) < LEAST_INTERVAL


def _bar(job: Job, reason: Outcome | None, moment: DispatchContext, decisions: Decisions) -> None:
    """Let a due time go by; one row of the log says why, for as long as the reason stays the same."""
    if reason is not None and reason.message != job.quarantined_reason:
        run = _run(job)
        run.end(reason, moment.now)
        decisions.ended.append(run)
    _quarantine(job, reason, decisions)


def _quarantine(job: Job, reason: Outcome | None, decisions: Decisions) -> None:
    message = None if reason is None else reason.message
    if message != job.quarantined_reason:
        decisions.quarantined[job.job_id] = message


def _missed(job: Job, timing: Timing, first: float | None, moment: DispatchContext, new_id: Callable[[], int]) -> Run:
    """One row of the log for the due times before the first that is run or still to come."""
    end = moment.now if first is None else min(moment.now, first - TICK)
    count = 1 + timing.count(job.scheduled_at, end)
    (last,) = (timing.latest(job.scheduled_at, end, 1) if count > 1 else []) or [job.scheduled_at]
    run = _run(job)
    run.jl_id = new_id()
    run.missed_count, run.missed_until = count, last
    if job.scheduled_at < moment.available_since:
        reason = "no worker was there when the job was due"
        hint = "catch_up says whether such runs are made up for, worker_setting.start_grace how late a run may start."
    else:
        reason = "the job could not start within its start_deadline"
        hint = "More max_running_jobs, or a longer start_deadline, let it run late."
    what = "One due time" if count == 1 else f"{count} due times"
    run.end(
        Outcome("missed", "55000", reason, f"{what}, the first {moment.now - job.scheduled_at:.0f} seconds ago.", hint),
        moment.now,
    )
    return run


def _run(job: Job, scheduled_at: float | None = None) -> Run:
    return Run(
        jl_id=job.jl_id,
        job_id=job.job_id,
        target=Target(job.role_oid or 0, job.rolname, job.datname, job.server),
        cause=job.cause,
        command=job.job_command,
        scheduled_at=job.scheduled_at if scheduled_at is None else scheduled_at,
        timeout=job.job_timeout,
        settings=job.settings,
        parameters=job.parameters,
        attempt=job.attempt,
        caused_by=job.caused_by,
        schedule_set_at=job.schedule_set_at or 0.0,
    )


def _why_not(job: Job, active: Counter[int]) -> Outcome | None:
    if job.withdrawn:
        return Outcome(
            "cancelled",
            "57014",
            message="the run was cancelled by cancel_run()",
            detail="It had not started.",
            hint=STOPPED_HINTS["cancelled"],
        )
    if active[job.job_id] and not job.parallel:
        return Outcome(
            "skipped",
            "55006",
            message="an earlier run of the job was still active",
            detail="The job is not parallel: one run at a time.",
            hint="Set parallel to true where runs may overlap, or a shorter job_timeout.",
        )
    return None


RESPONSIBLE = "A job runs only while the role that has defined it may define it."
TAKE_OVER = "who may define it can take it over: UPDATE member_job SET defined_by = current_user WHERE job_id = …;"

# What the view `job_for_worker` may find in the way of a job: SQLSTATE, message, DETAIL, HINT.
OBSTACLES = {
    "role": (
        "42704",
        'role "{rolname}" does not exist',
        "The role of the job has been dropped or renamed.",
        "Give the job another role, or create the role again.",
    ),
    "database": (
        "3D000",
        'database "{datname}" does not exist',
        "The database of the job has been dropped or renamed.",
        "Give the job another database, or delete it.",
    ),
    "closed": (
        "55000",
        'database "{datname}" accepts no connections',
        "Its datallowconn is false.",
        "ALTER DATABASE … ALLOW_CONNECTIONS true; lets the job run again.",
    ),
    "connect": (
        "42501",
        'role "{rolname}" may not connect to database "{datname}"',
        "A job runs in a session of its role.",
        "The owner of the database can GRANT CONNECT on it.",
    ),
    "server": (
        "42704",
        'foreign server "{server}" does not exist',
        "The server of the job has been dropped or renamed.",
        "Give the job another server, or create the server again.",
    ),
    "usage": (
        "42501",
        'role "{rolname}" may not use foreign server "{server}"',
        "The role of a job must have USAGE on the server that the job runs on.",
        "The owner of the server can GRANT USAGE ON FOREIGN SERVER to it.",
    ),
    "mapping": (
        "42704",
        'role "{rolname}" has no user mapping for foreign server "{server}"',
        "A mapping of the role, or one for PUBLIC, says as whom the job logs in there.",
        "CREATE USER MAPPING … OPTIONS (user …, password …); lets the job run again.",
    ),
    "option": (
        "42501",
        'foreign server "{server}" would make the worker use what is its own',
        "It, or the user mapping, has an option that names a file or service of this server, or lends credentials.",
        "Drop that option, or have a superuser own the foreign server.",
    ),
    "password": (
        "2F003",
        'the user mapping of role "{rolname}" for foreign server "{server}" has no password',
        "Without one the worker would log in by what it is itself, not by what the role has.",
        "Give it one; or a superuser can set its option password_required to false (postgres_fdw).",
    ),
    "login": (
        "28000",
        'role "{rolname}" is not permitted to log in',
        "With worker_setting.connect_as = 'role', runs connect as the job's role itself.",
        "ALTER ROLE … LOGIN; lets the job run again.",
    ),
    "definer": (
        "42704",
        'role "{defined_by}", which has defined the job, does not exist',
        RESPONSIBLE,
        f"Create it again; or {TAKE_OVER}",
    ),
    "scheduler": (
        "42501",
        'role "{defined_by}", which has defined the job, is not a member of job_scheduler',
        RESPONSIBLE,
        f"Make it a member; or {TAKE_OVER}",
    ),
    "member": (
        "42501",
        'role "{defined_by}", which has defined the job, may not act as role "{rolname}"',
        RESPONSIBLE,
        f"Make it a member of that role; or {TAKE_OVER}",
    ),
}


def _obstacle(job: Job) -> Outcome | None:
    """What is in the way of a job, be it due or asked for."""
    if job.obstacle is None:
        try:
            if job.schedule is not None:
                _ = job.timing
        except UserError as user_error:  # it was valid once: the time zone database has changed
            return Outcome("failed", user_error.sqlstate, user_error.message, user_error.detail, user_error.hint)
        return None
    sqlstate, message, detail, hint = OBSTACLES[job.obstacle]
    message = message.format(rolname=job.rolname, datname=job.datname, server=job.server, defined_by=job.defined_by)
    return Outcome("failed", sqlstate, message, detail, hint)


def due_again(job: Job, after: float, now: float) -> float | None:
    """When a job is due that waits for no run to end: later than `after`, or as long after now as @after says."""
    try:
        timing = job.timing
    except UserError:
        return None
    pause = timing.schedule.after_end
    again = [timing.next(after), now + pause if pause is not None else None]
    return min((instant for instant in again if instant is not None), default=None)


def after_set_back(job: Job, by: float, now: float) -> float | None:
    """When a job is due that was due at `scheduled_at` before the clock was set back.

    As in cron(8), up to three hours are made good by waiting: those times have been seen to. If
    it is more, the clock was wrong.
    """
    if is_correction(by):
        return due_again(job, now, now)
    return min(job.scheduled_at, due_again(job, job.scheduled_at, now) or job.scheduled_at)


def is_correction(by: float) -> bool:
    """Whether a clock that is set back by so many seconds was wrong before."""
    return by > LONGEST_REPETITION.total_seconds()
