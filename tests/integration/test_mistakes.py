"""What people get wrong at first: the error names what was probably meant, and that works."""

from __future__ import annotations

import re

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

CALLS = {
    "pg_cron's order": (
        "insert_job('nightly', '* * * * *', 'SELECT 1')",
        "insert_job('SELECT 1', current_catalog, '* * * * *', job_name => 'nightly')",
    ),
    "pg_cron's order, a nickname": (
        "insert_job('it''s', '@every 5 minutes', 'VACUUM')",
        "insert_job('VACUUM', current_catalog, '@every 5 minutes', job_name => 'it''s')",
    ),
    "no database": (
        "insert_job('SELECT 1', '*/5 * * * 1-5')",
        "insert_job('SELECT 1', current_catalog, '*/5 * * * 1-5')",
    ),
    "an interval": ("insert_job('SELECT 1', '30 seconds')", "insert_job('SELECT 1', current_catalog, '30 seconds')"),
    "the schedule first": (
        "insert_job('0 3 * * *', 'SELECT 1')",
        "insert_job('SELECT 1', current_catalog, '0 3 * * *')",
    ),
    "the database last": (
        "insert_job('SELECT 1', '0 0 1 1 *', 'postgres')",
        "insert_job('SELECT 1', 'postgres', '0 0 1 1 *')",
    ),
    "the database first": (
        "insert_job('postgres', 'SELECT 1', '@daily')",
        "insert_job('SELECT 1', 'postgres', '@daily')",
    ),
    "the schedule first, defined": (
        "define_job('nightly', '0 3 * * *', 'SELECT 1')",
        "define_job('nightly', 'SELECT 1', schedule => '0 3 * * *')",
    ),
}


@pytest.mark.parametrize("mistake", CALLS)
def test_arguments_in_another_order(scheduler: Scheduler, mistake: str) -> None:
    call, meant = CALLS[mistake]
    with pytest.raises(psycopg.errors.InvalidCatalogName) as raised:
        scheduler.execute(f"SELECT {call}")
    assert raised.value.diag.message_hint == f"Did you mean {meant}? The order is command, database, schedule."
    assert scheduler.value(f"SELECT job_id FROM {meant}") > 0


@pytest.mark.parametrize(
    ("command", "hint"),
    {
        "no_such_function();": "Did you mean SELECT no_such_function() or CALL no_such_function()?",
        "app.refresh(1, 'all')": "Did you mean SELECT app.refresh(1, 'all') or CALL app.refresh(1, 'all')?",
        "\\copy t TO 't.csv'": "Commands that begin with a backslash are psql's, not the server's.",
        'psql -c "SELECT 1"': "Jobs are SQL, not programs.",
        "/usr/bin/backup --all": "Jobs are SQL, not programs.",
        "SELEC 1": "",
        "f(1)\n(2)": "",
    }.items(),
)
def test_what_is_not_sql(scheduler: Scheduler, command: str, hint: str) -> None:
    hints: list[str] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            hints.append(notice.message_hint or "")

    scheduler.admin.add_notice_handler(hear)
    try:
        scheduler.value("SELECT job_id FROM insert_job(%s, current_catalog)", command)
    finally:
        scheduler.admin.remove_notice_handler(hear)
    assert [said.partition("It is kept")[0].strip() for said in hints] == [hint]


