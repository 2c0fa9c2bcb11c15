"""The worker: how it starts, what it holds, and when it leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, pg_config
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

ALIVE = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"


# What can host the worker on this server.
HOSTS = ["session"]
if Path(pg_config("--sharedir"), "extension/pg_background.control").exists():
    HOSTS.append("pg_background")


@pytest.mark.parametrize("host", HOSTS)
def test_start_returns_the_pid_and_does_nothing_where_one_runs(scheduler: Scheduler, host: str) -> None:
    if host == "pg_background":
        scheduler.execute("CREATE EXTENSION pg_background")
    pid = scheduler.start()
    assert scheduler.value(ALIVE, pid) == 1
    assert scheduler.start() == pid
    status = scheduler.execute("SELECT * FROM worker_status").fetchone()
    assert status is not None
    assert (status.running, status.pid, status.host, status.armed) == (True, pid, host, True)
    assert scheduler.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'elephant_worker'") >= 1
    assert scheduler.run("SELECT 1").state == "succeeded"
    scheduler.stop()
    until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")


def test_a_second_worker_is_refused(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    with pytest.raises(psycopg.errors.ObjectInUse) as raised:
        scheduler.execute("CALL run_worker()")
    diag = raised.value.diag
    assert diag.message_primary == "a worker is running already"
    assert diag.message_detail == f"Its process id is {pid}."
    assert diag.message_hint == f'SELECT "{SCHEMA}".stop_worker(); ends it.'


def test_stop(scheduler: Scheduler) -> None:
    assert scheduler.value("SELECT stop_worker()") is False
    pid = scheduler.start()
    assert scheduler.value("SELECT stop_worker()") is True
    until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")
    status = scheduler.execute("SELECT * FROM worker_status").fetchone()
    assert status is not None
    assert (status.running, status.pid, status.host, status.armed) == (False, None, None, False)


def test_stop_cancels_what_runs(scheduler: Scheduler) -> None:
    scheduler.start()
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_sleep(1000)"))
    until(lambda: scheduler.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"))
    scheduler.stop()
    row = scheduler.ended(run)
    assert (row.state, row.job_sqlstate, row.exception_message) == ("cancelled", "57014", "the worker was stopped")


def test_stop_and_a_run_that_has_no_session_yet(scheduler: Scheduler) -> None:
    scheduler.start()
    with scheduler.connect() as user, user.transaction():
        (run,) = user.execute("SELECT run_once('SELECT pg_sleep(1000)')").fetchone() or (0,)
        user.execute("SELECT stop_worker()")
    assert scheduler.ended(run).state == "cancelled"


def test_a_launcher_starts_only_what_is_armed(scheduler: Scheduler) -> None:
    unattended = "SELECT start_worker(unattended := true)"
    assert scheduler.value(unattended) is None
    pid = scheduler.start()
    assert scheduler.value(unattended) == pid
    scheduler.value("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")
    other = scheduler.value(unattended)
    assert other not in (None, pid)
    scheduler.stop()
    assert scheduler.value(unattended) is None


def test_requests_wait_for_the_worker(scheduler: Scheduler) -> None:
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 1"))
    scheduler.start()
    assert scheduler.ended(run).state == "succeeded"


RUNNERS = """SELECT count(*) FROM pg_roles, pg_database d
             WHERE d.datname = current_database() AND starts_with(rolname, format('elephant_worker_%s_', d.oid))"""


def test_runner_roles_go_with_the_worker(scheduler: Scheduler) -> None:
    runners = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'elephant_worker_%%' AND rolcanlogin"
    scheduler.start()
    further = scheduler.database()
    for rolname in (None, scheduler.role(), scheduler.role()):
        assert scheduler.run("SELECT 1", further, rolname).state == "succeeded"
    assert scheduler.value(runners) > 0
    assert scheduler.value(RUNNERS) == 3
    scheduler.stop()
    assert scheduler.value(runners) == 0
    assert scheduler.value(RUNNERS) == 0


def test_a_runner_that_owns_something_is_kept_and_shut(scheduler: Scheduler) -> None:
    scheduler.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    scheduler.start()
    assert scheduler.run("SET ROLE NONE; CREATE TABLE kept ()", rolname=scheduler.role()).state == "succeeded"
    scheduler.stop()
    owner = "SELECT r.rolname FROM pg_class c JOIN pg_authid r ON r.oid = c.relowner WHERE c.relname = 'kept'"
    runner = scheduler.value(owner)
    assert scheduler.value("SELECT NOT rolcanlogin AND rolpassword IS NULL FROM pg_authid WHERE rolname = %s", runner)
    scheduler.execute("DROP OWNED BY {}", sql.Identifier(runner))
    scheduler.execute("DROP ROLE {}", sql.Identifier(runner))


def test_idle_it_holds_nothing(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    scheduler.run("SELECT 1")
    for _ in range(20):
        scheduler.tick()
        held = scheduler.execute(
            """SELECT a.backend_xid, a.backend_xmin,
                      (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.locktype <> 'virtualxid') AS locks
               FROM pg_stat_activity a WHERE a.pid = %s""".replace("%s", str(pid))
        ).fetchone()
        if held == (None, None, 0):
            return
    # A tick takes a tenth of a millisecond in each second: twenty looks cannot all have hit one.
    pytest.fail(f"it holds {held}")


def test_dropping_the_extension_ends_the_worker(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    scheduler.run("SELECT 1", rolname=scheduler.role())
    scheduler.execute("DROP EXTENSION elephant_worker")
    until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")
    oid = scheduler.value("SELECT oid FROM pg_database WHERE datname = current_database()")
    assert scheduler.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE %s", f"elephant_worker_{oid}_%") == 0


def test_new_jobs_are_heard_of_at_once(scheduler: Scheduler) -> None:
    scheduler.start()
    until(
        lambda: scheduler.value(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%; LISTEN %' AND pid <> pg_backend_pid()"
        )
    )
    job = scheduler.insert("SELECT 1", schedule="* * * * * *")
    until(lambda: scheduler.log(job))
    scheduler.execute("DELETE FROM member_job")
    until(lambda: scheduler.value("SELECT count(*) FROM job_state") == 0)


def test_an_open_transaction_of_a_user_stops_nothing(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="* * * * * *")
    with scheduler.connect() as user, user.transaction():
        user.execute("UPDATE member_job SET job_description = 'open'")
        user.execute("UPDATE member_job SET schedule = '@daily'")
        user.execute("DELETE FROM member_job")
        seen = len(scheduler.log(job))
        until(lambda: len(scheduler.log(job)) >= seen + 2, "the job to run on")


@pytest.mark.parametrize("mode", ["fast", "smart"])
def test_the_worker_does_not_keep_the_server_from_stopping(own_cluster: Callable[..., Cluster], mode: str) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="* * * * * *")
    until(lambda: scheduler.log(job))
    scheduler.admin.close()
    cluster.shut_down(mode, seconds=20)
    cluster.start()
    scheduler = Scheduler(cluster, scheduler.dbname)
    assert scheduler.value("SELECT running FROM worker_status") is False
    assert scheduler.value("SELECT start_worker(unattended := true)") is not None
    seen = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > seen, "the job to run again")
    until(lambda: "running" not in [run.state for run in scheduler.log(job)], "the log to be complete")
    scheduler.admin.close()


def test_runs_that_were_cut_off_are_lost(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    scheduler.start()
    jobs = [scheduler.insert("SELECT pg_sleep(1000)") for _ in range(3)]
    runs = [scheduler.value("SELECT run_job(%s)", job) for job in jobs]
    until(lambda: scheduler.value("SELECT running_jobs FROM worker_status") == len(runs))
    scheduler.admin.close()
    cluster.shut_down("immediate")
    cluster.start()
    scheduler = Scheduler(cluster, scheduler.dbname)
    scheduler.start()
    # The worker may have been the last to go, and have seen its sessions break.
    assert {scheduler.ended(run).state for run in runs} <= {"lost", "failed"}
    assert [row.failure_count for row in scheduler.admin.execute("SELECT failure_count FROM member_job")] == [1, 1, 1]
    scheduler.admin.close()


def test_a_terminated_worker_takes_its_runs_along(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_sleep(1000)"))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"
    until(lambda: scheduler.value(sleeping))
    scheduler.value("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")
    until(lambda: scheduler.value(sleeping) == 0, "the run to end")
    scheduler.start()
    assert scheduler.ended(run).state == "lost"


def test_the_worker_vacuums_what_it_writes(scheduler: Scheduler) -> None:
    before = len(scheduler.cluster.log)
    scheduler.start()
    job_id = scheduler.insert("SELECT 1", parallel=True)
    scheduler.value("SELECT count(run_job(%s)) FROM generate_series(1, 1500)", job_id)
    vacuumed = "SELECT count(*) FROM pg_stat_user_tables WHERE vacuum_count > 0 AND relname = %s"
    until(lambda: scheduler.value(vacuumed, "job_log"), "job_log to be vacuumed", 60)
    until(lambda: scheduler.value(vacuumed, "worker_request"), "worker_request to be vacuumed", 60)
    assert "could not vacuum" not in scheduler.cluster.log[before:]


def test_a_worker_whose_extension_has_been_replaced_leaves(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    scheduler.execute("DELETE FROM worker_state")
    scheduler.execute("INSERT INTO worker_state DEFAULT VALUES")
    until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")
    assert "is no longer the one of its database" in scheduler.cluster.log


def test_a_copy_of_the_cluster_stays_quiet_until_a_person_starts_the_worker(scheduler: Scheduler) -> None:
    unattended = "SELECT start_worker(unattended := true)"
    scheduler.start()
    scheduler.execute("UPDATE worker_state SET data_directory = '/srv/another', pid = NULL")
    until(lambda: scheduler.value("SELECT worker_pid()") is None)
    assert scheduler.value(unattended) is None
    scheduler.execute("UPDATE worker_setting SET standby_directories = ARRAY[current_setting('data_directory')]")
    scheduler.execute("UPDATE worker_state SET data_directory = current_setting('data_directory'), armed = true")
    scheduler.execute("UPDATE worker_state SET system_identifier = system_identifier + 1")
    assert scheduler.value(unattended) is None
    assert scheduler.start() is not None
    assert scheduler.value(unattended) is not None


def test_a_spare_takes_over_from_a_worker_that_is_terminated(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    jl_id = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_sleep(1000)"))
    until(lambda: scheduler.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"))
    scheduler.value("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: scheduler.value("SELECT worker_pid()") == spare, "the spare to take over")
    assert scheduler.ended(jl_id).state == "lost"
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"
    until(lambda: scheduler.value(sleeping) == 0, "the session of the run to end")
    assert scheduler.run("SELECT 1").state == "succeeded"
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state") not in (None, spare), "the next spare")


def test_columns_that_an_update_adds_reach_neither_worker_nor_spare(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    regular = scheduler.insert("SELECT 1", schedule="* * * * * *")
    waiting = scheduler.insert("SELECT pg_sleep(1000)", schedule="@after 1 second", parallel=True)
    until(lambda: [row.state for row in scheduler.log(waiting)] == ["running"])

    tables = scheduler.execute(
        """SELECT format('ALTER TABLE %s ADD COLUMN later text', c.oid::regclass) AS command
           FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           WHERE c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)"""
    ).fetchall()
    assert len(tables) >= 10
    columns = scheduler.value("SELECT pg_get_viewdef('job_for_worker'::regclass)").rstrip(";")

    def altered() -> bool:
        """In one transaction, unless it and the worker wait for each other."""
        try:
            with scheduler.admin.transaction():
                for table in tables:
                    scheduler.execute(table.command)
                scheduler.execute(f"CREATE OR REPLACE VIEW job_for_worker AS SELECT w.*, 1 AS later FROM ({columns}) w")
        except psycopg.errors.DeadlockDetected:
            return False
        return True

    until(altered, "the columns")

    def assert_it_works() -> None:
        assert scheduler.run("SELECT 1").state == "succeeded"
        runs = len(scheduler.log(regular))
        until(lambda: len(scheduler.log(regular)) > runs + 1, "regular runs")
        # One may have been under way when the worker was terminated, and others due until the spare had taken over.
        assert {row.state for row in scheduler.log(regular)} <= {"succeeded", "running", "lost", "missed", "skipped"}

    assert_it_works()
    assert scheduler.value("SELECT worker_pid()") == pid
    scheduler.value("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: scheduler.value("SELECT worker_pid()") == spare, "the spare to take over")
    until(lambda: [row.state for row in scheduler.log(waiting)] == ["lost", "running"], "the job that waited to run")
    assert_it_works()
    assert scheduler.value("SELECT worker_pid()") == spare


def test_a_worker_that_leaves_for_another_version_can_be_stopped(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_sleep(1000)"))
    until(scheduler.log)
    version = scheduler.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'")
    change = "UPDATE pg_extension SET extversion = {} WHERE extname = 'elephant_worker'"

    def starts_nothing() -> bool:
        jl_id = scheduler.value("SELECT run_once('SELECT 1')")
        scheduler.tick()
        return not scheduler.value("SELECT count(*) FROM job_log WHERE jl_id = %s", jl_id)

    scheduler.execute(change, sql.Literal("another"))
    try:
        until(starts_nothing, "the worker to leave")
        assert scheduler.value("SELECT stop_worker()") is True
        until(lambda: scheduler.value(ALIVE, pid) == 0, "the worker to end")
    finally:
        scheduler.execute(change, sql.Literal(version))
    assert scheduler.value("SELECT worker_pid()") is None
    assert scheduler.value("SELECT armed FROM worker_status") is False
    assert scheduler.ended(run).state == "cancelled"


def test_the_spare_leaves_with_the_worker_that_is_stopped(scheduler: Scheduler) -> None:
    scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    scheduler.stop()
    until(lambda: scheduler.value(ALIVE, spare) == 0, "the spare to end")
    assert scheduler.value("SELECT worker_pid()") is None


def test_one_spare_is_enough(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    with pytest.raises(psycopg.errors.ObjectInUse) as raised:
        scheduler.execute("CALL run_worker('session')")
    assert raised.value.diag.message_detail == f"Their process ids are {pid} and {spare}."


def test_a_timeout_that_would_end_the_worker(scheduler: Scheduler) -> None:
    """It began to count with the statement that is the worker, which cannot turn it off: who calls that must."""
    scheduler.execute("ALTER DATABASE {} SET statement_timeout = '1min'", sql.Identifier(scheduler.dbname))
    for timeout in ("1min", "10s"):
        with closing(scheduler.connect()) as session:
            if timeout == "10s":
                session.execute("SET statement_timeout = '10s'")
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as refused:
                session.execute("CALL run_worker()")
            diag = refused.value.diag
            assert diag.message_primary == "run_worker() cannot be executed under statement_timeout"
            assert timeout in (diag.message_detail or "")
            assert session.execute("SHOW statement_timeout").fetchone() == (timeout,)
            assert not scheduler.value("SELECT running FROM worker_status")
            session.execute((diag.message_hint or "").split(": ")[1])
            caller = threading.Thread(target=session.execute, args=("CALL run_worker()",))
            caller.start()
            until(lambda: scheduler.value("SELECT running FROM worker_status"), "the worker")
            assert scheduler.run("SELECT 1").state == "succeeded"
            assert scheduler.value("SELECT pid FROM worker_status") == session.info.backend_pid
            scheduler.stop()
            caller.join()


def test_a_process_that_is_not_listed_yet_is_waited_for(scheduler: Scheduler) -> None:
    """A background worker is listed once it has entered its database; before PostgreSQL 18 any other session, too."""
    scheduler.execute(
        """CREATE FUNCTION listed(pid integer) RETURNS boolean LANGUAGE plpython3u AS $$
