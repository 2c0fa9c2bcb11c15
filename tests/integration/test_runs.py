"""What a run is: a session of the job's role in the job's database, in which commands behave as in psql."""

from __future__ import annotations

import os

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from harness.scheduler import Scheduler
from harness.waiting import until


def test_runs_as_its_role_in_its_database(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    run = worker.run("DO $$BEGIN RAISE WARNING '% in %', current_user, current_catalog; END$$", database, role)
    assert (run.state, run.job_sqlstate, run.rolname, run.datname) == ("succeeded", "00000", role, database)
    assert run.notices == f"WARNING:  {role} in {database}"
    assert run.command_tag == "DO"


def test_nologin_role(worker: Scheduler) -> None:
    assert worker.run("SELECT 1", rolname=worker.role("batch", "NOLOGIN", scheduler=False)).state == "succeeded"


def test_superuser_job(worker: Scheduler) -> None:
    run = worker.run(
        "DO $$BEGIN IF NOT (SELECT usesuper FROM pg_user WHERE usename = current_user) THEN RAISE; END IF; END$$"
    )
    assert run.state == "succeeded"


def test_it_runs_as_a_batch_beside_the_worker_and_people(worker: Scheduler) -> None:
    worker.value("SELECT run_job(%s)", worker.insert("SELECT pg_sleep(1000)"))
    job = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: worker.value(job))
    others = worker.value("SELECT pg_backend_pid()"), worker.value("SELECT pid FROM worker_status")
    assert os.sched_getscheduler(worker.value(job)) == os.SCHED_BATCH
    assert {os.sched_getscheduler(pid) for pid in others} == {os.SCHED_OTHER}


def test_tag_and_rows(worker: Scheduler) -> None:
    run = worker.run("SELECT * FROM generate_series(1, 1000)")
    assert (run.command_tag, run.row_count) == ("SELECT 1000", 1000)
    run = worker.run("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 7)")
    assert (run.command_tag, run.row_count) == ("INSERT 0 7", 7)


def test_an_error_is_logged_with_all_its_parts(worker: Scheduler) -> None:
    run = worker.run(
        """DO $$BEGIN RAISE EXCEPTION 'no more hay' USING ERRCODE = 'P1234', DETAIL = 'The barn is empty.',
                                                          HINT = 'Buy some.'; END$$"""
    )
    assert (run.state, run.job_sqlstate) == ("failed", "P1234")
    assert run.exception_message == "no more hay"
    assert run.exception_detail == "The barn is empty."
    assert run.exception_hint == "Buy some."
    assert run.exception_context == "PL/pgSQL function inline_code_block line 1 at RAISE"


def test_notices_are_kept_up_to_8_kilobytes(worker: Scheduler) -> None:
    run = worker.run("DO $$BEGIN FOR i IN 1..10000 LOOP RAISE NOTICE 'line %', i; END LOOP; END$$")
    assert run.notices.startswith("NOTICE:  line 1\nNOTICE:  line 2\n")
    assert 8000 < len(run.notices) <= 8192


@pytest.mark.parametrize(
    "command",
    [
        "VACUUM",
        "CREATE INDEX CONCURRENTLY ON t (i)",
        "CALL commits()",
        "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); SELECT * FROM t",
        "BEGIN; INSERT INTO t VALUES (1); COMMIT; VACUUM t",
        "COPY t TO STDOUT",
        "LISTEN elephant; NOTIFY elephant",
        ";; SELECT 1 ;",
        "SELECT 1; -- nothing but a comment",
    ],
)
def test_commands_run_as_in_psql(worker: Scheduler, command: str) -> None:
    worker.execute("CREATE TABLE t (i int)")
    worker.execute(
        "CREATE PROCEDURE commits() LANGUAGE plpgsql AS "
        "$$BEGIN FOR i IN 1..3 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END$$"
    )
    # psql -c sends a VACUUM that follows other statements in one transaction, as we do.
    run = worker.run(command)
    expected = ("failed", "25001") if command.endswith("VACUUM t") else ("succeeded", "00000")
    assert (run.state, run.job_sqlstate) == expected, run


