"""What functions and views answer does not depend on the settings of the session."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT
from harness.scheduler import INTERNAL, SCHEMA, Scheduler
from harness.settings import settable
from harness.waiting import until

# Settings of the context user that change how text is read or written, statements are planned, transactions begin.
# Those of a line are set together: what they do does not overlap.
SETTINGS = [
    ("DateStyle = 'SQL, DMY'", "IntervalStyle = iso_8601", "standard_conforming_strings = off", "array_nulls = off"),
    (
        "DateStyle = 'German, YMD'",
        "IntervalStyle = sql_standard",
        "backslash_quote = off",
        "quote_all_identifiers = on",
    ),
    (
        "DateStyle = 'Postgres, MDY'",
        "IntervalStyle = postgres_verbose",
        "transform_null_equals = on",
        "xmlbinary = hex",
    ),
    ("extra_float_digits = -15", "bytea_output = escape", "escape_string_warning = off", "xmloption = document"),
    ("timezone_abbreviations = 'Australia'", "default_text_search_config = 'pg_catalog.simple'", "row_security = off"),
    ("lc_numeric = 'C'", "lc_time = 'C'", "lc_messages = 'C'", "lc_monetary = 'C'", "check_function_bodies = off"),
    (
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_sort = off",
        "join_collapse_limit = 1",
        "work_mem = '64kB'",
    ),
    ("enable_indexscan = off", "enable_bitmapscan = off", "enable_mergejoin = off", "enable_material = off"),
    ("enable_nestloop = off", "enable_memoize = off", "from_collapse_limit = 1", "constraint_exclusion = on"),
    ("plan_cache_mode = force_generic_plan", "geqo_threshold = 2", "cpu_operator_cost = 0", "random_page_cost = 0"),
    (
        "plan_cache_mode = force_custom_plan",
        "parallel_setup_cost = 0",
        "parallel_tuple_cost = 0",
        "jit = on",
        "jit_above_cost = 0",
    ),
    ("default_transaction_isolation = serializable", "default_transaction_deferrable = on", "synchronous_commit = off"),
    (
        "default_transaction_isolation = 'repeatable read'",
        "statement_timeout = '1h'",
        "lock_timeout = '1h'",
        "exit_on_error = on",
    ),
]
# The settings of these kinds are also set as pg_settings says that they can be, whatever the version has: all switches
# the other way, all numbers of the planner as low as they go, its costs as high, all words the first and the last one.
KINDS = "^(Query Tuning|Version and Platform|Client Connection Defaults / (Locale|Statement))"
GENERATED = (
    "SELECT name, CASE setting WHEN 'on' THEN 'off' ELSE 'on' END AS value FROM pg_settings WHERE vartype = 'bool'",
    "SELECT name, min_val AS value FROM pg_settings WHERE category ~ '^Query' AND vartype IN ('integer', 'real')",
    "SELECT name, max_val AS value FROM pg_settings WHERE category ~ 'Cost Constants'",
    "SELECT name, enumvals[1] AS value FROM pg_settings WHERE vartype = 'enum'",
    "SELECT name, enumvals[cardinality(enumvals)] AS value FROM pg_settings WHERE vartype = 'enum'",
)
# Those that functions must obey, as where nothing can be written, and those that change neither text nor plans.
OBEYED = (
    "^(transaction_|default_transaction_|vacuum_|gin_|default_table|default_toast|temp_table|client_|restrict_nonsystem"
    "|search_path|TimeZone$|create.*_grant|event_triggers|.*_timeout$)"
)
SCHEDULES = (
    "'30 2 * * *'", "'{\"0 9 * * 1-5\",5 minutes}'", "interval '90 minutes'", "timestamptz '2999-01-02 03:04:05.25+00'",
    "date '2999-02-01'", "'H H * * *'", "'@daily # x'", "'1 day 02:00:00'",
)  # fmt: skip
QUESTIONS = [
    *(f"SELECT * FROM next_runs({schedule}, 'Europe/Berlin', '2027-03-27 12:00+01', 3)" for schedule in SCHEDULES),
    *(f"SELECT describe_schedule({schedule}, 'Europe/Berlin')" for schedule in SCHEDULES),
    *(f"SELECT schedule FROM insert_job('SELECT 1', current_catalog, {schedule})" for schedule in SCHEDULES),
    """SELECT job_name, job_command, job_timeout, settings, parameters, retry_on, run_after, starts_at
       FROM insert_job('SELECT $1', current_catalog, '@daily', job_name := 'tick tock', job_timeout := '1 day 2 hours',
                       settings := '{"work_mem": "64MB"}', parameters := '["x"]', run_after := ARRAY[1],
                       retry_on := '{error,lost}', timezone := 'Europe/Berlin',
                       starts_at := '2999-03-04 05:06:07+00')""",
    "SELECT job_name FROM insert_job('this is no SQL', current_catalog, job_name := 'of words')",
    """SELECT settings FROM insert_job('SELECT 1', current_catalog,
       settings := '{"exit_on_error": "on", "work_mem": "1MB"}')""",
    "SELECT job_id, schedule FROM update_job('named', schedule := '@hourly', job_description := 'it''s')",
    "SELECT job_id FROM delete_job('named')",
    "SELECT export_jobs()",
    "SELECT export_jobs('sql')",
    """SELECT * FROM apply_jobs('[{"job_name": "named", "job_command": "SELECT 3", "schedule": "0 9 * * *",
       "job_timeout": "1 day 2 hours", "starts_at": "2999-03-04 05:06:07+00"}]', dry_run := true)""",
    "SELECT run_job('named') > 0 AS a, run_job(1) > 0 AS b, cancel_job(1) AS c, cancel_job('named') AS d",
    "SELECT run_once('SELECT 1') > 0 AS a",
    "SELECT confirm_copy()::text AS a",
    "SELECT confirm_role(current_user)::text AS a",
    "SELECT find_job('named')",
    "SELECT cancel_run((SELECT jl_id FROM run_once('SELECT 1') jl_id))",
    "SELECT scheduled_at, job_id, due_together FROM upcoming_runs('40 days')",
    "SELECT check_name, state, found, remedy FROM check_setup()",
    "SELECT pause_jobs(), resume_jobs()",
    """SELECT * FROM import_pg_cron(jobs := '[{"jobname": "tick tock", "schedule": "0 2 1-7 * 1", "command": "SELECT 1",
       "database": "postgres", "username": "postgres", "active": true}]')""",
    """SELECT * FROM import_crontab($x$*/5 1-3 * * * psql -d postgres -c "SELECT '\\x'"
       0 1 * * * psql -d postgres -f /no/such/file
       61 1 * * * psql -d postgres -c "SELECT 1"$x$, timezone := 'UTC')""",
    """SELECT * FROM import_pgagent(timezone := 'UTC', jobs := jsonb_build_object('pga_exception', '[]'::jsonb,
       'pga_job', '[{"jobid": 1, "jobname": "tick"}]'::jsonb, 'pga_schedule', jsonb_build_array(jsonb_build_object(
           'jscid', 1, 'jscjobid', 1, 'jscstart', '2999-01-02'::timestamptz, 'jscminutes', array_fill(true, '{60}'),
           'jschours', array_fill(false, '{24}'), 'jscmonths', array_fill(true, '{12}'),
           'jscweekdays', array_fill(false, '{7}'), 'jscmonthdays', array_fill(false, '{32}'))),
       'pga_jobstep', '[{"jstid": 1, "jstjobid": 1, "jstkind": "s", "jstcode": "SELECT", "jstdbname": ""}]'::jsonb))""",
    """SELECT * FROM import_pg_timetable(timezone := 'UTC', chains := '{"chain": [{"chain_id": 1, "chain_name": "tick",
       "run_at": "@every 1 day 02:00:00"}], "task": [{"task_id": 1, "chain_id": 1, "command": "SELECT"}],
       "parameter": []}')""",
    "SELECT mark_delivered(ARRAY[4711], 'mail')",
    "SELECT claim_receiver('mail', 'forwarder 1', '15 seconds')",
    "SELECT report_data() - '{made_at,since,ran,coming}'::text[] AS document",
    "SELECT substr(report_html('7 days'), 1, 2000) AS beginning",
    "SELECT job_id, schedule FROM define_job('named', 'SELECT 2', current_catalog, interval '90 minutes')",
]
# What these do depends on the worker, or is done by other tests.
LEFT_OUT = {"start_worker", "stop_worker", "restart_worker", "try_job", "wait_for_run"}