import re, sys
(package,) = (module for name, module in sys.modules.items() if re.fullmatch("elephant_worker_[0-9_]+", name))
await_listing = package.module("worker.launch")._await_listing
plpy.execute(f"SELECT pg_advisory_lock({pid})")
await_listing(plpy, pid)
return plpy.execute(f"SELECT count(*) = 1 AS is_listed FROM pg_stat_get_activity({pid})")[0]["is_listed"]
        $$"""
    )
    database = scheduler.database()
    entering = "SELECT pid FROM pg_locks WHERE locktype = 'object' AND objid = %s AND NOT granted"
    number = scheduler.value("SELECT oid FROM pg_database WHERE datname = %s", database)
    holder, caller = scheduler.connect(), scheduler.connect()
    with ThreadPoolExecutor() as threads:
        caller.execute("SELECT describe_schedule('@daily')")
        with holder.transaction(force_rollback=True):
            holder.execute(sql.SQL("ALTER DATABASE {} RENAME TO other").format(sql.Identifier(database)))
            session = threads.submit(scheduler.cluster.connect, database)
            pid = until(lambda: scheduler.value(entering, number), "a session to wait for its database")
            answer = threads.submit(caller.execute, "SELECT listed(%s)", (pid,))
            until(lambda: scheduler.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "the call")
        assert session.result().info.backend_pid == pid
        assert answer.result().fetchone() == (True,)
        session.result().close()
        until(lambda: not Path(f"/proc/{pid}").exists(), "the process to end")
        assert caller.execute("SELECT listed(%s)", (pid,)).fetchone() == (False,)


@pytest.mark.parametrize("host", HOSTS)
def test_a_timeout_is_not_the_workers(scheduler: Scheduler, host: str) -> None:
    """Whatever the database has, and who starts it."""
    scheduler.execute("ALTER DATABASE {} SET statement_timeout = '300ms'", sql.Identifier(scheduler.dbname))
    if host == "pg_background":
        scheduler.execute("CREATE EXTENSION pg_background")
    with closing(scheduler.connect()) as session:
        session.execute("SET statement_timeout = '1min'")
        session.execute("SELECT start_worker()")
    pid = scheduler.value("SELECT pid FROM worker_status")
    assert scheduler.run("SELECT pg_sleep(0.4)", settings='{"statement_timeout": "0"}').state == "succeeded"
    assert scheduler.value("SELECT pid FROM worker_status") == pid
    assert scheduler.run("SELECT pg_sleep(10)").job_sqlstate == "57014"
