"""Damage to good histories, for each rule of the oracle: it must be noticed wherever it is put."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tests.model.history import Change, Event, History
from tests.model.oracle import CLOSE, FAILED, LATE, PROMPT, STARTED, Row, Span, View

Rows = list[Any]
# More than any number in a history.
NEW = 10**9


@dataclass(frozen=True)
class Damage:
    """What is done to an entry of one of a history's lists, and to which; the rules that have to notice it."""

    rule: str
    table: str
    where: Callable[[View, Any], bool]
    # Gets the list, the place in it, and all of the history.
    change: Callable[[Rows, int, History], None]


def places(damage: Damage, history: History) -> Iterator[int]:
    """Where the damage can be done."""
    view = View(history)
    for place, entry in enumerate(getattr(history, damage.table)):
        if damage.where(view, entry):
            yield place


def damaged(damage: Damage, history: History, place: int) -> History:
    """A copy of the history with the damage at this place."""
    copy = History.of(asdict(history))
    damage.change(getattr(copy, damage.table), place, copy)
    return copy


# --- what is done -----------------------------------------------------------------------------


def drop(rows: Rows, place: int, history: History) -> None:
    del rows[place]


def double(rows: Rows, place: int, history: History) -> None:
    entry = rows[place]
    rows.append({**entry, "jl_id": NEW} if isinstance(entry, dict) and "state" in entry else entry)


def put(**values: Any) -> Callable[[Rows, int, History], None]:
    """Other values; a function gets the old one."""

    def change(rows: Rows, place: int, history: History) -> None:
        for name, value in values.items():
            old = rows[place][name]
            rows[place][name] = value(old) if callable(value) else value

    return change


def put_attribute(**values: Any) -> Callable[[Rows, int, History], None]:
    def change(rows: Rows, place: int, history: History) -> None:
        rows[place].attributes |= values

    return change


def ends(state: str) -> Callable[[Rows, int, History], None]:
    """Another end of a run."""

    def change(rows: Rows, place: int, history: History) -> None:
        row = rows[place]
        row |= {"state": state, "job_sqlstate": "57014"}
        if state in ("skipped", "missed"):
            row["job_started"] = None
        if state == "missed":
            row |= {"missed_count": 1, "missed_until": row["scheduled_at"]}

    return change


# --- to what ----------------------------------------------------------------------------------


def state(*states: str) -> Callable[[View, Any], bool]:
    return lambda view, row: row["state"] in states and row["job_id"] > 0


def cause(*causes: str) -> Callable[[View, Any], bool]:
    return lambda view, row: row["cause"] in causes


def event(*events: str) -> Callable[[View, Any], bool]:
    return lambda view, alert: alert["event"] in events


def every(view: View, entry: Any) -> bool:
    return True


def both(*conditions: Callable[[View, Any], bool]) -> Callable[[View, Any], bool]:
    return lambda view, entry: all(condition(view, entry) for condition in conditions)


def span_of(view: View, row: Row) -> Span | None:
    """How the job certainly was from when the run was due until it had ended."""
    return view.span(row["job_id"], row["scheduled_at"] - CLOSE, row["job_finished"] + CLOSE)


def is_certain(view: View, row: Row) -> bool:
    """Nothing else happened near the run: no change, no break, no cancellation, no other run."""
    begin, end = row["scheduled_at"] - CLOSE, row["job_finished"] + CLOSE
    others = [
        other
        for other in view.by_job[row["job_id"]]
        if other is not row and other["scheduled_at"] - CLOSE < end and other["job_finished"] + LATE > begin
    ]
    span = span_of(view, row)
    calm = not view.away(begin, end) and not any(
        view.happened(begin, end, kind, job_id=row["job_id"]) for kind in ("quarantine", "cancel_job", "cancel_run")
    )
    return span is not None and span.attributes["enabled"] and calm and not others


def is_on_grid(view: View, row: Row) -> bool:
    """A due time that certainly has to be in the log."""
    span, due = span_of(view, row), row["scheduled_at"]
    if row["cause"] != "schedule" or span is None or span.period is None or not span.attributes["enabled"]:
        return False
    if due <= view.seen(row["job_id"], span) or (span.is_last and view.away(due, span.end)):
        return False
    return not view.disabled(row["job_id"], due) and not view.happened(
        due - 5, due + CLOSE, "quarantine", job_id=row["job_id"]
    )


