"""Runs that fail are tried again, so often and so late as the job says; jobs that fail too often are disabled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg
import pytest

from harness.scheduler import Scheduler
from harness.waiting import until

FAST = {"retry_delay": "100 milliseconds", "max_retry_delay": "200 milliseconds"}
FAIL = "SELECT 1/0"
# Fails at the first two tries.
THIRD = "SELECT 1 / greatest(0, nextval('tries') - 2)"


@pytest.fixture
def worker(scheduler: Scheduler) -> Scheduler:
    scheduler.execute("CREATE SEQUENCE tries")
    scheduler.start()
    return scheduler


def attempts(worker: Scheduler, job_id: int, count: int) -> list[Any]:
    """The log of a job, once so many of its runs have ended and no more are to come."""
    until(lambda: len([run for run in worker.log(job_id) if run.state != "running"]) >= count, f"{count} runs")
    worker.tick()
    return worker.log(job_id)


def test_until_it_succeeds(worker: Scheduler) -> None:
    job = worker.insert(THIRD, max_retries=5, **FAST)
    worker.value("SELECT run_job(%s)", job)
    runs = attempts(worker, job, 3)
    assert [(run.attempt, run.cause, run.state) for run in runs] == [
        (1, "request", "failed"),
        (2, "retry", "failed"),
        (3, "retry", "succeeded"),
    ]
    assert [run.caused_by for run in runs] == [None, runs[0].jl_id, runs[1].jl_id]
    assert len({run.scheduled_at for run in runs}) == 1
    assert worker.value("SELECT (failure_count, success_count, retry_at IS NULL) = (0, 1, true) FROM member_job")


def test_not_more_often_than_asked_for(worker: Scheduler) -> None:
    job = worker.insert(FAIL, max_retries=2, **FAST)
    worker.value("SELECT run_job(%s)", job)
    assert [run.attempt for run in attempts(worker, job, 3)] == [1, 2, 3]
    assert worker.value("SELECT count(*) FROM pending_run") == 0
    assert worker.value("SELECT failure_count FROM member_job") == 3


def test_a_scheduled_run_is_retried_and_the_next_one_is_not_late(worker: Scheduler) -> None:
    job = worker.insert(FAIL, schedule="2 seconds", max_retries=1, **FAST)
    # Where the machine takes its time, the next run takes the place of a retry, or is skipped for it.
    until(lambda: [run.cause for run in worker.log(job)].count("retry") >= 2, "two retries")
    until(lambda: worker.log(job)[-1].cause == "schedule", "the next run")
    runs = {run.jl_id: run for run in worker.log(job)}
    for run in runs.values():
        if run.cause == "retry":
            first = runs[run.caused_by]
            assert (first.cause, first.attempt, run.attempt) == ("schedule", 1, 2)
            assert first.scheduled_at == run.scheduled_at
    due = [run.scheduled_at for run in runs.values() if run.cause == "schedule"]
    assert {(after - before).total_seconds() for before, after in pairwise(due)} == {2}


def test_the_next_regular_run_takes_the_place_of_a_retry(worker: Scheduler) -> None:
    job = worker.insert(FAIL, schedule="1 second", max_retries=10, retry_delay="1 hour")
    runs = attempts(worker, job, 3)
    assert {(run.cause, run.attempt) for run in runs} == {("schedule", 1)}
    # Between a run's start and its end there is none.
    until(lambda: worker.value("SELECT count(*) FROM pending_run") == 1)


def test_many_failures_leave_one_retry(worker: Scheduler) -> None:
    job = worker.insert(FAIL, parallel=True, max_retries=3, retry_delay="1 hour")
    for _ in range(20):
        worker.value("SELECT run_job(%s)", job)
    attempts(worker, job, 20)
    assert worker.value("SELECT count(*) FROM pending_run") == 1
    assert worker.value("SELECT retry_at BETWEEN now() + '44 min' AND now() + '76 min' FROM member_job")


def test_a_pending_retry_outlives_the_worker(worker: Scheduler) -> None:
    job = worker.insert(FAIL, max_retries=1, retry_delay="1 hour")
    worker.value("SELECT run_job(%s)", job)
    attempts(worker, job, 1)
    worker.stop()
    worker.execute("UPDATE pending_run SET due_at = now()")
    worker.start()
    assert [run.attempt for run in attempts(worker, job, 2)] == [1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT update_job(%s, enabled := false)",
        "SELECT delete_job(%s)",
        "SELECT cancel_job(%s)",
    ],
)
def test_who_wants_no_retry_any_more(worker: Scheduler, statement: str) -> None:
    job = worker.insert(FAIL, max_retries=1, retry_delay="1 hour")
    worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.value("SELECT retry_at IS NOT NULL FROM member_job"))
    worker.value(statement, job)
    until(lambda: worker.value("SELECT count(*) FROM pending_run") == 0, "the retry to be forgotten")


def test_a_retry_runs_what_the_job_is_by_then(worker: Scheduler) -> None:
    job = worker.insert(FAIL, max_retries=1, retry_delay="1 hour")
    worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.value("SELECT retry_at IS NOT NULL FROM member_job"))
    worker.value("SELECT update_job(%s, 'SELECT 2')", job)
    worker.stop()
    worker.execute("UPDATE pending_run SET due_at = now()")
    worker.start()
    assert [run.state for run in attempts(worker, job, 2)] == ["failed", "succeeded"]


SERIALIZATION = "DO $$BEGIN RAISE SQLSTATE '40001'; END$$"
BROKEN = "SELECT pg_terminate_backend(pg_backend_pid())"
SLOW = "SELECT pg_sleep(1000)"


@pytest.mark.parametrize(
    ("command", "kind"), [(FAIL, "error"), (SERIALIZATION, "serialization"), (BROKEN, "connection"), (SLOW, "timeout")]
)
def test_kinds_of_failure(worker: Scheduler, command: str, kind: str) -> None:
    """Each kind is retried where it is asked for, and no other is."""
    kinds = ["error", "serialization", "connection", "timeout", "lost"]
    jobs = {
        one: worker.insert(
            command,
            job_timeout="50 milliseconds" if kind == "timeout" else "1 minute",
            max_retries=1,
            retry_on=[one],
            **FAST,
        )
        for one in kinds
    }
    for job in jobs.values():
        worker.value("SELECT run_job(%s)", job)
    attempts(worker, jobs[kind], 2)
    assert {one: len(worker.log(job)) for one, job in jobs.items()} == {one: 2 if one == kind else 1 for one in kinds}


def test_a_lost_run_is_retried_where_that_is_wanted(worker: Scheduler) -> None:
    wanted = worker.insert(SLOW, max_retries=1, retry_on=["lost"], **FAST)
    unwanted = worker.insert(SLOW, max_retries=1, **FAST)
    for job in (wanted, unwanted):
        worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = %s", SLOW) == 2)
    worker.kill()
    worker.start()
    until(lambda: [run.state for run in worker.log(wanted)] == ["lost", "running"])
    assert [run.state for run in worker.log(unwanted)] == ["lost"]


def test_disabled_after_so_many_failures(worker: Scheduler) -> None:
    job = worker.insert(FAIL, schedule="@yearly", disable_after=2, max_retries=5, **FAST)
    worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.value("SELECT disabled_at IS NOT NULL FROM member_job"))
    row = worker.execute("SELECT * FROM member_job").fetchone()
    assert row is not None
    assert (row.enabled, row.failure_count, row.next_run_at, row.retry_at) == (True, 2, None, None)
    assert [run.attempt for run in attempts(worker, job, 2)] == [1, 2]
    # A new beginning: one that fails again is disabled at once, one that succeeds goes on.
    worker.value("SELECT update_job(%s, enabled := true)", job)
    worker.ended(worker.value("SELECT run_job(%s)", job))
    until(lambda: worker.value("SELECT disabled_at IS NOT NULL FROM member_job"))
    worker.seen()
    assert len(worker.log(job)) == 3
    worker.execute("UPDATE member_job SET job_command = 'SELECT 1', schedule = '1 second'")
    until(lambda: worker.value("SELECT success_count > 1 AND disabled_at IS NULL FROM member_job"))


def test_others_go_on_while_one_fails(worker: Scheduler) -> None:
    for _ in range(5):
        worker.insert(FAIL, schedule="1 second", parallel=True, max_retries=100, **FAST)
    good = worker.insert("SELECT 1", schedule="1 second")
    until(lambda: worker.successes(good) >= 3)
    # On a slow machine a run may take longer than a second.
    assert {run.state for run in worker.log(good)} <= {"running", "succeeded", "skipped"}


BAD = {
    "max_retries": (-1, 101),
    "retry_delay": ("0", "-1 s", "2 hours"),
    "max_retry_delay": ("1 second", "2 years"),
    "retry_on": (["anything"], [], [None]),
    "disable_after": (0, -1),
}


@pytest.mark.parametrize(("parameter", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values(scheduler: Scheduler, parameter: str, value: Any) -> None:
    app = scheduler.connect_as(scheduler.role())
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        app.execute(f"SELECT insert_job('SELECT 1', current_catalog, {parameter} := %s)", (value,))
    assert raised.value.diag.message_detail
    assert raised.value.diag.message_hint
    app.execute("SELECT insert_job('SELECT 1', current_catalog)")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        app.execute(f"UPDATE my_job SET {parameter} = %s", (value,))


def test_what_the_worker_keeps_of_retries_is_its_own(scheduler: Scheduler) -> None:
    app = scheduler.connect_as(scheduler.role())
    app.execute("SELECT insert_job('SELECT 1', current_catalog)")
    for statement in (
        "SELECT * FROM pending_run",
        "INSERT INTO pending_run VALUES (1, now(), now(), 1, 1)",
        "INSERT INTO job_request (kind, cause, job_id) VALUES ('run', 'retry', (SELECT job_id FROM my_job))",
        "INSERT INTO job_request (kind, job_id, attempt) VALUES ('run', (SELECT job_id FROM my_job), 7)",
        "UPDATE my_job SET disabled_at = NULL",
        "UPDATE my_job SET retry_at = NULL",
    ):
        with pytest.raises(psycopg.Error) as raised:
            app.execute(statement)
        assert raised.value.sqlstate in {"42501", "44000", "0A000", "42703"}