@pytest.mark.parametrize(
    "command", ["", " \n\t", ";", " ;\n; ", "-- tomorrow", "-- a\r/* b */;", "/* a /* SELECT 1; */ b */", "/* SELECT 1"]
)
def test_a_command_without_a_statement(scheduler: Scheduler, command: str) -> None:
    """It would succeed each time, and do nothing."""
    session = scheduler.connect_as(scheduler.role())
    session.execute("SELECT insert_job('SELECT 1', current_catalog, job_name => 'kept')")
    comments = ": it has only comments and semicolons" if command.strip() else ""
    asked_for = "command" if comments else "job_command"
    for attribute, call in (
        ("job_command", "SELECT insert_job(%s, current_catalog)"),
        ("job_command", "SELECT define_job('kept', %s)"),
        ("job_command", "SELECT update_job('kept', job_command => %s)"),
        ("job_command", "INSERT INTO my_job (job_command) VALUES (%s)"),
        ("job_command", "UPDATE my_job SET job_command = %s"),
        ("on_failure_command", "UPDATE my_job SET on_failure_command = %s"),
        (asked_for, "SELECT run_once(%s)"),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
            session.execute(call, (command,))
        said = raised.value.diag
        assert said.message_primary == f"{attribute} cannot be empty"
        assert said.message_detail == f"There is nothing to run{comments}."
    assert session.execute("SELECT job_command, version FROM my_job").fetchall() == [("SELECT 1", 1)]
    # Version 1.0.0 took comments, and jobs that have such a command can be restored and changed.
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL session_replication_role = replica")
        scheduler.execute("UPDATE job SET job_command = {}", sql.Literal(command if comments else ";"))
    session.execute("SELECT update_job('kept', enabled => false)")
    session.execute("SELECT update_job('kept', job_command => '-- a' || chr(10) || 'VACUUM')")


@pytest.mark.parametrize(
    ("call", "sqlstate", "hint"),
    [
        ("insert_job(NULL, current_catalog)", "22004", "Give one or more SQL statements."),
        ("insert_job('SELECT 1', NULL)", "22004", "Name a database; current_catalog is this one."),
        ("insert_job('SELECT 1', current_catalog, 60)", "22023", "60 seconds"),
        ("insert_job('SELECT 1', current_catalog, time '04:30')", "22023", "30 4 * * *"),
        ("next_runs(300)", "22023", "300 seconds"),
        ("run_once(NULL)", "22004", "Give one or more SQL statements"),
        ("run_once('VACUUM', NULL)", "22004", "leave the other two out"),
        ("run_once('VACUUM', rolname => NULL)", "22004", "leave the other two out"),
    ],
)
def test_the_hint_can_be_followed(scheduler: Scheduler, call: str, sqlstate: str, hint: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        scheduler.execute(f"SELECT {call}")
    assert raised.value.sqlstate == sqlstate
    assert hint in (raised.value.diag.message_hint or "")


def test_one_job_to_run_after(scheduler: Scheduler) -> None:
    """By its number, of whatever type that is, or by its name."""
    first = scheduler.insert("SELECT 1", job_name="first")
    for given in (f"{first}", f"{first}::bigint", f"{first}::smallint", f"ARRAY[{first}]", "'first'", f"'{first}'"):
        call = f"SELECT run_after FROM insert_job('SELECT 1', current_catalog, run_after => {given})"
        assert scheduler.value(call) == [first]


def test_names_in_another_case(scheduler: Scheduler) -> None:
    role, database = scheduler.role("app"), scheduler.database("shop")
    session = scheduler.connect_as(role)
    for arguments, meant in (
        (f"'{database.upper()}', '@daily'", database),
        (f"'{database}', '@daily', rolname => '{role.upper()}'", role),
    ):
        with pytest.raises(psycopg.Error, match="does not exist") as raised:
            session.execute(f"SELECT insert_job('SELECT 1', {arguments})".encode())
        assert raised.value.diag.message_hint == f"Did you mean '{meant}'? Case matters in a quoted name."
    session.execute("SELECT insert_job('SELECT 1', %s, job_name => 'Nightly')", (database,))
    for call in ("run_job('nightly')", "update_job('NIGHTLY', enabled => false)", "delete_job('nightly')"):
        with pytest.raises(psycopg.errors.NoDataFound) as raised:
            session.execute(f"SELECT {call}".encode())
        assert raised.value.diag.message_hint == "Did you mean 'Nightly'? Case matters."
    # Jobs of others are not told of.
    stranger = scheduler.connect_as(scheduler.role("stranger"))
    with pytest.raises(psycopg.errors.NoDataFound, match="no job named") as raised:
        stranger.execute("SELECT run_job('nightly')")
    assert "Nightly" not in (raised.value.diag.message_hint or "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("x" * 101, "It has 101 characters. Shorten it, and put the rest into job_description."),
        ("12", "Functions accept the number or the name of a job. Put a letter into it: 'job 12'."),
        ("", "Leave job_name out for a job without a name."),
        (" \n", "Leave job_name out for a job without a name."),
        (" blank ", "Write 'blank'."),
        ("two\nlines", "Write 'two lines'."),
        ("a\x1b[31m\ttab", "Write 'a [31m tab'."),
    ],
)
def test_names_that_are_refused(scheduler: Scheduler, name: str, hint: str) -> None:
    with pytest.raises(psycopg.errors.InvalidName) as raised:
        scheduler.execute("SELECT 1").connection.execute(
            "SELECT insert_job('SELECT 1', current_catalog, job_name => %s)", (name,)
        )
    assert raised.value.diag.message_hint == hint
    suggested = re.search(r"'(.*)'", hint)
    if suggested:
        scheduler.insert("SELECT 1", job_name=suggested[1])


def test_zones_by_their_abbreviations(scheduler: Scheduler) -> None:
    for zone, meant in {"CEST": "Europe/Berlin", "pdt": "America/Los_Angeles", "Berlin": "Europe/Berlin"}.items():
        with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
            scheduler.insert("SELECT 1", schedule="@daily", timezone=zone)
        assert (raised.value.diag.message_hint or "").startswith(f"Did you mean {meant}?")
        scheduler.insert("SELECT 1", schedule="@daily", timezone=meant)


def test_a_zone_of_a_day(worker: Scheduler) -> None:
    """Nobody's zone makes check_setup() fail for all: Python reads it, and fails when summer comes."""
    app = worker.connect_as(worker.role())
    for zone in ("AAA24", "AAA-23BBB", "AAA-22BBB-24,J100/2,J200/2", "right/Europe/Berlin"):
        for schedule in ("@daily", "0 0 15 6 *", None):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown time zone"):
                app.execute("SELECT insert_job('SELECT 1', current_catalog, %s, timezone => %s)", (schedule, zone))
    # As it may have been defined with earlier versions.
    job = worker.insert("SELECT 1", schedule="@daily")
    with worker.admin.transaction():
        worker.execute("SET LOCAL session_replication_role = replica")
        worker.execute(f"UPDATE job SET timezone = 'AAA-23BBB' WHERE job_id = {job}")
    assert worker.value("SELECT state FROM check_setup() WHERE check_name = 'time zones'") == "error"


def test_zones_of_jobs_without_a_schedule(scheduler: Scheduler) -> None:
    """They are refused too, but not where nobody has chosen them."""
    for zone in ("Berlin", "+02"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown time zone"):
            scheduler.insert("SELECT 1", timezone=zone)
    job = scheduler.insert("SELECT 1", timezone="europe/berlin")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown time zone"):
        scheduler.execute(f"SELECT update_job({job}, timezone => 'Nowhere/City')")
    # As dumps of earlier versions may have it; the server takes it for one.
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL session_replication_role = replica")
        scheduler.execute(f"UPDATE job SET timezone = '+02' WHERE job_id = {job}")
    for enabled in ("false", "true"):
        scheduler.execute(f"UPDATE member_job SET enabled = {enabled} WHERE job_id = {job}")
    assert scheduler.value("SELECT state FROM check_setup() WHERE check_name = 'time zones'") == "ok"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown time zone"):
        scheduler.execute(f"SELECT update_job({job}, schedule => '@daily')")


def test_an_interval_without_its_unit(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1", schedule="@yearly")
    notices: list[str] = []
    scheduler.admin.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    assert scheduler.execute("SELECT * FROM upcoming_runs('12')").fetchall() == []
    assert notices == ["upcoming_runs() has looked ahead 12 seconds only"]
    scheduler.execute("SELECT * FROM upcoming_runs('12 hours')")
    assert len(notices) == 1


def test_what_kind_of_run_it_was(scheduler: Scheduler) -> None:
    """Trials are marked, runs can be asked for by job, a quarantined job is called so."""
    scheduler.start()
    job = scheduler.insert("SELECT 1", job_name="tried")
    other = scheduler.insert("SELECT 1/0", job_name="other")
    scheduler.execute("SELECT try_job('tried'); SELECT try_job('other')")
    scheduler.ended(scheduler.value("SELECT run_job('tried')"))
    trials = scheduler.execute("SELECT job, state, message FROM recent_runs WHERE message LIKE 'trial%'").fetchall()
    assert [tuple(row) for row in trials] == [
        ("SELECT 1/0", "failed", "trial, rolled back: division by zero"),
        ("SELECT 1", "succeeded", "trial, rolled back"),
    ]
    runs = scheduler.execute("SELECT job, state, message FROM recent_runs(of_job => 'tried')").fetchall()
    assert [tuple(row) for row in runs] == [("tried", "succeeded", None)]
    assert scheduler.execute("SELECT * FROM recent_runs(of_job => {})", sql.Literal(str(other))).fetchall() == []
    assert scheduler.execute("SELECT * FROM recent_runs(of_job => 'nothing')").fetchall() == []
    # By the name that a job had, also when it is gone.
    scheduler.execute("SELECT update_job('tried', job_name => 'renamed')")
    assert scheduler.value("SELECT count(*) FROM recent_runs(of_job => 'tried')") == 1
    scheduler.execute("SELECT delete_job('renamed')")
    assert scheduler.value("SELECT count(*) FROM recent_runs(of_job => %s)", str(job)) == 1
    database = scheduler.database("gone")
    lost = scheduler.insert("SELECT 1", database, job_name="lost")
    scheduler.execute(f'DROP DATABASE "{database}"')
    scheduler.execute("SELECT run_job('lost')")
    status = "SELECT status FROM job_overview WHERE job_id = %s"
    until(lambda: scheduler.value(status, lost) == "quarantined", "the quarantine")


def test_failing_jobs_are_those_whose_schedule_is_followed(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT 1/0", schedule="@yearly")
    scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
    failing = "SELECT value FROM metric WHERE name = 'elephant_worker_failing_jobs'"
    until(lambda: scheduler.value(failing) == 1, "the count")
    scheduler.execute(f"SELECT update_job({job}, enabled => false)")
    assert scheduler.value(failing) == 0