def follows_a_failure(view: View, row: Row) -> bool:
    """A retry or on_failure_command of a run at whose end its job certainly was as it was."""
    before = view.by_number.get(row["caused_by"])
    return before is not None and any(before is failed for failed, _ in view.failures())


def is_reported(view: View, row: Row) -> bool:
    """An on_failure_command of a job that had one ever since."""
    before = view.by_number[row["caused_by"]] if row["cause"] == "failure" else None
    if before is None or not follows_a_failure(view, row) or view.deleted(before["job_id"]):
        return False
    versions = view.versions(before["job_id"], before["job_finished"], view.history.end)
    return all(version["on_failure_command"] for version in versions)


def makes_runs_follow(view: View, row: Row) -> bool:
    """A dependency run that is the only one of its cause, and follows from one job at a certain time."""
    cause_of = view.by_number.get(row["caused_by"])
    span = span_of(view, row)
    if row["cause"] != "dependency" or cause_of is None or span is None:
        return False
    near = [
        other
        for other in view.by_job[cause_of["job_id"]]
        if other is not cause_of and abs(other["job_finished"] - cause_of["job_finished"]) < 2 * CLOSE
    ]
    followers = [other for other in view.caused[cause_of["jl_id"]] if other["cause"] == "dependency"]
    serial = not any(s.attributes["parallel"] for s in view.spans[cause_of["job_id"]])
    calm = not any(
        view.happened(cause_of["job_finished"] - 1, cause_of["job_finished"] + 1, "quarantine", job_id=job_id)
        for job_id in (row["job_id"], cause_of["job_id"])
    )
    certain = span.has(cause_of["job_finished"]) and cause_of["job_finished"] < span.end - 2 * LATE
    enabled = span.attributes["enabled"] and not view.disabled(row["job_id"], cause_of["job_finished"] + CLOSE)
    alone = enabled and len(followers) == 1 and len(span.attributes["run_after"]) == 1
    alone = alone and not view.follows_already(row["job_id"], cause_of["job_finished"])
    return alone and serial and calm and certain and not near and cause_of["state"] == "succeeded"


def has_failed_before_others_ran(view: View, change: Change) -> bool:
    """A change after which its job certainly failed, and ran by its schedule later."""
    spans = [span for span in view.spans[change.job_id] if span.changed == change.begin]
    rows = view.by_job[change.job_id]
    return any(
        span.has(row["job_finished"])
        and row in view.counted(change.job_id)
        and row["state"] in FAILED
        and any(
            row["job_finished"] + (PROMPT if span.attributes["parallel"] else 2 * CLOSE)
            < (other["job_started"] or 0)
            < span.end - CLOSE
            and other["cause"] == "schedule"
            for other in rows
        )
        for span in spans
        for row in rows
    )


def has_runs(view: View, change: Change) -> bool:
    """A change after which its job certainly ran by its schedule."""
    return any(
        span.changed == change.begin
        and row["cause"] == "schedule"
        and view.span(change.job_id, (row["job_started"] or 0) - PROMPT, row["job_started"] or 0) == span
        for span in view.spans[change.job_id]
        for row in view.by_job[change.job_id]
    )


def has_quarantine(view: View, happened: Event) -> bool:
    """The only reason for a quarantine that was told."""
    rows = [row for row in view.by_job[happened.job_id or 0] if view.is_quarantine(row)]
    return happened.kind == "quarantine" and any(
        sum(e.begin - LATE - CLOSE <= row["job_finished"] <= e.end + CLOSE for e in events) == 1
        and happened.begin <= row["job_finished"] <= happened.end
        for events in [[*view.events("quarantine", job_id=happened.job_id)]]
        for row in rows
    )


def has_recovered(view: View, alert: Row) -> bool:
    ended = view.counted(alert["job_id"])
    places_of = [number for number, row in enumerate(ended) if row["jl_id"] == alert["jl_id"]]
    if alert["event"] != "recovered" or not places_of or places_of[0] == 0:
        return False
    before, row = ended[places_of[0] - 1], ended[places_of[0]]
    return before["state"] in FAILED and row["job_finished"] - before["job_finished"] > CLOSE


