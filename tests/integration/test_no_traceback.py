"""Whatever cuts a call short, nobody is shown a Python traceback: neither the user nor the server's log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT
from harness.scheduler import SCHEMA, Scheduler

# A call of each function that people call; {job} is a job of theirs.
CALLS = {
    "apply_jobs": ['apply_jobs(\'[{{"job_name": "theirs", "job_command": "SELECT 4"}}]\')'],
    "cancel_job": ["cancel_job({job})", "cancel_job('ours')"],
    "cancel_run": ["cancel_run(1)"],
    "check_setup": ["check_setup()"],
    "claim_receiver": ["claim_receiver('mail', 'forwarder 1')"],
    "confirm_copy": ["confirm_copy()"],
    "confirm_role": ["confirm_role(current_user)"],
    "define_job": ["define_job('ours', 'SELECT 3')"],
    "delete_job": ["delete_job({job})", "delete_job('ours')"],
    "describe_schedule": ["describe_schedule('@daily')", "describe_schedule(interval '1 hour')"],
    "export_jobs": ["export_jobs()", "export_jobs('sql')"],
    "find_job": ["find_job('ours')"],
    "import_crontab": ["import_crontab('@daily psql -c VACUUM', current_catalog, false)"],
    "import_pg_cron": ["import_pg_cron(false, '[]')"],
    "import_pg_timetable": ["""import_pg_timetable(false, '{{"chain": [], "task": [], "parameter": []}}')"""],
    "import_pgagent": [
        """import_pgagent(false, '{{"pga_job": [], "pga_jobstep": [], "pga_schedule": [], "pga_exception": []}}')""",
    ],
    "insert_job": [
        "insert_job('SELECT 2', current_catalog)",
        "insert_job('SELECT 2', current_catalog, '0 9 * * 1-5', timezone := 'Europe/Berlin')",
    ],
    "mark_delivered": ["mark_delivered('{{1}}', 'mail')"],
    "next_runs": ["next_runs('@daily')", "next_runs(interval '1 hour')"],
    "pause_jobs": ["pause_jobs()"],
    "report_data": ["report_data()"],
    "report_html": ["report_html('1 hour')"],
    "restart_worker": ["restart_worker()"],
    "resume_jobs": ["resume_jobs()"],
    "run_job": ["run_job({job})", "run_job('ours')"],
    "run_once": ["run_once('SELECT 2')"],
    "start_worker": ["start_worker()", "start_worker(unattended := true)"],
    "stop_worker": ["stop_worker()"],
    "try_job": ["try_job({job})", "try_job('ours')"],
    "upcoming_runs": ["upcoming_runs('1 day')"],
    "update_job": ["update_job({job}, schedule := '@daily')", "update_job('ours', enabled := false)"],
}
STATEMENTS = [
    *(f"SELECT {call}" for calls in CALLS.values() for call in calls),
    "CALL run_worker()",
    "CALL wait_for_run(1)",
    "INSERT INTO my_job (job_command, datname, schedule) VALUES ('SELECT 2', current_catalog, '@daily')",
    "UPDATE my_job SET schedule = '@hourly'",
    "DELETE FROM my_job",
    "UPDATE worker_setting SET conninfo = 'connect_timeout=5'",
    *(f"SELECT * FROM {view}" for view in ("worker_status", "job_overview", "recent_runs", "job_chain", "problem")),
]
# The first: a worker that cannot begin its work in time says so.
NOT_OURS = {
    psycopg.errors.SystemError,
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.ReadOnlySqlTransaction,
}


def test_the_list_is_complete(scheduler: Scheduler) -> None:
    """Each function of sql/api is called."""
    names = {path.stem for path in (ROOT / "sql/api").glob("*.sql")} | {"find_job", "resume_jobs", "restart_worker"}
    assert names == {*CALLS, "wait_for_run"}


@contextmanager
def locked(scheduler: Scheduler) -> Iterator[None]:
    """Somebody keeps all tables of the extension locked."""
    with closing(scheduler.connect()) as holder:
        tables = holder.execute(
            "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c"
            " WHERE c.relkind = 'r' AND c.relnamespace IN (%s::regnamespace, 'elephant_worker_internal'::regnamespace)",
            (sql.Identifier(SCHEMA).as_string(),),
        ).fetchone()
        assert tables is not None
        holder.execute("BEGIN")
        holder.execute(f"LOCK TABLE {tables[0]} IN ACCESS EXCLUSIVE MODE")
        yield


def call(scheduler: Scheduler, session: psycopg.Connection, statement: str) -> type[psycopg.Error] | None:  # type: ignore[type-arg]
    """The error of a statement that is rolled back, of which the user is told nothing of Python."""
    try:
        with session.transaction(force_rollback=True):
            session.execute(statement)
    except psycopg.Error as error:
        diagnostics = error.diag
        told = [diagnostics.message_primary, diagnostics.message_detail, diagnostics.message_hint, diagnostics.context]
        assert not [text for text in told if text and ("Traceback" in text or "File " in text)], (statement, told)
        return type(error)
    return None


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("statement_timeout = '80ms'", psycopg.errors.QueryCanceled),
        ("lock_timeout = '50ms'", psycopg.errors.LockNotAvailable),
        ("default_transaction_read_only = on", psycopg.errors.ReadOnlySqlTransaction),
    ],
)
def test_what_is_cut_short(scheduler: Scheduler, setting: str, expected: type[psycopg.Error]) -> None:
    job = scheduler.insert("SELECT 1", job_name="ours")
    before = len(scheduler.cluster.log)
    with closing(scheduler.connect()) as session:
        session.execute(f"SET {setting}")
        seen = set()
        if "read_only" in setting:
            seen = {
                call(scheduler, session, statement.format(job=job))
                for statement in STATEMENTS
                if "CALL" not in statement
            }
        else:
            with locked(scheduler):
                for statement in STATEMENTS:
                    seen.add(call(scheduler, session, statement.format(job=job)))
    assert expected in seen
    assert seen <= {None, *NOT_OURS, psycopg.errors.ActiveSqlTransaction, psycopg.errors.NoDataFound}, seen
    log = scheduler.cluster.log[before:]
    assert "Traceback" not in log
    assert "plpython" not in log.lower()


def test_who_has_no_privileges(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", job_name="ours")
    before = len(scheduler.cluster.log)
    stranger = scheduler.role("stranger", "LOGIN", scheduler=False)
    scheduler.execute("GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(SCHEMA), sql.Identifier(stranger))
    with closing(scheduler.connect_as(stranger)) as session:
        for statement in STATEMENTS:
            assert call(scheduler, session, statement.format(job=job)) is psycopg.errors.InsufficientPrivilege, (
                statement
            )
    assert "Traceback" not in scheduler.cluster.log[before:]
