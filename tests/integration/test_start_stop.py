"""start_worker() and stop_worker(): the later call wins, in any order and from anywhere."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest

from harness.cluster import LOST_CLIENT, Cluster
from harness.scheduler import Scheduler
from harness.waiting import until

SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)' AND state = 'active'"


def status(scheduler: Scheduler) -> tuple[int | None, bool, str | None]:
    row = scheduler.execute("SELECT pid, armed, reason FROM worker_status").fetchone()
    assert row is not None
    return row.pid, row.armed, row.reason


def works(scheduler: Scheduler, pid: int) -> None:
    """This process becomes the worker, and stays it."""
    until(lambda: status(scheduler) == (pid, True, None), f"process {pid} to be the worker")
    assert scheduler.run("SELECT 1").state == "succeeded"
    assert status(scheduler) == (pid, True, None)


def cancelled(session: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled) as raised:
        session.execute("SELECT start_worker()")
    assert "Traceback" not in (raised.value.diag.context or "")


@pytest.mark.parametrize("run", ["nothing", "a run"])
@pytest.mark.parametrize(
    "calls",
    [
        ["SELECT stop_worker()", "SELECT start_worker()"],
        ["SELECT stop_worker(), start_worker()"],
        ["SELECT stop_worker(); SELECT start_worker()"],
        ["BEGIN", "SELECT stop_worker()", "SELECT start_worker()", "COMMIT"],
        ["BEGIN", "SELECT stop_worker()", "SAVEPOINT a", "SELECT start_worker()", "RELEASE a", "COMMIT"],
        ["SELECT stop_worker()", "SELECT stop_worker()", "SELECT start_worker()", "SELECT start_worker()"],
        ["SELECT restart_worker()"],
        ["BEGIN", "SELECT restart_worker()", "COMMIT"],
        ["SELECT restart_worker()", "SELECT restart_worker()"],
    ],
    ids=" ".join,
)
def test_the_later_start_wins(scheduler: Scheduler, calls: list[str], run: str) -> None:
    first = scheduler.start()
    if run == "a run":
        scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_sleep(1000)"))
        until(lambda: scheduler.value(SLEEPING), "the run")
    for call in calls:
        cursor = scheduler.admin.execute(call)
        while cursor.nextset():
            pass
        if "start" in call:
            pid = cursor.fetchall()[-1][-1]
            assert pid not in (None, first)
    if "COMMIT" in calls or "," in calls[0] or ";" in calls[0]:
        # Until it is committed, it is not decided which of the processes that wait follows.
        pid = until(lambda: (found := status(scheduler)[0]) != first and found, "another worker")
    works(scheduler, pid)
    assert scheduler.start() == pid


@pytest.mark.parametrize(
    "calls",
    [
        ["SELECT start_worker()", "SELECT stop_worker()"],
        ["SELECT start_worker(), stop_worker()"],
        ["BEGIN", "SELECT start_worker()", "SELECT stop_worker()", "COMMIT"],
        ["BEGIN", "SELECT stop_worker()", "SELECT start_worker()", "SELECT stop_worker()", "COMMIT"],
        ["SELECT stop_worker()", "SELECT start_worker()", "SELECT stop_worker()"],
        ["SELECT restart_worker()", "SELECT stop_worker()"],
        ["SELECT stop_worker()", "BEGIN", "SELECT restart_worker()", "SELECT stop_worker()", "COMMIT"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("before", ["running", "not running"])
def test_the_later_stop_wins(scheduler: Scheduler, calls: list[str], before: str) -> None:
    if before == "running":
        scheduler.start()
    for call in calls:
        scheduler.admin.execute(call)
    alive = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    until(lambda: scheduler.value(alive) == 0, "all processes to leave")
    pid, armed, reason = status(scheduler)
    assert (pid, armed) == (None, False)
    user = scheduler.value("SELECT current_user")
    assert reason is not None
    assert reason.startswith(f'the worker was stopped by role "{user}" at ')
    assert scheduler.value("SELECT start_worker(unattended := true)") is None


def test_what_is_rolled_back_changes_nothing(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    before = len(scheduler.cluster.log)
    for calls in (
        "SELECT stop_worker()",
        "SELECT stop_worker(), start_worker()",
        "SELECT stop_worker(), restart_worker()",
    ):
        with scheduler.admin.transaction(force_rollback=True):
            scheduler.execute(calls)
        assert status(scheduler) == (pid, True, None)
        with scheduler.admin.transaction():
            with scheduler.admin.transaction(force_rollback=True):
                scheduler.execute("SELECT stop_worker()")
            assert scheduler.value("SELECT start_worker()") == pid
        works(scheduler, pid)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'elephant_worker starting'"
    until(lambda: scheduler.value(waiting) == 0, "the sessions that waited to leave")
    assert not LOST_CLIENT.search(scheduler.cluster.log[before:])


def test_a_run_that_resists(scheduler: Scheduler) -> None:
    """stop_worker(), and start_worker() while a run is still being cancelled: from other sessions, twice, cancelled."""
    scheduler.execute("UPDATE worker_setting SET cancel_grace = '1 minute'")
    first = scheduler.start()
    resist = (
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
    )
    scheduler.value("SELECT run_job(%s)", scheduler.insert(resist))
    until(lambda: scheduler.value("SELECT running_jobs FROM worker_status"), "the run")
    resisting = until(lambda: scheduler.value("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    assert scheduler.value("SELECT stop_worker()")
    pid, armed, reason = status(scheduler)
    assert (pid, armed) == (first, False)
    assert reason is not None
    assert reason.startswith(f"the worker (process {first}) was told to stop by role ")
    found: list[int] = []

    def start() -> None:
        with closing(scheduler.connect()) as session:
            found.extend(session.execute("SELECT start_worker()").fetchone() or ())

    # One that is cancelled half-way: what it has started goes on.
    with closing(scheduler.connect()) as session:
        caller = threading.Thread(target=lambda: cancelled(session))
        caller.start()
        successor = "SELECT pid FROM pg_stat_activity WHERE application_name = 'elephant_worker successor'"
        until(lambda: scheduler.value(successor), "the worker that is to follow")
        scheduler.value("SELECT pg_cancel_backend(%s)", session.info.backend_pid)
        caller.join()
    assert scheduler.value("SELECT armed FROM worker_status")
    # And two that wait for it.
    callers = [threading.Thread(target=start) for _ in range(2)]
    for caller in callers:
        caller.start()
    asking = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT start_worker()' AND state = 'active'"
    until(lambda: scheduler.value(asking) == 2, "both to wait")
    scheduler.value("SELECT pg_terminate_backend(%s)", resisting)
    for caller in callers:
        caller.join()
    assert first not in found
    assert len(set(found)) == 1
    works(scheduler, found[0])


def test_restarts_at_the_same_time(scheduler: Scheduler) -> None:
    """Each is answered by a worker that has been started since, whoever has started it."""
    first = scheduler.start()
    found: list[int] = []

    def restart(session: psycopg.Connection[Any]) -> None:
        found.extend(session.execute("SELECT restart_worker()").fetchone() or ())

    with ExitStack() as sessions:
        connected = [sessions.enter_context(closing(scheduler.connect())) for _ in range(6)]
        callers = [threading.Thread(target=restart, args=(session,)) for session in connected]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert len(found) == 6
    assert first not in found
    pid = until(lambda: scheduler.value("SELECT pid FROM worker_status WHERE reason IS NULL"), "the worker")
    assert pid in found
    works(scheduler, pid)


def test_what_takes_very_long_is_waited_for_by_the_next_worker(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """start_worker() does not wait for ever: it says who waits."""
    scheduler.execute("UPDATE worker_setting SET cancel_grace = '0'")
    first = scheduler.start()
    with closing(scheduler.connect()) as blocker:
        # What the worker does at its end waits for this.
        halted = scheduler.halt()
        try:
            blocker.execute("BEGIN")
            scheduler.execute("SELECT stop_worker()")
            blocker.execute("SELECT FROM worker_state FOR UPDATE")
        finally:
            os.kill(halted, signal.SIGCONT)
        with pytest.raises(psycopg.Error) as raised:
            scheduler.start()
        assert "Traceback" not in (raised.value.diag.context or "")
    pid = scheduler.start()
    assert pid != first
    works(scheduler, pid)


def test_in_the_transaction_that_creates_the_extension(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    statements = (
        "CREATE SCHEMA scheduler; CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE; "
        "SELECT scheduler.start_worker(); SELECT scheduler.run_once('SELECT 1')"
    )
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE deployed")
    done = cluster.command("psql", "-X", "-1", "-At", "-v", "ON_ERROR_STOP=1", "-d", "deployed", "-c", statements)
    assert "NOTICE:  the worker starts when this transaction has committed" in done.stderr
    assert "nothing is run" not in done.stderr
    pid = int(done.stdout.split()[-2])
    with cluster.connect("deployed") as admin:
        query = "SELECT pid, reason FROM scheduler.worker_status WHERE running"
        assert tuple(until(lambda: admin.execute(query).fetchone(), "the worker")) == (pid, None)
        # Rolled back, it leaves nothing.
        with admin.transaction(force_rollback=True):
            admin.execute("DROP EXTENSION elephant_worker")
            admin.execute("CREATE EXTENSION elephant_worker SCHEMA scheduler")
            admin.execute("SELECT scheduler.start_worker()")
        starting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'elephant_worker starting'"
        until(lambda: (admin.execute(starting).fetchone() or [1])[0] == 0, "the session that waited to leave")
        # It has waited for the lock of what was rolled back.
        until(lambda: tuple(admin.execute(query).fetchone() or ()) == (pid, None), "the worker to go on")
        admin.execute("SELECT scheduler.stop_worker()")


def test_a_foreground_worker_follows_one_that_was_told_to_stop(scheduler: Scheduler) -> None:
    first = scheduler.start()
    with closing(scheduler.connect()) as session:
        session.execute("SELECT stop_worker()")
        caller = threading.Thread(target=lambda: session.execute("CALL run_worker()"))
        caller.start()
        works(scheduler, session.info.backend_pid)
        assert session.info.backend_pid != first
        pid = scheduler.value("SELECT restart_worker()")
        caller.join()
    works(scheduler, pid)
