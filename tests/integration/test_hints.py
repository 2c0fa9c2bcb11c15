"""Each hint is followed: on the state that the error comes from, as the role that got it, and it works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, pg_config
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until
from tests.fake_server import fake_server, relay


class Case(NamedTuple):
    """A state that the superuser makes, what the role calls then, what the hint says, and what follows it.

    What begins with "superuser:" is what the hint says that a superuser can do.
    """

    state: str
    call: str
    hint: str
    remedy: str = ""


def following(*statements: str) -> str:
    return "\n".join(statements)


JOB = "SELECT insert_job('SELECT 1', current_catalog, job_name => 'kept', rolname => '<role>')"
CRON = "CREATE EXTENSION elephant_worker_cron"
NUMBER = "(SELECT job_id FROM member_job WHERE job_name = 'kept')"
HINTS = {
    "runs to show": Case(
        "",
        "SELECT recent_runs(-1)",
        "For example recent_runs(100), or recent_runs(NULL, now() - interval '1 day', failed := true).",
        "SELECT recent_runs(100); SELECT recent_runs(NULL, now() - interval '1 day', failed := true)",
    ),
    "a definer who is not there": Case(
        "",
        f"superuser: {JOB}; UPDATE member_job SET defined_by = 'nobody of this name'",
        "Create it first, or name another one.",
        "superuser: CREATE ROLE \"nobody of this name\"; UPDATE member_job SET defined_by = 'nobody of this name'",
    ),
    "a definer who is somebody else": Case(
        JOB,
        "UPDATE member_job SET defined_by = '<other>'",
        "To take a job over: UPDATE <schema>.member_job SET defined_by = current_user WHERE job_id = ...;",
        f"UPDATE <schema>.member_job SET defined_by = current_user WHERE job_id = {NUMBER}",
    ),
    "settings that are no object": Case(
        JOB,
        "SELECT update_job('kept', settings => '[]')",
        'For example: {"work_mem": "256MB", "statement_timeout": "5min"}.',
        """SELECT update_job('kept', settings => '{"work_mem": "256MB", "statement_timeout": "5min"}')""",
    ),
    "parameters that are no array": Case(
        JOB,
        "SELECT update_job('kept', parameters => '{}')",
        'For example: ["Berlin", 42, null].',
        """SELECT update_job('kept', parameters => '["Berlin", 42, null]')""",
    ),
    "a setting of superusers": Case(
        JOB,
        """SELECT update_job('kept', settings => '{"log_statement": "all"}')""",
        'Give settings that this role can SET itself, for example {"work_mem": "256MB"}.',
        """SELECT update_job('kept', settings => '{"work_mem": "256MB"}')""",
    ),
    "a command that is too long": Case(
        following(JOB, "UPDATE worker_setting SET max_definition_size = 10000"),
        "SELECT update_job('kept', job_command => 'SELECT ' || repeat('1', 10000))",
        "Put the command into a function or procedure, and large values into a table. A superuser can raise the limit.",
        following(
            "superuser: UPDATE worker_setting SET max_definition_size = 20000",
            "SELECT update_job('kept', job_command => 'SELECT ' || repeat('1', 10000))",
        ),
    ),
    "too many jobs to run after": Case(
        JOB.replace("'kept'", "'j' || n") + " FROM generate_series(1, 101) n",
        "SELECT insert_job('SELECT 1', current_catalog, run_after => (SELECT array_agg(job_id) FROM member_job))",
        "Chain some of them, or put a job between them and this one.",
        following(
            "SELECT insert_job('SELECT 1', current_catalog, job_name => 'between',"
            " run_after => (SELECT array_agg(job_id) FROM member_job WHERE job_name <> 'j1'))",
            "SELECT insert_job('SELECT 1', current_catalog, run_after => '{j1,between}')",
        ),
    ),
    "far ahead": Case(
        JOB,
        "SELECT upcoming_runs('2 years')",
        "Choose an interval of up to 1 year, for example upcoming_runs('12 hours').",
        "SELECT upcoming_runs('12 hours'); SELECT upcoming_runs('1 year')",
    ),
    "a description of nothing": Case(
        "",
        "SELECT describe_schedule('@daily', NULL)",
        "Leave a parameter out to use its default.",
        "SELECT describe_schedule('@daily')",
    ),
    "times of nothing": Case(
        "",
        "SELECT next_runs('@daily', NULL)",
        "Leave a parameter out to use its default.",
        "SELECT next_runs('@daily')",
    ),
    "many times": Case(
        "",
        "SELECT next_runs('@daily', count => 10001)",
        "For more, call it again with the last result as after.",
        "SELECT next_runs('@daily', after => (SELECT max(n) FROM next_runs('@daily', count => 3) n), count => 3)",
    ),
    "a role that is gone": Case(
        JOB.replace("'<role>'", "'<other>'"),
        'superuser: ALTER ROLE "<other>" RENAME TO "another name"; DELETE FROM known_role; '
        "SELECT confirm_role('<other>')",
        "Create it first; or give its jobs another role: "
        "UPDATE <schema>.member_job SET rolname = ... WHERE rolname = '<other>';",
        "superuser: UPDATE <schema>.member_job SET rolname = '<role>' WHERE rolname = '<other>'",
    ),
    "a job to define without a name": Case(
        "",
        "SELECT define_job(NULL, 'SELECT 1')",
        "To define a job without a name, use insert_job().",
        "SELECT insert_job('SELECT 1', current_catalog)",
    ),
    "no crontab": Case(
        "",
        "SELECT import_crontab(NULL)",
        "Give the text of a crontab, as crontab -l prints it.",
        "SELECT import_crontab('@daily psql -c \"SELECT 1\"' || chr(10), dry_run => false)",
    ),
    "a run that is not there": Case(
        JOB,
        "SELECT cancel_run(4711)",
        "The view member_job_log lists runs that have started, waiting_run those that have not.",
        "SELECT jl_id FROM member_job_log; SELECT run_job('kept'); SELECT cancel_run(jl_id) FROM waiting_run",
    ),
    "a name that is taken": Case(
        JOB,
        "SELECT insert_job('SELECT 2', current_catalog, job_name => 'kept')",
        "Choose another name, or change the existing job with update_job().",
        following(
            "SELECT update_job('kept', job_command => 'SELECT 2')",
            "SELECT insert_job('SELECT 2', current_catalog, job_name => 'other')",
        ),
    ),
    "a new name that is taken": Case(
        following(JOB, JOB.replace("'kept'", "'other'")),
        "SELECT update_job('other', job_name => 'kept')",
        "Choose another name, or change the existing job with update_job().",
        "SELECT update_job('other', job_name => 'third'); SELECT update_job('kept', job_command => 'SELECT 2')",
    ),
    "a job that is not there": Case(
        JOB,
        "SELECT run_job(4711)",
        "The view member_job lists the jobs that you may touch.",
        "SELECT run_job(job_id) FROM member_job",
    ),
    "no job of this name": Case(
        JOB,
        "SELECT run_job('lost')",
        "The view member_job lists the jobs that you may touch.",
        "SELECT run_job(job_name) FROM member_job",
    ),
    "several jobs of a name": Case(
        following(JOB, JOB.replace("'<role>'", "'<other>'")),
        "superuser: SELECT run_job('kept')",
        "Use the job_id.",
        "superuser: SELECT run_job(job_id) FROM member_job",
    ),
    "no more jobs": Case(
        following(JOB, "UPDATE worker_setting SET max_jobs_per_role = 1"),
        "SELECT insert_job('SELECT 1', current_catalog); SET CONSTRAINTS ALL IMMEDIATE",
        "Delete some of its jobs. A superuser can raise the limit, or define the job.",
        following(
            "superuser: SELECT insert_job('SELECT 1', current_catalog, rolname => '<role>')",
            "superuser: UPDATE worker_setting SET max_jobs_per_role = 3",
            "SELECT insert_job('SELECT 1', current_catalog)",
            "SELECT delete_job('kept')",
            "SELECT insert_job('SELECT 1', current_catalog); SET CONSTRAINTS ALL IMMEDIATE",
        ),
    ),
    "no more requests": Case(
        following(JOB, "UPDATE worker_setting SET max_requests_per_role = 1"),
        "SELECT run_job('kept'), run_once('SELECT 1')",
        "Ask again when some of them have started, or call cancel_job() or cancel_run() for those that need not run. "
        "A superuser can raise the limit, or make the request.",
        following(
            "superuser: SELECT run_job('kept'); SELECT run_once('SELECT 1', rolname => '<role>')",
            "superuser: UPDATE worker_setting SET max_requests_per_role = 3",
            "SELECT run_job('kept')",
        ),
    ),
    "a schedule that is never due": Case(
        JOB,
        "SELECT update_job('kept', schedule => '0 0 30 2 *')",
        "Try SELECT * FROM <schema>.next_runs(...); use NULL for a job that runs only when run_job() asks for it, "
        "run_once() for one run now.",
        following(
            "SELECT * FROM <schema>.next_runs('0 0 28 2 *')",
            "UPDATE member_job SET schedule = NULL; SELECT run_once('SELECT 1')",
        ),
    ),
    "a circle": Case(
        following(JOB, JOB.replace("'kept'", "'next'").replace(", rolname", ", run_after => 'kept', rolname")),
        "SELECT update_job('kept', run_after => 'next')",
        "The view job_chain shows which jobs run after which.",
        "SELECT * FROM job_chain",
    ),
    "a table of the worker": Case(
        'GRANT pg_write_all_data TO "<role>"',
        "DELETE FROM job_log",
        "Define jobs through my_job or member_job, and call run_job(), cancel_job() and the like.",
        "INSERT INTO my_job (job_name, job_command) VALUES ('kept', 'SELECT 1'); SELECT run_job('kept')",
    ),
    "a schema to rename": Case(
        "",
        'superuser: ALTER SCHEMA "Elephant Test" RENAME TO other',
        "To move the jobs, take what export_jobs() returns to apply_jobs() of an extension that is created in another "
        "schema.",
        "SELECT apply_jobs(export_jobs()::jsonb)",
    ),
    "no table of pgAgent": Case(
        "",
        "SELECT import_pgagent()",
        "Call the function where the table is, or hand its rows over as JSON.",
        'SELECT import_pgagent(jobs => \'{"pga_job": [], "pga_jobstep": [], "pga_schedule": [],'
        ' "pga_exception": []}\')',
    ),
    "a table of pg_cron that is a view": Case(
        "CREATE SCHEMA cron; CREATE VIEW cron.job AS SELECT 1 AS jobid",
        "superuser: SELECT import_pg_cron()",
        "Hand its rows over as JSON, if it is what you mean.",
        "superuser: SELECT import_pg_cron(jobs => '[]')",
    ),
    "a table of pg_cron of somebody else's": Case(
        'CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint); ALTER TABLE cron.job OWNER TO "<role>"; '
        'GRANT USAGE ON SCHEMA cron TO "<role>"',
        "superuser: SELECT import_pg_cron()",
        'Call the function as role "<role>", or hand the rows over as JSON.',
        "SELECT import_pg_cron(); SELECT import_pg_cron(jobs => '[]')",
    ),
    "a table of pg_cron that may not be read": Case(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint)",
        "SELECT import_pg_cron()",
        "Call the function as a role that may, or hand the rows over as JSON.",
        "superuser: SELECT import_pg_cron()\nSELECT import_pg_cron(jobs => '[]')",
    ),
    "rows of pg_cron that are none": Case(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint)",
        "superuser: SELECT import_pg_cron(jobs => '{}')",
        "Where the table is: SELECT json_agg(t) FROM cron.job t;",
        "superuser: SELECT import_pg_cron(jobs => (SELECT coalesce(json_agg(t), '[]') FROM cron.job t)::jsonb)",
    ),
    "rows of pgAgent that are none": Case(
        "CREATE SCHEMA pgagent; CREATE TABLE pgagent.pga_job (jobid integer)",
        'superuser: SELECT import_pgagent(jobs => \'{"pga_job": 1, "pga_jobstep": [], "pga_schedule": []}\')',
        "Where the table is: SELECT json_agg(t) FROM pgagent.pga_job t;",
        "superuser: SELECT json_agg(t) FROM pgagent.pga_job t",
    ),
    "conninfo that cannot be read": Case(
        "",
        "superuser: UPDATE worker_setting SET conninfo = 'nonsense'",
        "Write libpq parameters, as in host=/var/run/postgresql port=5432.",
        "superuser: UPDATE worker_setting SET conninfo = 'host=/var/run/postgresql port=5432'",
    ),
    "a schema cron": Case(
        "CREATE SCHEMA cron",
        "superuser: CREATE EXTENSION elephant_worker_cron",
        "Rename it: ALTER SCHEMA cron RENAME TO ...;",
        "superuser: ALTER SCHEMA cron RENAME TO other; CREATE EXTENSION elephant_worker_cron",
    ),
    "cron.alter_job() of nothing": Case(
        following(CRON, "SELECT cron.schedule('kept', '@daily', 'SELECT 1')"),
        "superuser: SELECT cron.alter_job(<number>)",
        "Give at least one attribute of the job to change.",
        "superuser: SELECT cron.alter_job(<number>, schedule => '@hourly')",
    ),
    "a number in cron.job": Case(
        following(CRON, "SELECT cron.schedule('kept', '@daily', 'SELECT 1')"),
        "superuser: UPDATE cron.job SET jobid = 7, active = false",
        "Leave it out.",
        "superuser: UPDATE cron.job SET active = false",
    ),
    "a port in cron.job": Case(
        following(CRON, "SELECT cron.schedule('kept', '@daily', 'SELECT 1')"),
        "superuser: UPDATE cron.job SET nodename = 'there', nodeport = 1",
        "To run it on another server, CREATE SERVER, and give the name of that as nodename.",
        "superuser: CREATE EXTENSION postgres_fdw; CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw; "
        "CREATE USER MAPPING FOR current_user SERVER there; UPDATE cron.job SET nodename = 'there'",
    ),
    "runs of pg_cron that are written": Case(
        CRON,
        "superuser: INSERT INTO cron.job_run_details (command) VALUES ('SELECT 1')",
        "Runs that have ended can be deleted.",
        "superuser: DELETE FROM cron.job_run_details",
    ),
    "a name that is not in cron.job": Case(
        following(JOB.replace("'<role>'", "current_user"), CRON),
        "superuser: SELECT cron.schedule('kept', '@daily', 'SELECT 1')",
        "Choose another name, or delete that job.",
        following(
            "superuser: SELECT cron.schedule('other', '@daily', 'SELECT 1'); SELECT delete_job('kept')",
            "superuser: SELECT cron.schedule('kept', '@daily', 'SELECT 1')",
        ),
    ),
    "no document": Case(
        "",
        "SELECT apply_jobs(NULL)",
        "Give an array of jobs; an empty one is [].",
        "SELECT apply_jobs('[]')",
    ),
    "no part": Case(
        "",
        "SELECT apply_jobs('[]', prune => true)",
        "Name the part, as in apply_jobs(..., 'billing', prune => true).",
        "SELECT apply_jobs('[]', 'billing', prune => true)",
    ),
    "a document of one job": Case(
        "",
        "SELECT apply_jobs('{}')",
        'For example: [{"job_name": "nightly", "job_command": "CALL tidy_up()", "schedule": "@daily"}].',
        'SELECT apply_jobs(\'[{"job_name": "nightly", "job_command": "CALL tidy_up()", "schedule": "@daily"}]\')',
    ),
    "a format that is not there": Case(
        JOB,
        "SELECT export_jobs('yaml')",
        "Choose json, a document for apply_jobs(), or sql, calls of define_job().",
        "SELECT export_jobs('json'); SELECT export_jobs('sql')",
    ),
    "a job without a name to export": Case(
        JOB.replace("job_name => 'kept', ", ""),
        "SELECT export_jobs()",
        "To name one: SELECT <schema>.update_job(<number>, job_name => '...');",
        "SELECT <schema>.update_job(<number>, job_name => 'named'); SELECT export_jobs()",
    ),
    "a job that others run after": Case(
        following(JOB, JOB.replace("'kept'", "'next'").replace(", rolname", ", run_after => 'kept', rolname")),
        "SELECT delete_job('kept')",
        "Change its run_after with update_job().",
        "SELECT update_job('next', run_after => '{}')",
    ),
    "jobs that run after it": Case(
        following(
            JOB,
            JOB.replace("'kept'", "'j' || n").replace(", rolname", ", run_after => 'kept', rolname")
            + " FROM generate_series(1, 11) n",
        ),
        "SELECT delete_job('kept')",
        'The view job_chain shows all of them, with the state "deleted".',
        "SELECT 1 / (count(*) = 11)::int FROM job_chain WHERE state = 'deleted'",
    ),
    "no change": Case(
        JOB,
        "SELECT update_job('kept', schedule => NULL)",
        "To set one to NULL: UPDATE <schema>.member_job SET schedule = NULL WHERE job_id = <number>;",
        "UPDATE <schema>.member_job SET schedule = NULL WHERE job_id = <number>",
    ),
    "a number of seconds": Case(
        "",
        "SELECT upcoming_runs('12')",
        "Give the interval with its unit: upcoming_runs('12 hours').",
        "SELECT upcoming_runs('12 hours')",
    ),
    "a request that roles do not have": Case(
        following(JOB, 'GRANT pg_write_all_data TO "<role>"'),
        "INSERT INTO worker_request (kind, rolname) VALUES ('stop', '<role>')",
        "Call run_job(), run_once(), cancel_job() or cancel_run().",
        "SELECT run_job('kept'); SELECT run_once('SELECT 1'); SELECT cancel_job('kept')",
    ),
    "an attribute that cannot be NULL": Case(
        JOB,
        "UPDATE my_job SET parallel = NULL",
        "Give a value, or leave it out to use its default.",
        "UPDATE my_job SET parallel = true; INSERT INTO my_job (job_command) VALUES ('SELECT 1')",
    ),
    "no such role": Case(
        "",
        "superuser: SELECT insert_job('SELECT 1', current_catalog, rolname => 'new one')",
        "Create it first: CREATE ROLE ...; it need not be able to log in.",
        "superuser: CREATE ROLE \"new one\"; SELECT insert_job('SELECT 1', current_catalog, rolname => 'new one')",
    ),
    "no such database": Case(
        "",
        "SELECT insert_job('SELECT 1', 'nowhere at all')",
        "To list them: SELECT datname FROM pg_database WHERE datallowconn;",
        "SELECT insert_job('SELECT 1', d) FROM (SELECT datname FROM pg_database WHERE datallowconn) l (d)"
        " WHERE d = current_catalog",
    ),
    "no way into the database": Case(
        "REVOKE CONNECT ON DATABASE <database> FROM PUBLIC",
        "SELECT insert_job('SELECT 1', current_catalog)",
        'The owner of the database can GRANT CONNECT ON DATABASE <database> TO "<role>";',
        following(
            'superuser: GRANT CONNECT ON DATABASE <database> TO "<role>"',
            "SELECT insert_job('SELECT 1', current_catalog)",
        ),
    ),
    "a request for the job of another role": Case(
        following(JOB, JOB.replace("'<role>'", "'<other>'"), 'GRANT pg_write_all_data TO "<role>"'),
        "INSERT INTO worker_request (kind, job_id, rolname) VALUES ('cancel', <number>, '<role>')",
        "member_job, member_job_log and waiting_run list the jobs and runs that you may touch.",
        "SELECT cancel_job(job_id) FROM member_job",
    ),
    "a role of its own": Case(
        "",
        "SELECT insert_job('SELECT 1', current_catalog, rolname => '<other>')",
        'An administrator can GRANT "<other>" TO "<role>";',
        following(
            'superuser: GRANT "<other>" TO "<role>"',
            "SELECT insert_job('SELECT 1', current_catalog, rolname => '<other>')",
        ),
    ),
    # Not to be made a member of it, which would make a superuser of anybody.
    "the role of a superuser": Case(
        "",
        "SELECT insert_job('SELECT 1', current_catalog, rolname => rolname) FROM pg_roles WHERE oid = 10",
        "It is a superuser: give the job a role with no more rights than it needs, or have a superuser define it.",
        following(
            "SELECT insert_job('SELECT 1', current_catalog)",
            "superuser: SELECT insert_job('SELECT 1', current_catalog)",
        ),
    ),
    "a document with a mistake": Case(
        "",
        """SELECT apply_jobs('[{"job_name": "nightly", "schedule": "@daily"}]')""",
        "Nothing has been changed. docs/jobs.schema.json describes what a document can hold.",
        """SELECT apply_jobs('[{"job_name": "nightly", "schedule": "@daily", "job_command": "SELECT 1"}]')""",
    ),
    "a crontab without a time zone": Case(
        "",
        "SELECT import_crontab('@daily psql -c \"SELECT 1\"' || chr(10), timezone => NULL)",
        "Give a timezone.",
        "SELECT import_crontab('@daily psql -c \"SELECT 1\"' || chr(10), timezone => 'UTC')",
    ),
    "too many jobs of pg_cron": Case(
        "",
        "SELECT import_pg_cron(jobs => (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 10001)))",
        "Import it in pieces, each with a part of its own.",
        following(
            """SELECT import_pg_cron(jobs => '[{"jobid": 1, "schedule": "5 4 * * *", "command": "SELECT 1"}]',
                                     part => 'one', dry_run => false)""".replace("\n", " "),
            """SELECT import_pg_cron(jobs => '[{"jobid": 2, "schedule": "5 4 * * *", "command": "SELECT 1"}]',
                                     part => 'two', dry_run => false)""".replace("\n", " "),
        ),
    ),
    "a report of what is to come": Case(
        "",
        "SELECT report_data('-1 day')",
        "For example report_data('7 days'); what log_max_age has removed is gone.",
        "SELECT report_data('7 days')",
    ),
    "a rule for the change of the clock": Case(
        "",
        "SELECT next_runs('@daily', dst => 'pg_cron')",
        "cron (the default): made up once, run once; skip: not made up, run once; wall: not made up, run twice.",
        "SELECT next_runs('@daily', dst => d) FROM unnest('{cron,skip,wall}'::text[]) d",
    ),
    "due times of no year": Case(
        "",
        "SELECT next_runs('@daily', after => '294000-01-01')",
        "Choose another starts_at or after.",
        "SELECT next_runs('@daily', after => '2027-01-01')",
    ),
    "a long search": Case(
        "",
        "SET LOCAL statement_timeout = '50ms'; SELECT count(*) FROM next_runs('0 0 29 2 1', count => 10000)",
        "Ask for fewer due times, or for a shorter time.",
        "SELECT count(*) FROM next_runs('0 0 29 2 1', count => 1)",
    ),
    "a schedule that pg_cron refuses": Case(
        CRON,
        "superuser: SELECT cron.schedule('kept', '@fortnightly', 'SELECT 1')",
        "Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
        following(
            "superuser: SELECT cron.schedule('kept', '5 4 * * *', 'SELECT 1')",
            "superuser: SELECT cron.schedule('other', '59 seconds', 'SELECT 1')",
        ),
    ),
    "a time zone that is not there": Case(
        "",
        "SELECT next_runs('@daily', 'Mars/Olympus')",
        "Names look like Europe/Berlin or UTC; pg_timezone_names lists them.",
        "SELECT next_runs('@daily', z) FROM unnest('{Europe/Berlin,UTC}'::text[]) z; TABLE pg_timezone_names",
    ),
    "a command that is no SQL": Case(
        "",
        "SELECT define_job('kept', 'SELEC 1')",
        "It is kept as it is, and its runs will fail; update_job() corrects it, try_job() tries it.",
        "SELECT update_job('kept', job_command => 'SELECT 1')",
    ),
    "the owner of each database": Case(
        'ALTER DATABASE <database> OWNER TO "<role>"',
        "SELECT insert_job('SELECT 1', current_catalog, rolname => 'pg_database_owner')",
        "Name the owner of the database itself.",
        "SELECT insert_job('SELECT 1', datname, rolname => pg_get_userbyid(datdba))"
        " FROM pg_database WHERE datname = current_catalog",
    ),
}


SUPERUSER = "superuser: "


@pytest.fixture(scope="module")
def control(cluster: Cluster) -> Iterator[Scheduler]:
    """A control database whose tests are rolled back."""
    scheduler = new_scheduler(cluster)
    yield scheduler
    scheduler.close()


@pytest.fixture(scope="module")
def names(control: Scheduler) -> dict[str, str]:
    """What stands for the names in angle brackets."""
    return {
        "<role>": control.role("app"),
        "<other>": control.role("other"),
        "<database>": f'"{control.dbname}"',
        "<schema>": f'"{SCHEMA}"',
    }


def execute(session: psycopg.Connection[Any], statements: str, role: str) -> None:
    for statement in statements.splitlines():
        by_superuser = statement.startswith(SUPERUSER)
        session.execute("RESET SESSION AUTHORIZATION")
        if not by_superuser:
            session.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
        session.execute(statement.removeprefix(SUPERUSER).encode())
    session.execute("RESET SESSION AUTHORIZATION")


@contextmanager
def hearing(session: psycopg.Connection[Any], hints: list[str | None]) -> Iterator[None]:
    """Notes the hints of notices and warnings."""

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        hints.append(notice.message_hint)

    session.add_notice_handler(hear)
    try:
        yield
    finally:
        session.remove_notice_handler(hear)


@pytest.mark.parametrize("case", HINTS)
def test_the_hint_works(control: Scheduler, names: dict[str, str], case: str) -> None:
    session = control.admin
    with session.transaction(force_rollback=True):

        def put_in(text: str) -> str:
            for name, meant in {**names, "<number>": str(number)}.items():
                text = text.replace(name, meant)
            return text

        number = 0
        session.execute("SET LOCAL jit = off")
        state, call, hint, remedy = HINTS[case]
        execute(session, "\n".join(SUPERUSER + line for line in put_in(state).splitlines()), names["<role>"])
        number = control.value("SELECT max(job_id) FROM member_job")
        heard: list[str | None] = []
        try:
            with hearing(session, heard), session.transaction():
                execute(session, put_in(call), names["<role>"])
        except psycopg.Error as error:
            heard = [error.diag.message_hint]
        assert put_in(hint) in heard
        execute(session, put_in(remedy), names["<role>"])


# --- what the log says of a run ----------------------------------------------------------------


@pytest.fixture(scope="module")
def worker(cluster: Cluster) -> Iterator[Scheduler]:
    scheduler = new_scheduler(cluster)
    scheduler.start()
    yield scheduler
    scheduler.close()


def test_the_hint_of_a_transaction_that_a_run_left_open(worker: Scheduler) -> None:
    assert worker.run("BEGIN; SELECT 1").exception_hint == "End it with COMMIT."
    assert worker.run("BEGIN; SELECT 1; COMMIT").state == "succeeded"


def test_the_hint_of_a_run_that_took_too_long(worker: Scheduler) -> None:
    with worker.gate() as gate:
        job = worker.insert(gate, job_timeout="0.1")
        run = worker.ended(worker.value("SELECT run_job(%s)", job))
        assert run.exception_hint == "A longer job_timeout, or a faster command, lets it end by itself."
        worker.execute("SELECT update_job({}, job_timeout => '1 minute')", sql.Literal(job))
        longer = worker.value("SELECT run_job(%s)", job)
    assert worker.ended(longer).state == "succeeded"
    worker.execute("SELECT update_job({}, job_timeout => '10 seconds', job_command => 'SELECT 1')", sql.Literal(job))
    assert worker.ended(worker.value("SELECT run_job(%s)", job)).state == "succeeded"


def test_the_hint_of_a_run_that_was_cancelled(worker: Scheduler) -> None:
    with worker.gate() as gate:
        job = worker.insert(gate)
        run = worker.value("SELECT run_job(%s)", job)
        until(lambda: worker.log(job), "the run")
        worker.execute("SELECT cancel_job({})", sql.Literal(job))
        ended = worker.ended(run)
        assert (ended.state, ended.exception_hint) == ("cancelled", "run_job() starts it again.")
    assert worker.ended(worker.value("SELECT run_job(%s)", job)).state == "succeeded"


def test_the_hint_of_a_run_of_no_job_that_was_cancelled(worker: Scheduler) -> None:
    """Also of one that has not started: no job has its number."""
    run = worker.value("SELECT run_once('SELECT pg_sleep(1000)')")
    until(lambda: worker.value("SELECT state FROM member_job_log WHERE jl_id = %s", run) == "running", "the run")
    worker.value("SELECT pause_jobs()")
    waiting = worker.value("SELECT run_once('SELECT 1')")
    worker.value("SELECT cancel_run(%s)", run)
    worker.value("SELECT cancel_run(%s)", waiting)
    worker.value("SELECT resume_jobs()")
    for jl_id in (run, waiting):
        ended = worker.ended(jl_id)
        assert (ended.state, ended.exception_hint) == ("cancelled", "run_once() starts it again.")
    job = worker.insert("SELECT 1/0", on_failure_command="SELECT pg_sleep(1000)")
    worker.ended(worker.value("SELECT run_job(%s)", job))
    (failure,) = until(lambda: [run for run in worker.log() if (run.cause, run.state) == ("failure", "running")])
    worker.value("SELECT cancel_run(%s)", failure.jl_id)
    assert worker.ended(failure.jl_id).exception_hint == "run_once() starts it again."


def test_the_hint_of_a_run_that_was_skipped(worker: Scheduler) -> None:
    hint = "Set parallel to true where runs may overlap, or a shorter job_timeout."
    with worker.gate() as gate:
        job = worker.insert(gate, schedule="1 second")
        skipped = until(lambda: [run for run in worker.log(job) if run.state == "skipped"], "a run that is skipped")
        assert {run.exception_hint for run in skipped} == {hint}
        worker.execute("SELECT update_job({}, parallel => true)", sql.Literal(job))
        running = "SELECT count(*) > 1 FROM member_job_log WHERE job_id = %s AND state = 'running'"
        until(lambda: worker.value(running, job), "runs that overlap")
    worker.execute("DELETE FROM member_job")


def test_the_hints_of_runs_that_were_missed(worker: Scheduler) -> None:
    """They had waited for a slot."""
    worker.configure("max_running_jobs = 1")

    def missed(job: int) -> Any:
        return until(lambda: [run for run in worker.log(job) if run.state == "missed"], "what was missed")[0]

    with worker.gate() as gate:
        first = worker.value("SELECT run_once(%s)", gate)
        until(lambda: worker.value("SELECT true FROM member_job_log WHERE jl_id = %s", first), "the slot to be taken")
        late, changed = (worker.insert("SELECT 1", schedule="1 second", start_deadline="0.1") for _ in range(2))
        due = worker.due(changed)
        until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '0.2 seconds'", due), "it to be late")
        worker.execute("SELECT update_job({}, schedule => '@yearly')", sql.Literal(changed))
        assert missed(changed).exception_hint == "run_job() runs the job now."
        worker.configure("max_running_jobs = 4")
        assert worker.ended(worker.value("SELECT run_job(%s)", changed)).state == "succeeded"
        assert missed(late).exception_hint == "More max_running_jobs, or a longer start_deadline, let it run late."
        until(lambda: worker.successes(late), "a run")
    worker.ended(first)
    worker.execute("DELETE FROM member_job")


# --- of the worker and its sessions ------------------------------------------------------------


def refusal(session: psycopg.Connection[Any], call: str) -> str:
    with pytest.raises(psycopg.Error) as refused:
        session.execute(call.encode())
    return refused.value.diag.message_hint or ""


@contextmanager
def being_called(session: psycopg.Connection[Any], call: str) -> Iterator[None]:
    """It goes on for as long as the worker, or the spare, does; the block ends that."""
    caller = threading.Thread(target=session.execute, args=(call.encode(),))
    caller.start()
    try:
        yield
    except BaseException:
        session.cancel()
        raise
    finally:
        caller.join()


def test_the_hints_of_run_worker(scheduler: Scheduler) -> None:
    first, second = scheduler.connect(), scheduler.connect()
    inside = "Call it by itself, neither between BEGIN and COMMIT nor in a function."
    first.execute("BEGIN")
    assert refusal(first, "CALL run_worker()") == inside
    first.execute("ROLLBACK")
    with being_called(first, "CALL run_worker()"):
        until(lambda: scheduler.value("SELECT running FROM worker_status"), "the worker")
        assert scheduler.run("SELECT 1").state == "succeeded"
        hint = refusal(second, "CALL run_worker()")
        assert hint == f'SELECT "{SCHEMA}".stop_worker(); ends it.'
        second.execute(hint.partition(";")[0].encode())
    scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    hint = refusal(second, "CALL run_worker('session')")
    assert hint == f'SELECT "{SCHEMA}".stop_worker(); ends both.'
    second.execute(hint.partition(";")[0].encode())
    there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    until(lambda: not scheduler.value(there, spare), "the spare to end")
    until(lambda: not scheduler.value("SELECT running FROM worker_status"), "the worker to end")


def test_the_hint_of_a_background_worker(scheduler: Scheduler) -> None:
    """Where pg_background cannot start one. Its package is not needed for that: it fails as PostgreSQL lets it fail."""
    extensions = scheduler.cluster.installation.moved(pg_config("--sharedir")) / "extension"
    control, script = extensions / "pg_background.control", extensions / "pg_background--1.0.sql"
    control.write_text("default_version = '1.0'\nrelocatable = true\n")
    script.write_text(
        """CREATE FUNCTION pg_background_launch(text) RETURNS integer LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION 'could not register background process' USING ERRCODE = '53000'; END$$;"""
    )
    try:
        scheduler.execute("CREATE EXTENSION pg_background SCHEMA public")
        with pytest.raises(psycopg.errors.SystemError) as refused:
            scheduler.start()
        assert refused.value.diag.message_hint == (
            "max_worker_processes may be too small; without pg_background the worker runs in a session."
        )
        scheduler.execute("DROP EXTENSION pg_background")
        scheduler.start()
        assert scheduler.run("SELECT 1").state == "succeeded"
    finally:
        control.unlink()
        script.unlink()


def test_the_hint_of_a_runner_that_is_not_asked_for_its_password(scheduler: Scheduler) -> None:
    cluster = scheduler.cluster
    hba = Path(cluster.get_data_directory(), "pg_hba.conf")
    before = hba.read_text()
    with fake_server(relay("127.0.0.1", cluster.port)) as somewhere:
        scheduler.execute(
            f"UPDATE worker_setting SET conninfo = 'host=127.0.0.1 port={somewhere.port} sslmode=disable'"
        )
        try:
            hba.write_text(f'host "{scheduler.dbname}" all all trust\n{before}')
            cluster.command("pg_ctl", "reload", "-D", cluster.get_data_directory())
            scheduler.start()
            hint = until(lambda: scheduler.run("SELECT 1").exception_hint, "the rule to hold")
            assert hint.startswith("Its pg_hba.conf must ask runners for scram-sha-256")
            hba.write_text(f'host "{scheduler.dbname}" all all scram-sha-256\n{before}')
            cluster.command("pg_ctl", "reload", "-D", cluster.get_data_directory())
            until(lambda: scheduler.run("SELECT 1").state == "succeeded", "the rule to hold")
        finally:
            hba.write_text(before)
            cluster.command("pg_ctl", "reload", "-D", cluster.get_data_directory())
            scheduler.stop()
