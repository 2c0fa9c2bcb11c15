"""What happens when something goes wrong: nothing is lost, nothing runs twice, nobody else is harmed."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.remedies import alternatives
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

UNATTENDED = "SELECT start_worker(unattended := true)"
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)' AND state = 'active'"


# --- the server, the worker, a backend ends ----------------------------------------------------


def busy(cluster: Cluster, runs: int = 20) -> tuple[Scheduler, list[int]]:
    """A worker with active runs, and a job that is due every second."""
    scheduler = new_scheduler(cluster)
    scheduler.start()
    scheduler.execute("CREATE TABLE witness (due timestamptz)")
    scheduler.insert(
        "INSERT INTO public.witness VALUES (current_setting('elephant_worker.scheduled_at')::timestamptz)",
        schedule="1 second",
    )
    sleeper = scheduler.insert("SELECT pg_sleep(1000)", parallel=True)
    jl_ids = [scheduler.value("SELECT run_job(%s)", sleeper) for _ in range(runs)]
    until(lambda: scheduler.value(SLEEPING) == runs, "the runs to start")
    until(lambda: scheduler.value("SELECT count(*) FROM witness") >= 2, "the other job to run")
    return scheduler, jl_ids


def back_again(cluster: Cluster, dbname: str, jl_ids: list[int]) -> None:
    """A launcher brings the worker back: the runs are lost, the job goes on, each due time ran once at most."""
    scheduler = Scheduler(cluster, dbname)
    assert scheduler.value(UNATTENDED) is not None
    assert {scheduler.ended(jl_id).state for jl_id in jl_ids} <= {"lost", "failed"}
    assert scheduler.value(SLEEPING) == 0
    seen = scheduler.value("SELECT count(*) FROM witness")
    until(lambda: scheduler.value("SELECT count(*) FROM witness") > seen + 1, "the job to go on")
    assert scheduler.value("SELECT count(*) - count(DISTINCT due) FROM witness") == 0
    scheduler.stop()
    # What the job wrote itself, and the log, agree.
    succeeded = "SELECT scheduled_at FROM member_job_log WHERE state = 'succeeded' AND cause = 'schedule'"
    assert scheduler.value(f"SELECT count(*) FROM ({succeeded} EXCEPT SELECT due FROM witness) missing") == 0
    unknown = "SELECT due FROM witness EXCEPT SELECT scheduled_at FROM member_job_log WHERE cause = 'schedule'"
    assert scheduler.value(f"SELECT count(*) FROM ({unknown}) unknown") == 0
    assert scheduler.value("SELECT count(*) FROM member_job_log WHERE state = 'running'") == 0
    scheduler.admin.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_server_is_stopped_while_runs_are_active(own_cluster: Callable[..., Cluster], mode: str) -> None:
    cluster = own_cluster()
    scheduler, jl_ids = busy(cluster)
    scheduler.admin.close()
    cluster.shut_down(mode)
    cluster.start()
    back_again(cluster, scheduler.dbname, jl_ids)


@pytest.mark.parametrize("victim", ["the worker", "a job's backend"])
def test_a_process_is_killed_and_the_server_recovers(own_cluster: Callable[..., Cluster], victim: str) -> None:
    cluster = own_cluster(restart_after_crash="on")
    scheduler, jl_ids = busy(cluster, runs=5)
    query = "SELECT worker_pid()"
    if victim != "the worker":
        query = "SELECT min(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"
    pid = scheduler.value(query)
    scheduler.admin.close()
    os.kill(pid, signal.SIGKILL)

    def recovered() -> bool:
        try:
            with cluster.connect(scheduler.dbname) as session:
                row = session.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()
                return row is not None and row[0] == 0
        except psycopg.OperationalError:
            return False

    until(recovered, "the server to recover")
    back_again(cluster, scheduler.dbname, jl_ids)


@contextmanager
def taking_over_past_a_lock(worker: Scheduler, locked: str) -> Iterator[int]:
    """The worker has ended, and its spare, whose process this gives, waits for a lock until the end of the block."""
    first = worker.value("SELECT worker_pid()")
    spare = until(lambda: worker.value("SELECT spare_pid FROM worker_state"), "the spare")
    waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND relation = %s::regclass AND NOT granted)"
    with worker.connect() as holder, holder.transaction():
        holder.execute(f"LOCK {locked}")
        worker.value("SELECT pg_terminate_backend(%s)", first)
        until(lambda: worker.value(waits, spare, locked), "the spare to wait")
        yield spare


@pytest.mark.parametrize("locked", ["worker_state", "worker_setting", "job_log"])
def test_who_takes_over_waits_for_what_is_locked(worker: Scheduler, locked: str) -> None:
    """There is no other who would be the worker."""
    with taking_over_past_a_lock(worker, locked) as spare:
        time.sleep(1.5)  # longer than it waits for a lock; that is the case, not a wait for something
    until(lambda: worker.value("SELECT worker_pid()") == spare, "the spare to be the worker")
    assert worker.run("SELECT 1").state == "succeeded"


@pytest.mark.parametrize("end", ["cancel", "terminate"])
def test_who_takes_over_can_be_ended_meanwhile(worker: Scheduler, end: str) -> None:
    there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    with taking_over_past_a_lock(worker, "job_log") as spare:
        worker.value(f"SELECT pg_{end}_backend(%s)", spare)
        until(lambda: not worker.value(there, spare), "the spare to leave")


# --- too much at once ----------------------------------------------------------------------------


def test_connections_run_short(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(max_connections="16", superuser_reserved_connections="3")
    scheduler = new_scheduler(cluster)
    role = scheduler.role()
    scheduler.start()
    job_id = scheduler.insert("SELECT pg_sleep(0.3)", parallel=True)
    runs = [scheduler.value("SELECT run_job(%s)", job_id) for _ in range(60)]
    until(lambda: scheduler.value("SELECT running_jobs FROM worker_status") >= 4, "runs to start")
    others = [cluster.connect_as(role) for _ in range(3)]  # who come while it is busy
    assert {scheduler.ended(run).state for run in runs} == {"succeeded"}
    for session in others:
        session.close()
    started = "SELECT jl_id FROM member_job_log ORDER BY job_started, jl_id"
    assert len(scheduler.admin.execute(started).fetchall()) == len(runs)
    scheduler.close()


def test_others_take_all_connections(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(max_connections="20")
    scheduler = new_scheduler(cluster)
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 5")
    role = scheduler.role()
    scheduler.start()
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    until(lambda: scheduler.value("SELECT sessions FROM worker_status") == 1, "the listener")
    with ExitStack() as others:
        with pytest.raises(psycopg.OperationalError):
            [others.enter_context(closing(cluster.connect_as(role))) for _ in range(20)]
        scheduler.insert("SELECT 1", rolname=role, schedule="1 second")
        until(lambda: scheduler.value("SELECT problem FROM problem") == "late", "it to be late")
        (problem,) = scheduler.execute("SELECT what, remedy FROM problem").fetchall()
        assert problem.what == (
            "its due time has passed, and it waits for a connection: all but those that are left to others "
            "(spare_connections) are taken"
        )
        (row,) = scheduler.execute("SELECT * FROM check_connections()").fetchall()
        assert row.state == "error"
        assert row.found == (
            "of the server's 17 connections 17 are taken by sessions of no runs, and 3 left to others "
            "(spare_connections): runs wait until some of these have ended"
        )
        assert row.remedy == problem.remedy
        shown = scheduler.execute(row.remedy.splitlines()[0]).fetchone()
        assert (shown.usename, shown.count) == (role, 13)
        scheduler.execute("SET SESSION AUTHORIZATION {}", sql.Identifier(role))
        assert scheduler.execute("SELECT what, remedy FROM problem").fetchall() == [problem]
        scheduler.execute("RESET SESSION AUTHORIZATION")
        scheduler.execute(alternatives(row.remedy)["to allow more, once a superuser has restarted the server"])
    until(lambda: scheduler.value("SELECT count(*) FROM problem") == 0, "it to run")
    assert scheduler.value("SELECT state FROM check_connections()") == "ok"
    scheduler.close()


def test_the_running_job_ends_while_others_wait(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET max_running_jobs = 1")
    first = worker.value("SELECT run_job(%s)", worker.insert("SELECT pg_sleep(0.5)"))
    late = worker.insert("SELECT 1", start_deadline="100 ms", schedule="1 second")
    assert worker.ended(first).state == "succeeded"
    until(lambda: any(run.state == "succeeded" for run in worker.log(late)), "the other job to run")


# --- runs that do not want to end ---------------------------------------------------------------


def test_a_run_that_waits_for_a_lock_is_timed_out(worker: Scheduler) -> None:
    worker.execute("CREATE TABLE locked ()")
    with worker.admin.transaction():
        worker.execute("LOCK TABLE locked")
        with worker.connect() as other:
            row = other.execute(
                "SELECT run_job((insert_job('TABLE public.locked', current_catalog, job_timeout := '200 ms')).job_id)"
            ).fetchone()
            assert row is not None
            query = "SELECT state FROM member_job_log WHERE jl_id = %s AND state <> 'running'"
            found = until(lambda: other.execute(query, row).fetchone(), "the run to end")
        assert found[0] == "timed out"


@pytest.mark.parametrize("change", ["SELECT update_job({}, enabled := false)", "SELECT delete_job({})"])
def test_disabling_and_deleting_let_the_active_run_end_and_start_no_other(worker: Scheduler, change: str) -> None:
    worker.execute("CREATE TABLE gate ()")
    with worker.admin.transaction():
        worker.execute("LOCK TABLE gate")
        with worker.connect() as other:
            insert = "SELECT job_id FROM insert_job('TABLE public.gate', current_catalog, '1 second')"
            row = other.execute(insert).fetchone()
            assert row is not None
            until(lambda: other.execute("SELECT 1 FROM member_job_log WHERE state = 'running'").fetchone(), "the run")
            other.execute(sql.SQL(change).format(sql.Literal(row[0])))  # type: ignore[arg-type]
    until(lambda: [run.state for run in worker.log(row[0])].count("running") == 0, "the run to end")
    worker.tick()
    states = [run.state for run in worker.log(row[0])]
    assert "succeeded" in states
    # What was due when the change was committed, and had not been looked at, is missed.
    assert set(states) <= {"succeeded", "skipped", "missed"}
    # Two more seconds of the job's grid pass without a row.
    until(lambda: worker.run("SELECT pg_sleep(2)").state == "succeeded")
    assert len(worker.log(row[0])) == len(states)


LEFT_BEHIND = {
    "a session lock": ("SELECT pg_advisory_lock(4711)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
    "a temporary table": (
        "CREATE TEMP TABLE left_behind ()",
        "SELECT count(*) FROM pg_class WHERE relname = 'left_behind'",
    ),
    "LISTEN": ("LISTEN something", "SELECT count(*) FROM pg_listening_channels()"),
    "a setting": ("SET work_mem = '77MB'", "SELECT count(*) FROM pg_settings WHERE setting = '78848'"),
    "a prepared statement": ("PREPARE something AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements"),
    "a cursor": (
        "DECLARE something CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'something'",
    ),
}


def test_a_job_that_was_disabled_without_triggers_is_let_alone(worker: Scheduler) -> None:
    """Nobody tells the worker of it, and the job stays due: it is not read again and again."""
    job = worker.insert("SELECT 1", schedule="1 second")
    until(lambda: worker.successes(job), "a run")
    with worker.admin.transaction():
        worker.execute("SET LOCAL session_replication_role = replica")
        worker.execute(f"SELECT update_job({job}, enabled => false)")
    later = "SELECT next_run_at > clock_timestamp() + interval '30 minutes' FROM job_state WHERE job_id = %s"
    until(lambda: worker.value(later, job), "it to be looked at")
    numbers = "SELECT last_value FROM worker_inbox_request_id_seq"
    before = worker.value(numbers)
    worker.tick()
    worker.tick()
    assert worker.value(numbers) == before
    # Its schedule is followed again as soon as that is told.
    seen = worker.successes(job)
    worker.execute(f"SELECT update_job({job}, schedule => '1 second', enabled => true)")
    until(lambda: worker.successes(job) > seen, "the job to go on")


@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_the_next_run_finds_a_clean_session(worker: Scheduler, kind: str) -> None:
    leave, look = LEFT_BEHIND[kind]
    worker.execute("CREATE TABLE found (backend integer, what integer)")
    role = worker.role(options="SUPERUSER")
    for command in (f"{leave}; SET LOCAL search_path = public", look):
        assert worker.run(command, rolname=role).state == "succeeded"
    check = f"INSERT INTO public.found SELECT pg_backend_pid(), ({look})"
    assert worker.run(check, rolname=role).state == "succeeded"
    assert worker.value("SELECT what FROM found") == 0


# --- runs that say too much -----------------------------------------------------------------------


def peak(pid: int) -> int:
    """The most memory that a process has had, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def test_what_runs_return_does_not_fill_the_memory_of_the_worker(worker: Scheduler) -> None:
    pid = worker.value("SELECT worker_pid()")
    assert worker.run("SELECT n, repeat('x', 100) FROM generate_series(1, 2000000) n").row_count == 2_000_000
    notices = worker.run("DO $$ BEGIN FOR n IN 1..300000 LOOP RAISE NOTICE 'notice %', n; END LOOP; END $$")
    assert len(notices.notices) <= 8192
    assert worker.run("COPY (SELECT n FROM generate_series(1, 1000000) n) TO STDOUT").state == "succeeded"
    assert worker.run("SELECT repeat('x', 10000000)").state == "succeeded"
    assert peak(pid) < 150


