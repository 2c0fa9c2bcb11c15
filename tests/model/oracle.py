"""Judges histories by the sentences of docs/reference.md and docs/schedules.md; it knows nothing of the code.

Each rule is a function that yields what it found. Its docstring says in a line what it looks for, and then quotes the
sentences that it holds histories against, as "reference.md: …" or "schedules.md: …"; tests/unit/test_oracle.py compares
them with the documents. Where two things came so close together that either order is right, a rule says nothing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.model.history import Attributes, Change, Event, History

Row = dict[str, Any]
# Things that are closer together than this may have come in either order, in seconds.
CLOSE = 0.25
# How long after the end of a run the worker may log it and decide what follows, on a machine that is busy, in seconds.
LATE = 1.0
# What the clock may be off between the log's microseconds and a float, in seconds.
EXACT = 0.001
# How long a run that has been claimed may take to start, or a worker that is there to do anything, in seconds.
PROMPT = 5.0
STARTED = {"succeeded", "failed", "timed out", "lost", "cancelled"}
FAILED = {"failed", "timed out", "lost"}
WANTED = {"on_success": {"succeeded"}, "on_failure": FAILED, "always": STARTED}
# The causes that the worker itself has.
FOLLOWING = {"retry", "dependency", "reboot"}
CONNECTION = {"53300", "57P01", "57P02", "57P03", "57P05"}
SERIALIZATION = {"40001", "40P01"}
# The events of alerts that say that a job fails.
FAILING = FAILED


@dataclass(frozen=True)
class Span:
    """A time in which a job certainly was as it says: its change was over, and the next one had not begun."""

    begin: float
    end: float
    attributes: Attributes
    # When the change that began it was made, at the earliest.
    changed: float
    # Whether the job was deleted then.
    is_last: bool

    def has(self, moment: float) -> bool:
        """Whether a moment certainly belongs to it."""
        return self.begin + CLOSE < moment < self.end - CLOSE

    @property
    def period(self) -> float | None:
        """Of a schedule that has a grid, in seconds."""
        schedule = self.attributes["schedule"]
        if schedule is None or schedule.startswith("@"):
            return None
        return float(schedule.split()[0].removeprefix("*/"))


def judge(history: History) -> list[str]:
    """All that contradicts the documents."""
    view = View(history)
    return [f"{rule.__name__}: {finding}" for rule in RULES for finding in rule(view)]


class View:
    """A history, by what rules ask for."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.rows: list[Row] = sorted(history.log, key=lambda row: row["jl_id"])
        self.by_number: dict[int, Row] = {row["jl_id"]: row for row in self.rows}
        self.by_job: dict[int, list[Row]] = defaultdict(list)
        self.caused: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows:
            self.by_job[row["job_id"]].append(row)
            if row["caused_by"] is not None:
                self.caused[row["caused_by"]].append(row)
        self.changes: dict[int, list[Change]] = defaultdict(list)
        for change in sorted(history.changes, key=lambda change: change.end):
            self.changes[change.job_id].append(change)
        self.spans: dict[int, list[Span]] = {job_id: list(self._spans(job_id)) for job_id in self.changes}
        self.told = {(alert["event"], alert["jl_id"]): alert for alert in history.alerts if alert["jl_id"]}

    def _spans(self, job_id: int) -> Iterator[Span]:
        changes = self.changes[job_id]
        for change, following in zip(changes, [*changes[1:], None]):
            if change.attributes is not None:
                end = self.history.end if following is None else following.begin
                is_last = following is not None and following.attributes is None
                yield Span(change.end, end, change.attributes, change.begin, is_last)

    def span(self, job_id: int, begin: float, end: float) -> Span | None:
        """How the job was all of this time, if it did not change in it or shortly before."""
        for span in self.spans.get(job_id, ()):
            if span.begin + CLOSE <= begin and end + CLOSE <= span.end:
                return span
        return None

    def changed(self, job_id: int, begin: float, end: float) -> bool:
        """Whether the job may have been changed in this time."""
        return any(c.begin - CLOSE <= end and c.end + CLOSE >= begin for c in self.changes[job_id])

    def seen(self, job_id: int, span: Span) -> float:
        """By when the worker certainly has seen the schedule: some time after it was set, or when it first followed
        it."""
        set_at = span.attributes["schedule_set_at"]
        committed = min(s.begin for s in self.spans[job_id] if s.attributes["schedule_set_at"] == set_at)
        followed = (r["scheduled_at"] for r in self.by_job[job_id] if r["cause"] == "schedule")
        return min([committed + PROMPT, *(due for due in followed if due > set_at)])

    def versions(self, job_id: int, begin: float, end: float) -> list[Attributes]:
        """All that the job may have been in this time."""
        changes = self.changes[job_id]
        return [
            change.attributes
            for change, following in zip(changes, [*changes[1:], None])
            if change.attributes is not None
            and change.begin - CLOSE <= end
            and (following is None or following.end + CLOSE >= begin)
        ]

    def events(self, *kinds: str, job_id: int | None = None) -> Iterator[Event]:
        for event in self.history.events:
            if event.kind in kinds and (job_id is None or event.job_id == job_id):
                yield event

    def happened(self, begin: float, end: float, *kinds: str, job_id: int | None = None) -> bool:
        """Whether something of these kinds may have been done in this time."""
        return any(e.begin - CLOSE <= end and e.end + CLOSE >= begin for e in self.events(*kinds, job_id=job_id))

    def disabled(self, job_id: int, moment: float) -> bool:
        """Whether disable_after may have disabled the job by then, and nobody changed it since."""
        alerts = [a["at"] for a in self.history.alerts if a["event"] == "disabled" and a["job_id"] == job_id]
        return any(
            at <= moment + CLOSE
            and not any(at + LATE < c.begin and c.end + CLOSE < moment for c in self.changes[job_id])
            for at in alerts
        )

    def away(self, begin: float, end: float) -> bool:
        """Whether the worker may not have been there, or not have started anything, in this time."""
        return self.happened(begin, end, "away")

    def follows_already(self, job_id: int, moment: float) -> bool:
        """Whether a run by dependency waited to start then, which stands for what ended meanwhile, too."""
        starts = (row for row in self.by_job[job_id] if row["cause"] == "dependency")
        return any(
            row["scheduled_at"] + EXACT < moment < (row["job_started"] or row["job_finished"]) + CLOSE for row in starts
        )

    def deleted(self, job_id: int) -> Change | None:
        """When the job was deleted."""
        changes = self.changes.get(job_id)
        return changes[-1] if changes and changes[-1].attributes is None else None

    def is_quarantine(self, row: Row) -> bool:
        """Whether a row says why a job could not run. A run that has begun may fail for the same reason, so it is
        the alert that tells."""
        return row["state"] == "failed" and row["job_started"] is None and ("quarantined", row["jl_id"]) in self.told

    def is_attempt(self, row: Row) -> bool:
        """Whether a retry took place; one that was cancelled or kept from running before it began did not."""
        cancelled = row["state"] == "cancelled" and row["job_started"] is None
        return row["state"] in STARTED and not cancelled and not self.is_quarantine(row)

    def is_final(self, row: Row) -> bool:
        """Whether a run has ended for good: no retry followed."""
        return not any(other["cause"] == "retry" and self.is_attempt(other) for other in self.caused[row["jl_id"]])

    def final_at(self, row: Row) -> float | None:
        """When a run has failed for good: perhaps only when its retry was dropped, which nothing may tell."""
        moments = [
            other["job_finished"] if other["cause"] == "retry" else other["scheduled_at"]
            for other in self.caused[row["jl_id"]]
            if other["cause"] in ("retry", "failure")
        ]
        versions = self.versions(row["job_id"], row["job_finished"], row["job_finished"])
        if not moments and any(row["attempt"] <= version["max_retries"] for version in versions):
            return None
        return max([row["job_finished"], *moments])

    def counted(self, job_id: int) -> list[Row]:
        """The runs of a job that succeeded or failed, in the order of their ends."""
        return sorted(
            (
                row
                for row in self.by_job[job_id]
                if row["state"] in ("succeeded", *FAILED) and row["cause"] != "trial" and not self.is_quarantine(row)
            ),
            key=lambda row: (row["job_finished"], row["jl_id"]),
        )

    def failures(self) -> Iterator[tuple[Row, Span]]:
        """Runs of jobs that failed while it is certain how their job was."""
        for row in self.rows:
            if row["job_id"] > 0 and row["state"] in FAILED and row["cause"] != "trial" and not self.is_quarantine(row):
                span = self.span(row["job_id"], row["job_finished"], row["job_finished"])
                if span is not None:
                    yield row, span


