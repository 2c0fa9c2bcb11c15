"""What becomes of a job and its runs: each promise of the reference by itself, and random histories at once."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler, new_scheduler
from harness.waiting import until
from tests.model.oracle import judge
from tests.model.random_life import RandomLife

FAIL = "SELECT 1/0"


@pytest.fixture
def worker(scheduler: Scheduler) -> Scheduler:
    scheduler.execute("UPDATE worker_setting SET cancel_grace = '300 ms'")
    scheduler.start()
    return scheduler


def rows(worker: Scheduler, job_id: int, *states: str) -> list[Any]:
    """The log of a job; only the rows in these states, if some are given."""
    return [row for row in worker.log(job_id) if not states or row.state in states]


def caused(worker: Scheduler, jl_id: int, cause: str) -> list[Any]:
    """The runs that a run led to."""
    return worker.admin.execute(
        "SELECT * FROM member_job_log WHERE caused_by = %s AND cause = %s", (jl_id, cause)
    ).fetchall()


def wait_for_end(worker: Scheduler, job_id: int, count: int = 1) -> list[Any]:
    """The first rows of a job in the log, once they have ended."""

    def ended() -> list[Any] | None:
        found = [row for row in worker.log(job_id) if row.state != "running"]
        return found if len(found) >= count else None

    found: list[Any] = until(ended, f"{count} runs of job {job_id}")
    return found


def requested(worker: Scheduler, job_id: int) -> Any:
    return worker.value("SELECT run_job(%s)", job_id)


def broken_rules(scheduler: Scheduler, seed: int, kept: Path) -> set[str]:
    """What a random life of 15 seconds contradicts."""
    history = RandomLife(scheduler, seed).live(15)
    history.write(kept / f"{scheduler.dbname}.json")
    assert history.log
    findings = judge(history)
    print(f"seed {seed}:", *findings, sep="\n    ")
    return {finding.partition(":")[0] for finding in findings}


@pytest.mark.slow
def test_a_random_life_keeps_what_the_documents_promise(scheduler: Scheduler, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    if broken := broken_rules(scheduler, seed, tmp_path):
        # A machine that stands still for seconds puts things in an order for which the oracle makes no allowance. A
        # fault comes back; what comes once in many histories is for make soak.
        scheduler.stop()
        another = new_scheduler(scheduler.cluster)
        assert broken & broken_rules(another, seed, tmp_path) == set()
        another.close()


def test_what_is_defined_and_asked_for_at_once_is_counted(worker: Scheduler) -> None:
    """Definition and request reach the worker by one commit; whichever it reads first, the run counts."""
    numbers = []
    for _ in range(20):
        with worker.admin.transaction():
            job_id = worker.insert(FAIL, schedule="@yearly", disable_after=1)
            numbers.append((job_id, requested(worker, job_id)))
    for job_id, jl_id in numbers:
        worker.ended(jl_id)
        assert worker.value("SELECT failure_count FROM all_job WHERE job_id = %s", job_id) == 1
        assert worker.value("SELECT disabled_at IS NOT NULL FROM all_job WHERE job_id = %s", job_id)


def test_a_retry_that_a_regular_run_replaces_makes_its_failure_final(worker: Scheduler) -> None:
    job_id = worker.insert(FAIL, schedule="2 seconds", max_retries=3, retry_delay="1 hour", max_retry_delay="1 day",
                           on_failure_command="SELECT 'reported'")  # fmt: skip
    after = worker.insert("SELECT 1", run_after=[job_id], run_when="on_failure")
    first = wait_for_end(worker, job_id, 2)[0]
    until(lambda: caused(worker, first.jl_id, "failure"), "on_failure_command")
    until(lambda: caused(worker, first.jl_id, "dependency"), "the job that runs after a failure")
    assert rows(worker, after)


@pytest.mark.parametrize(
    "drop",
    [
        lambda worker, job_id: worker.value("SELECT cancel_job(%s)", job_id),
        lambda worker, job_id: worker.value("SELECT update_job(%s, enabled := false)", job_id),
    ],
)
def test_a_retry_that_is_dropped_makes_its_failure_final(
    worker: Scheduler, drop: Callable[[Scheduler, int], None]
) -> None:
    job_id = worker.insert(FAIL, max_retries=3, retry_delay="1 hour", max_retry_delay="1 day",
                           on_failure_command="SELECT 'reported'")  # fmt: skip
    run = worker.ended(requested(worker, job_id))
    assert not caused(worker, run.jl_id, "failure")
    drop(worker, job_id)
    until(lambda: caused(worker, run.jl_id, "failure"), "on_failure_command")
    assert worker.value("SELECT retry_at FROM all_job WHERE job_id = %s", job_id) is None


def test_a_retry_waits_until_the_job_is_idle(worker: Scheduler) -> None:
    job_id = worker.insert(FAIL, max_retries=1, retry_delay="1 hour")
    failed = worker.ended(requested(worker, job_id))
    with worker.gate() as slow_command:
        worker.value("SELECT update_job(%s, job_command := %s)", job_id, slow_command)
        jl_id = requested(worker, job_id)
        until(lambda: rows(worker, job_id, "running"), "the run that is in the way")
        have_retries_due(worker)
        until(
            lambda: worker.value("SELECT true FROM worker_request WHERE cause = 'retry'"), "the retry to be asked for"
        )
        worker.wake()
        assert not caused(worker, failed.jl_id, "retry")
    slow = worker.ended(jl_id)
    retry = worker.ended(until(lambda: caused(worker, failed.jl_id, "retry"), "the retry")[0].jl_id)
    assert (slow.state, retry.state) == ("succeeded", "succeeded")
    assert retry.job_started >= slow.job_finished


def have_retries_due(worker: Scheduler) -> None:
    """Retries that were to come much later are due now; the worker is told so by a change of settings."""
    worker.execute("UPDATE pending_run SET due_at = now()")
    worker.configure("log_max_rows = log_max_rows")


def fails_and_is_retried(worker: Scheduler, max_retries: int, **given: Any) -> tuple[int, int, Any]:
    """A job whose first run has failed and whose retry waits while nothing is started: its number, that of a job that
    runs after each of its ends, and the run that failed."""
    worker.configure("max_idle_sessions = 0, max_running_jobs = 1")
    job_id = worker.insert(FAIL, max_retries=max_retries, retry_delay="300 ms", max_retry_delay="300 ms",
                           on_failure_command="SELECT 'reported'", **given)  # fmt: skip
    after = worker.insert("SELECT 1", run_after=[job_id], run_when="always")
    # The next run, which is there already, takes the only slot.
    with worker.admin.transaction():
        jl_id = requested(worker, job_id)
        worker.value("SELECT run_once('SELECT pg_sleep(60)')")
    failed = worker.ended(jl_id)
    blocking = "SELECT jl_id FROM member_job_log WHERE cause = 'once' AND state = 'running'"
    until(lambda: worker.value(blocking), "the run that takes the slot")

    def asked_for() -> Any:
        worker.configure("log_max_rows = log_max_rows")  # something to look around for
        return worker.value("SELECT jl_id FROM waiting_run WHERE job_id = %s", job_id)

    until(asked_for, "the retry to be asked for")
    return job_id, after, failed


def free_the_slot(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET max_running_jobs = 32")


def what_followed(worker: Scheduler, job_id: int, after: int) -> list[tuple[str, int, int]]:
    """Of each run of a job: its state, and how many on_failure_commands and dependency runs it led to."""
    idle = """SELECT NOT EXISTS (SELECT FROM worker_request) AND NOT EXISTS (SELECT FROM pending_run)
        AND NOT EXISTS (SELECT FROM job_log WHERE state = 'running' AND job_command <> 'SELECT pg_sleep(60)')"""
    until(lambda: worker.value(idle), "all that follows")  # which is asked for when a run is logged
    assert all(row.caused_by for row in worker.log(after))
    return [
        (row.state, len(caused(worker, row.jl_id, "failure")), len(caused(worker, row.jl_id, "dependency")))
        for row in worker.log(job_id)
    ]


@pytest.mark.parametrize("max_retries", [1, 3])
def test_a_retry_that_is_cancelled_before_it_starts_is_no_attempt(worker: Scheduler, max_retries: int) -> None:
    job_id, after, _ = fails_and_is_retried(worker, max_retries)
    worker.value("SELECT cancel_run(jl_id) FROM waiting_run WHERE job_id = %s", job_id)
    free_the_slot(worker)
    assert what_followed(worker, job_id, after) == [("failed", 1, 1), ("cancelled", 0, 0)]


@contextmanager
def nobody_answers(worker: Scheduler, listens: bool) -> Iterator[None]:
    """New sessions are for a port at which nobody answers, or nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))  # nobody else gets this port
        if listens:
            server.listen()
        conninfo = f"host=127.0.0.1 port={server.getsockname()[1]}"
        worker.value("UPDATE worker_setting SET conninfo = %s RETURNING true", conninfo)
        try:
            yield
        finally:
            worker.execute("UPDATE worker_setting SET conninfo = DEFAULT")


