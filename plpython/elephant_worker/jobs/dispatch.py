"""Decides what becomes of jobs that are due or asked for, from what was read of them, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import field

from ..errors import UserError
from ..records import record
from ..schedule.due_times import LONGEST_REPETITION, TICK, Timing
from .job import Job
from .obstacles import obstacle_of
from .run import TOO_LATE, Outcome, Run, RunState, Target, stopped_hint

# How often a job is looked at whose schedule cannot be read any more, or that is disabled without a word of it.
UNREADABLE_INTERVAL = 3600.0  # seconds
# Due times of one job are at least this far apart.
LEAST_INTERVAL = 0.001  # seconds


@record(frozen=True)
class DispatchContext:
    """What the worker knows when it decides. Moments are seconds since 1970."""

    now: float
    # Since when it has been there without a break. What was due before may start this late, in seconds.
    available_since: float = 0.0
    grace: float = 0.0


@record()
class Decisions:
    """What to write and what to start."""

    runs: list[Run] = field(default_factory=list)
    # Runs that end before they begin: skipped, missed, cancelled, or with something in their way.
    ended: list[Run] = field(default_factory=list)
    # When jobs are due next, by job_id.
    next_run_at: dict[int, float | None] = field(default_factory=dict)
    # job_id: when it is due once its active run has ended; until then it is not due.
    due_after_run: dict[int, float] = field(default_factory=dict)
    # Requests that stay where they are until their job is idle, by jl_id.
    postponed: list[int] = field(default_factory=list)
    # Jobs whose schedule has changed since they became due.
    changed: list[int] = field(default_factory=list)
    # By job_id, why jobs are in quarantine from now on; None: they leave it.
    quarantined: dict[int, str | None] = field(default_factory=dict)


def decide(jobs: Iterable[Job], active: Counter[int], context: DispatchContext, new_id: Callable[[], int]) -> Decisions:
    """Decide about each job.

    `active` counts the runs of each job that have not ended; `new_id` gives numbers to rows of the log beside
    the one for the job's run.
    """
    decisions = Decisions()
    active = Counter(active)
    for job in _requests_first(jobs):
        if job.cause == "schedule":
            try:
                run = _due(job, active, context, decisions, new_id)
            except Exception as error:  # a mistake in this package must not keep other jobs waiting
                decisions.next_run_at[job.job_id] = context.now + UNREADABLE_INTERVAL
                _pass_over(job, _defect(error), context, decisions)
                continue
        else:
            run = _run(job) if job.schedule_set_at is not None else None  # else deleted since
        if run is None:
            continue
        reason = _cancellation(job)
        if reason is None and _is_busy(job, active):
            if job.cause in FOLLOWING:
                decisions.postponed.append(job.jl_id)
                continue
            reason = OVERLAP
        if reason is None:
            reason = obstacle_of(job)
            run.quarantined = reason is not None
            _quarantine(job, reason, decisions)
        if reason is None:
            decisions.runs.append(run)
            active[job.job_id] += 1
        else:
            run.end(reason, context.now)
            decisions.ended.append(run)
    return decisions


def _due(
    job: Job, active: Counter[int], context: DispatchContext, decisions: Decisions, new_id: Callable[[], int]
) -> Run | None:
    """The run of a job that is due, unless it is passed over; notes when the job is due next, and what is missed."""
    if job.schedule_set_at is None or job.schedule_set_at != job.state_set_at:
        decisions.changed.append(job.job_id)
        return None
    if not job.enabled:
        # No trigger has told that, which session_replication_role can do: there is no change to follow, and unless it
        # is due later it is read again at once.
        decisions.next_run_at[job.job_id] = context.now + UNREADABLE_INTERVAL
        return None
    obstacle = obstacle_of(job)
    try:
        timing = job.timing
    except UserError:
        decisions.next_run_at[job.job_id] = context.now + UNREADABLE_INTERVAL
        _pass_over(job, obstacle, context, decisions)
        return None
    if obstacle is not None or not _on_time(job, timing):
        decisions.next_run_at[job.job_id] = due_again(job, context.now, context.now)
        _pass_over(job, obstacle, context, decisions)
        return None

    if job.scheduled_at < context.available_since and _is_busy(job, active):
        # Missed time is looked at when the job is idle: what is made up for then runs one after the other.
        decisions.next_run_at[job.job_id] = None
        decisions.due_after_run[job.job_id] = job.scheduled_at
        return None
    chosen, following = _due_times_to_run(job, timing, context)
    first = chosen[0] if chosen else following
    if first != job.scheduled_at:
        decisions.ended.append(_missed(job, timing, first, context, new_id))
    if not chosen:
        decisions.next_run_at[job.job_id] = following
        return None
    run = _run(job, chosen[0])
    run.after_end = timing.schedule.after_end
    if job.start_deadline is not None:
        run.start_by = run.scheduled_at + job.start_deadline
    if len(chosen) > 1 and not job.parallel:
        # One after the other: the job is due again when this run has ended.
        decisions.due_after_run[job.job_id], following = chosen[1], None
    decisions.next_run_at[job.job_id] = following
    return run


def _due_times_to_run(job: Job, timing: Timing, context: DispatchContext) -> tuple[list[float], float | None]:
    """The due times up to now that get a run, and when the job is due after the first of them."""
    due, now = job.scheduled_at, context.now
    oldest = -float("inf") if job.start_deadline is None else now - job.start_deadline
    if due >= context.available_since:
        if due >= oldest:
            return [due], timing.next(due)
        return [], due_again(job, oldest - TICK, now)
    count = job.catch_up_limit if job.catch_up == "all" else 1
    if job.catch_up == "skip":
        oldest = max(oldest, now - context.grace)
    chosen = [due] if due >= oldest else []
    chosen = [*chosen, *timing.latest(max(due, oldest - TICK), now, count)][-count:]
    if len(chosen) > 1:
        return chosen, chosen[1]
    return chosen, timing.next(now) if chosen else due_again(job, now, now)


def _defect(error: Exception) -> Outcome:
    """Why a job is passed over when this package fails."""
    return Outcome(
        RunState.FAILED,
        "XX000",
        message=f"it could not be found out when the job is due next: {error!r}",
        detail="This is a mistake in elephant_worker.",
        hint="Please report it, with the job's schedule and time zone; another schedule may do for now.",
    )


def _on_time(job: Job, timing: Timing) -> bool:
    """Whether it is due now. While its schedule could not be read, the job was looked at now and then."""
    if job.quarantined_reason is None or timing.schedule.after_end is not None:
        return True
    due = timing.next(job.scheduled_at - LEAST_INTERVAL)
    return due is not None and abs(due - job.scheduled_at) < LEAST_INTERVAL


def _pass_over(job: Job, reason: Outcome | None, context: DispatchContext, decisions: Decisions) -> None:
    """Let a due time go by; one row of the log says why, for as long as the reason stays the same."""
    if reason is not None and reason.message != job.quarantined_reason:
        run = _run(job)
        run.quarantined = True
        run.end(reason, context.now)
        decisions.ended.append(run)
    _quarantine(job, reason, decisions)


def _quarantine(job: Job, reason: Outcome | None, decisions: Decisions) -> None:
    message = None if reason is None else reason.message
    if message != job.quarantined_reason:
        decisions.quarantined[job.job_id] = message


def _missed(job: Job, timing: Timing, first: float | None, context: DispatchContext, new_id: Callable[[], int]) -> Run:
    """One row of the log for all due times before the first that gets a run or is still to come."""
    end = context.now if first is None else min(context.now, first - TICK)
    if job.scheduled_at < context.available_since:
        # What was due since has waited with that, for an active run to end.
        alone = not timing.latest(max(job.scheduled_at, context.available_since - TICK), end, 1)
        reason = "no worker was at work when the job was due" if alone else "the job had not caught up with missed time"
        hint = "catch_up says whether such runs are made up for, worker_setting.start_grace how late a run may start."
    else:
        reason = TOO_LATE
        hint = "More max_running_jobs, or a longer start_deadline, let it run late."
    return _missed_run(job, timing, end, context.now, new_id(), reason, hint)


def missed_by_change(
    job: Job, changed_at: float, now: float, jl_id: int, what: str = "the schedule was changed"
) -> Run:
    """One row of the log for the due times of a job that waited when its schedule was changed, or something else was
    done. The job has its old schedule; if that cannot be read, one due time is counted."""
    try:
        timing = job.timing if job.schedule is not None else None
    except UserError:
        timing = None
    reason = f"{what} while the run waited"
    hint = "run_job() runs the job now."
    return _missed_run(job, timing, changed_at - TICK, now, jl_id, reason, hint)


def _missed_run(job: Job, timing: Timing | None, end: float, now: float, jl_id: int, reason: str, hint: str) -> Run:
    """A row of the log for the due times from that of the job to this moment."""
    count = 1 if timing is None else 1 + timing.count(job.scheduled_at, end)
    last = timing.latest(job.scheduled_at, end, 1) if timing is not None and count > 1 else []
    run = _run(job)
    run.jl_id = jl_id
    run.missed_count, run.missed_until = count, last[0] if last else job.scheduled_at
    what = "One due time" if count == 1 else f"{count} due times"
    detail = f"{what}, the first {now - job.scheduled_at:.0f} seconds ago."
    run.end(Outcome(RunState.MISSED, "55000", reason, detail, hint), now)
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
        version=job.version,
        job_name=job.job_name,
    )


def _requests_first(jobs: Iterable[Job]) -> list[Job]:
    """The jobs in their order, but of one job what users have asked for comes first, and due times last."""
    jobs = list(jobs)
    several = {job_id for job_id, count in Counter(job.job_id for job in jobs).items() if count > 1}
    return sorted(jobs, key=lambda job: _rank(job.cause) if job.job_id in several else 0) if several else jobs


def _rank(cause: str) -> int:
    return 2 if cause == "schedule" else int(cause in FOLLOWING)


# What the worker itself asks for: the job must still be enabled, and idle, or the request waits until it is.
FOLLOWING = {"retry", "dependency", "reboot"}


def _is_busy(job: Job, active: Counter[int]) -> bool:
    """Whether a run of the job has to end before the next one starts."""
    return active[job.job_id] > 0 and not job.parallel


def is_withdrawn(job: Job) -> bool:
    """Whether a run that was asked for is not to start: it has been cancelled, or its job is disabled or gone."""
    return job.schedule_set_at is None or _cancellation(job) is not None


def _cancellation(job: Job) -> Outcome | None:
    """Why a run is not to start at all."""
    if job.cause in FOLLOWING and (job.disabled or not job.enabled):
        message, detail = "the job was disabled before the run started", "Only run_job() runs a job that is disabled."
    elif job.withdrawn:
        by = "cancel_run(), or with try_job()" if job.cause == "trial" else "cancel_run() or cancel_job()"
        message, detail = f"the run was cancelled by {by}", "It had not started."
    else:
        return None
    return Outcome(RunState.CANCELLED, "57014", message, detail, stopped_hint(RunState.CANCELLED, job.cause))


OVERLAP = Outcome(
    RunState.SKIPPED,
    "55006",
    message="an earlier run of the job had not ended",
    detail="The job is not parallel: one run at a time.",
    hint="Set parallel to true where runs may overlap, or a shorter job_timeout.",
)


def due_again(job: Job, after: float, now: float) -> float | None:
    """When a job is due that waits for no run to end: later than `after`, or from now on as long as @after says."""
    try:
        timing = job.timing
    except UserError:
        return None
    pause = timing.schedule.after_end
    again = [timing.next(after), now + pause if pause is not None else None]
    return min((instant for instant in again if instant is not None), default=None)


def runs_at_reboot(job: Job, now: float) -> bool:
    """Whether a job runs now that the server has been started; if its schedule cannot be read, its run says so."""
    try:
        return job.timing.schedule.at_reboot and job.timing.in_window(now)
    except UserError:
        return True


def first_due_time(job: Job, committed: float, now: float, available_since: float) -> float | None:
    """When a job is due first whose definition, by which it was due at `scheduled_at`, is seen now: what was due before
    it was committed does not count, nor what was due between that and now, unless no worker was there then, which is
    missed time."""
    due = job.scheduled_at
    if due < committed:
        due = due_again(job, committed, now) or now
    if available_since <= due < now:
        due = due_again(job, now, now) or now
    return due


def after_set_back(job: Job, by: float, now: float) -> float | None:
    """When a job is due that was due at `scheduled_at` before the clock was set back.

    As in cron(8), up to three hours are waited for: their due times have been run already. If it is more,
    the clock was wrong before.
    """
    if is_correction(by):
        return due_again(job, now, now)
    return min(job.scheduled_at, due_again(job, job.scheduled_at, now) or job.scheduled_at)


def is_correction(by: float) -> bool:
    """Whether a clock that is set back by this many seconds was wrong before."""
    return by > LONGEST_REPETITION.total_seconds()