@pytest.mark.parametrize(
    ("command", "sqlstate", "hint", "better"),
    [
        ("SELECT 1; VACUUM t", "25001", "must be the only one of its command", "VACUUM t"),
        ("DO $$BEGIN EXECUTE 'VACUUM t'; END$$", "25001", "must be the only one of its command", "VACUUM t"),
        ("SELECT 1; CALL commits()", "2D000", "CALL or DO is the only statement", "CALL commits()"),
        ("DO $$BEGIN COMMIT; END$$; SELECT 1", "2D000", "CALL or DO is the only statement", "DO $$BEGIN COMMIT; END$$"),
        (r"SELECT convert_from('\xe9', 'UTF8')", "22021", "convert_from()", r"SELECT convert_from('\xe9', 'LATIN1')"),
        ("SELECT convert_to('語', 'LATIN1')", "22P05", "The encoding named last", "SELECT convert_to('語', 'EUC_JP')"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "57P01", "pg_terminate_backend()", "SELECT 1"),
        (
            "SELECT FROM tables",
            "42P01",
            "the search_path of its role and database",
            "SELECT FROM information_schema.tables",
        ),
    ],
)
def test_the_log_has_hints_where_postgresql_has_none(
    worker: Scheduler, command: str, sqlstate: str, hint: str, better: str
) -> None:
    worker.execute("CREATE TABLE t (i int)")
    worker.execute("CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$")
    run = worker.run(command)
    assert (run.state, run.job_sqlstate) == ("failed", sqlstate)
    assert hint in run.exception_hint
    # What the hint says helps.
    assert worker.run(better).state == "succeeded"


def test_a_command_without_its_parameters(worker: Scheduler) -> None:
    run = worker.run("SELECT $1::int")
    assert (run.state, run.job_sqlstate) == ("failed", "42P02")
    assert "parameters of the job" in run.exception_hint
    assert worker.run("SELECT $1::int", parameters=Jsonb([1])).state == "succeeded"


def test_a_character_that_the_database_lacks(worker: Scheduler) -> None:
    database = worker.database("latin")
    worker.execute("DROP DATABASE {}", sql.Identifier(database))
    worker.execute("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", sql.Identifier(database))
    run = worker.run("SELECT '語'", database)
    assert (run.state, run.job_sqlstate) == ("failed", "22P05")
    assert "does not have this character" in run.exception_hint


def test_a_transaction_left_open_is_rolled_back(worker: Scheduler) -> None:
    worker.execute("CREATE TABLE t (i int)")
    run = worker.run("BEGIN; INSERT INTO t VALUES (1)")
    assert (run.state, run.job_sqlstate) == ("failed", "25000")
    assert worker.value("SELECT count(*) FROM t") == 0


def test_copy_from_stdin_fails(worker: Scheduler) -> None:
    worker.execute("CREATE TABLE t (i int)")
    run = worker.run("COPY t FROM STDIN")
    assert (run.state, run.job_sqlstate) == ("failed", "57014")
    assert "a job has no input to copy from" in run.exception_message


def test_the_command_can_read_what_it_is(worker: Scheduler) -> None:
    job_id = worker.insert(
        """DO $$BEGIN RAISE NOTICE '% | % | % | %', current_setting('elephant_worker.job_id'),
               current_setting('elephant_worker.run_id'), current_setting('elephant_worker.attempt'),
               current_setting('elephant_worker.scheduled_at'); END$$"""
    )
    jl_id = worker.value("SELECT run_job(%s)", job_id)
    run = worker.ended(jl_id)
    *numbers, scheduled_at = run.notices.removeprefix("NOTICE:  ").split(" | ")
    assert numbers == [str(job_id), str(jl_id), "1"]
    assert worker.value("SELECT %s::timestamptz", scheduled_at) == run.scheduled_at


