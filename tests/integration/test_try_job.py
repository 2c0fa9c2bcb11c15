"""try_job(): what would happen, and nothing does."""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until


@pytest.fixture
def worker(scheduler: Scheduler) -> Scheduler:
    scheduler.execute("CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    scheduler.execute("GRANT ALL ON t TO PUBLIC")
    scheduler.start()
    return scheduler


def tried(worker: Scheduler, command: str, **options: Any) -> Any:
    job = worker.insert(command, **options)
    return worker.admin.execute("SELECT * FROM try_job(%s)", (job,)).fetchone()


def test_it_is_executed_as_its_role_in_its_database_and_rolled_back(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    with worker.cluster.connect(database) as there:
        there.execute("CREATE TABLE t (i int)")
        there.execute("GRANT ALL ON t TO PUBLIC")
        app = worker.connect_as(role)
        command = """INSERT INTO t SELECT generate_series(1, 6);
                     DO $$BEGIN RAISE NOTICE '% %', current_user, current_catalog; END$$;
                     UPDATE t SET i = i + 1 WHERE i > 4"""
        app.execute("SELECT insert_job(%s, %s, job_name := 'mine')", (command, database))
        row = app.execute("SELECT * FROM try_job('mine')").fetchone()
        assert row is not None
        assert (row.state, row.job_sqlstate, row.row_count) == ("succeeded", "00000", 2)
        assert row.notices == f"NOTICE:  {role} {database}"
        assert row.duration.total_seconds() > 0
        assert there.execute("SELECT count(*) FROM t").fetchone() == (0,)
    # It is in the log, and is no run of the job.
    (run,) = worker.log()
    assert (run.cause, run.rolname, run.state) == ("trial", role, "succeeded")
    assert worker.value("SELECT success_count + failure_count FROM member_job") == 0


def test_its_session_takes_leave_of_the_server(worker: Scheduler) -> None:
    """Who reads the log of the server would take a client that it has lost for a fault."""
    before = len(worker.cluster.log)
    assert tried(worker, "SELECT 1").state == "succeeded"
    assert tried(worker, "SELECT $1", parameters="[1]").state == "succeeded"
    assert worker.run("BEGIN; SELECT 1").job_sqlstate == "25000"
    there = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in trans%'"
    until(lambda: not worker.value(there), "the sessions to end")
    assert "unexpected EOF" not in worker.cluster.log[before:]


def test_an_error_has_all_its_parts(worker: Scheduler) -> None:
    row = tried(
        worker,
        """INSERT INTO t VALUES (1);
           DO $$BEGIN RAISE EXCEPTION 'no more hay' USING ERRCODE = 'P1234', DETAIL = 'Empty.', HINT = 'Buy.'; END$$""",
    )
    assert (row.state, row.job_sqlstate, row.exception_message) == ("failed", "P1234", "no more hay")
    assert (row.exception_detail, row.exception_hint) == ("Empty.", "Buy.")
    assert "inline_code_block" in row.exception_context


def test_a_long_answer_comes_as_a_whole(worker: Scheduler) -> None:
    """As the log has it, which is more than one message of the protocol is kept of in other sessions."""
    row = tried(worker, "DO $$BEGIN RAISE EXCEPTION '%', repeat('hay ', 10000); END$$")
    (message,) = worker.execute("SELECT exception_message FROM job_log").fetchone()
    assert row.exception_message == message
    assert len(message) > 8192


def test_a_long_command(worker: Scheduler) -> None:
    """It is sent while the server takes it in."""
    assert tried(worker, f"SELECT '{'x' * 900_000}'").state == "succeeded"


def test_a_job_that_is_not_committed_yet(worker: Scheduler) -> None:
    with worker.connect() as user, user.transaction(force_rollback=True):
        user.execute("SELECT insert_job('SELECT 1/0', current_catalog, job_name := 'new')")
        row = user.execute("SELECT * FROM try_job('new')").fetchone()
    assert row is not None
    assert row.job_sqlstate == "22012"


def test_constraints_that_are_checked_late(worker: Scheduler) -> None:
    assert tried(worker, "INSERT INTO t VALUES (1), (1)").job_sqlstate == "23505"


@pytest.mark.parametrize("command", ["SELECT 'it''s \\ $$ ' || $q$'$q$", "SELECT 1 -- nothing", "SELECT $x$DO$x$"])
def test_quotes(worker: Scheduler, command: str) -> None:
    assert tried(worker, command).state == "succeeded"


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        ("UPDATE t SET i = 1 WHERE false", 0),
        ("CREATE TABLE other ()", 0),
        ("DO $$BEGIN PERFORM 1; END$$", 0),
        ("SELECT i FROM generate_series(1, 3) i", 3),
        ("SELECT 1; SET work_mem = '1MB'", 0),
    ],
)
def test_rows_of_the_last_statement(worker: Scheduler, command: str, rows: int) -> None:
    assert tried(worker, command).row_count == rows