def success_was_expected(view: View, row: Row) -> bool:
    span = span_of(view, row)
    return row["state"] == "succeeded" and span is not None and bool(span.attributes["expect_success_within"])


def is_first_of_its_job(view: View, row: Row) -> bool:
    return row["cause"] == "schedule" and bool(view.changes[row["job_id"]])


def has_ended(view: View, row: Row) -> bool:
    return row["job_id"] > 0 and row["state"] in STARTED


def waits_for_others(view: View, row: Row) -> bool:
    """A run by dependency of a job that certainly was as it was."""
    certain = view.span(row["job_id"], row["scheduled_at"], row["scheduled_at"]) is not None
    return row["cause"] == "dependency" and certain


def nothing_has_ended(rows: Rows, place: int, history: History) -> None:
    before = next(row for row in rows if row["jl_id"] == rows[place]["caused_by"])
    rows[:] = [row for row in rows if row["job_id"] != before["job_id"]]


def is_deleted(view: View, row: Row) -> bool:
    return view.deleted(row["job_id"]) is not None


def is_last_attempt(view: View, alert: Row) -> bool:
    row = view.by_number.get(alert["jl_id"])
    span = view.span(row["job_id"], row["job_finished"], row["job_finished"]) if row is not None else None
    return row is not None and span is not None and row["attempt"] > span.attributes["max_retries"]


def was_heard(view: View, alert: Row) -> bool:
    same = [
        other["at"]
        for other in view.history.alerts
        if (other["event"], other["job_id"], other["jl_id"]) == (alert["event"], alert["job_id"], alert.get("jl_id"))
    ]
    return not any(view.away(at - 1, at + 1) for at in same)


def before_the_definition(rows: Rows, place: int, history: History) -> None:
    rows[place]["scheduled_at"] = View(history).changes[rows[place]["job_id"]][0].begin - 1


def of_an_unknown_job(rows: Rows, place: int, history: History) -> None:
    rows[place]["job_id"] = NEW


def follows_from_a_command(rows: Rows, place: int, history: History) -> None:
    rows[place]["caused_by"] = next(row["jl_id"] for row in rows if row["cause"] in ("once", "failure"))


def after_the_deletion(rows: Rows, place: int, history: History) -> None:
    last = max(row["job_finished"] for row in rows)
    rows.append({**rows[place], "jl_id": NEW, "scheduled_at": last, "job_started": last, "job_finished": last})


def is_overdue_at_once(rows: Rows, place: int, history: History) -> None:
    rows.append(
        {**rows[place], "alert_id": NEW, "event": "overdue", "jl_id": None, "at": rows[place]["at"] + LATE + CLOSE}
    )


def recovers(view: View, alert: Row) -> bool:
    """A recovery of a job of which success is expected."""
    row = view.by_number.get(alert["jl_id"])
    if alert["event"] != "recovered" or row is None or not success_was_expected(view, row):
        return False
    return view.span(row["job_id"], row["job_finished"] - CLOSE, row["job_finished"] + LATE + 2 * CLOSE) is not None


def key(row: Row) -> tuple[int, float, int]:
    return row["job_id"], round(row["scheduled_at"], 3), row["attempt"]


def is_logged(view: View, entry: Any) -> bool:
    succeeded = [row for row in view.by_job[entry[0]] if row["state"] == "succeeded"]
    return any(key(row) == (entry[0], round(entry[1], 3), entry[2]) for row in succeeded)


def is_witnessed(view: View, row: Row) -> bool:
    witness = {(job, round(due, 3), attempt) for job, due, attempt in view.history.witness}
    return row["state"] == "succeeded" and key(row) in witness


def before_it(row: Row, rows: Rows) -> Row | None:
    """The run of the same job that started before this one."""
    started = [
        other
        for other in rows
        if other["job_id"] == row["job_id"] and other["job_started"] and other["job_started"] < row["job_started"]
    ]
    return max(started, key=lambda other: float(other["job_started"])) if started else None