def test_settings_of_the_role_hold(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    for setting in (
        "SET search_path = 'a b', public",
        "SET work_mem = '7MB'",
        "IN DATABASE {database} SET work_mem = '9MB'",
        "SET log_min_duration_statement = '1h'",
    ):
        worker.admin.execute(
            sql.SQL("ALTER ROLE {role} " + setting).format(role=sql.Identifier(role), database=sql.Identifier(database))
        )
    show = """DO $$BEGIN RAISE NOTICE '% % %', current_setting('search_path'), current_setting('work_mem'),
              current_setting('log_min_duration_statement'); END$$"""
    assert worker.run(show, rolname=role).notices == 'NOTICE:  "a b", public 7MB 1h'
    assert worker.run(show, database, role).notices == 'NOTICE:  "a b", public 9MB 1h'
    assert worker.run("RESET ALL;" + show, database, role).notices == 'NOTICE:  "a b", public 9MB 1h'


def test_a_second_instance_does_not_start(worker: Scheduler) -> None:
    with worker.connect() as blocker, blocker.transaction():
        blocker.execute("SELECT pg_advisory_xact_lock(1)")
        job_id = worker.insert("SELECT pg_advisory_xact_lock(1)")
        first, second = (worker.value("SELECT run_job(%s)", job_id) for _ in range(2))
        skipped = worker.ended(second)
        assert (skipped.state, skipped.job_sqlstate) == ("skipped", "55006")
        assert worker.log(job_id)[0].state == "running"
    assert worker.ended(first).state == "succeeded"


def test_parallel_instances(worker: Scheduler) -> None:
    with worker.connect() as blocker, blocker.transaction():
        blocker.execute("SELECT pg_advisory_xact_lock(1)")
        job_id = worker.insert("SELECT pg_advisory_xact_lock(1)", parallel=True)
        runs = [worker.value("SELECT run_job(%s)", job_id) for _ in range(3)]
        until(lambda: [run.state for run in worker.log(job_id)] == ["running"] * 3, "three runs at once")
    assert [worker.ended(run).state for run in runs] == ["succeeded"] * 3


def test_timeout_cancels(worker: Scheduler) -> None:
    run = worker.run("SELECT pg_sleep(1000)", job_timeout="100 ms")
    assert (run.state, run.job_sqlstate) == ("timed out", "57014")
    assert run.exception_message == "the run took longer than job_timeout, 0.1 seconds"
    assert run.exception_detail == "canceling statement due to user request"


def test_timeout_terminates_who_does_not_let_itself_be_cancelled(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET cancel_grace = '200 ms'")
    run = worker.run(
        "DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END$$",
        job_timeout="1 second",  # enough to get into the loop
    )
    assert (run.state, run.job_sqlstate) == ("timed out", "57014")
    assert run.exception_detail == "terminating connection due to administrator command"


def test_cancel(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT pg_sleep(1000)", parallel=True)
    assert worker.value("SELECT cancel_job(%s)", job_id) == 0
    runs = [worker.value("SELECT run_job(%s)", job_id) for _ in range(2)]
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'") == 2)
    assert worker.value("SELECT cancel_job(%s)", job_id) == 2
    assert [worker.ended(run).state for run in runs] == ["cancelled"] * 2
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'") == 0)


def test_a_terminated_session_is_a_failed_run(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT pg_sleep(1000)")
    jl_id = worker.value("SELECT run_job(%s)", job_id)
    find = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"
    worker.value("SELECT pg_terminate_backend(%s)", until(lambda: worker.value(find)))
    run = worker.ended(jl_id)
    assert (run.state, run.job_sqlstate) == ("failed", "57P01")


def test_a_connection_that_fails_is_a_failed_run(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    job_id = worker.insert("SELECT 1", database, rolname=role)
    worker.execute("ALTER DATABASE {} SET session_preload_libraries = 'missing'", sql.Identifier(database))
    run = worker.ended(worker.value("SELECT run_job(%s)", job_id))
    assert (run.state, run.job_sqlstate) == ("failed", "08001")
    assert 'could not access file "missing"' in run.exception_message
    worker.execute("ALTER DATABASE {} RESET ALL", sql.Identifier(database))
    assert worker.ended(worker.value("SELECT run_job(%s)", job_id)).state == "succeeded"


def test_role_and_database_that_are_gone(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    homeless = worker.insert("SELECT 1", database)
    orphan = worker.insert("SELECT 1", rolname=role)
    worker.execute("DROP DATABASE {}", sql.Identifier(database))
    worker.execute("DROP ROLE {}", sql.Identifier(role))
    run = worker.ended(worker.value("SELECT run_job(%s)", homeless))
    assert (run.state, run.job_sqlstate) == ("failed", "3D000")
    run = worker.ended(worker.value("SELECT run_job(%s)", orphan))
    assert (run.state, run.job_sqlstate) == ("failed", "42704")


def test_no_more_than_max_running_jobs_at_once(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET max_running_jobs = 2")
    with worker.connect() as blocker, blocker.transaction():
        blocker.execute("SELECT pg_advisory_xact_lock(1)")
        runs = [worker.value("SELECT run_job(%s)", worker.insert("SELECT pg_advisory_xact_lock(1)")) for _ in range(5)]
        until(lambda: worker.value("SELECT running_jobs FROM worker_status") == 2)
        worker.tick()
        assert worker.value("SELECT running_jobs FROM worker_status") == 2
    assert [worker.ended(run).state for run in runs] == ["succeeded"] * 5


def test_a_queue_is_served_in_order(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET max_running_jobs = 1")
    runs = [worker.value("SELECT run_job(%s)", worker.insert("SELECT 1")) for _ in range(5)]
    started = [worker.ended(run).job_started for run in runs]
    assert started == sorted(started)


def test_cancel_job_spares_the_runs_that_were_asked_for_after_it(worker: Scheduler) -> None:
    job_id = worker.insert("SELECT 1")
    with worker.admin.transaction():  # so that the worker sees both at once
        worker.value("SELECT cancel_job(%s)", job_id)
        jl_id = worker.value("SELECT run_job(%s)", job_id)
    assert worker.ended(jl_id).state == "succeeded"