def test_parameters_and_settings(worker: Scheduler) -> None:
    row = tried(worker, "INSERT INTO t SELECT $1 + i FROM generate_series(1, $2) i", parameters="[5, 3]")
    assert (row.state, row.row_count) == ("succeeded", 3), row
    row = tried(
        worker, "DO $$BEGIN RAISE NOTICE '%', current_setting('work_mem'); END$$", settings='{"work_mem": "7MB"}'
    )
    assert row.notices == "NOTICE:  7MB"
    assert worker.value("SELECT count(*) FROM t") == 0


ESCAPES = [
    "COMMIT",
    "INSERT INTO t VALUES (1); COMMIT",
    "COMMIT; INSERT INTO t VALUES (1)",
    "ROLLBACK; INSERT INTO t VALUES (1)",
    "END; BEGIN; INSERT INTO t VALUES (1); END",
    "ABORT AND CHAIN; INSERT INTO t VALUES (1); COMMIT",
    "INSERT INTO t VALUES (1); PREPARE TRANSACTION 'x'",
    "CALL commits()",
    "DO $$BEGIN INSERT INTO t VALUES (1); COMMIT; END$$",
    "INSERT INTO t VALUES (1); VACUUM",
    "VACUUM",
    "INSERT INTO t VALUES (1); SAVEPOINT a",
    "'; COMMIT; INSERT INTO t VALUES (1); --",
    "INSERT INTO t VALUES (1)$x$; COMMIT; --",
]


@pytest.mark.parametrize("parameters", [None, "[]"])
@pytest.mark.parametrize("command", ESCAPES)
def test_no_way_to_commit(worker: Scheduler, command: str, parameters: str | None) -> None:
    worker.execute("CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$BEGIN INSERT INTO t VALUES (1); COMMIT; END$$")
    row = tried(worker, command, parameters=parameters)
    assert worker.value("SELECT count(*) FROM t") == 0
    if parameters is None:
        assert row.state == "failed", row
        if row.job_sqlstate in {"0A000", "25001", "2D000"}:
            assert "run_job() runs it as it is" in row.exception_hint


def test_who_asks_holds_a_lock(worker: Scheduler) -> None:
    """Nobody would notice that the two wait for each other; the trial gives up."""
    job = worker.insert("DELETE FROM t", settings='{"lock_timeout": "100ms"}')
    with worker.connect() as user, user.transaction():
        user.execute("LOCK TABLE public.t")
        row = user.execute("SELECT * FROM try_job(%s)", (job,)).fetchone()
    assert row is not None
    assert row.job_sqlstate == "55P03"
    assert row.exception_message


def test_who_asks_holds_a_lock_on_what_it_is_asked_with(worker: Scheduler) -> None:
    job = worker.insert("SELECT 1")
    with worker.connect() as user, user.transaction():
        user.execute("LOCK TABLE once_job")
        with pytest.raises(psycopg.errors.ConnectionFailure, match="the session for the trial has ended") as raised:
            user.execute("SELECT * FROM try_job(%s)", (job,))
    assert raised.value.diag.message_detail == "ERROR:  canceling statement due to lock timeout"
    assert tried(worker, "SELECT 1").state == "succeeded"
    assert [run.state for run in worker.log()] == ["succeeded"]


def test_cancelled_while_it_waits(worker: Scheduler) -> None:
    job = worker.insert("SELECT pg_sleep(1000)")
    failed: list[psycopg.Error] = []
    session = worker.connect()

    def wait() -> None:
        try:
            session.execute("SELECT try_job(%s)", (job,))
        except psycopg.Error as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: [run.state for run in worker.log()] == ["running"])
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %%pg_sleep(1000)%%'"))
    # Not cancel(): the server signals a process twice for that, and the second one may come when the hint is made.
    worker.value("SELECT pg_cancel_backend(%s)", session.info.backend_pid)
    thread.join()
    session.close()
    assert [error.sqlstate for error in failed] == ["57014"]
    assert failed[0].diag.message_primary == "canceling statement due to user request"
    assert failed[0].diag.message_hint
    ended = worker.ended(worker.log()[0].jl_id)
    assert (ended.state, ended.exception_hint) == ("cancelled", "try_job() starts it again.")
    assert ended.exception_message == "the run was cancelled by cancel_run(), or with try_job()"