@pytest.mark.parametrize("max_retries", [1, 3])
def test_a_retry_that_is_cancelled_while_it_connects_is_no_attempt(worker: Scheduler, max_retries: int) -> None:
    job_id, after, failed = fails_and_is_retried(worker, max_retries)
    with nobody_answers(worker, listens=True):
        free_the_slot(worker)
        (retry,) = until(lambda: caused(worker, failed.jl_id, "retry"), "the retry")
        worker.value("SELECT cancel_run(%s)", retry.jl_id)
        assert worker.ended(retry.jl_id).job_started is None
    assert what_followed(worker, job_id, after) == [("failed", 1, 1), ("cancelled", 0, 0)]


@pytest.mark.parametrize("max_retries", [1, 3])
def test_a_retry_of_a_job_in_quarantine_is_no_attempt(worker: Scheduler, max_retries: int) -> None:
    database = worker.database()
    job_id, after, _ = fails_and_is_retried(worker, max_retries, datname=database)
    worker.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql.Identifier(database))
    free_the_slot(worker)
    # Its on_failure_command is in quarantine as well.
    assert what_followed(worker, job_id, after) == [("failed", 1, 1), ("failed", 0, 0)]


@pytest.mark.parametrize("max_retries", [1, 2])
def test_a_retry_that_finds_no_connection_is_an_attempt(worker: Scheduler, max_retries: int) -> None:
    job_id, after, failed = fails_and_is_retried(worker, max_retries)
    with nobody_answers(worker, listens=False):
        free_the_slot(worker)
        (retry,) = until(lambda: caused(worker, failed.jl_id, "retry"), "the retry")
        retry = worker.ended(retry.jl_id)
    assert (retry.state, retry.job_sqlstate, retry.job_started) == ("failed", "08001", None)
    expected = [("failed", 0, 0)] * max_retries + [("failed", 1, 1)]
    assert what_followed(worker, job_id, after) == expected


