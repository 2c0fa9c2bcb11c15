"""What two sessions do at the same time, in every order of their statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest

from harness.isolation import Outcome, interleavings, play
from harness.scheduler import Scheduler
from harness.waiting import until

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
# What a transaction may be told that another one has overtaken.
OVERTAKEN = {"40001", "40P01"}

Play = Callable[..., list[list[Outcome]]]


@pytest.fixture
def plays(scheduler: Scheduler) -> Iterator[Play]:
    """Plays scripts in two sessions of a role that may define jobs."""
    role = scheduler.role()
    sessions = [scheduler.connect_as(role) for _ in range(2)]

    def run(scripts: Sequence[Sequence[str]], order: Sequence[int]) -> list[list[Outcome]]:
        return play(sessions, scheduler.admin, scripts, order)

    yield run
    for session in sessions:
        session.close()


def errors(outcomes: Sequence[Sequence[Outcome]]) -> list[str | None]:
    """Of each session what it failed with."""
    return [next((outcome for outcome in each if isinstance(outcome, str)), None) for each in outcomes]


@pytest.mark.parametrize("level", LEVELS)
def test_run_after_never_closes_a_circle(scheduler: Scheduler, plays: Play, level: str) -> None:
    one, two = (scheduler.insert("SELECT") for _ in range(2))
    scheduler.execute("UPDATE job SET rolname = (SELECT max(rolname) FROM pg_roles WHERE rolname LIKE 'app %')")
    scripts = [
        [f"BEGIN ISOLATION LEVEL {level}", f"SELECT update_job({job}, run_after := ARRAY[{other}])", "COMMIT"]
        for job, other in ((one, two), (two, one))
    ]
    for order in interleavings(*scripts):
        scheduler.execute("UPDATE member_job SET run_after = NULL")
        failed = errors(plays(scripts, order))
        links = scheduler.value("SELECT count(*) FROM member_job WHERE run_after IS NOT NULL")
        assert (links, failed.count(None)) == (1, 1), (order, failed)
        assert set(failed) <= {None, "22023", *OVERTAKEN}, order


@pytest.mark.parametrize("level", LEVELS)
def test_a_name_is_given_once(scheduler: Scheduler, plays: Play, level: str) -> None:
    scripts = [
        [
            f"BEGIN ISOLATION LEVEL {level}",
            f"SELECT insert_job('SELECT {n}', current_catalog, job_name := 'x')",
            "COMMIT",
        ]
        for n in range(2)
    ]
    for order in interleavings(*scripts):
        scheduler.execute("DELETE FROM member_job")
        failed = errors(plays(scripts, order))
        assert scheduler.value("SELECT count(*) FROM member_job WHERE job_name = 'x'") == 1
        assert failed.count(None) == 1, (order, failed)
        assert set(failed) <= {None, "23505", *OVERTAKEN}, order


@pytest.mark.parametrize("level", LEVELS)
def test_a_job_is_changed_while_it_is_deleted(scheduler: Scheduler, plays: Play, level: str) -> None:
    for order in interleavings("   ", "   "):
        role = scheduler.value("SELECT max(rolname) FROM pg_roles WHERE rolname LIKE 'app %'")
        job = scheduler.insert("SELECT", schedule="@daily", rolname=role)
        scheduler.execute("DELETE FROM worker_request")
        scripts = [
            [f"BEGIN ISOLATION LEVEL {level}", f"SELECT update_job({job}, schedule := '@hourly')", "COMMIT"],
            [f"BEGIN ISOLATION LEVEL {level}", f"SELECT delete_job({job})", "COMMIT"],
        ]
        changed, deleted = errors(plays(scripts, order))
        assert changed in {None, "P0002", *OVERTAKEN}
        assert deleted in {None, *OVERTAKEN}
        left = scheduler.value("SELECT count(*) FROM member_job WHERE job_id = %s", job)
        assert left == (0 if deleted is None else 1)
        # The worker is told of each change that was committed, of a new schedule twice, and of nothing else.
        told = scheduler.value("SELECT count(*) FROM worker_request WHERE job_id = %s", job)
        assert told == [changed, changed, deleted].count(None)


@pytest.mark.slow
def test_the_worker_does_not_wait_for_definitions(scheduler: Scheduler) -> None:
    """A transaction that has changed, locked or deleted a job keeps no run of it waiting, and holds when it commits."""
    role = scheduler.role()
    scheduler.execute(
        "CREATE TABLE done (command text, at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON done TO PUBLIC"
    )
    job = scheduler.insert(
        "INSERT INTO public.done VALUES ('old')", schedule="* * * * * *", rolname=role, parallel=True
    )
    scheduler.start()

    def runs(command: str) -> int:
        count: int = scheduler.value("SELECT count(*) FROM done WHERE command = %s", command)
        return count

    def two_more(command: str) -> None:
        before = runs(command)
        until(lambda: runs(command) >= before + 2, f"runs of the {command} command")

    two_more("old")
    session = scheduler.connect_as(role)
    for statement in (
        f"SELECT update_job({job}, $$INSERT INTO public.done VALUES ('new')$$)",
        f"SELECT FROM member_job WHERE job_id = {job} FOR UPDATE",
        f"SELECT delete_job({job})",
    ):
        session.execute("BEGIN")
        session.execute(statement.encode())
        two_more("old")
        session.execute("ROLLBACK")
        two_more("old")
    assert runs("new") == 0

    session.execute("BEGIN")
    session.execute(f"SELECT update_job({job}, $$INSERT INTO public.done VALUES ('new')$$)".encode())
    two_more("old")
    session.execute("COMMIT")
    until(lambda: runs("new") > 0, "the new command")
    idle = "SELECT NOT EXISTS (SELECT FROM job_log WHERE state = 'running' AND job_command ~ %s)"
    until(lambda: scheduler.value(idle, "'old'"), "the last run of the old command to end")
    before = runs("old")
    two_more("new")
    assert runs("old") == before

    session.execute("BEGIN")
    session.execute(f"SELECT delete_job({job})".encode())
    two_more("new")
    session.execute("COMMIT")
    scheduler.tick()
    until(lambda: scheduler.value(idle, "'new'"), "the last run to end")
    before = runs("new")
    scheduler.tick()
    assert runs("new") == before
    # Each due time was claimed once, whoever held what.
    rows = scheduler.log(job)
    assert len({row.scheduled_at for row in rows}) == len(rows)
    assert scheduler.successes(job) == runs("old") + runs("new")
    assert {row.state for row in rows} <= {"succeeded", "missed"}  # a busy machine may be late


def test_a_due_time_is_logged_once(scheduler: Scheduler) -> None:
    """Two workers, one of which does not yet know that it has been replaced, cannot both claim a due time."""
    sessions = [scheduler.connect() for _ in range(2)]
    row = """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_command, state)
             VALUES ({0}, 1, 'app', 'app', 'schedule', '2026-01-01', 'SELECT', 'running')"""
    scripts = [["BEGIN", row.format(number), "COMMIT"] for number in range(2)]
    for order in interleavings(*scripts):
        scheduler.execute("DELETE FROM job_log")
        failed = errors(play(sessions, scheduler.admin, scripts, order))
        assert sorted(map(str, failed)) == ["23505", "None"], order
        assert scheduler.value("SELECT count(*) FROM job_log") == 1
    for session in sessions:
        session.close()


def test_many_sessions_start_one_worker(scheduler: Scheduler) -> None:
    sessions = [scheduler.connect() for _ in range(4)]
    ready = Barrier(len(sessions))

    def start(session: psycopg.Connection[Any]) -> Any:
        ready.wait()
        return session.execute("SELECT start_worker()").fetchone()

    for _ in range(2):
        with ThreadPoolExecutor(len(sessions)) as threads:
            pids = set(threads.map(start, sessions))
        assert pids == {(scheduler.value("SELECT pid FROM worker_status"),)}
        scheduler.stop()
    for session in sessions:
        session.close()


def test_a_stop_holds_once_it_is_committed(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    session = scheduler.connect()
    session.execute("BEGIN")
    session.execute("SELECT stop_worker()")
    scheduler.tick()
    assert scheduler.value("SELECT pid FROM worker_status") == pid
    session.execute("ROLLBACK")
    scheduler.tick()
    assert scheduler.value("SELECT pid FROM worker_status") == pid
    session.execute("BEGIN")
    session.execute("SELECT stop_worker()")
    session.execute("COMMIT")
    until(lambda: not scheduler.value("SELECT running FROM worker_status"), "the worker to stop")
    assert session.execute("SELECT start_worker(unattended := true)").fetchone() == (None,)
    assert session.execute("SELECT start_worker() <> %s", (pid,)).fetchone() == (True,)
    session.close()


@pytest.mark.parametrize("stop", [["BEGIN", "SELECT stop_worker()", "COMMIT"], ["SELECT stop_worker()"]])
def test_of_stop_and_start_the_one_that_commits_later_wins(scheduler: Scheduler, stop: list[str]) -> None:
    sessions = [scheduler.connect() for _ in range(2)]
    for order in interleavings(stop, ["SELECT start_worker()"]):
        scheduler.start()
        assert errors(play(sessions, scheduler.admin, [stop, ["SELECT start_worker()"]], order)) == [None, None]
        runs = order[-1] == 1
        until(
            lambda: scheduler.value("SELECT (running, armed) = (%s, %s) FROM worker_status", runs, runs),  # noqa: B023
            f"the worker to {'run' if runs else 'stop'} after {order}",
        )
    for session in sessions:
        session.close()
