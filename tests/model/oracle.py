"""Judges histories by the sentences of docs/reference.md and docs/schedules.md; it knows nothing of the code.

Each rule is a function that yields what it found, beginning with the sentence that was broken. Where two things came
so close together that either order is right, a rule says nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.model.history import Attributes, Change, Event, History

Row = dict[str, Any]
# Things that are closer together than this may have come in either order, in seconds.
CLOSE = 0.25
# What the clock may be off between the log's microseconds and a float, in seconds.
EXACT = 0.001
STARTED = {"succeeded", "failed", "timed out", "lost", "cancelled"}
FAILED = {"failed", "timed out", "lost"}
WANTED = {"on_success": {"succeeded"}, "on_failure": FAILED, "always": STARTED}
# What run_when calls an end; a run that never started has not ended.
CONNECTION = {"53300", "57P01", "57P02", "57P03", "57P05"}
SERIALIZATION = {"40001", "40P01"}
# SQLSTATEs of the reasons of a quarantine, as reference.md lists them.
QUARANTINE = {"42704", "3D000", "55000", "42501", "2F003", "28000"}


@dataclass(frozen=True)
class Span:
    """A time in which a job certainly was as it says: its change was over, and the next one had not begun."""

    begin: float
    end: float
    attributes: Attributes
    # When the change that began it was made, at the earliest.
    changed: float


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

    def _spans(self, job_id: int) -> Iterator[Span]:
        changes = self.changes[job_id]
        for change, following in zip(changes, [*changes[1:], None]):
            if change.attributes is not None:
                end = self.history.end if following is None else following.begin
                yield Span(change.end, end, change.attributes, change.begin)

    def span(self, job_id: int, begin: float, end: float) -> Span | None:
        """How the job was all of this time, if it did not change in it or shortly before."""
        for span in self.spans.get(job_id, ()):
            if span.begin + CLOSE <= begin and end + CLOSE <= span.end:
                return span
        return None

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
            and not any(at + CLOSE < c.begin and c.end + CLOSE < moment for c in self.changes[job_id])
            for at in alerts
        )

    def away(self, begin: float, end: float) -> bool:
        """Whether the worker may not have been there, or not have started anything, in this time."""
        return self.happened(begin, end, "away")


# --- rows by themselves -----------------------------------------------------------------------


def rows_are_in_order(view: View) -> Iterator[str]:
    """The log: when it was due or asked for; when its command was sent; when it ended."""
    for row in view.rows:
        moments = [row[name] for name in ("scheduled_at", "job_started", "job_finished") if row[name] is not None]
        if moments != sorted(moments):
            yield f"run {row['jl_id']} ({row['state']}): moments run backwards: {moments}"


def states_have_what_they_need(view: View) -> Iterator[str]:
    """A run that was skipped or missed never started; one that succeeded did; nothing is left running."""
    for row in view.rows:
        if row["state"] in ("skipped", "missed") and row["job_started"] is not None:
            yield f"run {row['jl_id']} is {row['state']} and has job_started"
        if row["state"] in ("succeeded", "timed out") and row["job_started"] is None:
            yield f"run {row['jl_id']} is {row['state']} and never started"
        if row["state"] == "running":
            yield f"run {row['jl_id']} is running after all has ended"


def due_times_once(view: View) -> Iterator[str]:
    """Each due time is in the log once, and runs once."""
    seen = Counter((row["job_id"], row["scheduled_at"]) for row in view.rows if row["cause"] == "schedule")
    yield from (f"job {job} at {due}: {times} rows" for (job, due), times in seen.items() if times > 1)
    ran = Counter(view.history.witness)
    yield from (
        f"job {job} at {due}, attempt {n}: ran {times} times" for (job, due, n), times in ran.items() if times > 1
    )


def no_overlap(view: View) -> Iterator[str]:
    """parallel = false: one run at a time."""
    for job_id, rows in view.by_job.items():
        if job_id < 0 or any(span.attributes["parallel"] for span in view.spans.get(job_id, ())):
            continue
        ran = sorted((row["job_started"], row["job_finished"], row["jl_id"]) for row in rows if row["job_started"])
        for (_, ended, first), (started, _, second) in pairwise(ran):
            if started < ended - EXACT:
                yield f"job {job_id}: run {second} started {ended - started:.3f} s before run {first} ended"


def skipped_for_a_run(view: View) -> Iterator[str]:
    """`skipped`: an earlier run of a job that is not `parallel` was still active."""
    for row in view.rows:
        if row["state"] != "skipped" or view.by_number.get(row["jl_id"]) is None:
            continue
        moment = row["job_finished"]
        active = [
            other
            for other in view.by_job[row["job_id"]]
            if other["state"] in STARTED
            and other["jl_id"] != row["jl_id"]
            and min(other["scheduled_at"], other["job_started"] or other["scheduled_at"]) <= moment + EXACT
            and other["job_finished"] >= moment - CLOSE
        ]
        if not active:
            yield f"run {row['jl_id']} of job {row['job_id']} was skipped at {moment} while no run was active"


# --- due times --------------------------------------------------------------------------------


def due_between(attributes: Attributes, begin: float, end: float) -> list[float]:
    """The due times of a schedule in this time; the schedules of the model are simple enough to count."""
    schedule = attributes["schedule"]
    if schedule is None or schedule.startswith("@"):
        return []
    first, last = begin, end
    if schedule.endswith("seconds"):
        period, origin = float(schedule.split()[0]), attributes["schedule_set_at"]
    else:
        period, origin = float(schedule.split()[0].removeprefix("*/")), 0.0
    count = max(1, int((first - origin) // period))
    found = []
    while (due := origin + count * period) <= last + EXACT:
        if due >= first - EXACT:
            found.append(due)
        count += 1
    return found


def every_due_time_is_accounted_for(view: View) -> Iterator[str]:
    """Each due time of a job that is enabled and not in quarantine is in the log, as a run, as skipped, or missed."""
    for job_id, spans in view.spans.items():
        rows = [row for row in view.by_job[job_id] if row["cause"] == "schedule"]
        for span in spans:
            if not span.attributes["enabled"]:
                continue
            for due in due_between(span.attributes, span.begin + CLOSE, span.end - CLOSE):
                if view.disabled(job_id, due) or view.happened(due - 5, due + CLOSE, "quarantine", job_id=job_id):
                    continue
                if not any(_covers(row, due) for row in rows):
                    yield f"job {job_id} ({span.attributes['schedule']}) was due at {due:.3f}: no row"


def _covers(row: Row, due: float) -> bool:
    last = row["missed_until"] if row["state"] == "missed" else row["scheduled_at"]
    return bool(row["scheduled_at"] - EXACT <= due <= last + EXACT)


def nothing_else_is_due(view: View) -> Iterator[str]:
    """A run by schedule is one of a due time, of a job that is enabled, and not one before its definition was seen."""
    for row in view.rows:
        if row["cause"] != "schedule":
            continue
        due = row["scheduled_at"]
        span = view.span(row["job_id"], due, due)
        if span is None or span.attributes["schedule"] is None or span.attributes["schedule"].startswith("@"):
            continue
        if not span.attributes["enabled"]:
            yield f"run {row['jl_id']} of job {row['job_id']}, which is not enabled, is due at {due}"
        elif not any(abs(due - time) < EXACT for time in due_between(span.attributes, due - 0.01, due + 0.01)):
            yield f"run {row['jl_id']} of job {row['job_id']} ({span.attributes['schedule']}) is not due at {due}"
    for job_id, changes in view.changes.items():
        for change in changes:
            if change.kind != "define" or change.attributes is None:
                continue
            for row in view.by_job[job_id]:
                due = row["scheduled_at"]
                # While no worker is there, nobody sees when a definition is committed.
                if row["cause"] == "schedule" and due < change.begin - EXACT and not view.away(due, change.end):
                    yield f"run {row['jl_id']} of job {job_id} was due {change.begin - due:.3f} s before its definition"


def missed_only_for_a_reason(view: View) -> Iterator[str]:
    """`missed`: no worker was there, it was paused, the start_deadline passed, or the definition was changed."""
    for row in view.rows:
        if row["state"] != "missed":
            continue
        begin, end = row["scheduled_at"], row["job_finished"]
        changed = any(c.begin - CLOSE <= end and c.end + CLOSE >= begin for c in view.changes[row["job_id"]])
        if not view.away(begin, end) and not changed and not view.happened(begin, end, "quarantine"):
            yield f"run {row['jl_id']} of job {row['job_id']} was missed at {begin} without a reason"


# --- what follows from a failure --------------------------------------------------------------


def kind_of_failure(row: Row) -> str:
    if row["state"] != "failed":
        return {"timed out": "timeout", "lost": "lost"}[row["state"]]
    if row["job_sqlstate"] in SERIALIZATION:
        return "serialization"
    return "connection" if row["job_sqlstate"] in CONNECTION or row["job_sqlstate"].startswith("08") else "error"


def is_quarantine(row: Row) -> bool:
    """A row that says why a job could not run: it never started, and the reason is one of a quarantine."""
    return row["state"] == "failed" and row["job_started"] is None and row["job_sqlstate"] in QUARANTINE


def is_attempt(row: Row) -> bool:
    """Whether a retry took place; one that was cancelled or kept from running before it began did not."""
    cancelled = row["state"] == "cancelled" and row["job_started"] is None
    return row["state"] in STARTED and not cancelled and not is_quarantine(row)


def failures_of_jobs(view: View) -> Iterator[tuple[Row, Span]]:
    """Runs that failed while it is certain how their job was."""
    for row in view.rows:
        if row["job_id"] > 0 and row["state"] in FAILED and row["cause"] != "trial" and not is_quarantine(row):
            span = view.span(row["job_id"], row["job_finished"], row["job_finished"])
            if span is not None:
                yield row, span


def retried_or_final(view: View) -> Iterator[str]:
    """A run that failed is tried again, or on_failure_command is run: one of them, once."""
    for row, span in failures_of_jobs(view):
        retries = [other for other in view.caused[row["jl_id"]] if other["cause"] == "retry" and is_attempt(other)]
        ends = [other for other in view.caused[row["jl_id"]] if other["cause"] == "failure"]
        if len(retries) > 1 or len(ends) > 1:
            yield f"run {row['jl_id']}: {len(retries)} retries and {len(ends)} on_failure_commands"
        if retries and ends:
            yield f"run {row['jl_id']} was retried by {retries[0]['jl_id']} and ended in {ends[0]['jl_id']}"
        later = [c for c in view.changes[row["job_id"]] if c.end >= row["job_finished"]]
        if later and later[-1].attributes is None:
            continue  # deleted since
        known = [span.attributes, *(change.attributes for change in later if change.attributes)]
        expected = all(attributes["on_failure_command"] for attributes in known)
        if expected and not retries and not ends and row["job_finished"] < view.history.end - CLOSE:
            yield f"run {row['jl_id']} of job {row['job_id']} failed ({kind_of_failure(row)}), and nothing followed"


def retries_as_allowed(view: View) -> Iterator[str]:
    """Up to max_retries times, after the failures that retry_on lists, after retry_delay, doubled each time."""
    for row, span in failures_of_jobs(view):
        attributes = span.attributes
        for retry in view.caused[row["jl_id"]]:
            if retry["cause"] != "retry":
                continue
            if row["attempt"] > attributes["max_retries"] or kind_of_failure(row) not in attributes["retry_on"]:
                yield f"run {row['jl_id']} (attempt {row['attempt']}, {kind_of_failure(row)}) was retried: {attributes}"
            if retry["attempt"] != row["attempt"] + 1 or abs(retry["scheduled_at"] - row["scheduled_at"]) > EXACT:
                yield f"run {retry['jl_id']} is a retry of {row['jl_id']} with another attempt or due time"
            if retry["job_started"] is not None:
                delay = attributes["retry_delay"] * 2 ** (row["attempt"] - 1)
                least = min(0.75 * delay, attributes["max_retry_delay"])
                waited = retry["job_started"] - row["job_finished"]
                if waited < least - EXACT:
                    yield f"run {retry['jl_id']} started {waited:.3f} s after {row['jl_id']} failed, not {least:.3f}"


def retries_are_not_skipped(view: View) -> Iterator[str]:
    """A retry waits until the job is idle."""
    yield from (
        f"run {row['jl_id']} of job {row['job_id']}: a retry was skipped"
        for row in view.rows
        if row["cause"] == "retry" and row["state"] == "skipped"
    )


def quarantine_is_no_failure(view: View) -> Iterator[str]:
    """A quarantine has one row for each new reason; nothing follows from it."""
    for row in view.rows:
        if row["job_id"] > 0 and is_quarantine(row):
            for other in view.caused[row["jl_id"]]:
                yield f"run {row['jl_id']} is a quarantine, and run {other['jl_id']} follows from it"


def disabled_after_failures(view: View) -> Iterator[str]:
    """After disable_after failures in a row the schedule is not followed any more."""
    for job_id, spans in view.spans.items():
        for span in spans:
            limit = span.attributes["disable_after"]
            if limit is None:
                continue
            ended = sorted(
                (
                    row
                    for row in view.by_job[job_id]
                    if row["state"] in ("succeeded", *FAILED) and not is_quarantine(row)
                ),
                key=lambda row: row["job_finished"],
            )
            in_row, since = 0, None
            for row in ended:
                in_row = 0 if row["state"] == "succeeded" else in_row + 1
                inside = span.begin + CLOSE < row["job_finished"] < span.end - CLOSE
                if inside and in_row >= limit and since is None:
                    since = row["job_finished"]
            if since is None:
                continue
            late = [
                row["jl_id"]
                for row in view.by_job[job_id]
                if row["cause"] in ("schedule", "retry", "dependency", "reboot")
                and since + 2 * CLOSE < (row["job_started"] or 0) < span.end - CLOSE
            ]
            if late:
                yield f"job {job_id} failed {limit} times in a row by {since}, and runs {late[:3]} started"


# --- dependencies -----------------------------------------------------------------------------


def is_final(view: View, row: Row) -> bool:
    """Whether a run has ended for good: no retry followed."""
    return not any(other["cause"] == "retry" and is_attempt(other) for other in view.caused[row["jl_id"]])


def dependencies_have_their_cause(view: View) -> Iterator[str]:
    """caused_by is a run of run_after that ended as run_when wants, the one that ended last of those that count."""
    for row in view.rows:
        if row["cause"] != "dependency" or row["job_id"] < 0:
            continue
        cause = view.by_number.get(row["caused_by"])
        span = view.span(row["job_id"], row["scheduled_at"], row["scheduled_at"])
        if cause is None:
            yield f"run {row['jl_id']} is caused by {row['caused_by']}, which is not in the log"
            continue
        if span is None:
            continue
        attributes = span.attributes
        if cause["job_id"] not in (attributes["run_after"] or ()):
            yield f"run {row['jl_id']} is caused by a run of job {cause['job_id']}, not of {attributes['run_after']}"
            continue
        if cause["state"] not in WANTED[attributes["run_when"]]:
            yield f"run {row['jl_id']} ({attributes['run_when']}) is caused by {cause['jl_id']}, which {cause['state']}"
        if cause["state"] in FAILED and not is_final(view, cause):
            yield f"run {row['jl_id']} follows from {cause['jl_id']}, which was tried again"
        for number in attributes["run_after"]:
            ends = [
                other
                for other in view.by_job[number]
                if other["state"] in STARTED
                and other["job_finished"] < row["scheduled_at"] - CLOSE
                and other["job_finished"] > cause["job_finished"] + CLOSE
                and is_final(view, other)
                and not is_quarantine(other)
            ]
            if ends:
                yield f"run {row['jl_id']} is caused by {cause['jl_id']}, but {ends[-1]['jl_id']} ended later"


def single_dependencies_follow(view: View) -> Iterator[str]:
    """A job that runs after one other starts after each end of it that run_when wants."""
    for job_id, spans in view.spans.items():
        for span in spans:
            run_after = span.attributes["run_after"]
            if not run_after or len(run_after) != 1 or not span.attributes["enabled"]:
                continue
            for row in view.by_job[run_after[0]]:
                if row["state"] not in WANTED[span.attributes["run_when"]] or is_quarantine(row):
                    continue
                ended = row["job_finished"]
                if row["state"] in FAILED:  # for good perhaps only when its retry was dropped
                    ended = max([ended, *(o["scheduled_at"] for o in view.caused[row["jl_id"]])])
                    ended = view.history.end if view.disabled(job_id, ended + 10) else ended
                if not span.begin + CLOSE < ended < span.end - 4 * CLOSE or view.disabled(job_id, ended + CLOSE):
                    continue
                if row["state"] in FAILED and not is_final(view, row):
                    continue
                if not any(other["cause"] == "dependency" for other in view.caused[row["jl_id"]]):
                    yield f"job {job_id} runs after job {run_after[0]}, not after run {row['jl_id']} ({row['state']})"


# --- requests, counters, alerts ---------------------------------------------------------------


def requests_run(view: View) -> Iterator[str]:
    """run_job() and run_once() return the number of the run that is in the log."""
    for event in view.events("run_job", "run_once"):
        row = view.by_number.get(event.result)
        if row is None:
            if event.kind == "run_job" and any(c.attributes is None for c in view.changes[event.job_id or 0]):
                continue  # deleted before it started
            yield f"{event.kind} returned {event.result}, which is not in the log"
        elif row["cause"] != {"run_job": "request", "run_once": "once"}[event.kind]:
            yield f"{event.kind} returned {event.result}, whose cause is {row['cause']}"


def counters_agree(view: View) -> Iterator[str]:
    """job_stats and the job's counters say what the log says."""
    for statistic in view.history.statistics:
        rows = [row for row in view.by_job[statistic["job_id"]] if row["cause"] != "trial"]
        quarantine = sum(map(is_quarantine, rows))
        states = Counter(row["state"] for row in rows)
        failures = sum(states[state] for state in FAILED) - quarantine
        expected = {
            "runs": states["succeeded"] + failures + states["cancelled"],
            "failures": failures,
            "cancelled": states["cancelled"],
            "skipped": states["skipped"],
            "missed": sum(row["missed_count"] for row in rows if row["state"] == "missed"),
            "last_executed": max((row["job_started"] for row in rows if row["job_started"]), default=None),
        }
        for name, value in expected.items():
            if statistic[name] != value:
                yield f"job {statistic['job_id']}: {name} is {statistic[name]}, by the log {value}"


