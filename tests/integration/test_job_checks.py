"""What a job may be: each rule stands once, and whoever breaks it is told what is wrong and what to do."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler

# What no job can have, as SQL.
BROKEN = {
    "job_command": [{"job_command": "''"}, {"job_command": r"E' \n\t\r\x0b\f'"}],
    "job_timeout": [
        {"job_timeout": "'0'"},
        {"job_timeout": "'-1 second'"},
        {"job_timeout": "'1001 years'"},
        {"job_timeout": "'-1 year 361 days'"},
    ],
    "dst": [{"dst": "'never'"}],
    "window": [
        {"starts_at": "'2100-01-01'", "ends_at": "'2000-01-01'"},
        {"starts_at": "'infinity'"},
        {"ends_at": "'-infinity'"},
        {"starts_at": "'-infinity'", "ends_at": "'2100-01-01'"},
    ],
    "catch_up": [{"catch_up": "'some'"}],
    "catch_up_limit": [{"catch_up_limit": "0"}, {"catch_up_limit": "1001"}],
    "start_deadline": [
        {"start_deadline": "'0'"},
        {"start_deadline": "'-1 year 361 days'"},
        {"start_deadline": "'1001 years'"},
    ],
    "max_retries": [{"max_retries": "-1"}, {"max_retries": "101"}],
    "retry_delay": [
        {"retry_delay": "'0'"},
        {"retry_delay": "'-1 year 361 days'"},
        {"retry_delay": "'2 hours'"},
        {"max_retry_delay": "'-1 year 361 days'"},
        {"max_retry_delay": "'2 years'"},
    ],
    "retry_on": [{"retry_on": "'{}'"}, {"retry_on": "'{error,luck}'"}, {"retry_on": "'{NULL}'"}],
    # The worker reads it after each failure: of a million words it would make a million objects.
    "retry_on, longer": [{"retry_on": "array_fill('error'::text, '{11}')"}, {"retry_on": "'{{error},{lost}}'"}],
    "disable_after": [{"disable_after": "0"}],
    "run_when": [{"run_when": "''"}, {"run_when": "'never'"}],
    "on_failure_command": [{"on_failure_command": "' '"}],
    "expect_success_within": [
        {"expect_success_within": "'0'"},
        {"expect_success_within": "'-1 year 361 days'"},
        {"expect_success_within": "'1001 years'"},
    ],
}


def insert(scheduler: Scheduler, relation: str, **values: str) -> None:
    values = {"job_command": "'SELECT 1'", "datname": "current_catalog", **values}
    scheduler.execute(
        "INSERT INTO {} ({}) VALUES ({})",
        sql.Identifier(relation),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.SQL, values.values())),
    )


def attributes(scheduler: Scheduler, required: bool) -> list[str]:
    """The columns of job that INSERT on my_job may set, which must or need not have a value."""
    rows = scheduler.admin.execute(
        """SELECT a.attname FROM pg_attribute a
           WHERE a.attrelid = 'job'::regclass AND a.attnum > 0 AND a.attnotnull = %s
             AND EXISTS (SELECT FROM pg_attribute v
                         WHERE v.attrelid = 'my_job'::regclass AND v.attname = a.attname
                           AND has_column_privilege('job_scheduler', v.attrelid, v.attnum, 'INSERT'))
           ORDER BY a.attnum""",
        (required,),
    )
    return [row.attname for row in rows]


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_has_an_error_of_its_own(scheduler: Scheduler, rule: str) -> None:
    for case in BROKEN[rule]:
        with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
            insert(scheduler, "member_job", **case)
        diag = raised.value.diag
        assert any(name in (diag.message_primary or "") for name in case) or rule == "window", diag.message_primary
        assert any(name in f"{diag.message_detail} {diag.message_hint}" for name in case) or rule != "window"
        assert (diag.message_detail or "").endswith(".")
        assert (diag.message_hint or "").endswith(".")
    assert scheduler.value("SELECT count(*) FROM job") == 0


@pytest.mark.parametrize(
    "rule",
    ["window", "catch_up", "catch_up_limit", "max_retries", "retry_on", "disable_after", "run_when"],
)
def test_a_row_of_a_dump_is_refused_too(scheduler: Scheduler, rule: str) -> None:
    for case in BROKEN[rule]:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            insert(scheduler, "job", defined_by="current_user", schedule_set_at="now()", **case)


def test_each_rule_stands_once(scheduler: Scheduler) -> None:
    """In check_values(), and not in a constraint, too."""
    assert scheduler.value("SELECT count(*) FROM pg_constraint WHERE conrelid = 'job'::regclass AND contype = 'c'") == 0


@pytest.mark.parametrize("rule", BROKEN)
def test_a_change_is_refused_as_a_new_job_is(scheduler: Scheduler, rule: str) -> None:
    scheduler.insert("SELECT 1")
    before = scheduler.execute("SELECT * FROM job").fetchall()
    for case in BROKEN[rule]:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            scheduler.execute(
                "UPDATE member_job SET "
                + ", ".join(f"{name} = {value}" for name, value in case.items())  # the constants above
            )
    assert scheduler.execute("SELECT * FROM job").fetchall() == before


def test_what_is_required(scheduler: Scheduler) -> None:
    required, optional = attributes(scheduler, True), attributes(scheduler, False)
    assert "job_command" in required
    assert "schedule" in optional
    notices: list[str] = []
    scheduler.admin.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary or ""))
    values = sql.SQL("SELECT {} FROM member_job ORDER BY job_id DESC LIMIT 1").format(
        sql.SQL(", ").join(map(sql.Identifier, required))
    )
    insert(scheduler, "member_job")
    defaults = scheduler.admin.execute(values).fetchone()
    target = ("job_command", "datname", "rolname")
    once = {
        row.attname
        for row in scheduler.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'member_once_job'::regclass AND attnum > 0"
        )
    }
    for name in set(required) - set(target):
        notices.clear()
        insert(scheduler, "member_job", **{name: "NULL"})
        assert notices == [f"NULL stands for the default here: {name}"]
        assert scheduler.admin.execute(values).fetchone() == defaults
        if name in once:  # with and without, in one session
            insert(scheduler, "member_once_job", **{name: "NULL"})
            insert(scheduler, "member_once_job")
        scheduler.execute("SELECT define_job('defined', 'SELECT 1', {} := NULL)", sql.Identifier(name))
    for name in target:
        with pytest.raises(psycopg.errors.NullValueNotAllowed):
            insert(scheduler, "member_job", **{name: "NULL"})
    for name in required:
        with pytest.raises(psycopg.errors.NullValueNotAllowed) as raised:
            scheduler.execute("UPDATE member_job SET {} = NULL", sql.Identifier(name))
        assert raised.value.diag.message_primary == f"{name} of a job cannot be NULL"
        assert raised.value.diag.message_detail == f"These can be NULL: {', '.join(optional)}."
    insert(scheduler, "member_job", **dict.fromkeys(optional, "NULL"))


def test_the_checks_come_in_the_order_that_is_written_down(scheduler: Scheduler) -> None:
    rows = scheduler.execute(
        "SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = 'job'::regclass AND t.tgtype & 3 = 3 ORDER BY t.tgname"
    )
    assert [row.tgname for row in rows] == [
        "authorize_write", "check_job", "check_name_is_free",
        "check_server", "check_server_change", "note_given_away", "record_change", "record_change_of_job",
        "record_deletion", "refuse_cycle", "set_schedule", "track_changed_target", "track_confirmed_target",
        "track_replicated_target", "track_target",
    ]  # fmt: skip


def test_a_row_of_a_dump_is_kept_as_it_was(scheduler: Scheduler) -> None:
    insert(
        scheduler,
        "job",
        **dict.fromkeys(["rolname", "datname", "server", "defined_by"], "'gone'"),
        job_name="'7'",
        schedule="'0 0 31 2 *'",
        schedule_set_at="'2001-01-01'",
        first_run_at="'2001-01-02'",
    )
    row = scheduler.execute("SELECT * FROM job").fetchone()
    assert row is not None
    assert (row.rolname, row.defined_by, row.job_name, row.server) == ("gone", "gone", "7", "gone")
    assert (row.schedule_set_at.year, row.first_run_at.day) == (2001, 2)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("job_timeout", "'-1 year 361 days'"),
        ("start_deadline", "'-1 year 361 days'"),
        ("retry_delay", "'-1 year 361 days'"),
        ("expect_success_within", "'-1 year 361 days'"),
        ("job_timeout", "'100000 years'"),
    ],
)
def test_intervals_that_were_accepted_once_do_not_keep_a_dump_from_being_restored(
    scheduler: Scheduler, column: str, value: str
) -> None:
    warnings: list[str] = []
    scheduler.admin.add_notice_handler(lambda diag: warnings.append(diag.message_primary or ""))
    insert(scheduler, "job", defined_by="current_user", schedule_set_at="now()", **{column: value})
    assert scheduler.value(f"SELECT {column} IS DISTINCT FROM {value} FROM job")
    assert any("interval that is no longer accepted" in warning for warning in warnings)


@pytest.mark.parametrize("value", ["array_fill('error'::text, '{1000}') || '{lost}'", "'{{error},{lost}}'"])
def test_repeated_words_that_were_accepted_once_are_left_out(scheduler: Scheduler, value: str) -> None:
    insert(scheduler, "job", defined_by="current_user", schedule_set_at="now()", retry_on=value)
    assert scheduler.value("SELECT retry_on FROM job") == ["error", "lost"]


def test_the_size_of_a_definition_is_limited(scheduler: Scheduler) -> None:
    session = scheduler.connect_as(scheduler.role())
    large = "SELECT '" + "x" * 600_000 + "'"
    small = "SELECT job_id FROM insert_job('SELECT 1', current_catalog)"
    session.execute("SELECT insert_job(%s, current_catalog)", (large,))
    for call in (
        "SELECT insert_job(%(large)s, current_catalog, on_failure_command := %(large)s)",
        "SELECT insert_job(%(large)s, current_catalog, job_description := %(large)s)",
        "SELECT insert_job(%(large)s, current_catalog, parameters := jsonb_build_array(%(large)s::text))",
        "SELECT insert_job('SELECT 1', current_catalog, parameters := jsonb_build_array(%(large)s || %(large)s))",
        "UPDATE my_job SET job_description = %(large)s",
        "UPDATE my_job SET settings = jsonb_build_object('work_mem', %(large)s::text)",
        "SELECT run_once(%(large)s || %(large)s)",
        """INSERT INTO dry_run (datname, rolname, job_command, job_timeout)
           VALUES (current_catalog, current_user, %(large)s || %(large)s, '1 min')""",
    ):
        with pytest.raises(psycopg.errors.ProgramLimitExceeded) as raised:
            session.execute(call, {"large": large})
        assert raised.value.diag.message_hint
    assert len(session.execute("SELECT FROM my_job").fetchall()) == 1
    scheduler.execute("UPDATE worker_setting SET max_definition_size = 10000")
    session.execute("UPDATE my_job SET enabled = false")  # what is there already stays
    session.execute(small)
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        session.execute("SELECT insert_job(%s, current_catalog)", ("SELECT '" + "x" * 10_000 + "'",))
    scheduler.execute("UPDATE worker_setting SET max_definition_size = 2000000")
    session.execute("SELECT insert_job(%s, current_catalog)", (large + " || " + large,))