# What changes how JSON shows values: it is set back to read the answer.
OUTPUT = ("IntervalStyle", "extra_float_digits")


def answers(scheduler: Scheduler, questions: list[str], settings: tuple[str, ...]) -> list[Any]:
    """What a session with the settings is told; of what it has changed nothing remains."""
    found: list[Any] = []
    with scheduler.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        session.execute("SET jit = off")  # it would take most of the time wherever a switch makes plans look costly
        for setting in settable(session, settings):
            session.execute(f"SET {setting}")
        session.execute("SELECT set_config('search_path', %s, false)", (f'"{SCHEMA}", {INTERNAL}',))
        is_shown = not any(setting.startswith(OUTPUT) for setting in settings)
        for number, question in enumerate(questions):
            try:
                session.execute("BEGIN")
                if not is_shown:
                    session.execute(f"CREATE TEMP TABLE answer_{number} AS {question}")
                    session.execute("SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 1")
                    question = f"TABLE answer_{number}"  # noqa: PLW2901
                rows = session.execute(f"SELECT row_to_json(whole)::text FROM ({question}) whole").fetchall()
                # When an interval that begins now is due next is another moment each time.
                found.append(sorted(re.sub(r"next on [^;\"]*", "next on …", row[0]) for row in rows))
            except psycopg.Error as error:
                found.append([json.dumps({"error": f"{error.sqlstate} {error.diag.message_primary}"})])
            finally:
                session.execute("ROLLBACK")
    return found