def is_serial(view: View, row: Row) -> bool:
    """One of a job that is never parallel, after one that took a while."""
    if row["job_started"] is None or any(span.attributes["parallel"] for span in view.spans.get(row["job_id"], [])):
        return False
    before = before_it(row, view.rows)
    return row["job_id"] > 0 and before is not None and before["job_finished"] - before["job_started"] > 0.01


def start_earlier(rows: Rows, place: int, history: History) -> None:
    before = before_it(rows[place], rows)
    assert before is not None
    rows[place]["job_started"] = (before["job_started"] + before["job_finished"]) / 2


def is_missed(view: View, row: Row) -> bool:
    calm = not view.happened(row["scheduled_at"] - 5, row["job_finished"], "quarantine")
    return row["state"] == "missed" and is_on_grid(view, row) and calm


def comes_after_another(view: View, row: Row) -> bool:
    """A run that came as @after says."""
    span = view.span(row["job_id"], row["scheduled_at"] - 1, row["scheduled_at"])
    if row["cause"] != "schedule" or span is None or not (span.attributes["schedule"] or "").startswith("@after"):
        return False
    pause = float(span.attributes["schedule"].split()[1])
    inside = [r for r in view.by_job[row["job_id"]] if r["cause"] == "schedule" and span.has(r["scheduled_at"])]
    return any(
        other["state"] in STARTED
        and other["state"] != "lost"
        and not view.is_quarantine(other)
        and span.has(other["scheduled_at"])
        and abs(row["scheduled_at"] - other["job_finished"] - pause) < CLOSE
        for other in inside
    )


def lasts_longer(rows: Rows, place: int, history: History) -> None:
    rows[place].begin -= 20


def others_ran(view: View, happened: Event) -> bool:
    """A break before which runs have started."""
    begin = happened.begin - 20 + PROMPT
    return happened.kind in ("paused", "stopped") and any(
        begin < (row["job_started"] or 0) < happened.end for row in view.rows
    )


def takes_time(view: View, change: Change) -> bool:
    """A change after which the job certainly ran."""
    return any(
        row["job_started"] is not None
        and row["state"] != "timed out"
        and view.versions(change.job_id, row["scheduled_at"], row["job_started"]) == [change.attributes]
        and view.span(change.job_id, row["scheduled_at"], row["job_started"]) is not None
        and not view.away(row["job_started"], row["job_finished"])
        for row in view.by_job[change.job_id]
        if any(span.changed == change.begin and span.has(row["scheduled_at"]) for span in view.spans[change.job_id])
    )


def is_attempted(view: View, row: Row) -> bool:
    return row["cause"] == "retry" and follows_a_failure(view, row)


def has_started_again(view: View, row: Row) -> bool:
    return is_attempted(view, row) and row["job_started"] is not None


def start_at_once(rows: Rows, place: int, history: History) -> None:
    before = next(row for row in rows if row["jl_id"] == rows[place]["caused_by"])
    rows[place]["job_started"] = before["job_finished"] + 0.01


def there_is_a_quarantine(view: View, row: Row) -> bool:
    return row["cause"] in ("retry", "failure") and any(map(view.is_quarantine, view.rows))


def follow_from_it(rows: Rows, place: int, history: History) -> None:
    view = View(history)
    row = next(row for row in history.log if view.is_quarantine(row) and row["job_id"] > 0)
    rows[place]["caused_by"] = row["jl_id"]


def led_to_a_dependency(view: View, row: Row) -> bool:
    return any(other["cause"] == "dependency" for other in view.caused[row["jl_id"]])


def has_few_runs(view: View, statistic: Row) -> bool:
    return len(statistic["last_states"]) < 10


def is_request(view: View, happened: Event) -> bool:
    return happened.kind in ("run_job", "run_once") and happened.result in view.by_number


def is_counted(view: View, row: Row) -> bool:
    known = any(statistic["job_id"] == row["job_id"] for statistic in view.history.statistics)
    return known and not view.is_quarantine(row)


def is_sure_of_failures(view: View, job: Row) -> bool:
    rows = view.counted(job["job_id"])
    successes = [row["job_finished"] for row in rows if row["state"] == "succeeded"]
    last = successes[-1] if successes else 0.0
    return not any(abs(row["job_finished"] - last) < CLOSE for row in rows if row["state"] in FAILED)


