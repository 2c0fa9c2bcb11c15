"""An error is three lines that say what is wrong and what to do, and at most one of context: for the client and in the
server's log."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from harness.scheduler import Scheduler

# What people get wrong, in each function; {job} is the number of a job of theirs, {name} its name.
CALLS = [
    "insert_job('SELECT 1', 'postgres', '@daly')",
    "insert_job('SELECT 1', 'postgres', '0 0 31 2 *')",
    "insert_job('SELECT 1', 'postgres', '@daily', timezone := 'Mars')",
    "insert_job('SELECT 1', 'nowhere')",
    "insert_job('SELECT 1', 'postgres', rolname := 'nobody')",
    "insert_job('SELECT 1', 'postgres', rolname := 'pg_database_owner')",
    "insert_job('', 'postgres')",
    "insert_job(NULL, 'postgres')",
    "insert_job('SELECT 1', 'postgres', job_timeout := '-1 second')",
    "insert_job('SELECT 1', 'postgres', job_name := '12')",
    "insert_job('SELECT 1', 'postgres', retry_on := '{{never}}')",
    "insert_job('SELECT 1', 'postgres', starts_at := '2999-01-02', ends_at := '2999-01-01')",
    "insert_job('SELECT 1', 'postgres', settings := '{{\"work_mem\": \"much\"}}')",
    "insert_job('SELECT 1', 'postgres', parameters := '1')",
    "insert_job('SELECT 1', 'postgres', run_after := '{{1000000}}')",
    "insert_job('SELECT 1', 'postgres', server := 'nowhere')",
    "update_job({job}, schedule := '@daly')",
    "update_job({job}, datname := 'nowhere')",
    "update_job({job}, max_retries := -1)",
    "update_job({job}, run_after := ARRAY[{job}])",
    "update_job('{name}', schedule := '@daly')",
    "update_job(1000000, 'SELECT 1')",
    "update_job('nothing', 'SELECT 1')",
    *(f"{name}(1000000)" for name in ("run_job", "cancel_job", "delete_job", "try_job", "cancel_run")),
    *(f"{name}('nothing')" for name in ("run_job", "cancel_job", "delete_job", "try_job", "find_job")),
    "run_once('')",
    "run_once('SELECT 1', 'nowhere')",
    "run_once('SELECT 1', settings := '{{\"work_mem\": \"much\"}}')",
    "next_runs('@daly')",
    "next_runs(ARRAY['@daly'])",
    "next_runs(NULL)",
    "next_runs('@daily', count := -1)",
    "describe_schedule('@daly')",
    "describe_schedule(interval '1 month')",
    "upcoming_runs('-1 day')",
    "define_job('nightly', 'SELECT 1', schedule := '@daly')",
    "define_job('nightly', 'SELECT 1', run_after := 'nothing')",
    "update_job('{name}', run_after := '{name}')",
    'apply_jobs(\'[{{"job_name": "x"}}]\')',
    "export_jobs('xml')",
    "import_pg_cron()",
    "report_html('-1 day')",
    "report_data(NULL)",
]
STATEMENTS = [
    "INSERT INTO my_job (job_command, datname, schedule) VALUES ('SELECT 1', 'postgres', '@daly')",
    "INSERT INTO my_job (job_command, datname) VALUES ('SELECT 1', 'nowhere')",
    "INSERT INTO my_job (job_command, datname, job_timeout) VALUES ('SELECT 1', 'postgres', '0')",
    "INSERT INTO member_job (job_command, datname, rolname) VALUES ('SELECT 1', 'postgres', 'nobody')",
    "INSERT INTO my_job (job_command, datname, settings) VALUES ('SELECT 1', 'postgres', '[]')",
    "INSERT INTO my_job (job_command, datname, server) VALUES ('SELECT 1', 'postgres', 'nowhere')",
    "UPDATE my_job SET schedule = '0 25 * * *'",
    "UPDATE my_job SET timezone = NULL",
    "UPDATE my_job SET job_command = ' '",
    "UPDATE my_job SET run_after = ARRAY[job_id]",
    "CALL wait_for_run(1000000)",
    "CALL wait_for_run(NULL)",
    "CALL wait_for_run({run}, '1 ms')",
    "BEGIN; CALL wait_for_run(1)",
]
# What only administrators and monitors get wrong.
OTHERS = [
    "SELECT confirm_role('nobody')",
    "SELECT claim_receiver('', '')",
    "SELECT mark_delivered(NULL, '')",
    "UPDATE worker_setting SET conninfo = 'x'",
]


@pytest.mark.parametrize("statement", [f"SELECT {call}" for call in CALLS] + STATEMENTS)
def test_three_lines_and_one_of_context(scheduler: Scheduler, statement: str) -> None:
    role = scheduler.role()
    job = scheduler.insert("SELECT 1", job_name="ours", rolname=role)
    run = scheduler.value("SELECT run_job(%s)", job) if "{run}" in statement else None
    refuse(scheduler, scheduler.connect_as(role), statement.format(job=job, name="ours", run=run))


@pytest.mark.parametrize("statement", OTHERS)
def test_also_for_administrators(scheduler: Scheduler, statement: str) -> None:
    refuse(scheduler, scheduler.connect(), statement)


def refuse(scheduler: Scheduler, session: psycopg.Connection[Any], statement: str) -> None:
    logged_before = len(scheduler.cluster.log)
    with pytest.raises(psycopg.Error) as refused:
        session.execute(statement.replace("'postgres'", "current_catalog"))
    said = refused.value.diag
    assert said.message_primary
    assert said.message_detail
    assert said.message_hint
    for line in (said.message_primary, said.message_detail, said.message_hint, said.context or ""):
        assert "\n" not in line, line
    (logged,) = re.findall(r"ERROR:  .*?(?=\n\S*[^\t\n]*STATEMENT:)", scheduler.cluster.log[logged_before:], re.DOTALL)
    assert len(logged.splitlines()) <= 4, logged


def test_errors_that_are_not_ours_keep_their_context(scheduler: Scheduler) -> None:
    with scheduler.connect() as session:
        session.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as refused:
            session.execute("SELECT insert_job('SELECT 1', 'postgres')")
        assert "SQL statement" in str(refused.value.diag.context)


def test_a_cancelled_definition_is_cancelled(scheduler: Scheduler) -> None:
    """What catches errors to shorten them lets cancellation through."""
    job = scheduler.insert("SELECT 1")
    with scheduler.connect() as other, other.transaction():
        other.execute("UPDATE member_job SET job_description = 'held' WHERE job_id = %s", (job,))
        with scheduler.connect() as session:
            session.execute("SET statement_timeout = '200ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                session.execute("SELECT update_job(%s, enabled := false)", (job,))
            session.execute("SET statement_timeout = 0; SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                session.execute("SELECT update_job(%s, enabled := false)", (job,))