def kept(answer: list[str], compared: set[str]) -> list[dict[str, Any]]:
    return [{name: value for name, value in json.loads(row).items() if name in compared} for row in answer]


@pytest.fixture
def questions(scheduler: Scheduler) -> list[str]:
    scheduler.insert("SELECT 1", schedule="0 3 * * *", timezone="Europe/Berlin")
    scheduler.insert("SELECT 2", job_name="named", schedule="{2 hours,3 hours}", starts_at="2027-01-01 00:00+00")
    views = scheduler.execute(
        """SELECT c.relname FROM pg_class c WHERE c.relkind = 'v'
           AND c.relnamespace IN ((SELECT relnamespace FROM pg_class WHERE oid = 'job'::regclass),
                  'elephant_worker_internal'::regnamespace) ORDER BY 1"""
    ).fetchall()
    return QUESTIONS + [f"SELECT * FROM {row.relname}" for row in views if row.relname != "dry_run"]


def test_every_function_is_asked(questions: list[str]) -> None:
    for path in (ROOT / "sql/api").glob("*.sql"):
        assert path.stem in LEFT_OUT or any(f"{path.stem}(" in question for question in questions), path.stem


def generated(scheduler: Scheduler) -> list[dict[str, str]]:
    """The settings of each group, and what they are set to."""
    kinds = f" AND context = 'user' AND category ~ '{KINDS}' AND name !~ '{OBEYED}'"
    groups = [scheduler.admin.execute((query + kinds).encode()).fetchall() for query in GENERATED]
    return [{row.name: row.value for row in rows} for rows in groups]


def test_every_setting_is_tried(scheduler: Scheduler) -> None:
    by_hand = {setting.partition(" = ")[0] for group in SETTINGS for setting in group}
    tried = by_hand.union(*generated(scheduler))
    query = f"SELECT name FROM pg_settings WHERE context = 'user' AND category ~ '{KINDS}' AND name !~ '{OBEYED}'"
    names = {row.name for row in scheduler.admin.execute(query.encode()).fetchall()}
    assert len(names) > 40
    assert names - tried == set()


@pytest.mark.slow
def test_the_answers_are_the_same(scheduler: Scheduler, questions: list[str]) -> None:
    wanted = answers(scheduler, questions, ())
    again = answers(scheduler, questions, ())
    # What is another one each time: numbers, moments.
    compared = [
        {name for name, value in json.loads(one[0]).items() if json.loads(two[0]).get(name, ...) == value}
        if one
        else set()
        for one, two in zip(wanted, again, strict=True)
    ]
    refused = [
        (question, one)
        for question, one in zip(questions, wanted, strict=True)
        if one and one[0].startswith('{"error": ')
    ]
    assert not refused, refused
    different = []
    groups = [tuple(f"{name} = '{value}'" for name, value in group.items()) for group in generated(scheduler)]
    for settings in [*SETTINGS, *groups]:
        found = answers(scheduler, questions, settings)
        different += [
            (settings, question, kept(one, names)[:3], kept(two, names)[:3])
            for question, one, two, names in zip(questions, wanted, found, compared, strict=True)
            if kept(one, names) != kept(two, names)
        ]
    assert not different, "\n".join(map(str, different[:10]))


