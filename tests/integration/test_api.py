"""insert_job() and the like, as an ordinary role calls them, and the views as its crontab."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler

App = psycopg.Connection[Any]


@pytest.fixture
def app(scheduler: Scheduler) -> App:
    """A session of an ordinary role with job_scheduler."""
    return scheduler.connect_as(scheduler.role())


def one(connection: App, query: str, *parameters: Any) -> Any:
    row = connection.execute(query, parameters or None).fetchone()
    assert row is not None
    return row


def test_the_calls_of_the_readme(app: App) -> None:
    job = one(app, "SELECT * FROM insert_job('SELECT 1', current_catalog)")
    assert (job.rolname, job.schedule, job.enabled, job.next_run_at) == (app.info.user, None, True, None)
    job = one(
        app,
        """SELECT * FROM insert_job(
               job_command := $$DELETE FROM order_archive WHERE o_closed < now() - interval '2 weeks'$$,
               datname := current_catalog, schedule := '{"@daily"}')""",
    )
    assert job.next_run_at == one(app, "SELECT date_trunc('day', now()) + interval '1 day' AS midnight").midnight
    changed = one(app, "SELECT * FROM update_job(%s, job_description := 'Testing a job scheduler')", job.job_id)
    assert changed == job._replace(job_description="Testing a job scheduler", version=2)
    changed = one(app, "SELECT * FROM update_job(%s, enabled := false)", job.job_id)
    assert (changed.enabled, changed.next_run_at) == (False, None)
    deleted = app.execute("SELECT delete_job(job_id) FROM my_job WHERE job_description = 'Testing a job scheduler'")
    assert deleted.rowcount == 1
    assert one(app, "SELECT count(*) AS n FROM my_job").n == 1


def test_defaults(app: App) -> None:
    app.execute("SET timezone = 'Europe/Berlin'")
    job = one(app, "SELECT * FROM insert_job('SELECT 1', current_catalog)")
    assert job.job_timeout == timedelta(hours=6)
    assert (job.parallel, job.timezone, job.job_description) == (False, "Europe/Berlin", None)
    assert (job.failure_count, job.success_count, job.last_executed) == (0, 0, None)
    assert job.defined_by == app.info.user


def test_the_views_are_a_crontab(app: App) -> None:
    job = one(
        app,
        """INSERT INTO my_job (job_command, datname, schedule)
           VALUES ('SELECT 1', current_catalog, '@yearly') RETURNING *""",
    )
    assert job.rolname == app.info.user
    assert isinstance(job.next_run_at, datetime)
    changed = one(app, "UPDATE my_job SET schedule = '@monthly' WHERE job_id = %s RETURNING *", job.job_id)
    assert changed.next_run_at <= job.next_run_at
    one(app, "UPDATE member_job SET schedule = NULL WHERE job_id = %s RETURNING *", job.job_id)
    assert one(app, "DELETE FROM my_job RETURNING *").next_run_at is None


def test_a_schedule_that_does_not_change_keeps_its_due_time(app: App) -> None:
    job = one(app, "SELECT * FROM insert_job('SELECT 1', current_catalog, '@every 1 hour')")
    changed = one(app, "UPDATE my_job SET schedule = '@every 1 hour', job_command = 'SELECT 2' RETURNING *")
    assert changed.next_run_at == job.next_run_at


def test_jobs_for_roles_that_one_is_a_member_of(scheduler: Scheduler, app: App) -> None:
    team, stranger = scheduler.role("team", "NOLOGIN", False), scheduler.role("stranger")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(app.info.user))
    job = one(app, "SELECT * FROM insert_job('SELECT 1', current_catalog, rolname := %s)", team)
    assert job.rolname == team
    assert app.execute("SELECT * FROM my_job").fetchall() == []
    assert app.execute("SELECT * FROM member_job").fetchall() == [job]
    foreign = scheduler.insert("SELECT 1", rolname=stranger)
    assert app.execute("SELECT * FROM member_job WHERE job_id = %s", (foreign,)).fetchall() == []
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(team), sql.Identifier(app.info.user))
    assert app.execute("SELECT * FROM member_job").fetchall() == []


def test_the_superuser_sees_all(scheduler: Scheduler, app: App) -> None:
    job = one(app, "SELECT * FROM insert_job('SELECT 1', current_catalog)")
    assert scheduler.execute("SELECT * FROM member_job").fetchall() == [job]


BAD = {
    "unknown database": ("insert_job('SELECT 1', 'nowhere')", "3D000", 'database "nowhere" does not exist'),
    "database without connections": ("insert_job('SELECT 1', 'template0')", "3D000", 'database "template0"'),
    "NULL database": ("insert_job('SELECT 1', NULL)", "22004", "datname of a job cannot be NULL"),
    "NULL command": ("insert_job(NULL, current_catalog)", "22004", "job_command of a job cannot be NULL"),
    "NULL role": ("insert_job('SELECT 1', current_catalog, rolname := NULL)", "22004", "rolname of a job"),
    "empty command": (r"insert_job(E' \n\t', current_catalog)", "22023", "job_command cannot be empty"),
    "unknown role": ("insert_job('SELECT 1', current_catalog, rolname := 'nobody')", "42704", 'role "nobody"'),
    "foreign role": ("insert_job('SELECT 1', current_catalog, rolname := 'pg_monitor')", "42501", "may not define"),
    "negative timeout": ("insert_job('SELECT 1', current_catalog, job_timeout := '-1 s')", "22023", "job_timeout"),
    "no timeout": ("insert_job('SELECT 1', current_catalog, job_timeout := '0')", "22023", "job_timeout cannot be"),
    "bad schedule": ("insert_job('SELECT 1', current_catalog, '0 25 * * *')", "22023", 'invalid schedule "0 25 * * *"'),
    "empty schedule": ("insert_job('SELECT 1', current_catalog, '')", "22023", 'invalid schedule ""'),
    "never due": (
        "insert_job('SELECT 1', current_catalog, '0 0 31 2 *')",
        "22023",
        'schedule "0 0 31 2 *" is never due',
    ),
    "past": ("insert_job('SELECT 1', current_catalog, '2001-01-01')", "22023", 'schedule "2001-01-01" is never due'),
    "no start of the server in the window": (
        "insert_job('SELECT 1', current_catalog, '{@reboot,@daily}', ends_at := '2001-01-01')",
        "22023",
        'schedule "{@reboot,@daily}" is never due',
    ),
    "unknown time zone": (
        "insert_job('SELECT 1', current_catalog, '@daily', timezone := 'Mars')",
        "22023",
        "unknown time zone",
    ),
    "unknown job to update": ("update_job(4711, enabled := false)", "P0002", "there is no job 4711"),
    "unknown job to delete": ("delete_job(4711)", "P0002", "there is no job 4711"),
    "unknown job to run": ("run_job(4711)", "P0002", "there is no job 4711"),
    "unknown job to cancel": ("cancel_job(4711)", "P0002", "there is no job 4711"),
    "NULL job": ("run_job(NULL)", "P0002", "there is no job NULL"),
    "NULL schedule to preview": ("next_runs(NULL)", "22004", "does not accept NULL"),
    "bad schedule to preview": ("next_runs('* * * *')", "22023", "invalid schedule"),
    "bad count": ("next_runs('@daily', count := -1)", "22023", "cannot count -1 times"),
    "infinity": ("next_runs('@daily', after := 'infinity')", "22023", "cannot count 5 times after infinity"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_changes_nothing(scheduler: Scheduler, app: App, name: str) -> None:
    call, sqlstate, message = BAD[name]
    with pytest.raises(psycopg.Error) as raised:
        app.execute(f"SELECT * FROM {call}")
    diag = raised.value.diag
    assert (diag.sqlstate, raised.value.sqlstate) == (sqlstate, sqlstate)
    assert message in (diag.message_primary or "")
    assert diag.message_detail
    assert diag.message_hint
    assert "Traceback" not in (diag.context or "")
    assert scheduler.value("SELECT count(*) FROM member_job") == 0


def test_a_foreign_job_is_as_unknown_as_none(scheduler: Scheduler, app: App) -> None:
    job = scheduler.insert("SELECT 1", rolname=scheduler.role("stranger"))
    for call in ("update_job(%s, enabled := false)", "delete_job(%s)", "run_job(%s)", "cancel_job(%s)"):
        with pytest.raises(psycopg.errors.NoDataFound):
            app.execute(f"SELECT {call}", (job,))
    assert scheduler.value("SELECT enabled FROM member_job WHERE job_id = %s", job)
    assert scheduler.value("SELECT count(*) FROM worker_request WHERE kind <> 'define'") == 0


def test_a_job_cannot_be_given_away(scheduler: Scheduler, app: App) -> None:
    stranger = scheduler.role("stranger")
    app.execute("SELECT insert_job('SELECT 1', current_catalog)")
    for statement in (
        "UPDATE my_job SET rolname = %s",
        "UPDATE member_job SET rolname = %s",
        "INSERT INTO my_job (job_command, datname, rolname) VALUES ('SELECT 1', current_catalog, %s)",
        "INSERT INTO member_job (job_command, datname, rolname) VALUES ('SELECT 1', current_catalog, %s)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not define jobs for"):
            app.execute(statement, (stranger,))


REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.GeneratedAlways,
    psycopg.errors.FeatureNotSupported,  # "columns of views that are no columns are not updatable"
)


def test_what_the_worker_keeps_cannot_be_written(app: App) -> None:
    app.execute("SELECT insert_job('SELECT 1', current_catalog)")
    for statement in (
        "UPDATE my_job SET job_id = 7",
        "UPDATE my_job SET success_count = 7",
        "UPDATE my_job SET next_run_at = now()",
        "UPDATE my_job SET defined_by = 'postgres'",
        "INSERT INTO my_job (job_command, datname, defined_by) VALUES ('SELECT 1', current_catalog, 'postgres')",
        "INSERT INTO my_job_log (jl_id, job_id, state) VALUES (1, 1, 'succeeded')",
        "UPDATE my_job_log SET state = 'succeeded'",
        "DELETE FROM member_job_log",
        "INSERT INTO job_request (kind, job_id, requested_by) VALUES ('run', 1, 'postgres')",
        "DELETE FROM job_request",
    ):
        with pytest.raises(REFUSED):
            app.execute(statement)


def test_a_disabled_job_can_be_changed_after_its_database_is_gone(scheduler: Scheduler, app: App) -> None:
    database = scheduler.database()
    app.execute("SELECT insert_job('SELECT 1', %s, '@daily')", (database,))
    scheduler.execute("DROP DATABASE {}", sql.Identifier(database))
    assert one(app, "UPDATE my_job SET enabled = false RETURNING *").enabled is False


def test_next_runs(app: App) -> None:
    runs = app.execute("SELECT next_runs('30 2 * * *', 'Europe/Berlin', '2027-03-27 12:00+01', 3)::text").fetchall()
    assert [row[0] for row in runs] == ["2027-03-28 01:00:00+00", "2027-03-29 00:30:00+00", "2027-03-30 00:30:00+00"]
    assert len(app.execute("SELECT next_runs('@daily')").fetchall()) == 5
    assert app.execute("SELECT next_runs('2001-01-01')").fetchall() == []


def test_without_job_scheduler_there_is_nothing(scheduler: Scheduler) -> None:
    nobody = scheduler.connect_as(scheduler.role("nobody", scheduler=False))
    for statement in ("SELECT * FROM my_job", "SELECT insert_job('SELECT 1', current_catalog)"):
        with pytest.raises((psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction)):
            nobody.execute(statement)
    scheduler.execute("GRANT USAGE ON SCHEMA {} TO PUBLIC", sql.Identifier("Elephant Test"))
    for statement in (
        "SELECT * FROM my_job",
        "SELECT * FROM member_job_log",
        "SELECT insert_job('SELECT 1', current_catalog)",
        "SELECT * FROM worker_status",
        "SELECT next_runs('@daily')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            nobody.execute(statement)


def test_the_monitor_sees_all_and_changes_nothing(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", rolname=scheduler.role())
    monitor = scheduler.connect_as(scheduler.role("monitor", "LOGIN IN ROLE job_monitor", scheduler=False))
    assert [row.job_id for row in monitor.execute("SELECT * FROM all_job")] == [job]
    for query in ("SELECT * FROM all_job_log", "SELECT * FROM worker_status", "SELECT * FROM worker_setting"):
        monitor.execute(query)
    for statement in (
        "UPDATE all_job SET enabled = false",
        "DELETE FROM all_job",
        "SELECT insert_job('SELECT 1', current_catalog)",
        "SELECT run_job(1)",
        "UPDATE worker_setting SET max_running_jobs = 1",
        "SELECT stop_worker()",
        "SELECT start_worker()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            monitor.execute(statement)


def test_the_views_have_a_default_for_the_database(scheduler: Scheduler, app: App) -> None:
    for view in ("my_job", "member_job"):
        job = one(app, f"INSERT INTO {view} (job_command) VALUES ('SELECT 1') RETURNING *")
        assert job.datname == scheduler.dbname


def test_update_job_says_how_to_set_something_to_null(scheduler: Scheduler, app: App) -> None:
    job = one(app, "SELECT * FROM insert_job('SELECT 1', current_catalog, '@daily', job_name := 'nightly')")
    said: list[tuple[str | None, str]] = []

    def note(diag: psycopg.errors.Diagnostic) -> None:
        if not (diag.message_primary or "").startswith("nothing is run at present"):  # no worker is there
            said.append((diag.severity, diag.message_hint or ""))

    app.add_notice_handler(note)
    for call in (f"update_job({job.job_id}, schedule := NULL)", "update_job('nightly', schedule := NULL)"):
        said.clear()
        app.execute(f"SELECT {call}")
        assert [severity for severity, _ in said] == ["NOTICE"]
        remedy = said[0][1].removeprefix("To set one to NULL: ")
    app.execute(remedy.encode())
    assert one(app, "SELECT schedule FROM my_job").schedule is None
    said.clear()
    app.execute("SELECT update_job('nightly', enabled := false, schedule := NULL)")
    assert said == []