def failures_are_told(view: View) -> Iterator[str]:
    """Each run that failed, timed out, was lost or missed is told of; retry says whether it is tried again."""
    told = {(alert["event"], alert.get("jl_id")): alert for alert in view.history.alerts}
    for row in view.rows:
        if row["state"] in (*FAILED, "missed") and row["cause"] != "trial":
            alert = told.get(("quarantined" if is_quarantine(row) else row["state"], row["jl_id"]))
            if alert is None:
                if not view.away(row["job_finished"] - 1, row["job_finished"] + 1):
                    yield f"run {row['jl_id']} is {row['state']}, and no alert says so"
            elif not alert["retry"] and any(o["cause"] == "retry" for o in view.caused[row["jl_id"]]):
                yield f"the alert of run {row['jl_id']} says that it is not tried again, and it is"


def recovery_is_told(view: View) -> Iterator[str]:
    """`recovered`: a run succeeded after one that had failed."""
    told = {alert.get("jl_id") for alert in view.history.alerts if alert["event"] == "recovered"}
    for job_id, rows in view.by_job.items():
        if job_id < 0:
            continue
        ended = sorted(
            (
                r
                for r in rows
                if r["state"] in ("succeeded", *FAILED) and r["cause"] != "trial" and not is_quarantine(r)
            ),
            key=lambda row: row["job_finished"],
        )
        for before, row in pairwise(ended):
            apart = row["job_finished"] - before["job_finished"] > CLOSE
            recovered = row["state"] == "succeeded" and before["state"] in FAILED and apart
            if (
                recovered
                and row["jl_id"] not in told
                and not view.away(before["job_finished"], row["job_finished"] + 1)
            ):
                yield f"run {row['jl_id']} of job {job_id} recovered, and no alert says so"


RULES: list[Callable[[View], Iterator[str]]] = [
    rows_are_in_order,
    states_have_what_they_need,
    due_times_once,
    no_overlap,
    skipped_for_a_run,
    every_due_time_is_accounted_for,
    nothing_else_is_due,
    missed_only_for_a_reason,
    retried_or_final,
    retries_as_allowed,
    retries_are_not_skipped,
    quarantine_is_no_failure,
    disabled_after_failures,
    dependencies_have_their_cause,
    single_dependencies_follow,
    requests_run,
    counters_agree,
    failures_are_told,
    recovery_is_told,
]