def test_starts_and_trials(scheduler: Scheduler) -> None:
    """Also where the sessions that these open for themselves begin with other settings than the caller's."""
    defaults = (
        "DateStyle = 'SQL, DMY'",
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "standard_conforming_strings = off",
        "IntervalStyle = iso_8601",
        "array_nulls = off",
    )
    for setting in settable(scheduler.admin, defaults):
        scheduler.execute("ALTER DATABASE {} SET " + setting, sql.Identifier(scheduler.dbname))
    role = scheduler.role()
    scheduler.execute("ALTER ROLE {} SET DateStyle = 'ISO, MDY'", sql.Identifier(role))
    job = scheduler.insert(
        "SELECT $1::timestamptz FROM generate_series(1, 3)",
        rolname=role,
        parameters='["2001-02-03"]',
    )
    for settings in [(), *SETTINGS]:
        with scheduler.connect() as session:
            for setting in settable(session, settings):
                session.execute(f"SET {setting}")
            session.execute("SELECT set_config('search_path', %s, false)", (f'"{SCHEMA}", {INTERNAL}',))
            assert session.execute("SELECT start_worker() > 0").fetchone() == (True,)
            trial = session.execute(
                "SELECT state, row_count, duration < '1 minute' FROM try_job(%s)", (job,)
            ).fetchone()
            assert trial == ("succeeded", 3, True), settings
    scheduler.stop()


def test_a_session_that_is_taken_for_a_subscription(worker: Scheduler) -> None:
    """As whoever loads data may have made it: what it asks the worker for is not lost without a word."""
    job, other = worker.insert("SELECT pg_sleep(600)"), worker.insert("SELECT 1")
    run = worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.log(job), "the job to run")
    worker.execute("SET session_replication_role = replica")
    calls = (
        f"run_job({job})",
        f"cancel_job({job})",
        f"cancel_run({run})",
        "pause_jobs()",
        "resume_jobs()",
        "stop_worker()",
        f"try_job({other})",
    )
    for call in (*calls, "run_once('SELECT 1')"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not hear"):
            worker.execute(f"SELECT {call}")
    # A trigger that fires there asks on behalf of this cluster.
    worker.execute(
        f"""CREATE TABLE brought (x int);
           CREATE FUNCTION refresh() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN PERFORM run_job({other}); RETURN NULL; END$$;
           CREATE TRIGGER refresh AFTER INSERT ON brought FOR EACH ROW EXECUTE FUNCTION refresh();
           ALTER TABLE brought ENABLE ALWAYS TRIGGER refresh"""
    )
    worker.execute("INSERT INTO brought VALUES (1)")
    worker.execute("SET session_replication_role = origin")
    until(lambda: worker.successes(other), "what the trigger asks for")
    assert worker.value("SELECT cancel_job(%s)", job) == 1


def test_settings_of_the_database_that_would_stop_the_worker(scheduler: Scheduler) -> None:
    """Its own sessions begin with others."""
    hostile = ["exit_on_error = on", "session_replication_role = replica", "restrict_nonsystem_relation_kind = 'view'"]
    if not scheduler.value("SELECT count(*) FROM pg_settings WHERE name = %s", "restrict_nonsystem_relation_kind"):
        del hostile[-1]
    for setting in hostile:
        scheduler.execute("ALTER DATABASE {} SET " + setting, sql.Identifier(scheduler.dbname))
    job = scheduler.insert("SELECT 1", schedule="1 second")
    pid = scheduler.start()
    until(lambda: scheduler.successes(job) >= 2, "the job to run")
    # An error that it catches is none that ends it.
    before = len(scheduler.cluster.log)
    with scheduler.admin.transaction():
        scheduler.execute("LOCK TABLE job_log IN ACCESS EXCLUSIVE MODE")
        until(lambda: "LockNotAvailable" in scheduler.cluster.log[before:], "the worker to wait for the lock in vain")
    seen = scheduler.successes(job)
    until(lambda: scheduler.successes(job) > seen, "the job to go on")
    scheduler.execute("SELECT update_job({}, job_command := 'SELECT generate_series(1, 2)')", sql.Literal(job))
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).row_count == 2
    assert scheduler.value("SELECT pid FROM worker_status") == pid