def is_retried(view: View, alert: Row) -> bool:
    return any(row["cause"] == "retry" for row in view.caused[alert["jl_id"]])


def is_numbered(view: View, alert: Row) -> bool:
    """One of a failure that no success is near to."""
    before = [
        other["at"]
        for other in view.history.alerts
        if other["job_id"] == alert["job_id"] and other["event"] in FAILED and other["alert_id"] < alert["alert_id"]
    ]
    moments = [alert["at"], before[-1] if before else 0.0]
    near = [
        row
        for row in view.by_job[alert["job_id"]]
        if row["state"] == "succeeded" and any(abs(row["job_finished"] - moment) < LATE for moment in moments)
    ]
    return alert["event"] in FAILED and alert["job_id"] > 0 and not near


def never_gives_up(view: View, alert: Row) -> bool:
    changes = view.changes[alert["job_id"]]
    limits = [change.attributes["disable_after"] for change in changes if change.attributes is not None]
    return alert["event"] == "recovered" and not any(limits)


def has_a_long_silence(view: View, change: Change) -> bool:
    """A change after which the job succeeded, and then not for long."""
    rows = view.by_job[change.job_id]
    ended = [row["job_finished"] for row in rows if row["state"] == "succeeded"]
    return any(
        span.changed == change.begin
        and span.attributes["enabled"]
        and span.has(success)
        and success + PROMPT + LATE < span.end
        and not view.away(success, success + PROMPT + LATE)
        and not any(success < other < success + PROMPT + LATE for other in ended)
        for span in view.spans[change.job_id]
        for success in ended
    ) and not any(alert["event"] == "overdue" and alert["job_id"] == change.job_id for alert in view.history.alerts)