# --- the log cannot be written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["disk_full", "serialization_failure", "deadlock_detected", "read_only_sql_transaction"]
)
@pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
def test_the_loop_goes_on_when_the_log_can_be_written_again(worker: Scheduler, event: str, code: str) -> None:
    worker.execute("CREATE TABLE witness (run text)")
    command = "INSERT INTO public.witness VALUES (current_setting('elephant_worker.run_id'))"
    worker.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN RAISE 'injected' USING ERRCODE = '{code}'; END$$"
    )
    worker.execute(
        sql.SQL("CREATE TRIGGER fail BEFORE {} ON {}.job_log EXECUTE FUNCTION fail()")
        .format(sql.SQL(event), sql.Identifier(SCHEMA))
        .as_string()
    )
    before = len(worker.cluster.log)
    jl_id = worker.value("SELECT run_job(%s)", worker.insert(command))
    until(lambda: "injected" in worker.cluster.log[before:], "the failure")
    worker.execute(sql.SQL("DROP TRIGGER fail ON {}.job_log").format(sql.Identifier(SCHEMA)).as_string())
    assert worker.ended(jl_id).state == "succeeded"
    assert worker.value("SELECT array_agg(run) FROM witness") == [str(jl_id)]


def test_words_that_the_database_of_the_log_cannot_hold(cluster: Cluster) -> None:
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        admin.execute("CREATE DATABASE words")
    with cluster.connect("latin") as admin:
        admin.execute(
            sql.SQL("CREATE SCHEMA {0}; CREATE EXTENSION elephant_worker SCHEMA {0} CASCADE").format(
                sql.Identifier(SCHEMA)
            )
        )
    scheduler = Scheduler(cluster, "latin")
    scheduler._databases.append("words")
    scheduler.start()
    run = scheduler.run(r"DO $$ BEGIN RAISE '%', U&'caf\00e9 \+01F418'; END $$", "words")
    assert (run.state, run.job_sqlstate) == ("failed", "P0001")
    assert run.exception_message == r"caf\xe9 \U0001f418"
    assert scheduler.run("SELECT 1").state == "succeeded"
    scheduler.close()


