"""What becomes of jobs that are due."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from elephant_worker.jobs.dispatch import (
    Decisions,
    DispatchContext,
    after_set_back,
    decide,
    due_again,
    first_due_time,
    missed_by_change,
    runs_at_reboot,
)
from elephant_worker.jobs.job import Job
from elephant_worker.jobs.run import EndedRun, Run

NOON = 1_800_000_000.0
JOB = Job(
    jl_id=1,
    job_id=7,
    cause="schedule",
    scheduled_at=NOON,
    state_set_at=NOON - 5000,
    schedule_set_at=NOON - 5000,
    enabled=True,
    schedule="@every 10 minutes",
    timezone="UTC",
    job_command="SELECT 1",
    job_timeout=60,
    rolname="app",
    role_oid=4711,
    datname="weborder",
    database_oid=4712,
)


def decided(
    *jobs: Job,
    active: dict[int, int] | None = None,
    now: float = NOON,
    available_since: float = 0.0,
    grace: float = 60.0,
) -> Decisions:
    numbers = count(1000)
    return decide(jobs, Counter(active or {}), DispatchContext(now, available_since, grace), lambda: next(numbers))


def missed(run: Run) -> tuple[float, int | None, float | None]:
    """What a row of missed due times says: the first, how many, the last."""
    assert run.outcome is not None
    assert run.outcome.state == "missed"
    return run.scheduled_at, run.missed_count, run.missed_until


def test_a_due_job_runs_and_is_due_again() -> None:
    decisions = decided(JOB)
    (run,) = decisions.runs
    assert (run.jl_id, run.job_id, run.command, run.scheduled_at, run.timeout) == (1, 7, "SELECT 1", NOON, 60)
    assert (run.target.role_oid, run.target.rolname, run.target.datname) == (4711, "app", "weborder")
    assert decisions.next_run_at == {7: NOON - 5000 + 9 * 600}
    assert not decisions.ended
    assert not decisions.changed


def test_a_late_job_keeps_its_grid() -> None:
    assert decided(JOB, now=NOON + 1000).next_run_at == {7: NOON + 400}


def test_one_run_at_a_time() -> None:
    (run,) = decided(JOB, active={7: 1}).ended
    assert run.outcome is not None
    assert run.outcome.state == "skipped"
    # What was asked for comes first; the reason holds for what was due at the same time.
    decisions = decided(JOB, replace(JOB, jl_id=2, cause="request"))
    assert [run.jl_id for run in decisions.runs] == [2]
    (skipped,) = decisions.ended
    assert skipped.jl_id == 1
    assert skipped.outcome is not None
    assert skipped.outcome.message == "an earlier run of the job had not ended"


@pytest.mark.parametrize("cause", ["retry", "dependency", "reboot"])
def test_what_the_worker_asks_for_waits_until_the_job_is_idle(cause: str) -> None:
    job = replace(JOB, cause=cause)
    decisions = decided(job, active={7: 1})
    assert decisions.postponed == [1]
    assert not decisions.runs
    assert not decisions.ended
    assert len(decided(replace(job, parallel=True), active={7: 1}).runs) == 1
    assert len(decided(job).runs) == 1


@pytest.mark.parametrize("cause", ["retry", "dependency", "reboot"])
@pytest.mark.parametrize("disabled", [{"enabled": False}, {"disabled": True}])
def test_a_disabled_job_runs_only_when_a_user_asks(cause: str, disabled: dict[str, bool]) -> None:
    (run,) = decided(replace(JOB, cause=cause, **disabled), active={7: 1}).ended
    assert run.outcome is not None
    assert (run.outcome.state, run.outcome.message) == ("cancelled", "the job was disabled before the run started")
    assert len(decided(replace(JOB, cause="request", **disabled)).runs) == 1


def test_missed_time_waits_until_the_job_is_idle() -> None:
    job = replace(JOB, catch_up="all")
    decisions = decided(job, active={7: 1}, now=NOON + 999, available_since=NOON + 990)
    assert decisions.next_run_at == {7: None}
    assert decisions.due_after_run == {7: NOON}
    assert not decisions.ended
    # Also for a run that begins at the same time.
    decisions = decided(job, replace(JOB, jl_id=2, cause="request"), now=NOON + 999, available_since=NOON + 990)
    assert [run.jl_id for run in decisions.runs] == [2]
    assert decisions.due_after_run == {7: NOON}


@pytest.mark.parametrize("cause", ["schedule", "request", "retry"])
def test_a_quarantine_is_no_failure(cause: str) -> None:
    (run,) = decided(replace(JOB, cause=cause, obstacle_error=NO_ROLE)).ended
    assert run.quarantined
    assert not EndedRun.of(run).failed


@pytest.mark.parametrize(
    ("catch_up", "runs", "skipped"),
    [("all", [NOON], None), ("once", [NOON + 400], (NOON, 1, NOON)), ("skip", [NOON + 400], (NOON, 1, NOON))],
)
def test_catch_up_within_the_grace(catch_up: str, runs: list[float], skipped: object) -> None:
    decisions = decided(
        replace(JOB, catch_up=catch_up, catch_up_limit=9), now=NOON + 410, available_since=NOON + 405, grace=1000.0
    )
    assert [run.scheduled_at for run in decisions.runs] == runs
    assert [missed(run) for run in decisions.ended] == ([] if skipped is None else [skipped])
    # all: the others follow one by one.
    assert decisions.due_after_run == ({7: NOON + 400} if catch_up == "all" else {})


def test_due_times_that_wait_when_the_schedule_is_changed_are_missed() -> None:
    run = missed_by_change(JOB, NOON + 450, NOON + 500, 99)
    assert (run.jl_id, *missed(run)) == (99, NOON, 2, NOON + 400)
    unreadable = missed_by_change(replace(JOB, schedule="no more"), NOON + 450, NOON + 500, 99)
    assert missed(unreadable) == (NOON, 1, NOON)


def test_parallel_runs() -> None:
    assert len(decided(replace(JOB, parallel=True), active={7: 3}).runs) == 1


def test_missed_while_no_worker_was_there() -> None:
    # Due at 0 and 400 seconds after noon, found at 999; the run would be more than start_grace late.
    decisions = decided(JOB, now=NOON + 999, available_since=NOON + 990)
    assert [missed(run) for run in decisions.ended] == [(NOON, 2, NOON + 400)]
    assert not decisions.runs
    assert decisions.next_run_at == {7: NOON + 1000}


def test_the_last_due_time_of_a_break_runs_if_it_is_in_the_grace() -> None:
    decisions = decided(JOB, now=NOON + 410, available_since=NOON + 405)
    assert [missed(run) for run in decisions.ended] == [(NOON, 1, NOON)]
    assert [run.scheduled_at for run in decisions.runs] == [NOON + 400]
    assert decisions.next_run_at == {7: NOON + 1000}


def test_catch_up_once() -> None:
    decisions = decided(replace(JOB, catch_up="once"), now=NOON + 5000, available_since=NOON + 4990)
    assert [missed(run) for run in decisions.ended] == [(NOON, 8, NOON + 4000)]
    assert [run.scheduled_at for run in decisions.runs] == [NOON + 4600]
    assert decisions.next_run_at == {7: NOON + 5200}


def test_catch_up_all_runs_one_after_the_other() -> None:
    job = replace(JOB, catch_up="all", catch_up_limit=3)
    decisions = decided(job, now=NOON + 5000, available_since=NOON + 4990)
    assert [missed(run) for run in decisions.ended] == [(NOON, 6, NOON + 2800)]
    (run,) = decisions.runs
    assert (run.scheduled_at, decisions.due_after_run) == (NOON + 3400, {7: NOON + 4000})
    assert decisions.next_run_at == {7: None}
    decisions = decided(replace(job, scheduled_at=NOON + 4000), now=NOON + 5001, available_since=NOON + 4990)
    assert not decisions.ended
    assert [run.scheduled_at for run in decisions.runs] == [NOON + 4000]
    assert decisions.due_after_run == {7: NOON + 4600}


def test_catch_up_all_of_a_parallel_job() -> None:
    job = replace(JOB, catch_up="all", catch_up_limit=3, parallel=True)
    decisions = decided(job, now=NOON + 5000, available_since=NOON + 4990)
    assert [run.scheduled_at for run in decisions.runs] == [NOON + 3400]
    assert not decisions.due_after_run
    assert decisions.next_run_at == {7: NOON + 4000}


def test_start_deadline() -> None:
    job = replace(JOB, start_deadline=30.0)
    assert len(decided(job, now=NOON + 30).runs) == 1
    decisions = decided(job, now=NOON + 31)
    assert not decisions.runs
    assert [missed(run) for run in decisions.ended] == [(NOON, 1, NOON)]
    assert decisions.next_run_at == {7: NOON + 400}


def test_a_missed_start_deadline_does_not_end_a_job_that_counts_from_its_end() -> None:
    job = replace(JOB, schedule="@after 10 minutes", start_deadline=30.0)
    decisions = decided(job, now=NOON + 31)
    assert [missed(run) for run in decisions.ended] == [(NOON, 1, NOON)]
    assert decisions.next_run_at == {7: NOON + 631}


def test_start_deadline_bounds_catching_up() -> None:
    job = replace(JOB, catch_up="all", catch_up_limit=100, start_deadline=700.0)
    decisions = decided(job, now=NOON + 5000, available_since=NOON + 4990)
    assert [missed(run) for run in decisions.ended] == [(NOON, 8, NOON + 4000)]
    assert [run.scheduled_at for run in decisions.runs] == [NOON + 4600]


def test_after_a_lost_run_the_job_is_due_again() -> None:
    assert due_again(JOB, NOON, NOON + 100) == NOON + 400
    assert due_again(replace(JOB, schedule="@after 10 minutes"), NOON, NOON + 100) == NOON + 700
    assert due_again(replace(JOB, timezone="Atlantis/Center"), NOON, NOON) is None


def test_a_clock_that_is_set_back_a_little_is_waited_for() -> None:
    now = NOON - 1800
    assert after_set_back(JOB, 1800, now) == NOON
    after = replace(JOB, schedule='{"@after 10 minutes","@daily"}')
    assert after_set_back(after, 1800, now) == now + 600
    assert after_set_back(replace(after, scheduled_at=now + 5), 1800, now) == now + 5
    assert after_set_back(replace(JOB, timezone="Atlantis/Center"), 1800, now) == NOON


def test_a_clock_that_was_wrong_is_followed() -> None:
    now = NOON - 86400
    assert after_set_back(JOB, 86400, now) == now + 400
    assert after_set_back(replace(JOB, schedule="@after 10 minutes"), 86400, now) == now + 600


def test_a_little_late_is_not_missed() -> None:
    assert len(decided(JOB, now=NOON + 50, available_since=NOON + 40).runs) == 1


def test_a_request_needs_no_schedule_and_no_enabling() -> None:
    decisions = decided(replace(JOB, cause="request", enabled=False, schedule=None))
    assert len(decisions.runs) == 1
    assert decisions.next_run_at == {}


def test_a_request_that_was_withdrawn_ends_cancelled() -> None:
    (run,) = decided(replace(JOB, cause="once", withdrawn=True)).ended
    assert run.outcome is not None
    assert (run.outcome.state, run.outcome.sqlstate) == ("cancelled", "57014")


def test_a_job_that_was_changed_meanwhile_waits() -> None:
    for job in (
        replace(JOB, state_set_at=NOON - 9000),
        replace(JOB, state_set_at=NOON - 9000, enabled=False),
        replace(JOB, schedule_set_at=None),
    ):
        decisions = decided(job)
        assert decisions.changed == [7]
        assert not decisions.runs
        assert not decisions.ended


def test_a_job_that_was_disabled_without_a_word_is_looked_at_later() -> None:
    assert decided(replace(JOB, enabled=False)) == Decisions(next_run_at={7: NOON + 3600})


def test_a_request_for_a_job_that_was_deleted_is_dropped() -> None:
    decisions = decided(replace(JOB, cause="request", schedule_set_at=None))
    assert decisions == Decisions()


def obstacle(message: str) -> dict[str, str]:
    return {"sqlstate": "42704", "message": message, "detail": "It has been dropped.", "hint": "Create it again."}


NO_ROLE, NO_DATABASE = obstacle('role "app" does not exist'), obstacle('database "weborder" does not exist')


def test_nowhere_to_run() -> None:
    decisions = decided(replace(JOB, obstacle_error=NO_ROLE))
    (run,) = decisions.ended
    assert run.outcome is not None
    assert (run.outcome.state, run.outcome.sqlstate) == ("failed", "42704")
    assert (run.outcome.detail, run.outcome.hint) == ("It has been dropped.", "Create it again.")
    assert decisions.next_run_at == {7: NOON + 400}
    assert decisions.quarantined == {7: run.outcome.message}


def test_quarantine_is_logged_once_for_each_reason() -> None:
    job = replace(JOB, obstacle_error=NO_ROLE, quarantined_reason='role "app" does not exist')
    decisions = decided(job)
    assert (decisions.ended, decisions.runs, decisions.quarantined) == ([], [], {})
    assert decisions.next_run_at == {7: NOON + 400}
    decisions = decided(replace(job, obstacle_error=NO_DATABASE))
    assert len(decisions.ended) == 1
    assert decisions.quarantined == {7: 'database "weborder" does not exist'}


def test_a_job_that_is_asked_for_in_quarantine_fails() -> None:
    reason = 'role "app" does not exist'
    for known in (None, reason):
        decisions = decided(replace(JOB, cause="request", obstacle_error=NO_ROLE, quarantined_reason=known))
        (run,) = decisions.ended
        assert run.outcome is not None
        assert run.outcome.message == reason
        assert decisions.quarantined == ({} if known else {7: reason})
        assert decisions.next_run_at == {}


def test_quarantine_ends_when_the_reason_is_gone() -> None:
    for cause in ("schedule", "request"):
        job = replace(JOB, cause=cause, scheduled_at=NOON + 400, quarantined_reason='role "app" does not exist')
        decisions = decided(job)
        assert len(decisions.runs) == 1
        assert decisions.quarantined == {7: None}


def test_a_schedule_that_cannot_be_read_any_more() -> None:
    decisions = decided(replace(JOB, timezone="Atlantis/Center"))
    (run,) = decisions.ended
    assert run.outcome is not None
    assert (run.outcome.state, run.outcome.message) == ("failed", 'unknown time zone "Atlantis/Center"')
    assert decisions.quarantined == {7: run.outcome.message}
    assert decisions.next_run_at == {7: NOON + 3600}


def test_a_schedule_that_can_be_read_again_waits_for_its_next_due_time() -> None:
    decisions = decided(replace(JOB, scheduled_at=NOON + 1, quarantined_reason="unknown time zone"), now=NOON + 1)
    assert (decisions.ended, decisions.runs, decisions.quarantined) == ([], [], {7: None})
    assert decisions.next_run_at == {7: NOON + 400}
    decisions = decided(replace(JOB, schedule="@after 10 minutes", quarantined_reason="unknown time zone"))
    assert len(decisions.runs) == 1


def test_a_mistake_of_ours_stops_one_job_only() -> None:
    decisions = decided(replace(JOB, schedule_set_at=None, state_set_at=None), replace(JOB, job_id=8, timezone=None))  # type: ignore[arg-type]
    assert decisions.changed == [7]
    assert "This is a mistake" in str(decisions.ended[0].outcome)
    assert list(decisions.quarantined) == [8]


def test_from_finish_to_start() -> None:
    decisions = decided(replace(JOB, schedule="@after 10 minutes"))
    assert decisions.next_run_at == {7: None}
    assert decisions.runs[0].after_end == 600


@pytest.mark.parametrize(
    ("committed", "available_since", "first"),
    [
        (NOON - 1, NOON - 9999, NOON + 1600),  # seen late: the first one from now on
        (NOON + 10, NOON - 9999, NOON + 1600),
        (NOON - 1, NOON + 1500, NOON),  # no worker was there: missed time
        (NOON + 10, NOON + 1500, NOON + 400),  # what was due before the commit is not
        (NOON + 10, NOON + 300, NOON + 1600),  # a worker came before the first due time that counts
        (0.0, NOON + 1500, NOON),  # not known
    ],
)
def test_what_is_due_before_the_commit_does_not_count(committed: float, available_since: float, first: float) -> None:
    assert first_due_time(JOB, committed, NOON + 1500, available_since) == first


def test_a_single_due_time_that_passes_before_the_commit_is_made_up_for() -> None:
    once = replace(JOB, schedule="2027-01-15 08:00", scheduled_at=NOON)
    assert first_due_time(once, NOON + 10, NOON + 1500, NOON + 1400) == NOON + 1500


def test_what_is_missed_in_a_pause_is_not_said_to_have_waited_for_anything_else() -> None:
    """Also if nothing is made up for and the next due time is still to come."""
    job = replace(JOB, scheduled_at=NOON - 1800, catch_up="skip")
    (run,) = decided(job, now=NOON + 90, available_since=NOON + 80).ended
    assert run.outcome is not None
    assert run.outcome.message == "no worker was at work when the job was due"


def test_the_limit_of_catching_up_counts_what_waits_each_time() -> None:
    """Of four due times the latest two are made up for; while the first of these ran, two more have come."""
    begun = NOON - 6000
    job = replace(JOB, scheduled_at=NOON - 1800, catch_up="all", catch_up_limit=2, schedule_set_at=begun,
                  state_set_at=begun)  # fmt: skip
    decisions = decided(job, available_since=NOON + 1, now=NOON + 1)
    assert [run.scheduled_at for run in decisions.runs] == [NOON - 600]
    assert [missed(run) for run in decisions.ended] == [(NOON - 1800, 2, NOON - 1200)]
    assert decisions.due_after_run == {7: NOON}
    job = replace(job, scheduled_at=NOON)
    decisions = decided(job, available_since=NOON + 1, now=NOON + 1250)
    assert [run.scheduled_at for run in decisions.runs] == [NOON + 600]
    assert [missed(run) for run in decisions.ended] == [(NOON, 1, NOON)]
    assert decisions.due_after_run == {7: NOON + 1200}


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ({"schedule": "@reboot"}, True),
        ({"schedule": "{@reboot,@daily}"}, True),
        ({"schedule": "@daily # not @reboot"}, False),
        ({"schedule": "@reboot # by @reboot"}, True),
        ({"schedule": "@reboot", "starts_at": NOON + 1}, False),
        ({"schedule": "@reboot", "ends_at": NOON - 1}, False),
        ({"schedule": "@reboot", "starts_at": NOON, "ends_at": NOON}, True),
        ({"schedule": "{@reboot,@daily}", "timezone": "Mars/Olympus"}, True),  # its run says what is wrong
    ],
)
def test_what_runs_when_the_server_has_been_started(given: dict[str, object], runs: bool) -> None:
    assert runs_at_reboot(replace(JOB, **given), NOON) is runs  # type: ignore[arg-type]