def test_statement_timeout_while_it_waits(worker: Scheduler) -> None:
    job = worker.insert("SELECT pg_sleep(1000)")
    session = worker.connect()
    session.execute("SET statement_timeout = '2 s'")
    with pytest.raises(psycopg.errors.QueryCanceled) as raised:
        session.execute("SELECT try_job(%s)", (job,))
    assert raised.value.diag.message_primary == "canceling statement due to statement timeout"
    assert "statement_timeout" in (raised.value.diag.message_hint or "")
    until(lambda: [run.state for run in worker.log()] == ["cancelled"], "it to end")


def test_the_timeout_of_the_job_holds(worker: Scheduler) -> None:
    assert tried(worker, "SELECT pg_sleep(1000)", job_timeout="100 ms").state == "timed out"


def test_without_a_worker(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="no worker runs") as raised:
        scheduler.value("SELECT try_job(%s)", job)
    assert raised.value.diag.message_hint == f'A superuser starts it: SELECT "{SCHEMA}".start_worker();'
    assert "Traceback" not in (raised.value.diag.context or "")
    scheduler.start()
    scheduler.value("SELECT pause_jobs()")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="paused") as raised:
        scheduler.value("SELECT try_job(%s)", job)
    assert raised.value.diag.message_hint == f'A superuser ends the pause: SELECT "{SCHEMA}".resume_jobs();'
    scheduler.execute("SELECT resume_jobs()")
    scheduler.seen()
    assert scheduler.value("SELECT state FROM try_job(%s)", job) == "succeeded"


def test_who_may_try_what(worker: Scheduler) -> None:
    victim = worker.role("victim")
    theirs = worker.insert("SELECT 1", rolname=victim)
    thief = worker.connect_as(worker.role("thief"))
    for call in (f"try_job({theirs})", "try_job(4711)", "try_job(NULL)"):
        with pytest.raises(psycopg.errors.NoDataFound):
            thief.execute(f"SELECT {call}")
    # The view behind it, used by hand.
    row = """INSERT INTO dry_run (datname, rolname, job_command, job_timeout)
             VALUES (current_catalog, %s, 'SELECT 1', '1 min')"""
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not define jobs for role"):
        thief.execute(row, (victim,))
    with pytest.raises(psycopg.errors.UndefinedObject):
        thief.execute(row, (None,))
    for statement in (
        "INSERT INTO dry_run (defined_by) VALUES ('postgres')",
        "INSERT INTO dry_run (state) VALUES ('succeeded')",
        "UPDATE dry_run SET state = 'succeeded'",
        "DELETE FROM dry_run",
        "SELECT try_now()",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            thief.execute(statement)
    assert worker.log() == []
    # By hand it does what try_job() does, as oneself.
    found = thief.execute(row + " RETURNING state, defined_by = current_user AS own", (thief.info.user,)).fetchone()
    assert found == ("succeeded", True)
    nobody = worker.connect_as(worker.role("nobody", scheduler=False))
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction)):
        nobody.execute("SELECT try_job(1)")


@pytest.mark.slow
def test_without_a_free_connection(worker: Scheduler) -> None:
    """Trials take no connection that is reserved, and give up; whatever waits for one goes on when there is one."""
    role = worker.role()
    app = worker.connect_as(role)
    app.execute("SELECT insert_job('SELECT 1', current_catalog, job_name := 'mine')")
    assert app.execute("SELECT state FROM try_job('mine')").fetchone() == ("succeeded",)
    worker.execute("UPDATE worker_setting SET session_idle_time = '0'")
    usable = worker.value(
        """SELECT sum(CASE WHEN name = 'max_connections' THEN 1 ELSE -1 END * setting::int8)::int FROM pg_settings
           WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"""
    )
    connections = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    sessions = []
    while worker.value(connections) < usable - 3 - 1:  # spare_connections, and one less than a trial needs
        sessions.append(worker.connect_as(role))
    most = 0
    failed: list[psycopg.Error] = []

    def attempt(session: psycopg.Connection[Any]) -> None:
        try:
            session.execute("SELECT try_job('mine')")
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=attempt, args=(session,)) for session in sessions[:12]]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, worker.value(connections))
        time.sleep(0.01)  # the trials need the processor
    for thread in threads:
        thread.join()
    assert most <= usable - 3
    assert {(error.sqlstate, error.diag.message_primary) for error in failed} == {
        ("53300", "no connection is free to try the job")
    }
    assert all("max_connections" in (error.diag.message_hint or "") for error in failed)
    for session in sessions[1:]:  # sessions end
        session.close()
    until(lambda: worker.value(connections) < usable - 20)
    assert app.execute("SELECT state FROM try_job('mine')").fetchone() == ("succeeded",)