def due_between(attributes: Attributes, begin: float, end: float) -> list[float]:
    """The due times of a schedule in this time; the schedules of the model are simple enough to count."""
    schedule = attributes["schedule"]
    if schedule is None or schedule.startswith("@"):
        return []
    if schedule.endswith("seconds"):
        period, origin = float(schedule.split()[0]), attributes["schedule_set_at"]
    else:
        period, origin = float(schedule.split()[0].removeprefix("*/")), 0.0
    count = max(1, int((begin - origin) // period))
    found = []
    while (due := origin + count * period) <= end + EXACT:
        if due >= begin - EXACT:
            found.append(due)
        count += 1
    return found


def kind_of_failure(row: Row) -> str:
    if row["state"] != "failed":
        return {"timed out": "timeout", "lost": "lost"}[row["state"]]
    if row["job_sqlstate"] in SERIALIZATION:
        return "serialization"
    return "connection" if row["job_sqlstate"] in CONNECTION or row["job_sqlstate"].startswith("08") else "error"


# --- rows by themselves -----------------------------------------------------------------------


def rows_are_in_order(view: View) -> Iterator[str]:
    """The moments of a row come one after the other.

    reference.md: when it was due or requested; when its command was sent; when it ended
    """
    for row in view.rows:
        moments = [row[name] for name in ("scheduled_at", "job_started", "job_finished") if row[name] is not None]
        if moments != sorted(moments):
            yield f"run {row['jl_id']} ({row['state']}): moments run backwards: {moments}"


def states_have_what_they_need(view: View) -> Iterator[str]:
    """What is in a row suits its state.

    reference.md: ended without, with an error
    reference.md: `00000` for `succeeded`
    reference.md: the run has been claimed, at most 8 milliseconds before it is due, and has not ended
    reference.md: of a `missed` row: how many due times it stands for, from `scheduled_at` to this one
    """
    for row in view.rows:
        about = f"run {row['jl_id']} is {row['state']}"
        if row["state"] in ("skipped", "missed") and row["job_started"] is not None:
            yield f"{about} and has job_started"
        if row["state"] in ("succeeded", "timed out") and row["job_started"] is None:
            yield f"{about} and never started"
        if row["state"] == "running" or row["job_finished"] is None:
            yield f"{about} after all has ended"
        if (row["state"] == "succeeded") != (row["job_sqlstate"] == "00000"):
            yield f"{about}, SQLSTATE {row['job_sqlstate']}"
        if row["state"] != "missed":
            if row["missed_count"] is not None or row["missed_until"] is not None:
                yield f"{about} and has missed_count"
        elif row["missed_count"] < 1 or (row["missed_count"] == 1) != (row["missed_until"] == row["scheduled_at"]):
            yield f"{about}: {row['missed_count']} from {row['scheduled_at']} to {row['missed_until']}"


def causes_have_what_they_need(view: View) -> Iterator[str]:
    """What is in a row suits its cause.

    reference.md: `schedule`; `request`: `run_job()`; `once`: `run_once()`; `reboot`: `@reboot`; `retry`: an earlier
    attempt failed; `dependency`: the jobs of `run_after` have ended; `failure`: `on_failure_command`
    reference.md: The run is in the log with `cause = 'once'` and a negative `job_id`, which no job has.
    reference.md: `attempt` counted from 1
    reference.md: the run that led to this one
    """
    for row in view.rows:
        about = f"run {row['jl_id']} of job {row['job_id']} ({row['cause']})"
        if (row["caused_by"] is None) == (row["cause"] in ("retry", "dependency", "failure")):
            yield f"{about} is caused by {row['caused_by']}"
        elif row["caused_by"] is not None and row["caused_by"] >= row["jl_id"]:
            yield f"{about} is caused by a later one, {row['caused_by']}"
        if (row["attempt"] > 1) != (row["cause"] == "retry"):
            yield f"{about} is attempt {row['attempt']}"
        if (row["job_id"] < 0) != (row["cause"] in ("once", "failure")):
            yield f"{about} has a job_id that it should not have"


def due_times_once(view: View) -> Iterator[str]:
    """No due time is in the log twice, and none runs twice.

    schedules.md: A due time that stands in the log already does not run again.
    reference.md: Each attempt has its own row in the log
    """
    seen = Counter((row["job_id"], row["scheduled_at"]) for row in view.rows if row["cause"] == "schedule")
    yield from (f"job {job} at {due}: {times} rows" for (job, due), times in seen.items() if times > 1)
    ran = Counter(map(tuple, view.history.witness))
    yield from (
        f"job {job} at {due}, attempt {n}: ran {times} times" for (job, due, n), times in ran.items() if times > 1
    )


def the_log_is_true(view: View) -> Iterator[str]:
    """What commands wrote down is what the log says.

    reference.md: only the worker writes the log
    reference.md: `'elephant_worker.scheduled_at'` (a timestamp with its time zone, UTC: `2026-11-25 03:00:00+00:00`)
    """
    witness = {(job, round(due, 3), attempt) for job, due, attempt in view.history.witness}
    logged: dict[tuple[int, float, int], set[str]] = defaultdict(set)
    for row in view.rows:
        key = row["job_id"], round(row["scheduled_at"], 3), row["attempt"]
        logged[key].add(row["state"])
        if row["state"] == "succeeded" and "public.witness" in row["job_command"] and key not in witness:
            yield f"run {row['jl_id']} of job {row['job_id']} succeeded, and did not do its work"
    for key in witness:
        # What was stopped may have done its work by then.
        if not logged[key] & STARTED:
            yield f"job {key[0]} ran for {key[1]}, attempt {key[2]}: the log says {logged[key] or 'nothing'}"


def no_overlap(view: View) -> Iterator[str]:
    """A job that is not parallel has one run at a time.

    reference.md: whether a run may start while an earlier one is active
    """
    for job_id, rows in view.by_job.items():
        if job_id < 0 or any(span.attributes["parallel"] for span in view.spans.get(job_id, ())):
            continue
        ran = sorted((row["job_started"], row["job_finished"], row["jl_id"]) for row in rows if row["job_started"])
        for (_, ended, first), (started, _, second) in zip(ran, ran[1:]):
            if started < ended - EXACT:
                yield f"job {job_id}: run {second} started {ended - started:.3f} s before run {first} ended"


def skipped_for_a_run(view: View) -> Iterator[str]:
    """What is skipped found another run active.

    reference.md: an earlier run of a job that is not `parallel` was still active
    schedules.md: what is due while it is active is `skipped` at once, unless the job is `parallel`
    reference.md: the second is `skipped` if the first has not ended
    """
    for row in view.rows:
        if row["state"] != "skipped":
            continue
        moment = row["job_finished"]
        active = [
            other
            for other in view.by_job[row["job_id"]]
            if other["state"] in STARTED
            and other["jl_id"] != row["jl_id"]
            and min(other["scheduled_at"], other["job_started"] or other["scheduled_at"]) <= moment + EXACT
            and other["job_finished"] >= moment - LATE
        ]
        if not active:
            yield f"run {row['jl_id']} of job {row['job_id']} was skipped at {moment} while no run was active"
        if any(attributes["parallel"] for attributes in view.versions(row["job_id"], 0, moment)):
            yield f"run {row['jl_id']} of job {row['job_id']}, which is parallel, was skipped"


def what_follows_is_not_skipped(view: View) -> Iterator[str]:
    """Retries and runs by dependencies wait until their job is idle.

    reference.md: it waits until the job is idle
    reference.md: runs when the job is idle; a due time meanwhile is `skipped`
    """
    for row in view.rows:
        if row["cause"] in FOLLOWING and row["state"] == "skipped":
            yield f"run {row['jl_id']} of job {row['job_id']} ({row['cause']}) was skipped"


# --- due times --------------------------------------------------------------------------------


def every_due_time_is_accounted_for(view: View) -> Iterator[str]:
    """What was due is in the log.

    schedules.md: So each due time of a job that is enabled and not in quarantine is in the log, as a run, as `skipped`,
    or in a `missed` row.
    schedules.md: A late or long run does not move the grid.
    schedules.md: The first due time is the first after the worker has seen the definition
    reference.md: The job keeps its due times and is checked again at each of them; once the reason is gone, it runs as
    usual.
    reference.md: | the job is deleted | dropped; nothing follows | dropped, without a row | dropped, without a row |
    dropped, without a row |
    """
    for job_id, spans in view.spans.items():
        rows = [row for row in view.by_job[job_id] if row["cause"] == "schedule"]
        for span in spans:
            if not span.attributes["enabled"]:
                continue
            begin = max(span.begin + CLOSE, view.seen(job_id, span))
            for due in due_between(span.attributes, begin, span.end - CLOSE):
                if view.disabled(job_id, due) or view.happened(due - 5, due + CLOSE, "quarantine", job_id=job_id):
                    continue
                if span.is_last and view.away(due, span.end):
                    continue  # deleted while it waited
                # What waited when the quarantine began was passed over as well.
                passed_over = (
                    row for row in rows if view.is_quarantine(row) and row["scheduled_at"] < due < row["job_finished"]
                )
                if not any(_covers(row, due) for row in rows) and not any(passed_over):
                    yield f"job {job_id} ({span.attributes['schedule']}) was due at {due:.3f}: no row"


def _covers(row: Row, due: float) -> bool:
    last = row["missed_until"] if row["state"] == "missed" else row["scheduled_at"]
    return bool(row["scheduled_at"] - EXACT <= due <= last + EXACT)


def nothing_else_is_due(view: View) -> Iterator[str]:
    """A run by schedule is one of a due time of a job that is enabled.

    schedules.md: count from start to start, on a fixed grid that begins when the schedule is set (or the job is
    enabled), or at `starts_at`
    reference.md: whether the schedule is followed
    """
    for row in view.rows:
        if row["cause"] != "schedule":
            continue
        due = row["scheduled_at"]
        span = view.span(row["job_id"], due, due)
        if span is None or span.period is None:
            continue
        if not span.attributes["enabled"]:
            yield f"run {row['jl_id']} of job {row['job_id']}, which is not enabled, is due at {due}"
        elif not any(abs(due - time) < EXACT for time in due_between(span.attributes, due - 0.01, due + 0.01)):
            yield f"run {row['jl_id']} of job {row['job_id']} ({span.attributes['schedule']}) is not due at {due}"


def nothing_is_due_before_it_is_defined(view: View) -> Iterator[str]:
    """The first due time comes after the definition has been committed.

    reference.md: These calls take effect when their transaction commits, and not at all if it is rolled back.
    schedules.md: while no worker is there, it is the first after the commit
    """
    for job_id, changes in view.changes.items():
        change = changes[0]
        for row in view.by_job[job_id]:
            due = row["scheduled_at"]
            if row["cause"] == "schedule" and due < change.begin - EXACT:
                yield f"run {row['jl_id']} of job {job_id} was due {change.begin - due:.3f} s before its definition"
    for job_id in view.by_job:
        if job_id > 0 and job_id not in view.changes:
            yield f"job {job_id} is in the log, and was never defined"


def missed_only_for_a_reason(view: View) -> Iterator[str]:
    """What is missed could not run.

    reference.md: one or more due times without a run
    schedules.md: While no worker is there (it was stopped, the server was down or a standby) or the machine sleeps, or
    where the clock is set forward, due times pass by.
    reference.md: ends the pause: what was due meanwhile is missed time
    """
    for row in view.rows:
        if row["state"] != "missed":
            continue
        begin, end = row["scheduled_at"], row["job_finished"]
        if (
            not view.away(begin, end)
            and not view.changed(row["job_id"], begin, end)
            and not view.happened(begin, end, "quarantine", job_id=row["job_id"])
            and not view.disabled(row["job_id"], end)
        ):
            yield f"run {row['jl_id']} of job {row['job_id']} was missed at {begin} without a reason"


def missed_time_is_made_up(view: View) -> Iterator[str]:
    """catch_up decides about what was missed.

    schedules.md: The worker looks at them when it is back, and the job's `catch_up` says what becomes of them
    schedules.md: the latest runs late if it is not older than `worker_setting.start_grace` (1 minute); the others do
    not run
    schedules.md: one run for all of them, for the latest
    schedules.md: one run for each, the oldest first, one after the other (at once if the job is `parallel`); at most
    the `catch_up_limit` (100) latest
    schedules.md: `scheduled_at` is the first of these due times, `missed_until` the last, `missed_count` how many there
    were
    """
    grace = view.history.start_grace
    for row in view.rows:
        due, end = row["scheduled_at"], row["job_finished"]
        span = view.span(row["job_id"], due, end) if row["cause"] == "schedule" else None
        if span is None or span.period is None or view.happened(due - 5, end, "quarantine", job_id=row["job_id"]):
            continue
        if view.disabled(row["job_id"], end):
            continue
        catch_up, about = span.attributes["catch_up"], f"run {row['jl_id']} of job {row['job_id']}"
        if row["state"] == "missed":
            if abs((row["missed_until"] - due) / span.period + 1 - row["missed_count"]) > EXACT:
                yield f"{about}: {row['missed_count']} due times from {due} to {row['missed_until']}"
            if catch_up == "all" and span.attributes["catch_up_limit"] == 100:
                yield f"{about} was missed at {due} and is not made up for"
            later = [
                other
                for other in view.by_job[row["job_id"]]
                if other["cause"] == "schedule" and row["missed_until"] < other["scheduled_at"] <= end + EXACT
            ]
            if catch_up == "once" and not later:
                yield f"{about} was missed at {due}, and there is no run for the latest due time"
            if catch_up == "skip" and not later and end - row["missed_until"] < grace - CLOSE:
                yield f"{about} was missed {end - row['missed_until']:.3f} s after it was due"
        elif row["job_started"] is not None and catch_up == "skip" and row["job_started"] - due > grace + PROMPT:
            yield f"{about} started {row['job_started'] - due:.3f} s late"


def after_counts_from_the_end(view: View) -> Iterator[str]:
    """A job is due again so long after the end of its run.

    schedules.md: `@after 10 minutes` counts from the end of a run to the start of the next
    schedules.md: The first run comes so long after the schedule is set.
    """
    for job_id, spans in view.spans.items():
        rows = sorted((r for r in view.by_job[job_id] if r["cause"] == "schedule"), key=lambda row: row["scheduled_at"])
        for span in spans:
            if not (span.attributes["schedule"] or "").startswith("@after"):
                continue
            pause = float(span.attributes["schedule"].split()[1])
            inside = [row for row in rows if span.has(row["scheduled_at"])]
            if inside and inside[0]["scheduled_at"] < span.attributes["schedule_set_at"] + pause - EXACT:
                yield f"run {inside[0]['jl_id']} of job {job_id} came too early after the schedule was set"
            for before, row in zip(inside, inside[1:]):
                least = before["job_finished"] + pause - EXACT
                if before["state"] != "lost" and not view.is_quarantine(before) and row["scheduled_at"] < least:
                    yield f"run {row['jl_id']} of job {job_id} came {least - row['scheduled_at']:.3f} s too early"


def reboot_only_after_a_start(view: View) -> Iterator[str]:
    """The server of a history is not restarted.

    schedules.md: Not after a mere restart of the worker, nor of a crash that the server itself recovers from.
    schedules.md: A job that is defined when the worker runs already waits for the next start of the server.
    """
    for row in view.rows:
        if row["cause"] == "reboot":
            yield f"run {row['jl_id']} of job {row['job_id']}: the server has not been started"


def nothing_starts_during_a_break(view: View) -> Iterator[str]:
    """Nothing starts while jobs are paused or the worker is stopped.

    reference.md: has the worker start nothing more, also after it is restarted; active runs go on, requests wait
    reference.md: cancels the active runs (logged as `cancelled`) and ends the worker
    """
    for event in view.events("paused", "stopped"):
        begin = event.begin + (PROMPT / 2 if event.kind == "paused" else EXACT)
        for row in view.rows:
            if begin < (row["job_started"] or 0) < event.end:
                yield f"run {row['jl_id']} started {row['job_started'] - event.begin:.3f} s after: {event.kind}"
            started = row["job_started"] or event.end
            if event.kind == "stopped" and started < event.begin < row["job_finished"] - EXACT:
                yield f"run {row['jl_id']} went on after the worker was stopped"


def nothing_starts_while_not_enabled(view: View) -> Iterator[str]:
    """Neither schedule nor retry nor dependency starts a job that is not enabled.

    reference.md: A job that is not enabled is not retried.
    reference.md: While it is not enabled, or disabled by `disable_after`, dependencies do not start it either
    """
    for row in view.rows:
        if row["job_started"] is None or row["cause"] not in ("schedule", *FOLLOWING):
            continue
        span = view.span(row["job_id"], row["job_started"] - PROMPT, row["job_started"])
        if span is not None and not span.attributes["enabled"]:
            yield f"run {row['jl_id']} of job {row['job_id']} ({row['cause']}) started, which is not enabled"


def deleted_jobs_do_not_start(view: View) -> Iterator[str]:
    """A deleted job leaves nothing but its log.

    reference.md: deletes the job; its log stays, and an active run continues
    reference.md: dropped, without a row
    """
    for job_id in view.changes:
        change = view.deleted(job_id)
        if change is None:
            continue
        for row in view.by_job[job_id]:
            if max(row["scheduled_at"], (row["job_started"] or 0) - PROMPT) > change.end + CLOSE:
                yield f"run {row['jl_id']} of job {job_id} ({row['cause']}, {row['state']}) came after its deletion"


# --- ends -------------------------------------------------------------------------------------


def cancelled_only_for_a_reason(view: View) -> Iterator[str]:
    """Somebody has cancelled what is cancelled, or stopped the worker, or disabled the job.

    reference.md: the same, by `cancel_job()` or `stop_worker()`
    reference.md: stops its active runs, drops its retry, and cancels what was requested and waits
    reference.md: stops this run, or removes it if it is still waiting
    reference.md: starts it now, even if it is not enabled
    """
    for row in view.rows:
        begin, end, job_id = row["scheduled_at"], row["job_finished"], row["job_id"]
        if row["state"] != "cancelled" or view.away(begin, end):
            continue
        if view.happened(begin, end, "cancel_job", job_id=job_id):
            continue
        if any(event.jl_id == row["jl_id"] for event in view.events("cancel_run")):
            continue
        off = not all(attributes["enabled"] for attributes in view.versions(job_id, begin, end))
        if not (row["cause"] in FOLLOWING and row["job_started"] is None and (off or view.disabled(job_id, end))):
            yield f"run {row['jl_id']} of job {job_id} ({row['cause']}) was cancelled at {end} without a reason"


def lost_only_for_a_reason(view: View) -> Iterator[str]:
    """What is lost ran when the worker ended.

    reference.md: the worker or the server ended during the run; how far the command got is unknown
    """
    for row in view.rows:
        if row["state"] == "lost" and not view.away(row["scheduled_at"], row["job_finished"]):
            yield f"run {row['jl_id']} of job {row['job_id']} was lost, and the worker was there"


def timed_out_after_job_timeout(view: View) -> Iterator[str]:
    """No run is stopped early, and none takes much longer than it may.

    reference.md: after this long the run is cancelled
    reference.md: cancelled after `job_timeout`, and terminated if it did not end within `worker_setting.cancel_grace`
    """
    for row in view.rows:
        if row["job_started"] is None or row["job_id"] < 0:
            continue
        limits = [a["job_timeout"] for a in view.versions(row["job_id"], row["scheduled_at"], row["job_started"])]
        took = row["job_finished"] - row["job_started"]
        about = f"run {row['jl_id']} of job {row['job_id']} took {took:.3f} s and {row['state']}"
        if row["state"] == "timed out" and limits and took < min(limits) - CLOSE:
            yield f"{about}: job_timeout is {limits}"
        away = view.away(row["job_started"], row["job_finished"])
        if row["state"] != "timed out" and limits and took > max(limits) + PROMPT and not away:
            yield f"{about}: job_timeout is {limits}"


def retried_or_final(view: View) -> Iterator[str]:
    """One thing follows from a failure of a job that has an on_failure_command: a retry, or the command.

    reference.md: `on_failure_command` is run when a run has failed, timed out or been lost and is not tried again.
    reference.md: A job has at most one pending retry
    reference.md: A failure whose retry is replaced or dropped, or cancelled before it starts, is final from then on:
    `on_failure_command` runs, and so do jobs that run after a failure.
    reference.md: A retry that finds no connection is an attempt that failed.
    reference.md: If several runs of a `parallel` job fail while a retry is pending, the others are final at once.
    reference.md: replaced by the regular run; its failure is final
    reference.md: dropped; its failure is final
    """
    for row, span in view.failures():
        retries = [other for other in view.caused[row["jl_id"]] if other["cause"] == "retry"]
        attempts = [other for other in retries if view.is_attempt(other)]
        ends = [other for other in view.caused[row["jl_id"]] if other["cause"] == "failure"]
        if len(retries) > 1 or len(ends) > 1:
            yield f"run {row['jl_id']}: {len(retries)} retries and {len(ends)} on_failure_commands"
        if attempts and ends:
            yield f"run {row['jl_id']} was retried by {attempts[0]['jl_id']} and ended in {ends[0]['jl_id']}"
        if view.deleted(row["job_id"]):
            continue
        later = [c.attributes for c in view.changes[row["job_id"]] if c.end >= row["job_finished"] and c.attributes]
        expected = all(attributes["on_failure_command"] for attributes in [span.attributes, *later])
        if expected and not attempts and not ends and row["job_finished"] < view.history.end - CLOSE:
            yield f"run {row['jl_id']} of job {row['job_id']} failed ({kind_of_failure(row)}), and nothing followed"
    for row in view.rows:
        if row["cause"] == "failure":
            cause = view.by_number.get(row["caused_by"])
            if cause is None or cause["state"] not in FAILED or view.is_quarantine(cause):
                yield f"run {row['jl_id']} is an on_failure_command of {row['caused_by']}, which did not fail"


def retries_as_allowed(view: View) -> Iterator[str]:
    """Retries come when and as often as the job says.

    reference.md: A run that failed in one of the ways listed in `retry_on` is tried again, up to `max_retries` times:
    first after `retry_delay`, then each time after twice as long, up to `max_retry_delay`.
    reference.md: Each delay is varied by up to a quarter
    reference.md: the session could not be opened, or was lost (SQLSTATE class 08, 53300, 57P01 to 57P03, 57P05)
    reference.md: a serialization failure or a deadlock (40001, 40P01)
    reference.md: the worker or the server ended during the run. It may have done its work, and a retry would do it
    twice; so this is not in the default
    reference.md: `scheduled_at` as the first attempt had it, `caused_by` the attempt before
    """
    for row, span in view.failures():
        attributes = span.attributes
        for retry in view.caused[row["jl_id"]]:
            if retry["cause"] != "retry":
                continue
            if row["attempt"] > attributes["max_retries"] or kind_of_failure(row) not in attributes["retry_on"]:
                yield f"run {row['jl_id']} (attempt {row['attempt']}, {kind_of_failure(row)}) was retried: {attributes}"
            if retry["job_started"] is not None:
                delay = attributes["retry_delay"] * 2 ** (row["attempt"] - 1)
                least = min(0.75 * delay, attributes["max_retry_delay"])
                waited = retry["job_started"] - row["job_finished"]
                if waited < least - EXACT:
                    yield f"run {retry['jl_id']} started {waited:.3f} s after {row['jl_id']} failed, not {least:.3f}"
    for row in view.rows:
        cause = view.by_number.get(row["caused_by"]) if row["cause"] == "retry" else None
        if cause is None:
            continue
        if cause["job_id"] != row["job_id"] or cause["state"] not in FAILED:
            yield f"run {row['jl_id']} is a retry of {cause['jl_id']}, which {cause['state']}"
        if row["attempt"] != cause["attempt"] + 1 or abs(row["scheduled_at"] - cause["scheduled_at"]) > EXACT:
            yield f"run {row['jl_id']} is a retry of {cause['jl_id']} with another attempt or due time"


def quarantine_is_no_failure(view: View) -> Iterator[str]:
    """Nothing follows from a quarantine.

    reference.md: A quarantine is not a failure: it is not counted, and neither retries nor `on_failure_command` nor
    `disable_after` take notice.
    reference.md: its run is `failed` with the reason; the first failure is final
    """
    for row in view.rows:
        if row["job_id"] > 0 and view.is_quarantine(row):
            for other in view.caused[row["jl_id"]]:
                yield f"run {row['jl_id']} is a quarantine, and run {other['jl_id']} follows from it"


def quarantine_is_told_once(view: View) -> Iterator[str]:
    """A job in quarantine has a reason, and one row for it.

    reference.md: The log gets one `failed` row for each new reason, not one for each due time.
    reference.md: Other jobs are not affected.
    """
    seen: Counter[tuple[int, str, float]] = Counter()
    for row in view.rows:
        if row["job_id"] < 0 or not view.is_quarantine(row):
            continue
        at = row["job_finished"]
        # The worker may have looked at what the job needs some time after its turn began.
        if not view.happened(at, at + LATE, "quarantine", job_id=row["job_id"]):
            yield f"run {row['jl_id']} of job {row['job_id']}: no reason for a quarantine: {row['exception_message']}"
        for event in view.events("quarantine", job_id=row["job_id"]):
            if row["cause"] == "schedule" and event.begin <= at <= event.end - 2.0:
                seen[row["job_id"], row["exception_message"], event.begin] += 1
    for (job_id, reason, _), times in seen.items():
        if times > 1:
            yield f"job {job_id}: {times} rows say {reason}"


def nothing_follows_from_single_commands(view: View) -> Iterator[str]:
    """What is no run of a job has no consequences.

    reference.md: If it fails as well, nothing follows.
    """
    for row in view.rows:
        if row["job_id"] < 0:
            for other in view.caused[row["jl_id"]]:
                yield f"run {row['jl_id']} ({row['cause']}) led to run {other['jl_id']}"


def disabled_after_failures(view: View) -> Iterator[str]:
    """A job that failed too often in a row is not started.

    reference.md: After `disable_after` failures in a row, counting each attempt, the schedule is no longer followed
    reference.md: Any change of the job, such as `update_job(7, enabled := true)`, ends that. The failures still count,
    so one more disables the job again; a success resets the count.
    """
    for job_id, spans in view.spans.items():
        for span in spans:
            limit = span.attributes["disable_after"]
            if limit is None:
                continue
            # A run that may overlap may have been claimed before, and wait for a session.
            claimed = PROMPT if span.attributes["parallel"] else 2 * CLOSE
            in_row, since = 0, None
            for row in view.counted(job_id):
                in_row = 0 if row["state"] == "succeeded" else in_row + 1
                if span.has(row["job_finished"]) and in_row >= limit and since is None:
                    since = row["job_finished"]
            if since is None:
                continue
            late = [
                row["jl_id"]
                for row in view.by_job[job_id]
                if row["cause"] in ("schedule", *FOLLOWING)
                and since + claimed < (row["job_started"] or 0) < span.end - CLOSE
            ]
            if late:
                yield f"job {job_id} failed {limit} times in a row by {since}, and runs {late[:3]} started"


# --- dependencies -----------------------------------------------------------------------------


def dependencies_have_their_cause(view: View) -> Iterator[str]:
    """A run by dependency names the run that ended last, and that ended as it should.

    reference.md: The run has `cause = 'dependency'`, and `caused_by` is the run that ended last.
    reference.md: `failed`, `timed out` or `lost`, and no retry pending
    reference.md: any of these, or `cancelled`
    reference.md: `skipped` and `missed` are not runs
    """
    for row in view.rows:
        if row["cause"] != "dependency" or row["job_id"] < 0:
            continue
        cause = view.by_number.get(row["caused_by"])
        span = view.span(row["job_id"], row["scheduled_at"], row["scheduled_at"])
        if cause is None:
            yield f"run {row['jl_id']} is caused by {row['caused_by']}, which is not in the log"
            continue
        if cause["state"] not in STARTED:
            yield f"run {row['jl_id']} is caused by {cause['jl_id']}, which was {cause['state']}"
        if span is None:
            continue
        attributes = span.attributes
        if cause["job_id"] not in (attributes["run_after"] or ()):
            yield f"run {row['jl_id']} is caused by a run of job {cause['job_id']}, not of {attributes['run_after']}"
            continue
        if cause["state"] not in WANTED[attributes["run_when"]]:
            yield f"run {row['jl_id']} ({attributes['run_when']}) is caused by {cause['jl_id']}, which {cause['state']}"
        if cause["state"] in FAILED and not view.is_final(cause):
            yield f"run {row['jl_id']} follows from {cause['jl_id']}, which was tried again"
        for number in attributes["run_after"]:
            ends = [
                other
                for other in view.by_job[number]
                if view.is_attempt(other)
                and other["job_finished"] < row["scheduled_at"] - CLOSE
                and other["job_finished"] > cause["job_finished"] + CLOSE
                and view.is_final(other)
                # What ends in these times does not count.
                and not view.happened(other["job_finished"] - 1, other["job_finished"] + 1, "quarantine")
            ]
            # The failure of a retry that is dropped is final when that is done.
            dropped = cause["state"] in FAILED
            if ends and not dropped:
                yield f"run {row['jl_id']} is caused by {cause['jl_id']}, but {ends[-1]['jl_id']} ended later"


def dependencies_wait_for_all(view: View) -> Iterator[str]:
    """Each job that is waited for has ended since the last start.

    reference.md: A job with `run_after` starts when each job named there has ended since the dependency last started it
    reference.md: A job whose predecessor is deleted no longer starts
    """
    for job_id, rows in view.by_job.items():
        starts = [row for row in rows if row["cause"] == "dependency"]
        for before, row in zip([None, *starts], starts):
            span = view.span(job_id, row["scheduled_at"], row["scheduled_at"])
            since = 0.0 if before is None else before["scheduled_at"] - CLOSE
            for number in (span.attributes["run_after"] or ()) if span is not None else ():
                # A failure is final later, if its retry is dropped.
                ended = any(
                    view.is_attempt(other)
                    and other["job_finished"] < row["scheduled_at"] + EXACT
                    and (other["job_finished"] > since or other["state"] in FAILED)
                    for other in view.by_job[number]
                )
                if not ended:
                    yield f"run {row['jl_id']} of job {job_id} started, and job {number} had not ended"
                deleted = view.deleted(number)
                if deleted is not None and deleted.end + CLOSE < row["scheduled_at"]:
                    yield f"run {row['jl_id']} of job {job_id} started, and job {number} had been deleted"


def single_dependencies_follow(view: View) -> Iterator[str]:
    """A job that runs after one other starts after each end of it that it wants.

    reference.md: the last end of each is as `run_when` requires
    reference.md: All runs of these jobs count, including those requested by `run_job()`
    reference.md: At most one such run of a job waits to be started: it follows what ends meanwhile, too.
    """
    for job_id, spans in view.spans.items():
        for span in spans:
            run_after = span.attributes["run_after"]
            if not run_after or len(run_after) != 1 or not span.attributes["enabled"]:
                continue
            # Of runs that end at once the last one counts.
            if any(version["parallel"] for version in view.versions(run_after[0], span.begin, span.end)):
                continue
            for row in view.by_job[run_after[0]]:
                barred = row["cause"] == "retry" and not view.is_attempt(row)
                if row["state"] not in WANTED[span.attributes["run_when"]] or view.is_quarantine(row) or barred:
                    continue
                ended = row["job_finished"]
                if row["state"] in FAILED:  # for good perhaps only when its retry was dropped
                    final = view.final_at(row)
                    if final is None:
                        continue
                    ended = view.history.end if view.disabled(job_id, final + 10) else final
                if not span.begin + CLOSE < ended < span.end - 2 * LATE or view.disabled(job_id, ended + CLOSE):
                    continue
                if (row["state"] in FAILED and not view.is_final(row)) or view.follows_already(job_id, ended):
                    continue
                # Whose role is away follows nobody.
                if any(view.happened(ended - 1, ended + 1, "quarantine", job_id=n) for n in (job_id, run_after[0])):
                    continue
                near = [
                    other
                    for other in view.by_job[run_after[0]]
                    if other is not row and abs(other["job_finished"] - ended) < CLOSE and other["state"] in STARTED
                ]
                if not near and not any(other["cause"] == "dependency" for other in view.caused[row["jl_id"]]):
                    yield f"job {job_id} runs after job {run_after[0]}, not after run {row['jl_id']} ({row['state']})"


# --- requests, counters, alerts ---------------------------------------------------------------


def requests_run(view: View) -> Iterator[str]:
    """What was asked for is in the log.

    reference.md: returns the run's `jl_id`
    reference.md: runs a command now, without a job; returns the `jl_id`
    """
    for event in view.events("run_job", "run_once"):
        row = view.by_number.get(event.result)
        if row is None:
            if event.kind == "run_job" and view.deleted(event.job_id or 0):
                continue  # deleted before it started
            yield f"{event.kind} returned {event.result}, which is not in the log"
        elif row["cause"] != {"run_job": "request", "run_once": "once"}[event.kind]:
            yield f"{event.kind} returned {event.result}, whose cause is {row['cause']}"
    asked = {event.result for event in view.events("run_job", "run_once")}
    for row in view.rows:
        if row["cause"] in ("request", "once") and row["jl_id"] not in asked:
            yield f"run {row['jl_id']} ({row['cause']}) was not asked for"


def counters_agree(view: View) -> Iterator[str]:
    """The statistics say what the log says.

    reference.md: number of runs that succeeded, failed or were cancelled
    reference.md: number of these that failed, timed out or were lost
    reference.md: number of runs that were cancelled, skipped
    reference.md: number of due times that were missed
    reference.md: when the last run started; when the last one that succeeded ended
    reference.md: how the last 10 runs ended, the latest first
    reference.md: It is counted when a run ends, and does not depend on how long the log is kept.
    """
    for statistic in view.history.statistics:
        rows = [r for r in view.by_job[statistic["job_id"]] if r["cause"] != "trial" and not view.is_quarantine(r)]
        states = Counter(row["state"] for row in rows)
        failures = sum(states[state] for state in FAILED)
        succeeded = [row["job_finished"] for row in rows if row["state"] == "succeeded"]
        expected = {
            "runs": states["succeeded"] + failures + states["cancelled"],
            "failures": failures,
            "cancelled": states["cancelled"],
            "skipped": states["skipped"],
            "missed": sum(row["missed_count"] or 0 for row in rows if row["state"] == "missed"),
            "last_executed": max((row["job_started"] for row in rows if row["job_started"]), default=None),
            "last_success": max(succeeded, default=None),
        }
        for name, value in expected.items():
            # job_stats shows moments to the second.
            shown = math.floor(value) if name.startswith("last_") and value is not None else value
            if statistic[name] != shown:
                yield f"job {statistic['job_id']}: {name} is {statistic[name]}, by the log {value}"
        # Which of two that ended at once is the last one, is not said.
        if len(rows) <= 10 and Counter(statistic["last_states"]) != states:
            yield f"job {statistic['job_id']}: last_states is {statistic['last_states']}, by the log {dict(states)}"
        elif len(statistic["last_states"]) != min(10, len(rows)):
            yield f"job {statistic['job_id']}: {len(statistic['last_states'])} last_states, {len(rows)} rows"


def failures_since_the_last_success(view: View) -> Iterator[str]:
    """failure_count and success_count say what the log says.

    reference.md: `failure_count` (runs that failed since the last success), `success_count`, `last_executed`
    """
    for job in view.history.jobs:
        rows = view.counted(job["job_id"])
        successes = [number for number, row in enumerate(rows) if row["state"] == "succeeded"]
        if job["success_count"] != len(successes):
            yield f"job {job['job_id']}: success_count is {job['success_count']}, by the log {len(successes)}"
        since = rows[successes[-1] + 1 :] if successes else rows
        last = rows[successes[-1]]["job_finished"] if successes else 0.0
        if any(abs(row["job_finished"] - last) < CLOSE for row in rows if row["state"] in FAILED):
            continue
        if job["failure_count"] != len(since):
            yield f"job {job['job_id']}: failure_count is {job['failure_count']}, by the log {len(since)}"


def failures_are_told(view: View) -> Iterator[str]:
    """There is an alert for each run that failed or was missed.

    reference.md: a run ended so; `retry`: it will be tried again
    reference.md: the job did not run because of what `quarantined_reason` says; told once for each new reason,
    and for each run that was asked for
    reference.md: the table `alert` keeps every one, written in the transaction that logs the run
    """
    for row in view.rows:
        if row["state"] in (*FAILED, "missed") and row["cause"] != "trial":
            alert = view.told.get(("quarantined" if view.is_quarantine(row) else row["state"], row["jl_id"]))
            if alert is None:
                yield f"run {row['jl_id']} is {row['state']}, and no alert says so"
            elif not alert["retry"] and any(o["cause"] == "retry" for o in view.caused[row["jl_id"]]):
                yield f"the alert of run {row['jl_id']} says that it is not tried again, and it is"


def alerts_tell_the_truth(view: View) -> Iterator[str]:
    """What an alert says of a run is what the log says.

    reference.md: the job has failed `disable_after` times in a row
    """
    states = {"recovered": "succeeded", "quarantined": "failed"}
    times = Counter((alert["event"], alert["jl_id"]) for alert in view.history.alerts if alert["jl_id"])
    yield from (f"run {jl_id}: {count} alerts {event}" for (event, jl_id), count in times.items() if count > 1)
    for (event, jl_id), alert in view.told.items():
        row = view.by_number.get(jl_id)
        if row is None or row["state"] != states.get(event, event):
            yield f"an alert says of run {jl_id}: {event}; the log: {row and row['state']}"
            continue
        names = ("job_id", "rolname", "datname", "attempt")
        same = all(alert[name] == row[name] for name in names) and alert["sqlstate"] == row["job_sqlstate"]
        if not same:
            yield f"the alert of run {jl_id} says {alert}, the log {row}"
        span = view.span(row["job_id"], row["job_finished"], row["job_finished"])
        if alert["retry"] and span is not None and row["attempt"] > span.attributes["max_retries"]:
            yield f"the alert of run {jl_id} says that it is tried again: it was attempt {row['attempt']}"
    for alert in view.history.alerts:
        if alert["event"] != "disabled":
            continue
        job_id, at = alert["job_id"], alert["at"]
        limits = [a["disable_after"] for a in view.versions(job_id, at, at) if a["disable_after"] is not None]
        ended = [row for row in view.counted(job_id) if row["job_finished"] < at + CLOSE]
        certain = [row for row in ended if row["job_finished"] < at - CLOSE or row["state"] in FAILED]
        in_row = 0
        for row in certain:
            in_row = 0 if row["state"] == "succeeded" else in_row + 1
        if not limits or in_row < min(limits):
            yield f"an alert says that job {job_id} is disabled, after {in_row} failures of {limits}"


def alerts_are_counted(view: View) -> Iterator[str]:
    """Alerts of a kind are numbered until the job succeeds.

    reference.md: which alert of this kind in a row it is (`failed`, `timed out` and `lost` are one kind), and when the
    first of them was raised; a success begins anew
    """
    of_jobs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for alert in sorted(view.history.alerts, key=lambda alert: alert["alert_id"]):
        if alert["event"] in FAILING and alert["job_id"] > 0:
            of_jobs[alert["job_id"]].append(alert)
    for job_id, alerts in of_jobs.items():
        ended = [row["job_finished"] for row in view.by_job[job_id] if row["state"] == "succeeded"]
        for before, alert in zip([None, *alerts], alerts):
            since = 0.0 if before is None else before["at"]
            if any(abs(moment - at) < LATE for moment in ended for at in (since, alert["at"])):
                continue
            anew = before is None or any(since < moment < alert["at"] for moment in ended)
            expected = 1 if before is None or anew else before["repetition"] + 1
            if alert["repetition"] != expected:
                yield f"alert {alert['alert_id']} of job {job_id} is number {alert['repetition']}, not {expected}"


def notifications_are_alerts(view: View) -> Iterator[str]:
    """Who listens hears what is in the table.

    reference.md: The worker reports problems on the channel `elephant_worker` of its database
    """
    heard = Counter((n["event"], n["job_id"], n.get("jl_id")) for n in view.history.notifications)
    raised = Counter((a["event"], a["job_id"], a["jl_id"]) for a in view.history.alerts)
    yield from (f"a notification is no alert: {known}" for known in heard - raised)
    for lost in raised - heard:
        moments = [a["at"] for a in view.history.alerts if (a["event"], a["job_id"], a["jl_id"]) == lost]
        if not any(view.away(at - 1, at + 1) for at in moments):
            yield f"nobody has heard of this alert: {lost}"


def recovery_is_told(view: View) -> Iterator[str]:
    """There is an alert for a success after a failure, and only then.

    reference.md: a run succeeded after one that had failed, after a quarantine, or after the job was `overdue`
    """
    for job_id in view.by_job:
        ended = view.counted(job_id) if job_id > 0 else []
        for before, row in zip(ended, ended[1:]):
            apart = row["job_finished"] - before["job_finished"] > CLOSE
            told = ("recovered", row["jl_id"]) in view.told
            if row["state"] != "succeeded" or not apart:
                continue
            if before["state"] in FAILED and not told:
                yield f"run {row['jl_id']} of job {job_id} recovered, and no alert says so"
            since = [
                alert["event"]
                for alert in view.history.alerts
                if alert["job_id"] == job_id
                and alert["event"] in ("quarantined", "overdue")
                and before["job_finished"] - CLOSE < alert["at"] < row["job_finished"] + CLOSE
            ]
            quarantined = any(
                alert["event"] == "quarantined"
                and alert["job_id"] == job_id
                and before["job_finished"] < alert["at"] < row["job_finished"] - CLOSE
                for alert in view.history.alerts
            )
            if before["state"] == "succeeded" and told and not since:
                yield f"an alert says that run {row['jl_id']} of job {job_id} recovered: the one before had succeeded"
            if quarantined and not told:
                yield f"run {row['jl_id']} of job {job_id} succeeded after a quarantine, and no alert says so"


def overdue_is_told(view: View) -> Iterator[str]:
    """There is an alert when a job has not succeeded in time, and only then.

    reference.md: the job has not succeeded within `expect_success_within`, counted from its last success or, if that
    was later, from when its schedule was set or it was enabled; repeated each time that has lasted twice as long, and
    at least once a day or, if that is longer, at this interval
    """
    told: dict[int, list[float]] = defaultdict(list)
    for alert in view.history.alerts:
        if alert["event"] == "overdue":
            told[alert["job_id"]].append(alert["at"])
    for job_id, spans in view.spans.items():
        ended = [row["job_finished"] for row in view.by_job[job_id] if row["state"] == "succeeded"]
        for at in told[job_id]:
            versions = view.versions(job_id, at - PROMPT, at)
            limits = [a["expect_success_within"] for a in versions if a["expect_success_within"]]
            if not limits:
                yield f"an alert says that job {job_id} is overdue, of which no success is expected"
            elif any(at - min(limits) + CLOSE < success < at - LATE for success in ended):
                yield f"an alert says that job {job_id} is overdue at {at}, and it had succeeded"
        moments = sorted(told[job_id])
        for first, second in zip(moments, moments[1:]):
            span = view.span(job_id, first, second)
            if span is not None and second - first < span.attributes["expect_success_within"] - EXACT:
                yield f"job {job_id} was said to be overdue twice in {second - first:.3f} s"
        for span in spans:
            within = span.attributes["expect_success_within"]
            if within is None or not span.attributes["enabled"]:
                continue
            for success in sorted(ended):
                by = success + within
                if not (span.has(success) and by + PROMPT < span.end) or view.away(success, by + PROMPT):
                    continue
                again = any(success < other < by + PROMPT for other in ended)
                if not again and not any(by - CLOSE < at < by + PROMPT for at in told[job_id]):
                    yield f"job {job_id} had not succeeded by {by}, and no alert says so"


RULES: list[Callable[[View], Iterator[str]]] = [
    rows_are_in_order,
    states_have_what_they_need,
    causes_have_what_they_need,
    due_times_once,
    the_log_is_true,
    no_overlap,
    skipped_for_a_run,
    what_follows_is_not_skipped,
    every_due_time_is_accounted_for,
    nothing_else_is_due,
    nothing_is_due_before_it_is_defined,
    missed_only_for_a_reason,
    missed_time_is_made_up,
    after_counts_from_the_end,
    reboot_only_after_a_start,
    nothing_starts_during_a_break,
    nothing_starts_while_not_enabled,
    deleted_jobs_do_not_start,
    cancelled_only_for_a_reason,
    lost_only_for_a_reason,
    timed_out_after_job_timeout,
    retried_or_final,
    retries_as_allowed,
    quarantine_is_no_failure,
    quarantine_is_told_once,
    nothing_follows_from_single_commands,
    disabled_after_failures,
    dependencies_have_their_cause,
    dependencies_wait_for_all,
    single_dependencies_follow,
    requests_run,
    counters_agree,
    failures_since_the_last_success,
    failures_are_told,
    alerts_tell_the_truth,
    alerts_are_counted,
    notifications_are_alerts,
    recovery_is_told,
    overdue_is_told,
]