DAMAGE = [
    # Rows by themselves.
    Damage("rows_are_in_order", "log", state("succeeded"), put(job_finished=0.0)),
    Damage("states_have_what_they_need", "log", state("succeeded"), put(job_started=None)),
    Damage("states_have_what_they_need", "log", state("failed"), put(job_sqlstate="00000")),
    Damage("states_have_what_they_need", "log", state("missed"), put(missed_count=0)),
    Damage("states_have_what_they_need", "log", every, put(state="running")),
    Damage("causes_have_what_they_need", "log", cause("retry", "dependency", "failure"), put(caused_by=None)),
    Damage("causes_have_what_they_need", "log", cause("schedule", "request"), put(caused_by=1)),
    Damage("causes_have_what_they_need", "log", cause("schedule", "request", "dependency"), put(attempt=2)),
    Damage("causes_have_what_they_need", "log", cause("once", "failure"), put(job_id=lambda number: -number)),
    Damage("due_times_once", "log", cause("schedule"), double),
    Damage("due_times_once", "witness", every, double),
    Damage("the_log_is_true", "witness", is_logged, drop),
    Damage("the_log_is_true", "log", is_witnessed, ends("skipped")),
    Damage("no_overlap", "log", is_serial, start_earlier),
    Damage("skipped_for_a_run", "log", both(state("succeeded"), is_certain), ends("skipped")),
    Damage("what_follows_is_not_skipped", "log", cause("retry", "dependency"), ends("skipped")),
    # Due times.
    Damage("every_due_time_is_accounted_for", "log", is_on_grid, drop),
    Damage("nothing_else_is_due", "log", is_on_grid, put(scheduled_at=lambda due: due - 0.2)),
    Damage("nothing_is_due_before_it_is_defined", "log", is_first_of_its_job, before_the_definition),
    Damage("nothing_is_due_before_it_is_defined", "log", both(cause("schedule"), has_ended), of_an_unknown_job),
    Damage("missed_only_for_a_reason", "log", both(cause("schedule"), is_certain), ends("missed")),
    Damage("missed_time_is_made_up", "log", is_missed, put(missed_count=lambda count: count + 1)),
    Damage("after_counts_from_the_end", "log", comes_after_another, put(scheduled_at=lambda due: due - 0.5)),
    Damage("reboot_only_after_a_start", "log", cause("schedule"), put(cause="reboot")),
    Damage("nothing_starts_during_a_break", "events", others_ran, lasts_longer),
    Damage("nothing_starts_while_not_enabled", "changes", has_runs, put_attribute(enabled=False)),
    Damage("deleted_jobs_do_not_start", "log", is_deleted, after_the_deletion),
    # Ends.
    Damage("cancelled_only_for_a_reason", "log", both(state("succeeded"), is_certain), ends("cancelled")),
    Damage("lost_only_for_a_reason", "log", both(state("succeeded"), is_certain), ends("lost")),
    Damage("timed_out_after_job_timeout", "log", both(state("succeeded"), is_certain), ends("timed out")),
    Damage("timed_out_after_job_timeout", "changes", takes_time, put_attribute(job_timeout=-PROMPT - 1)),
    Damage("retried_or_final", "log", is_reported, drop),
    Damage("retried_or_final", "log", both(cause("failure"), follows_a_failure), double),
    Damage("retried_or_final", "log", is_attempted, double),
    Damage("retries_as_allowed", "log", both(cause("retry"), has_ended), put(attempt=lambda number: number + 1)),
    Damage("retries_as_allowed", "log", both(cause("retry"), has_ended), put(scheduled_at=lambda due: due - 1)),
    Damage("retries_as_allowed", "log", has_started_again, start_at_once),
    Damage("quarantine_is_no_failure", "log", there_is_a_quarantine, follow_from_it),
    Damage("quarantine_is_told_once", "events", has_quarantine, drop),
    Damage("nothing_follows_from_single_commands", "log", cause("retry", "dependency"), follows_from_a_command),
    Damage("disabled_after_failures", "changes", has_failed_before_others_ran, put_attribute(disable_after=1)),
    # Dependencies.
    Damage("dependencies_have_their_cause", "log", cause("dependency"), put(caused_by=NEW)),
    Damage("dependencies_have_their_cause", "log", led_to_a_dependency, ends("missed")),
    Damage("dependencies_wait_for_all", "log", waits_for_others, nothing_has_ended),
    Damage("single_dependencies_follow", "log", makes_runs_follow, drop),
    # Requests, counters, alerts.
    Damage("requests_run", "log", cause("request", "once"), put(cause="schedule")),
    Damage("requests_run", "log", cause("schedule"), put(cause="request")),
    Damage("requests_run", "events", is_request, drop),
    *(
        Damage("counters_agree", "statistics", every, put(**{name: lambda number: (number or 0) + 1}))
        for name in ("runs", "failures", "cancelled", "skipped", "missed", "last_executed", "last_success")
    ),
    Damage("counters_agree", "statistics", has_few_runs, put(last_states=lambda states: [*states, "succeeded"])),
    Damage("counters_agree", "log", is_counted, drop),
    Damage("failures_since_the_last_success", "jobs", is_sure_of_failures, put(failure_count=lambda count: count + 1)),
    Damage("failures_since_the_last_success", "jobs", every, put(success_count=lambda count: count + 1)),
    Damage("failures_are_told", "alerts", event("failed", "timed out", "lost", "missed"), drop),
    Damage("failures_are_told", "alerts", is_retried, put(retry=False)),
    Damage("alerts_tell_the_truth", "alerts", event("failed", "timed out", "quarantined"), put(sqlstate="XX000")),
    Damage("alerts_tell_the_truth", "alerts", event("failed", "timed out"), put(attempt=lambda number: number + 1)),
    Damage("alerts_tell_the_truth", "alerts", event("failed", "timed out"), put(event="lost")),
    Damage("alerts_tell_the_truth", "alerts", event("failed", "timed out", "missed", "lost"), double),
    Damage("alerts_tell_the_truth", "alerts", is_last_attempt, put(retry=True)),
    Damage("alerts_tell_the_truth", "alerts", never_gives_up, put(event="disabled", jl_id=None)),
    Damage("alerts_are_counted", "alerts", is_numbered, put(repetition=lambda number: number + 1)),
    Damage("notifications_are_alerts", "notifications", was_heard, drop),
    Damage("notifications_are_alerts", "notifications", every, double),
    Damage("recovery_is_told", "alerts", has_recovered, drop),
    Damage("overdue_is_told", "changes", has_a_long_silence, put_attribute(expect_success_within=LATE / 2)),
    Damage("overdue_is_told", "alerts", recovers, is_overdue_at_once),
]