@pytest.mark.slow
def test_a_database_that_lets_nobody_in(worker: Scheduler) -> None:
    """Trials give up, and none waits for ever; the run that was asked for is withdrawn."""
    full, closed = worker.database("full"), worker.database("closed")
    worker.execute("ALTER DATABASE {} CONNECTION LIMIT 1", sql.Identifier(full))
    jobs = [worker.insert("SELECT 1", database) for database in (full, closed)]
    failed: dict[int, tuple[str | None, str | None]] = {}

    def attempt(session: psycopg.Connection[Any], job: int) -> None:
        session.execute("SET statement_timeout = '50s'")
        with pytest.raises(psycopg.Error) as raised:
            session.execute("SELECT try_job(%s)", (job,))
        failed[job] = raised.value.sqlstate, raised.value.diag.message_primary

    with worker.cluster.connect(full), worker.connect() as owner, owner.transaction():
        owner.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*map(sql.Identifier, (closed, f"{closed} then")))
        )
        threads = [threading.Thread(target=attempt, args=(worker.connect(), job)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        owner.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*map(sql.Identifier, (f"{closed} then", closed)))
        )
    assert failed == {
        jobs[0]: ("53300", "no connection is free to try the job"),
        jobs[1]: ("55006", f'database "{closed}" lets nobody in for the moment'),
    }
    for job in jobs:
        assert worker.execute("SELECT state FROM try_job({})", sql.Literal(job)).fetchone() == ("succeeded",)


@pytest.mark.slow
def test_trials_at_the_same_time(worker: Scheduler) -> None:
    """A quarter of the connections at most; the others wait their turn, and hold up no job of anybody."""
    role = worker.role()
    owner = worker.connect_as(role)
    owner.execute("SELECT insert_job('SELECT pg_sleep(0.2)', current_catalog, job_name := 'mine')")
    trials = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker trial %'"
    most, answers = 0, []

    def attempt(session: psycopg.Connection[Any]) -> None:
        answers.append(session.execute("SELECT state FROM try_job('mine')").fetchone())

    threads = [threading.Thread(target=attempt, args=(worker.connect_as(role),)) for _ in range(30)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, worker.value(trials))
        time.sleep(0.01)  # the trials need the processor
    assert 0 < most <= 24
    assert answers == [("succeeded",)] * 30


def test_trials_of_one_role_leave_room_for_those_of_others(worker: Scheduler) -> None:
    """Also if they last for long: half of what trials may take is the most that one role gets."""
    mallory, victim = worker.role("mallory"), worker.role("victim")
    for role, command in ((mallory, "SELECT pg_sleep(1000)"), (victim, "SELECT 1")):
        worker.connect_as(role).execute("SELECT insert_job(%s, current_catalog, job_name := 'mine')", (command,))

    def attempt(session: psycopg.Connection[Any]) -> None:
        with suppress(psycopg.Error):
            session.execute("SELECT try_job('mine')")

    sessions = [worker.connect_as(mallory) for _ in range(26)]
    threads = [threading.Thread(target=attempt, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    until(lambda: len([run for run in worker.log() if run.state == "running"]) >= 12, "as many as there may be")
    row = worker.connect_as(victim).execute("SELECT state FROM try_job('mine')").fetchone()
    assert row == ("succeeded",)
    for session in sessions:
        session.cancel()
    for thread in threads:
        thread.join()


def test_no_transaction_waits_for_the_one_that_tries(worker: Scheduler) -> None:
    """Where a role's transactions begin with a wait for all that write, only its commands do."""
    role = worker.role()
    for setting in ("isolation = serializable", "read_only = on", "deferrable = on"):
        worker.execute("ALTER ROLE {} SET default_transaction_" + setting, sql.Identifier(role))
    job = worker.insert("SELECT 1", rolname=role)
    with closing(worker.connect()) as caller:
        caller.execute("SET statement_timeout = '50s'")
        caller.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        caller.execute("SELECT FROM t")
        row = caller.execute("SELECT state, row_count FROM try_job(%s)", (job,)).fetchone()
        assert row == ("succeeded", 1)
        # A run of it waits for this transaction, as it wants to, and not for a session.
        run = worker.value("SELECT run_job(%s)", job)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SafeSnapshot' AND application_name = %s"
        until(lambda: worker.value(waits, f"elephant_worker job {job}"), "its command to wait")
        caller.execute("COMMIT")
    assert worker.ended(run).state == "succeeded"