# --- databases come and go -------------------------------------------------------------------------


def test_databases_in_which_jobs_ran_can_be_copied_and_dropped(worker: Scheduler) -> None:
    database, copy = worker.database(), "copy of weborder"
    worker._databases.append(copy)
    assert worker.run("CREATE TABLE public.orders ()", database).state == "succeeded"
    worker.execute("CREATE DATABASE {} TEMPLATE {}", sql.Identifier(copy), sql.Identifier(database))
    assert worker.run("TABLE public.orders", copy).state == "succeeded"
    worker.execute("DROP DATABASE {}", sql.Identifier(database))


def test_the_database_of_the_jobs_can_be_dumped_while_the_worker_runs(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT 1", schedule="1 second")
    until(lambda: worker.log(job_id))
    dumped = worker.cluster.command("pg_dump", worker.dbname).stdout
    assert "COPY " in dumped
    seen = len(worker.log(job_id))
    until(lambda: len(worker.log(job_id)) > seen, "the job to go on")


# --- standby and promotion --------------------------------------------------------------------------


class Standby(Cluster):
    """A streaming standby of a cluster."""

    def __init__(self, installation: Installation, primary: Cluster, directory: Path) -> None:
        primary.command("pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "-D", str(directory / "data"))
        super().__init__(installation, base_dir=str(directory))

    def initialize_database(self) -> None:
        """It is a copy."""

    def promote(self) -> None:
        self.command("pg_ctl", "promote", "-D", self.get_data_directory())


@pytest.fixture
def standby_directory() -> Iterator[Path]:
    # Not tmp_path: the path of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "tmp").mkdir()
        yield Path(directory)


@pytest.mark.slow
def test_a_standby_is_quiet_and_takes_over_when_promoted(
    own_cluster: Callable[..., Cluster], installation: Installation, standby_directory: Path
) -> None:
    primary = own_cluster()
    scheduler, _ = busy(primary, runs=1)
    standby = Standby(installation, primary, standby_directory)
    try:
        there = Scheduler(standby, scheduler.dbname)
        (row,) = there.execute("SELECT * FROM check_worker()")
        assert (row.state, "launchers will not start it here after a promotion" in row.found) == ("warning", True)
        scheduler.execute(row.remedy)
        until(lambda: there.value("SELECT state FROM check_worker()") == "ok", "the standby to know of it")
        assert there.value(UNATTENDED) is None
        with scheduler.admin.transaction():
            scheduler.execute("LOCK TABLE job_log IN ACCESS EXCLUSIVE MODE")
            locked = "the jobs cannot be looked at: the primary keeps job_log locked"
            until(lambda: there.value("SELECT what FROM problem") == locked, "the lock to be there")
            assert there.value("SELECT remedy FROM problem").endswith("-- on the primary")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as raised:
            there.start()
        assert raised.value.diag.message_primary == "the worker cannot be started on a standby"
        scheduler.admin.close()
        primary.shut_down("immediate")
        standby.promote()
        until(lambda: not there.value("SELECT pg_is_in_recovery()"), "the promotion")
        jl_ids = [row.jl_id for row in there.log() if row.state == "running"]
        there.admin.close()
        back_again(standby, scheduler.dbname, jl_ids)
    finally:
        standby.stop()
