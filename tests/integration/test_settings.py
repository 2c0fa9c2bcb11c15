"""Settings and parameters of jobs."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler

SHOW = """DO $$BEGIN RAISE NOTICE '% %', current_setting('work_mem'),
                                   nullif(current_setting('app.tenant', true), ''); END$$"""


def test_settings_hold_in_the_run_and_not_in_the_next(worker: Scheduler) -> None:
    role = worker.role()
    app = worker.connect_as(role)
    define = "SELECT job_id FROM insert_job(%s, current_catalog, settings := %s)"
    (job,) = app.execute(define, (SHOW, json.dumps({"work_mem": "7MB", "app.tenant": 7}))).fetchone() or (0,)
    # Trying them has left nothing behind.
    assert app.execute("SHOW work_mem").fetchone() == ("4MB",)
    assert app.execute("SELECT current_user, current_setting('app.tenant', true)").fetchone() in (
        (role, None),
        (role, ""),
    )
    assert worker.ended(app.execute("SELECT run_job(%s)", (job,)).fetchone()[0]).notices == "NOTICE:  7MB 7"  # type: ignore[index]
    assert worker.run(SHOW, rolname=role).notices == "NOTICE:  4MB <NULL>"
    run = app.execute("SELECT run_once(%s, settings := %s)", (SHOW, '{"work_mem": "9MB"}')).fetchone()
    assert worker.ended(run[0]).notices == "NOTICE:  9MB <NULL>"  # type: ignore[index]


def test_a_timeout_of_the_job_itself(worker: Scheduler) -> None:
    run = worker.run("SELECT pg_sleep(1000)", settings='{"statement_timeout": "50ms"}')
    assert (run.state, run.job_sqlstate) == ("failed", "57014")
    assert "statement timeout" in run.exception_message


BAD: dict[str, Any] = {
    "no such value": {"work_mem": "much"},
    "unknown": {"work_memory": "1MB"},
    "of superusers": {"session_replication_role": "replica"},
    "of the server": {"max_connections": 7},
    "role": {"role": "postgres"},
    "Role": {"ROLE": "postgres"},
    "session_authorization": {"session_authorization": "postgres"},
    "client_encoding": {"client_encoding": "LATIN1"},
    "elephant": {"elephant_worker.job_id": "7"},
    "transaction": {"transaction_isolation": "serializable"},
    "null": {"work_mem": None},
    "object": {"work_mem": {}},
    "array": [1],
    "string": "work_mem",
    "number": 7,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings(scheduler: Scheduler, name: str) -> None:
    app = scheduler.connect_as(scheduler.role())
    for call in ("insert_job('SELECT 1', current_catalog, settings := %s)", "run_once('SELECT 1', settings := %s)"):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
            app.execute(f"SELECT {call}", (json.dumps(BAD[name]),))
        assert raised.value.diag.message_detail
        assert raised.value.diag.message_hint
    assert scheduler.value("SELECT count(*) FROM job") == 0


def test_settings_are_those_of_the_role_and_not_of_who_defines_the_job(scheduler: Scheduler) -> None:
    plain = scheduler.role()
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="session_replication_role"):
        scheduler.insert("SELECT 1", rolname=plain, settings='{"session_replication_role": "replica"}')
    scheduler.insert("SELECT 1", settings='{"session_replication_role": "replica"}')
    # A change of the role is tried again.
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="session_replication_role"):
        scheduler.execute("UPDATE member_job SET rolname = {}", sql.Literal(plain))


def test_a_timeout_of_transactions_is_not_that_of_who_defines_the_job(scheduler: Scheduler) -> None:
    """PostgreSQL 17 and later: it would end the session while the settings are tried."""
    app = scheduler.connect_as(scheduler.role())
    others = {f"elephant.of_so_many_settings_{number}": "x" for number in range(1000)}
    settings = json.dumps({"Transaction_Timeout": "1ms", **others})
    if scheduler.value("SELECT current_setting('transaction_timeout', true)") is None:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="Transaction_Timeout"):
            app.execute("SELECT insert_job('SELECT 1', current_catalog, settings := %s)", (settings,))
        return
    app.execute("SELECT insert_job('SELECT 1', current_catalog, settings := %s)", (settings,))
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        app.execute("""SELECT run_once('SELECT 1', settings := '{"transaction_timeout": "soon"}')""")
    assert 'invalid value for parameter "transaction_timeout"' in str(raised.value.diag.message_detail)


def test_for_a_role_that_one_is_a_member_of(worker: Scheduler) -> None:
    team, app = worker.role("team", "NOLOGIN", False), worker.role()
    worker.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(app))
    session = worker.connect_as(app)
    define = 'SELECT job_id FROM insert_job(%s, current_catalog, rolname := %s, settings := \'{"work_mem": "7MB"}\')'
    (job,) = session.execute(define, (SHOW, team)).fetchone() or (0,)
    assert session.execute("SELECT current_user").fetchone() == (app,)
    assert worker.ended(worker.value("SELECT run_job(%s)", job)).notices == "NOTICE:  7MB <NULL>"


def test_a_setting_that_has_become_impossible_fails_the_run(worker: Scheduler) -> None:
    role = worker.role()
    job = worker.insert("SELECT 1", rolname=role, settings='{"work_mem": "7MB"}')
    worker.execute("ALTER TABLE job DISABLE TRIGGER USER")
    worker.execute("UPDATE job SET settings = {}", sql.Literal('{"session_replication_role": "replica"}'))
    worker.execute("ALTER TABLE job ENABLE TRIGGER USER")
    run = worker.ended(worker.value("SELECT run_job(%s)", job))
    assert (run.state, run.job_sqlstate) == ("failed", "42501")
    assert worker.run("SELECT 1", rolname=role).state == "succeeded"


# --- parameters -------------------------------------------------------------------------------


def test_sessions_that_end_with_an_error(worker: Scheduler) -> None:
    role = worker.role()
    worker.execute("ALTER ROLE {} SET exit_on_error = on", sql.Identifier(role))
    for rolname, settings in ((role, None), (None, '{"exit_on_error": "on"}')):
        failed = worker.run("SELECT 1 / 0", rolname=rolname, settings=settings)
        assert (failed.state, failed.job_sqlstate, failed.exception_message) == ("failed", "22012", "division by zero")
        again = worker.insert("SELECT 1", rolname=rolname, settings=settings)
        assert worker.ended(worker.value("SELECT run_job(%s)", again)).state == "succeeded"
        assert worker.value("SELECT state FROM try_job(%s)", failed.job_id) == "failed"
        assert worker.value("SELECT state FROM try_job(%s)", again) == "succeeded"


def test_parameters_are_bound(worker: Scheduler) -> None:
    worker.execute("CREATE TABLE bound (a text, b int, c numeric, d boolean, e jsonb, f text)")
    evil = "'); DROP TABLE bound; --"
    values = [evil, 42, 12345678901234567890.5, True, {"k": [1]}, None]
    literal = json.dumps(values).replace("1.2345678901234567e+19", "12345678901234567890.5")
    run = worker.run("INSERT INTO bound VALUES ($1, $2, $3, $4, $5, $6)", parameters=literal)
    assert (run.state, run.row_count) == ("succeeded", 1), run
    assert worker.execute("SELECT a, b, c::text, d, e, f FROM bound").fetchall() == [
        (evil, 42, "12345678901234567890.5", True, {"k": [1]}, None)
    ]
    once = worker.value("SELECT run_once('DELETE FROM bound WHERE b = $1', parameters := '[42]')")
    assert worker.ended(once).row_count == 1


def test_several_statements_take_no_parameters(worker: Scheduler) -> None:
    run = worker.run("SELECT $1; SELECT 2", parameters="[1]")
    assert (run.state, run.job_sqlstate) == ("failed", "42601")
    assert run.exception_hint == "A command with parameters is one statement."
    run = worker.run("SELECT $1::int, $2::int", parameters="[1]")
    assert run.state == "failed"


def test_a_statement_outside_of_transactions_with_parameters(worker: Scheduler) -> None:
    assert worker.run("VACUUM", parameters="[]").state == "succeeded"


@pytest.mark.parametrize("parameters", ['{"a": 1}', '"a"', "7", json.dumps([1] * 1001)])
def test_bad_parameters(scheduler: Scheduler, parameters: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        scheduler.insert("SELECT 1", parameters=parameters)
    assert raised.value.diag.message_hint
