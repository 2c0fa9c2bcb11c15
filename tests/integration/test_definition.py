"""What people and drivers give when they define a job: types, slips, and what is said of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from harness.scheduler import Scheduler
from harness.settings import settable

SOON = "date_trunc('second', now()) + interval '1 hour'"
# What stands for the schedule in a call, and what it becomes.
LITERALS = {
    "'@daily'": "@daily",
    "'{\"@daily\"}'": '{"@daily"}',
    "NULL": None,
    "'@daily'::text": "@daily",
    "'@daily'::varchar(20)": "@daily",
    "'@' || 'daily'": "@daily",
    "ARRAY['@daily', '0 9 * * 1-5']": '{@daily,"0 9 * * 1-5"}',
    "ARRAY['@daily'::varchar]": "{@daily}",
    "interval '5 minutes'": "5 minutes",
    "interval '1 day 01:01:01'": "1 day 1 hour 1 minute 1 second",
    "interval '90 days'": "90 days",
    "timestamptz '2999-01-02 03:04:05.25+00'": "2999-01-02 03:04:05.250000+00:00",
    "timestamp '2999-01-02 03:04:05'": "2999-01-02 03:04:05",
    "date '2999-01-02'": "2999-01-02",
}


@pytest.mark.parametrize("literal", LITERALS)
def test_types_of_a_schedule(scheduler: Scheduler, literal: str) -> None:
    for settings in (
        "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = postgres",
        "SET DateStyle = 'SQL, DMY'; SET IntervalStyle = iso_8601",
        "SET DateStyle = 'German'; SET IntervalStyle = postgres_verbose",
        "SET DateStyle = 'Postgres'; SET IntervalStyle = sql_standard",
    ):
        scheduler.execute(settings)
        job = scheduler.value(f"SELECT job_id FROM insert_job('SELECT 1', 'postgres', {literal})")
        stored = "SELECT schedule FROM member_job WHERE job_id = %s"
        assert scheduler.value(stored, job) == LITERALS[literal]
        job = scheduler.value(f"SELECT job_id FROM insert_job('SELECT 1', 'postgres', schedule => {literal})")
        assert scheduler.value(stored, job) == LITERALS[literal]
        if LITERALS[literal] is not None:
            for which in (str(job), f"'{job}'"):
                scheduler.execute("UPDATE member_job SET schedule = '0 1 * * *'")
                scheduler.execute(f"SELECT update_job({which}, schedule => {literal})")
                assert scheduler.value(stored, job) == LITERALS[literal]
            assert scheduler.value(f"SELECT count(*) FROM next_runs({literal}, count := 1)") == 1
            assert scheduler.value(f"SELECT describe_schedule({literal})")


def test_updates_without_a_schedule_keep_it(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", schedule="@daily")
    for call in ("update_job(%s, enabled := false)", "update_job(%s, schedule := NULL)", "update_job(%s)"):
        scheduler.execute(f"SELECT {call % job}")
        assert scheduler.value("SELECT schedule FROM member_job") == "@daily"


@pytest.mark.parametrize(
    ("literal", "detail", "hint"),
    [
        ("interval '1 month'", '"mon" is not a unit', "@monthly"),
        ("interval '1.5 seconds'", "no whole number of seconds", "1 second"),
        ("interval '0'", "no time at all", "1 second"),
        ("interval '-5 minutes'", "is not an interval", "30 seconds"),
        ("interval '-1 year 361 days'", "is not an interval", "30 seconds"),
        ("interval '2 years'", '"years" is not a unit', "0 0 1 */3 *"),
        ("timestamptz 'infinity'", '"infinity" is not a schedule', "timestamp"),
        ("ARRAY['@daily', NULL]", "An entry of the array is empty", "Leave it out"),
        ("ARRAY[]::text[]", "It has no entry", "NULL"),
    ],
)
def test_types_that_are_no_schedule(scheduler: Scheduler, literal: str, detail: str, hint: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        scheduler.execute(f"SELECT insert_job('SELECT 1', 'postgres', {literal})")
    assert detail in str(refused.value.diag.message_detail)
    assert hint in str(refused.value.diag.message_hint)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("@daily", "@daily"),
        (["@daily", "0 9 * * 1-5"], '{@daily,"0 9 * * 1-5"}'),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (datetime(2999, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "2999-01-02 03:04:05+00:00"),
        (datetime(2999, 1, 2, 3, 4, 5), "2999-01-02 03:04:05"),
        (date(2999, 1, 2), "2999-01-02"),
        (None, None),
    ],
)
@pytest.mark.parametrize("cursor", [psycopg.Cursor, psycopg.ClientCursor, psycopg.RawCursor])
def test_values_of_a_driver(scheduler: Scheduler, value: Any, stored: str | None, cursor: type[Any]) -> None:
    scheduler.execute("SET TimeZone = 'UTC'")
    with cursor(scheduler.admin) as session:
        placeholder = "$1" if cursor is psycopg.RawCursor else "%s"
        session.execute(f"SELECT job_id FROM insert_job('SELECT 1', 'postgres', {placeholder})", (value,))
        session.execute(f"SELECT job_id FROM insert_job('SELECT 1', 'postgres', schedule => {placeholder})", (value,))
    assert [row.schedule for row in scheduler.execute("SELECT schedule FROM member_job").fetchall()] == [stored] * 2


def test_the_json_null_is_none(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", settings="null", parameters="null")
    seen = "SELECT settings, parameters FROM member_job"
    assert scheduler.execute(seen).fetchone() == (None, None)
    for call in (
        """SELECT update_job({}, settings := '{{"work_mem": "64MB"}}', parameters := '[1]')""",
        "UPDATE member_job SET settings = 'null', parameters = 'null' WHERE job_id = {}",
    ):
        scheduler.execute(call.format(job))
    assert scheduler.execute(seen).fetchone() == (None, None)
    assert scheduler.value("SELECT run_once('SELECT 1', settings := 'null', parameters := 'null')")


# --- NOTICE and WARNING ---------------------------------------------------------------------


class Said:
    """What the server says beside its answers."""

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        self._said: list[tuple[str, str]] = []
        session.add_notice_handler(self._keep)

    def _keep(self, one: psycopg.errors.Diagnostic) -> None:
        words = f"{one.message_primary} {one.message_detail} {one.message_hint}"
        if not words.startswith("nothing is run at present"):  # there is no worker in these tests
            self._said.append((str(one.severity), words))

    def all(self) -> list[tuple[str, str]]:
        """Severity, and message, detail and hint, of what was said since the last call."""
        said, self._said = self._said, []
        return said


def test_a_schedule_that_may_be_meant_otherwise_is_said_in_words(scheduler: Scheduler) -> None:
    said = Said(scheduler.admin)
    job = scheduler.insert("SELECT 1", schedule="*/90 * * * *")
    ((severity, words),) = said.all()
    assert severity == "NOTICE"
    assert 'schedule "*/90 * * * *" means: every hour' in words
    assert "For every 90 minutes write 90 minutes." in words
    scheduler.execute("UPDATE member_job SET enabled = false")
    scheduler.execute("UPDATE member_job SET enabled = true")
    assert said.all() == []
    scheduler.execute(f"SELECT update_job({job}, schedule := '0 2 * * * *')")
    ((_, words),) = said.all()
    assert "means: at 2 minutes past the hour" in words
    scheduler.execute(
        "INSERT INTO my_job (job_command, datname, schedule) VALUES ('SELECT 1', 'postgres', '* * * * * 0')"
    )
    assert "every second on Sunday" in said.all()[0][1]


MISTAKES = {
    "SELEC 1": ('syntax error at or near "SELEC"', "Line 1, character 1: SELEC 1"),
    "SELECT 1;\n  SELECT 2\r\n  FORM x;": ('syntax error at or near "x"', "Line 3, character 8:   FORM x;"),
    "SELECT 'abc": ("unterminated quoted string", "Line 1, character 8"),
    "SELECT (1": ("syntax error at end of input", "Line 1, character 10"),
    "*/ SELECT 1": ('syntax error at or near "*/"', "Line 1, character 1"),
    "\\copy x FROM y": ("syntax error", "Line 1, character 1"),
    "SELECT 1; SELECT größe größe größe": ('syntax error at or near "größe"', "Line 1, character 30"),
    "SELECT " + "1, " * 200 + "SELECT" + ", 1" * 200: ('syntax error at or near "SELECT"', "character 608: ..."),
}
# Nothing of this is there, or can be executed in the control database; all of it is SQL.
ELSEWHERE = [
    "REFRESH MATERIALIZED VIEW CONCURRENTLY no.such_view",
    "CALL no.such($1); VACUUM no.such; COPY no.such FROM STDIN",
    "BEGIN; INSERT INTO no.such VALUES (1, 2, 3); COMMIT; LISTEN x; DO $$ not even this $$",
    "SELECT 'x'::public.witness_type; CREATE TABLE y (a no_such_type)",
    "SELECT nonsense(*); SELECT 1 UNION SELECT 1, 2; INSERT INTO present VALUES (1, 2, 3)",
    "; DROP TABLE present",
    "SELECT public.witness()",
    "/* nothing */ ; ; -- at all\n SELECT 1",
]


def test_a_command_that_is_no_sql_is_warned_of(scheduler: Scheduler) -> None:
    said = Said(scheduler.admin)
    for command, (message, place) in MISTAKES.items():
        job = scheduler.value("SELECT job_id FROM insert_job(%s, 'postgres')", command)
        ((severity, words),) = said.all()
        assert severity == "WARNING"
        assert f"job_command is not valid SQL: {message}" in words
        assert place in words
        assert len(words) < 400
        assert scheduler.value("SELECT job_command FROM member_job WHERE job_id = %s", job) == command
        scheduler.admin.execute("SELECT run_once(%s)", (command,))
        assert [severity for severity, _ in said.all()] == ["WARNING"]
    scheduler.execute(f"UPDATE member_job SET on_failure_command = 'NOTIFI x' WHERE job_id = {job}")
    assert ["on_failure_command is not valid SQL" in words for _, words in said.all()] == [True]
    scheduler.execute(f"UPDATE member_job SET enabled = false WHERE job_id = {job}")
    assert said.all() == []


def test_the_command_is_only_parsed(scheduler: Scheduler) -> None:
    scheduler.execute("CREATE TABLE present (a integer)")
    scheduler.execute(
        """CREATE FUNCTION public.witness() RETURNS boolean LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'executed'; END $$"""
    )
    scheduler.execute("CREATE DOMAIN public.witness_type AS text CHECK (public.witness())")
    said = Said(scheduler.admin)
    with scheduler.admin.transaction():
        for command in ELSEWHERE:
            scheduler.value("SELECT job_id FROM insert_job(%s, 'postgres')", command)
            assert said.all() == [], command
        locked = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'present'::regclass"
        assert scheduler.value(locked) == 0


def test_settings_of_the_session_do_not_change_how_it_is_parsed(scheduler: Scheduler) -> None:
    said = Said(scheduler.admin)
    for setting in settable(scheduler.admin, ["standard_conforming_strings = off"]):
        scheduler.execute(f"SET {setting}")
    scheduler.execute("SELECT insert_job($$SELECT 'C:\\'$$, 'postgres')")
    assert said.all() == []