def test_what_is_not_connected_within_its_start_deadline_is_missed(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET max_idle_sessions = 0")
    with nobody_answers(worker, listens=True):
        job_id = worker.insert("SELECT 1", schedule="1 second", start_deadline="200 ms")
        jl_id = requested(worker, worker.insert("SELECT 1", start_deadline="200 ms"))
        # Several due times may have gone by before the worker has had the time to connect.
        missed = until(
            lambda: [row for row in rows(worker, job_id, "missed") if row.missed_count == 1], "a row of what was missed"
        )[0]
        # What was asked for is given more time.
        asked = "SELECT state FROM member_job_log WHERE jl_id = %s"
        assert until(lambda: worker.value(asked, jl_id), "what was asked for") in ("running", "failed")
    assert (missed.missed_until, missed.job_started) == (missed.scheduled_at, None)
    assert missed.exception_message == "the job could not start within its start_deadline"
    until(lambda: rows(worker, job_id, "succeeded"), "a run that finds a connection")


def test_what_cannot_be_logged_within_its_start_deadline_is_missed(worker: Scheduler) -> None:
    """It is claimed in time, and the worker's transaction takes long."""
    with worker.connect() as holder, holder.transaction():
        holder.execute("LOCK job_log IN EXCLUSIVE MODE")
        job_id = worker.insert("SELECT 1", schedule="1 second", start_deadline="200 ms")
        due = worker.due(job_id)
        until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '300 ms'", due), "that time to be over")
    missed = until(lambda: rows(worker, job_id, "missed"), "the row of what was missed")[0]
    assert (missed.scheduled_at, missed.exception_message) == (due, "the job could not start within its start_deadline")
    until(lambda: rows(worker, job_id, "succeeded"), "a run on time")


def test_a_job_whose_predecessor_is_deleted_does_not_start(worker: Scheduler) -> None:
    before, other = worker.insert("SELECT 1"), worker.insert("SELECT 1")
    after = worker.insert("SELECT 1", run_after=[before, other])
    worker.ended(requested(worker, before))
    worker.value("SELECT delete_job(%s)", before)
    worker.ended(requested(worker, other))
    worker.wake()
    assert not rows(worker, after)
    # Also one that is deleted while it runs.
    with worker.gate() as command:
        last = worker.insert(command)
        follower = worker.insert("SELECT 1", run_after=[last])
        jl_id = requested(worker, last)
        until(lambda: worker.log(last), "the run to start")
        worker.value("SELECT delete_job(%s)", last)
    worker.ended(jl_id)
    worker.wake()
    assert not rows(worker, follower)


def test_the_first_due_time_comes_after_the_definition_is_seen(worker: Scheduler) -> None:
    with worker.admin.transaction():
        job_id = worker.insert("SELECT 1", schedule="1 second", parallel=True)
        time.sleep(1.5)  # the transaction takes its time; that is the case, not a wait for something
        committed = worker.value("SELECT clock_timestamp()")
    first = wait_for_end(worker, job_id)[0]
    assert first.scheduled_at > committed
    since = worker.value("SELECT schedule_set_at FROM job WHERE job_id = %s", job_id)
    assert ((first.scheduled_at - since).total_seconds() + 0.5) % 1 == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("committed_while", ["no worker is there", "another worker is there"])
def test_nothing_is_due_before_the_commit_of_a_definition(worker: Scheduler, committed_while: str) -> None:
    """Neither as missed time, if no worker was there for a while: what was due after the commit is made up for."""
    with worker.connect() as session, session.transaction():
        begun = session.execute("SELECT clock_timestamp()").fetchone()[0]  # type: ignore[index]
        (job_id,) = session.execute(
            "SELECT job_id FROM insert_job('SELECT 1', current_catalog, '1 second', catch_up := 'all')"
        ).fetchone()  # type: ignore[misc]
        worker.stop()
        if committed_while == "another worker is there":
            worker.start()
        until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '1.2 s'", begun), "a due time")
        committing = worker.value("SELECT clock_timestamp()")
    if committed_while == "another worker is there":
        worker.due(job_id)
    known = worker.value("SELECT clock_timestamp()")
    if committed_while == "no worker is there":
        until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '1.2 s'", known), "another due time")
        worker.start()
    first, second, *_ = wait_for_end(worker, job_id, 2)
    assert committing < first.scheduled_at <= known + timedelta(seconds=1)
    assert second.scheduled_at - first.scheduled_at == timedelta(seconds=1)
    assert not rows(worker, job_id, "missed")


def test_a_schedule_is_followed_until_the_change_of_it_is_committed(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT 1", schedule="1 second")
    wait_for_end(worker, job_id)
    worker.pause()
    with worker.connect() as session, session.transaction():
        session.execute("SELECT update_job(%s, schedule := '@yearly')", (job_id,))
        changed = worker.value("SELECT clock_timestamp()")
        until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '2 s'", changed), "two due times")
    worker.execute("SELECT resume_jobs()")
    (missed,) = until(lambda: rows(worker, job_id, "missed"), "the row of what was missed")
    assert missed.missed_until > changed


def test_what_is_due_while_the_worker_begins_is_accounted_for(scheduler: Scheduler) -> None:
    """The job is defined while no worker is there, and due before the next one has come to read of it."""
    until(lambda: scheduler.value("SELECT extract(second FROM clock_timestamp()) % 1 < 0.3"), "the begin of a second")
    job_id = scheduler.insert("SELECT 1", schedule="* * * * * *")
    due = scheduler.value("SELECT first_run_at FROM job WHERE job_id = %s", job_id)
    with scheduler.connect() as holder, holder.transaction():
        holder.execute("LOCK job_statistic")  # for which the worker waits a second when it begins
        scheduler.start()
    # As a run, or as missed where the machine takes its time.
    until(lambda: due in {row.scheduled_at for row in scheduler.log(job_id)}, "the row of the first due time")


def test_due_times_that_wait_are_missed_when_the_schedule_changes(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT 1", schedule="1 second")
    wait_for_end(worker, job_id)
    worker.pause()
    due = worker.due(job_id)
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '2 s'", due), "more due times")
    worker.value("SELECT update_job(%s, schedule := '@yearly')", job_id)
    worker.execute("SELECT resume_jobs()")
    (missed,) = until(lambda: rows(worker, job_id, "missed"), "the row of what was missed")
    assert missed.missed_count >= 2
    assert missed.exception_message == "the schedule was changed while the run waited"
    logged = [row.scheduled_at for row in rows(worker, job_id, "succeeded")]
    assert missed.scheduled_at > max(logged)


def test_a_new_schedule_is_followed_once_a_run_of_the_old_one_has_ended(worker: Scheduler) -> None:
    """What was due in a pause waits until the job is idle, also if the run that is active began before the change."""
    with worker.gate() as command:
        job_id = worker.insert(command, schedule="@yearly")
        jl_id = requested(worker, job_id)
        until(lambda: rows(worker, job_id, "running"), "the run to start")
        worker.pause()
        worker.value("SELECT update_job(%s, schedule := '1 second')", job_id)
        due = worker.due(job_id)
        until(lambda: worker.value("SELECT clock_timestamp() > %s", due), "the due time")
        worker.execute("SELECT resume_jobs()")
        waits = "SELECT resume_at IS NOT NULL FROM job_state WHERE job_id = %s"
        until(lambda: worker.value(waits, job_id), "the job to wait for its run")
    worker.ended(jl_id)
    until(lambda: [row for row in worker.log(job_id) if row.cause == "schedule"], "a run by schedule")


def test_due_times_that_wait_are_missed_when_failures_disable_the_job(worker: Scheduler) -> None:
    worker.pause()
    job_id = worker.insert(FAIL, schedule="1 second", catch_up="all", disable_after=1)
    due = worker.due(job_id)
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '2.5 s'", due), "more due times")
    worker.execute("SELECT resume_jobs()")
    (missed,) = until(lambda: rows(worker, job_id, "missed"), "the row of what was missed")
    assert missed.exception_message == "the job was disabled while the run waited"
    assert missed.missed_count >= 2
    # From when it was defined until it was disabled, each due time is there.
    failed = rows(worker, job_id, "failed")
    assert [row.scheduled_at for row in failed] == [due + timedelta(seconds=n) for n in range(len(failed))]
    assert missed.scheduled_at == due + timedelta(seconds=len(failed))
    assert worker.value("SELECT disabled_at IS NOT NULL FROM all_job WHERE job_id = %s", job_id)


def test_a_success_after_a_quarantine_is_told_by_another_worker(worker: Scheduler) -> None:
    database = worker.database()
    job_id = worker.insert("SELECT 1", database)
    worker.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql.Identifier(database))
    worker.ended(requested(worker, job_id))
    worker.execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", sql.Identifier(database))
    worker.value("SELECT update_job(%s, job_description := 'the reason is gone')", job_id)
    until(lambda: worker.value("SELECT quarantined_reason IS NULL FROM all_job WHERE job_id = %s", job_id))
    worker.stop()
    worker.start()
    for _ in range(2):
        worker.ended(requested(worker, job_id))
    told = worker.execute("SELECT event FROM all_alert WHERE job_id = {} ORDER BY alert_id", sql.Literal(job_id))
    assert [row.event for row in told] == ["quarantined", "recovered"]


def test_a_dependency_run_names_the_run_that_ended_last(worker: Scheduler) -> None:
    with worker.gate() as command:
        slow, quick = worker.insert(command), worker.insert("SELECT 1")
        after = worker.insert("SELECT 1", run_after=[slow, quick])
        first = requested(worker, slow)
        until(lambda: worker.log(slow), "the slow run to start")
        second = requested(worker, quick)
        assert second > first
        worker.ended(second)
    (run,) = wait_for_end(worker, after)
    assert run.caused_by == first


def test_what_waits_does_not_start_once_the_job_is_disabled(worker: Scheduler) -> None:
    before = worker.insert("SELECT 1")
    after = worker.insert("SELECT 1", run_after=[before])
    worker.pause()
    with worker.admin.transaction():
        # What the worker asks for when the other job has ended.
        worker.execute(
            "INSERT INTO worker_request (kind, cause, job_id, caused_by) VALUES ('run', 'dependency', {}, 1)",
            sql.Literal(after),
        )
        worker.value("SELECT update_job(%s, enabled := false)", after)
    worker.execute("SELECT resume_jobs()")
    (run,) = wait_for_end(worker, after)
    assert (run.state, run.exception_message) == ("cancelled", "the job was disabled before the run started")


def test_run_when_is_asked_when_the_job_could_start(worker: Scheduler) -> None:
    failing, other = worker.insert(FAIL), worker.insert("SELECT 1")
    after = worker.insert("SELECT 1", run_after=[failing, other])
    worker.ended(requested(worker, failing))
    worker.value("SELECT update_job(%s, run_when := 'always')", after)
    worker.wake()
    assert not rows(worker, after)
    worker.ended(requested(worker, other))
    assert wait_for_end(worker, after)[0].state == "succeeded"


@pytest.mark.parametrize("change", ["run_when := 'always'", "run_after := '{%s}'"])
def test_a_change_that_leaves_nothing_to_wait_for_starts_the_job(worker: Scheduler, change: str) -> None:
    done, never = worker.insert("SELECT 1"), worker.insert(FAIL)
    after = worker.insert("SELECT 1", run_after=[done, never])
    worker.ended(requested(worker, done))
    worker.ended(requested(worker, never))
    worker.wake()
    assert not rows(worker, after)
    text = change % done if "%" in change else change
    worker.admin.execute(f"SELECT update_job({after}, {text})")
    assert wait_for_end(worker, after)[0].cause == "dependency"


def test_a_job_that_is_enabled_again_waits_for_new_ends(worker: Scheduler) -> None:
    before = worker.insert("SELECT 1")
    after = worker.insert("SELECT 1", run_after=[before], enabled=False)
    worker.ended(requested(worker, before))
    worker.value("SELECT update_job(%s, enabled := true)", after)
    worker.wake()
    assert worker.value("SELECT state FROM job_chain WHERE job_id = %s", after) == "waiting"
    assert not rows(worker, after)
    worker.ended(requested(worker, before))
    assert wait_for_end(worker, after)


def test_a_quarantine_is_no_failure(worker: Scheduler) -> None:
    role = worker.role("leaver")
    with worker.connect_as(role) as session:
        job_id = session.execute(
            "SELECT job_id FROM insert_job('SELECT 1', current_catalog, '1 second', max_retries := 3,"
            " retry_delay := '100 ms', disable_after := 1, on_failure_command := 'SELECT 1')"
        ).fetchone()[0]  # type: ignore[index]
    wait_for_end(worker, job_id)
    worker.execute("REVOKE job_scheduler FROM {}", sql.Identifier(role))
    (row,) = until(lambda: rows(worker, job_id, "failed"), "the row of the quarantine")
    until(lambda: worker.value("SELECT next_run_at > %s + interval '2 s' FROM all_job WHERE job_id = %s",
                               row.scheduled_at, job_id), "more due times")  # fmt: skip
    # Another description is no other reason.
    worker.value("SELECT update_job(%s, job_description := 'touched')", job_id)
    worker.wake()
    assert worker.value("SELECT quarantined_reason IS NOT NULL FROM all_job WHERE job_id = %s", job_id)
    assert [failed.jl_id for failed in rows(worker, job_id, "failed")] == [row.jl_id]
    assert not caused(worker, row.jl_id, "retry")
    assert not caused(worker, row.jl_id, "failure")
    job = worker.execute("SELECT * FROM all_job WHERE job_id = {}", sql.Literal(job_id)).fetchone()
    assert (job.failure_count, job.disabled_at) == (0, None)
    worker.execute("GRANT job_scheduler TO {}", sql.Identifier(role))
    succeeded = len(rows(worker, job_id, "succeeded"))
    until(lambda: len(rows(worker, job_id, "succeeded")) > succeeded, "the job to run again")


def test_several_failures_at_once_of_a_parallel_job(worker: Scheduler) -> None:
    alerts: dict[int, Any] = {}
    session = listener(worker, lambda alert: alerts.update({alert.get("jl_id"): alert}))
    with worker.gate() as command:
        job_id = worker.insert(f"{command}; SELECT 1/0", parallel=True, max_retries=1, retry_delay="1 hour",
                               on_failure_command="SELECT 1")  # fmt: skip
        numbers = [requested(worker, job_id) for _ in range(3)]
        until(lambda: len(rows(worker, job_id, "running")) == 3, "all to run")
    for jl_id in numbers:
        worker.ended(jl_id)
    have_retries_due(worker)
    until(lambda: len(rows(worker, job_id)) == 4, "the one retry")
    until(lambda: sum(len(caused(worker, row.jl_id, "failure")) for row in rows(worker, job_id)) == 3, "what follows")
    until(lambda: session.execute("SELECT 1") and alerts.keys() >= {*numbers}, "to be told")
    session.close()
    for jl_id in numbers:
        assert alerts[jl_id]["retry"] == bool(caused(worker, jl_id, "retry"))
        assert len(caused(worker, jl_id, "retry")) + len(caused(worker, jl_id, "failure")) == 1
    assert sum(alerts[jl_id]["retry"] for jl_id in numbers) == 1


def test_a_request_that_waited_runs_and_so_does_what_was_due(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT 1", schedule="1 second", catch_up="all")
    wait_for_end(worker, job_id)
    worker.pause()
    until(lambda: not rows(worker, job_id, "running"), "the job to be idle")
    jl_id = requested(worker, job_id)
    due = worker.due(job_id)
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '2 s'", due), "more due times")
    waited = [due + timedelta(seconds=number) for number in range(3)]
    worker.execute("SELECT resume_jobs()")
    assert worker.ended(jl_id).state == "succeeded"
    until(lambda: worker.value("SELECT next_run_at > %s + interval '3 s' FROM all_job WHERE job_id = %s", due, job_id))
    assert not [row for row in rows(worker, job_id, "skipped", "missed") if row.scheduled_at in waited]


def listener(worker: Scheduler, heard: Callable[[Any], object]) -> psycopg.Connection[Any]:
    """A session that listens; each of its statements ends with what has been notified until then."""
    session = worker.connect()
    session.add_notify_handler(lambda notification: heard(json.loads(notification.payload)))
    session.execute("LISTEN elephant_worker")
    return session


def test_an_overdue_job_is_told_of_once(worker: Scheduler) -> None:
    events: list[str] = []
    session = listener(worker, lambda alert: events.append(alert["event"]))
    job_id = worker.insert("SELECT 1", schedule="@yearly", expect_success_within="1 hour")
    worker.wake()
    worker.execute("ALTER TABLE job DISABLE TRIGGER USER")
    worker.execute("UPDATE job SET schedule_set_at = now() - interval '2 h'")
    worker.execute("UPDATE job_state SET schedule_set_at = now() - interval '2 h'")
    worker.execute("ALTER TABLE job ENABLE TRIGGER USER")
    worker.value("SELECT update_job(%s, job_description := 'a')", job_id)
    until(lambda: worker.value("SELECT overdue_told_at FROM job_state WHERE job_id = %s", job_id), "the alert")
    for number in range(3):
        worker.value("SELECT update_job(%s, job_description := %s)", job_id, str(number))
        worker.wake()
    worker.stop()
    worker.start()
    worker.tick()
    until(lambda: session.execute("SELECT 1") and events, "to be told")
    session.close()
    assert events.count("overdue") == 1


def test_a_job_that_was_overdue_before_it_was_seen_is_told_of_once(scheduler: Scheduler) -> None:
    job_id = scheduler.insert("SELECT 1", schedule="@yearly", expect_success_within="1 hour")
    scheduler.execute("ALTER TABLE job DISABLE TRIGGER USER")
    scheduler.execute("UPDATE job SET schedule_set_at = now() - interval '2 h'")
    scheduler.execute("ALTER TABLE job ENABLE TRIGGER USER")
    told = "SELECT count(*) FROM all_alert WHERE event = 'overdue' AND job_id = %s"
    scheduler.start()
    until(lambda: scheduler.value(told, job_id), "the alert")
    for _ in range(2):
        scheduler.wake()
    assert scheduler.value(told, job_id) == 1


def test_catching_up_within_the_grace(worker: Scheduler) -> None:
    jobs = {
        catch_up: worker.insert("SELECT pg_sleep(0.05)", schedule="1 second", catch_up=catch_up)
        for catch_up in ("all", "once", "skip")
    }
    for job_id in jobs.values():
        wait_for_end(worker, job_id)
    worker.stop()
    stopped = worker.value("SELECT clock_timestamp()")
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '3 s'", stopped), "due times")
    started = worker.value("SELECT clock_timestamp()")
    worker.start()
    for catch_up, job_id in jobs.items():
        until(lambda job_id=job_id: worker.value(  # type: ignore[misc]
            "SELECT next_run_at > %s + interval '2 s' FROM all_job WHERE job_id = %s", started, job_id))  # fmt: skip
        # The due times from the stop on that passed without a worker, and the first one that did not.
        since = [row for row in rows(worker, job_id) if row.scheduled_at > stopped]
        assert not [row for row in since if row.state == "skipped" and row.scheduled_at < started]
        missed = [row for row in since if row.state == "missed"]
        if catch_up == "all":
            assert len(since) >= 4
            assert not missed
        else:
            assert sum(row.missed_count for row in missed) >= 2
            made_up_for = [row for row in since if row.scheduled_at > missed[-1].missed_until]
            assert min(row.scheduled_at for row in made_up_for) - missed[-1].missed_until == timedelta(seconds=1)


def test_missed_time_that_waits_for_a_run_is_made_up_for_one_by_one(worker: Scheduler) -> None:
    """And so is what is due until that run has ended."""
    job_id = worker.insert("SELECT pg_advisory_xact_lock(1), pg_sleep(0.1)", schedule="1 second", catch_up="all",
                           catch_up_limit=2)  # fmt: skip
    wait_for_end(worker, job_id)
    worker.execute("SELECT pg_advisory_lock(1)")
    locked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    until(lambda: worker.value(locked), "a run that takes long")
    worker.pause()
    due = worker.due(job_id)
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '1 s'", due), "due times in the pause")
    worker.execute("SELECT resume_jobs()")
    waits = "SELECT resume_at IS NOT NULL FROM job_state WHERE job_id = %s"
    until(lambda: worker.value(waits, job_id), "the job to wait for its run")
    resumed = worker.value("SELECT clock_timestamp()")
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '2 s'", resumed), "due times after it")
    worker.execute("SELECT pg_advisory_unlock(1)")
    missed = until(lambda: rows(worker, job_id, "missed"), "the row of what is not made up for")[0]
    if missed.missed_until < due + timedelta(seconds=1):  # all of it in the pause
        assert missed.exception_message == "no worker was at work when the job was due"
    elif missed.missed_until > resumed:
        assert missed.exception_message == "the job had not caught up with missed time"
    following = [missed.missed_until + timedelta(seconds=number) for number in (1, 2)]

    def made_up_for() -> bool:
        # If the first run has taken long, the second due time is none of the latest any more.
        found = {row.scheduled_at for row in rows(worker, job_id, "succeeded")}
        return following[0] in found and following[1] in found | {
            row.scheduled_at for row in rows(worker, job_id, "missed")
        }

    until(made_up_for, "a run for each of the latest ones")


def test_a_run_with_an_old_number_can_be_lost(worker: Scheduler) -> None:
    """It was asked for before others that have ended when a new worker begins, and starts after them."""
    slow, quick = worker.insert("SELECT pg_sleep(60)"), worker.insert("SELECT 1")
    session = worker.connect()
    session.autocommit = False
    (jl_id,) = session.execute("SELECT run_job(%s)", (slow,)).fetchone()
    worker.ended(requested(worker, quick))
    worker.kill()
    worker.start()
    session.commit()
    session.close()
    until(lambda: worker.value("SELECT state = 'running' FROM member_job_log WHERE jl_id = %s", jl_id), "the run")
    assert worker.value("SELECT running_jobs FROM worker_status") == 1
    worker.kill()
    worker.start()
    assert worker.ended(jl_id).state == "lost"


def test_nothing_is_said_of_a_deleted_job_that_waited(worker: Scheduler) -> None:
    """A request that is withdrawn with its job leaves no row: there is no job that it could name."""
    worker.pause()
    job_id = worker.insert("SELECT 1")
    jl_id = requested(worker, job_id)
    with worker.admin.transaction():  # else it may have ended before the job is deleted, and be in the log
        worker.value("SELECT cancel_run(%s)", jl_id)
        worker.value("SELECT delete_job(%s)", job_id)
    worker.execute("SELECT resume_jobs()")
    until(lambda: not worker.value("SELECT count(*) FROM worker_request WHERE kind = 'run'"), "it to be withdrawn")
    assert worker.log(job_id) == []


def disable_and_enable(worker: Scheduler, job_id: int) -> None:
    for enabled in (False, True):
        worker.value("SELECT update_job(%s, enabled := %s)", job_id, enabled)


def test_what_waits_ends_where_a_job_is_disabled_even_if_it_is_enabled_again(worker: Scheduler) -> None:
    """Also if nobody saw it in between."""
    before, other = worker.insert("SELECT 1"), worker.insert("SELECT 1")
    retried = worker.insert(FAIL, max_retries=1, retry_delay="1 hour", on_failure_command="SELECT 'reported'")
    asked = worker.insert("SELECT 1", run_after=[before])
    half = worker.insert("SELECT 1", run_after=[before, other])
    failed = worker.ended(requested(worker, retried))
    worker.configure("max_running_jobs = 1")
    with worker.admin.transaction():
        jl_id = requested(worker, before)
        worker.value("SELECT run_once('SELECT pg_sleep(60)')")
    worker.ended(jl_id)
    worker.stop()
    for job_id in (retried, asked, half):
        disable_and_enable(worker, job_id)
    worker.start()
    (run,) = wait_for_end(worker, asked)
    assert (run.state, run.exception_message) == ("cancelled", "the job was disabled before the run started")
    until(lambda: caused(worker, failed.jl_id, "failure"), "on_failure_command")
    assert worker.value("SELECT retry_at FROM all_job WHERE job_id = %s", retried) is None
    worker.ended(requested(worker, other))
    assert worker.value("SELECT array_agg(state ORDER BY after_job_id) FROM job_chain WHERE job_id = %s", half) == [
        "waiting",
        "fulfilled",
    ]
    assert not rows(worker, half)


def test_a_job_that_failures_disabled_waits_for_new_ends(worker: Scheduler) -> None:
    before, other = worker.insert("SELECT 1"), worker.insert("SELECT 1")
    after = worker.insert(FAIL, run_after=[before, other], disable_after=1)
    worker.ended(requested(worker, before))
    worker.ended(requested(worker, after))
    worker.value("SELECT update_job(%s, enabled := true)", after)
    worker.ended(requested(worker, other))
    worker.wake()
    assert not [row for row in worker.log(after) if row.cause == "dependency"]
    worker.ended(requested(worker, before))
    until(lambda: [row for row in worker.log(after) if row.cause == "dependency"], "the run after both")


def test_a_cancellation_is_of_the_moment_at_which_it_is_committed(worker: Scheduler) -> None:
    """What has started, or was asked for by the worker, since cancel_job() was called is cancelled as well; not what
    was requested after it."""
    busy = worker.insert("SELECT pg_sleep(60)", schedule="1 second")
    after = worker.insert("SELECT 1", run_after=[busy])
    asked = worker.insert("SELECT 1")
    with worker.connect() as session, session.transaction():
        for job_id in (busy, after, asked):
            session.execute("SELECT cancel_job(%s)", (job_id,))
        (jl_id,) = session.execute("SELECT run_job(%s)", (asked,)).fetchone()  # type: ignore[misc]
        (active,) = until(lambda: rows(worker, busy, "running"), "a run")
        worker.pause()
        worker.execute(
            "INSERT INTO worker_request (kind, cause, job_id, caused_by) VALUES ('run', 'dependency', {}, 1)",
            sql.Literal(after),
        )
    first = worker.ended(active.jl_id)
    assert (first.state, first.exception_message) == ("cancelled", "the run was cancelled by cancel_job()")
    worker.execute("SELECT resume_jobs()")
    assert wait_for_end(worker, after)[0].state == "cancelled"
    assert worker.ended(jl_id).state == "succeeded"


def restart_server(worker: Scheduler) -> None:
    worker.stop()
    worker.admin.close()
    worker.cluster.shut_down("fast")
    worker.cluster.start()
    worker.admin = worker.connect()
    worker.start()


def test_reboot_does_not_run_what_is_disabled_or_only_mentions_it(own_cluster: Any) -> None:
    worker = new_scheduler(own_cluster())
    worker.start()
    failing = [worker.insert(FAIL, schedule=text, disable_after=1) for text in ("@reboot", "{@reboot,@yearly}")]
    off = [
        worker.insert("SELECT 1", schedule="@reboot", enabled=False),
        worker.insert("SELECT 1", schedule="@reboot", starts_at="2100-01-01"),
        worker.insert("SELECT 1", schedule="0 0 1 1 *  # not @reboot"),
        worker.insert("SELECT 1", schedule="{@yearly,# nor @reboot\n@monthly}"),
    ]
    other = worker.insert("SELECT 1", schedule="{@reboot,@yearly}")
    for job_id in failing:
        worker.ended(requested(worker, job_id))
        assert worker.value("SELECT disabled_at IS NOT NULL FROM all_job WHERE job_id = %s", job_id)
    worker.execute("SELECT pause_jobs()")
    restart_server(worker)
    asked_for = "SELECT array_agg(job_id ORDER BY job_id) FROM waiting_run WHERE cause = 'reboot'"
    assert worker.value(asked_for) == [other]
    # Nor what is disabled while it waits.
    disable_and_enable(worker, other)
    worker.execute("SELECT resume_jobs()")
    assert wait_for_end(worker, other)[0].state == "cancelled"
    # A job that has been enabled again runs, and what has ended in this way is not asked for again.
    worker.value("SELECT update_job(%s, enabled := true)", failing[1])
    restart_server(worker)
    until(lambda: [row for row in worker.log(failing[1]) if row.cause == "reboot"], "a run")
    assert [row.state for row in wait_for_end(worker, other, 2)] == ["cancelled", "succeeded"]
    assert not [row for job_id in (failing[0], *off) for row in worker.log(job_id) if row.cause == "reboot"]
    worker.close()


# What reference.md says of each pair of what waits and what happens to the job: the states that its log has in the end,
# and what follows from a failure. Every job is in one test, and each of them is paused and resumed, or stopped.
WAITING = ("retry", "dependency", "request", "due")
CELLS: dict[str, dict[str, tuple[list[str], int | None]]] = {
    # Event: what waits: the states of what it leads to, and how many on_failure_commands run.
    "nothing": {
        "retry": (["failed", "succeeded"], 0),
        "dependency": (["succeeded"], 0),
        "request": (["succeeded"], 0),
        "due": (["succeeded"], 0),
    },
    "run_job": {
        "retry": (["failed", "succeeded", "succeeded"], 0),
        "dependency": (["succeeded", "succeeded"], 0),
        "request": (["skipped", "succeeded"], 0),
        "due": (["succeeded", "succeeded"], 0),
    },
    "cancel_job": {
        "retry": (["failed"], 1),
        "dependency": (["cancelled"], 0),
        "request": (["cancelled"], 0),
        "due": (["succeeded"], 0),
    },
    "disable": {
        "retry": (["failed"], 1),
        "dependency": (["cancelled"], 0),
        "request": (["succeeded"], 0),
        "due": (["missed"], 0),
    },
    "reschedule": {
        "retry": (["failed", "succeeded"], 0),
        "dependency": (["succeeded"], 0),
        "request": (["succeeded"], 0),
        "due": (["missed"], 0),
    },
    "describe": {
        "retry": (["failed", "succeeded"], 0),
        "dependency": (["succeeded"], 0),
        "request": (["succeeded"], 0),
        "due": (["succeeded"], 0),
    },
    "delete": {"retry": (["failed"], 0), "dependency": ([], 0), "request": ([], 0), "due": ([], 0)},
    # One on_failure_command is asked for, and ends in quarantine as well.
    "quarantine": {
        "retry": (["failed", "failed"], 1),
        "dependency": (["failed"], 0),
        "request": (["failed"], 0),
        "due": (["failed"], 0),
    },
}
# Fails once: its retry finds that it has been there.
ONCE = """DO $$ BEGIN IF current_setting('elephant_worker.attempt') = '1'
    AND NOT EXISTS (SELECT FROM public.been WHERE job = current_setting('elephant_worker.job_id')::bigint)
    THEN RAISE EXCEPTION 'first'; END IF; END $$"""
# Due once, soon: its due time passes while nothing is started.
SOON = "SELECT (clock_timestamp() + interval '%s seconds')::text"


def test_nothing_ends_before_it_was_asked_for(worker: Scheduler) -> None:
    """Also if the worker's turn takes long, and begins before that."""
    busy = worker.insert("SELECT pg_sleep(60)")
    requested(worker, busy)
    until(lambda: rows(worker, busy, "running"), "the run that is in the way")
    worker.execute("SELECT pg_advisory_lock(1)")
    ends = worker.value("SELECT run_once('SELECT pg_advisory_lock(1)')")
    until(lambda: worker.value("SELECT true FROM member_job_log WHERE jl_id = %s", ends), "a run that is to end")
    with worker.connect() as holder, holder.transaction():
        holder.execute("LOCK job_log IN EXCLUSIVE MODE")
        worker.execute("SELECT pg_advisory_unlock(1)")
        waits = "SELECT count(*) FROM pg_locks WHERE relation = 'job_log'::regclass AND NOT granted"
        begun = until(lambda: worker.value(waits) and worker.value("SELECT clock_timestamp()"), "its end to be logged")
        until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '0.3 s'", begun), "some time")
        jl_id = requested(worker, busy)
    skipped = worker.ended(jl_id)
    assert skipped.state == "skipped"
    assert skipped.job_finished >= skipped.scheduled_at


@pytest.mark.parametrize("by", ["pause", "stop"])
def test_what_becomes_of_what_waits(worker: Scheduler, by: str) -> None:
    worker.execute("CREATE TABLE public.been (job bigint)")
    worker.execute("GRANT ALL ON public.been TO PUBLIC")
    role = worker.role("leaver")
    cells: dict[tuple[str, str], int] = {}

    def define(event: str, what: str, command: str = "SELECT 1", **options: Any) -> None:
        rolname = role if event == "quarantine" else None
        cells[event, what] = worker.insert(
            command, on_failure_command="SELECT 1", rolname=rolname, catch_up="once", **options
        )

    with worker.gate() as command:
        trigger = worker.insert(command)
        for event in CELLS:
            define(event, "retry", ONCE, max_retries=1, retry_delay="1 hour")
            define(event, "dependency", run_after=[trigger], run_when="always")
            define(event, "request")
        failed = [requested(worker, job_id) for (_, what), job_id in cells.items() if what == "retry"]
        for jl_id in failed:
            worker.ended(jl_id)
        worker.execute("INSERT INTO public.been SELECT job_id FROM job")
        requested(worker, trigger)
        until(lambda: worker.log(trigger), "the run that others wait for to start")
        soon = worker.value(SOON % 5)
        with worker.admin.transaction():
            for event in CELLS:
                define(event, "due", schedule=soon)
        for event in CELLS:
            worker.due(cells[event, "due"])
        if by == "pause":
            worker.pause()
        else:
            worker.stop()  # cancels the run, which ends it
    worker.execute("UPDATE pending_run SET due_at = now()")
    if by == "pause":
        wait_for_end(worker, trigger)
        worker.wake()
    for (_, what), job_id in cells.items():
        if what == "request":
            requested(worker, job_id)
    until(lambda: worker.value("SELECT clock_timestamp() > %s::timestamptz + interval '1 s'", soon), "the due time")
    for (event, _), job_id in cells.items():
        if event == "run_job":
            requested(worker, job_id)
        elif event == "cancel_job":
            worker.value("SELECT cancel_job(%s)", job_id)
        elif event == "disable":
            worker.value("SELECT update_job(%s, enabled := false)", job_id)
        elif event == "reschedule":
            worker.value("SELECT update_job(%s, schedule := '@yearly')", job_id)
        elif event == "describe":
            worker.value("SELECT update_job(%s, job_description := 'touched')", job_id)
        elif event == "delete":
            worker.value("SELECT delete_job(%s)", job_id)
    gone = sql.Identifier(role + " gone")
    worker.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(role), gone)
    if by == "pause":
        worker.execute("SELECT resume_jobs()")
    else:
        worker.start()
    idle = """SELECT NOT EXISTS (SELECT FROM worker_request WHERE kind = 'run')
        AND NOT EXISTS (SELECT FROM pending_run) AND NOT EXISTS (SELECT FROM job_log WHERE state = 'running')
        AND NOT EXISTS (SELECT FROM job_state WHERE next_run_at < clock_timestamp() OR resume_at IS NOT NULL)"""
    until(lambda: worker.value(idle), "all that waited")
    worker.wake()
    until(lambda: worker.value(idle), "all that followed")
    found = {}
    for (event, what), job_id in cells.items():
        log = worker.log(job_id)
        commands = sum(len(caused(worker, row.jl_id, "failure")) for row in log)
        found[event, what] = (sorted(row.state for row in log), commands)
    worker.execute("ALTER ROLE {} RENAME TO {}", gone, sql.Identifier(role))
    expected = {(event, what): outcome for event, row in CELLS.items() for what, outcome in row.items()}
    assert found == expected


def test_a_run_that_starts_while_it_is_cancelled(scheduler: Scheduler) -> None:
    """It goes from those that wait to the log between two looks, and is found all the same."""
    role = scheduler.role()
    app = scheduler.connect_as(role)
    job = scheduler.insert("SELECT 1", rolname=role)
    run = scheduler.value("SELECT run_job(%s)", job)
    failed: list[str | None] = []

    def cancel() -> None:
        try:
            app.execute(f"INSERT INTO job_request (kind, jl_id) VALUES ('cancel run', {run})")
        except psycopg.Error as error:
            failed.append(error.diag.message_primary)

    thread = threading.Thread(target=cancel)
    with scheduler.connect() as other, other.transaction():
        other.execute("LOCK TABLE once_job")  # which those that wait are read from, and not the log
        thread.start()
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)"
        until(lambda: scheduler.value(waits, app.info.backend_pid), "it to look among those that wait")
        other.execute("DELETE FROM worker_request WHERE request_id = %s", (run,))
        other.execute(
            """INSERT INTO job_log
                   (jl_id, job_id, datname, rolname, job_command, cause, scheduled_at, job_started, state)
               SELECT %s, j.job_id, j.datname, j.rolname, j.job_command, 'request', now(), now(), 'running'
               FROM job j""",
            (run,),
        )
    thread.join()
    assert failed == []
