"""Jobs of pg_cron become jobs of this extension."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler


@pytest.fixture
def app(scheduler: Scheduler) -> psycopg.Connection[Any]:
    return scheduler.connect_as(scheduler.role())


def row(number: int, schedule: str = "0 3 * * *", command: str = "SELECT 1", **others: Any) -> dict[str, Any]:
    """A row of cron.job, as another database hands it over."""
    return {
        "jobid": number,
        "schedule": schedule,
        "command": command,
        "nodename": "localhost",
        "nodeport": 5432,
        **others,
    }


def bring(session: psycopg.Connection[Any], rows: Any, dry_run: bool = True, **options: Any) -> list[Any]:
    arguments = "".join(f", {name} => %s" for name in options)
    document = rows if isinstance(rows, str) else json.dumps(rows)
    query = f"SELECT * FROM import_pg_cron(%s, %s{arguments})"
    return session.execute(query, (dry_run, document, *options.values())).fetchall()


def test_a_dry_run_says_what_an_import_does(app: psycopg.Connection[Any]) -> None:
    rows = [row(7, jobname="nightly", active=False), row(2, "30 seconds"), row(3, "0 25 * * *")]
    shown = bring(app, rows)
    assert [(line.source_id, line.action, line.job_name, line.schedule, line.job_id) for line in shown] == [
        ("2", "import", "pg_cron 2", "30 seconds", None),
        ("3", "leave out", "pg_cron 3", None, None),
        ("7", "import", "nightly", "0 3 * * *", None),
    ]
    assert app.execute("SELECT FROM my_job").fetchall() == []
    brought = bring(app, rows, False)
    assert [line[:2] for line in brought] == [line[:2] for line in shown]
    jobs = app.execute(
        "SELECT job_id, job_name, schedule, timezone, enabled, part FROM my_job ORDER BY job_id"
    ).fetchall()
    assert jobs == [
        (brought[0].job_id, "pg_cron 2", "30 seconds", "GMT", True, "pg_cron"),
        (brought[2].job_id, "nightly", "0 3 * * *", "GMT", False, "pg_cron"),
    ]


def test_a_repetition_makes_no_doubles(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    rows = [row(1, jobname="nightly"), row(2, "*/5 * * * *")]
    bring(app, rows, False)
    written = "SELECT xmin::text AS x, ctid::text AS c, job_id FROM job ORDER BY job_id"
    before = scheduler.execute(written).fetchall()
    assert [line.action for line in bring(app, rows, False)] == ["none", "none"]
    assert scheduler.execute(written).fetchall() == before
    # What has changed there changes here; what has been switched off there, after the import, goes on here.
    rows = [row(1, "30 3 * * *", jobname="nightly", active=False), row(2, "*/5 * * * *", active=False)]
    first, second = bring(app, rows)
    assert (first.action, second.action) == ("change", "none")
    assert first.note == "It is active here, and stays so. Changes: schedule."
    assert second.note == "It is active here, and stays so."
    bring(app, rows, False)
    assert app.execute("SELECT schedule, enabled FROM my_job ORDER BY job_id").fetchall() == [
        ("30 3 * * *", True),
        ("*/5 * * * *", True),
    ]
    calls = app.execute("SELECT DISTINCT call FROM my_job_change").fetchall()
    assert calls == [("import_pg_cron",)]


def test_each_by_itself(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    app.execute("SELECT insert_job('SELECT 1', current_catalog, job_name => 'taken')")
    other = scheduler.role("other")
    expected = {
        1: (row(1), ""),
        2: (row(2, username="nobody"), 'Role "nobody" does not exist'),
        3: (row(3, username=other), f'may not define jobs for role "{other}"'),
        4: (row(4, database="nowhere"), 'Database "nowhere" does not exist'),
        5: (row(5, jobname="taken"), 'already has a job named "taken". It does not come from pg_cron'),
        6: (row(6, jobname="twice"), ""),
        7: (row(7, jobname="twice"), "6 is already job"),
        8: (row(8, nodename="db2", nodeport=5433), "another server, db2, port 5433"),
        9: (row(9, "0 0 30 2 *"), "is never due"),
        10: (row(10, command="  "), "Job_command cannot be empty"),
        11: (row(11, command="SELEC 1"), "The command is not valid SQL"),
        12: (row(12, jobname="12"), 'A job cannot be named "12"'),
        13: (row(13, command="x" * 2_000_000), "bytes"),
        14: ({"jobid": 14}, "no schedule or command"),
        15: (row(15, schedule="5 * * * *" * 100_000), "cannot read the schedule"),
        16: (row(16, 7), "no schedule or command"),  # type: ignore[arg-type]
        17: (row(17, nodename="/run/postgresql"), ""),
        18: (row(18, jobname="n" * 200), "cannot be named"),
        19: (row(19, "@yearly"), "pg_cron never runs it"),
    }
    brought = {int(line.source_id): line for line in bring(app, [each for each, _ in expected.values()], False)}
    imported = {1, 6, 11, 12, 17, 18, 19}
    for number, (_, words) in expected.items():
        line = brought[number]
        assert line.action == ("import" if number in imported else "leave out"), line
        assert words in (line.note or ""), line
        assert (line.note is None) == (not words), line
        assert (line.job_id is not None) == (number in imported)
    count = app.execute("SELECT count(*) FROM my_job WHERE part = 'pg_cron'").fetchone()
    assert count == (len(imported),)


@pytest.mark.parametrize(
    ("document", "sqlstate"),
    [
        ("{}", "22023"),
        ("null", "22023"),
        ("[1]", "22023"),
        ('"jobs"', "22023"),
        ("[" * 5000 + "]" * 5000, "22023"),
        ('[{"jobid": 1' + "0" * 5000 + "}]", "22023"),
        ("[{", "22P02"),
    ],
    ids=["object", "null", "number", "string", "deep", "large", "no JSON"],
)
def test_what_is_no_table(app: psycopg.Connection[Any], document: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        bring(app, document, False)
    assert refused.value.sqlstate == sqlstate
    assert "Traceback" not in str(refused.value)


def test_jobs_of_other_roles(scheduler: Scheduler) -> None:
    one, two = scheduler.role("one"), scheduler.role("two")
    rows = [row(1, username=one), row(2, username=two)]
    lines = bring(scheduler.admin, rows, False)
    assert [(line.action, line.rolname) for line in lines] == [("import", one), ("import", two)]
    assert scheduler.value("SELECT count(*) FROM member_job WHERE defined_by = current_user AND part = 'pg_cron'") == 2


def test_only_what_can_be_trusted_is_read(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    """A view or policy of somebody else's may call functions, which would have the rights of whoever imports."""
    with pytest.raises(psycopg.errors.UndefinedTable, match="no table cron"):
        app.execute("SELECT * FROM import_pg_cron()")
    role = app.info.user
    scheduler.execute("GRANT CREATE ON DATABASE {} TO {}", sql.Identifier(scheduler.dbname), sql.Identifier(role))
    app.execute("CREATE SCHEMA cron")
    app.execute("CREATE TABLE cron.stolen (what text)")
    app.execute("""CREATE FUNCTION cron.steal() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO cron.stolen VALUES (current_user); RETURN true; END $$""")
    policy = "ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON cron.job USING (cron.steal())"
    table = "CREATE TABLE cron.job AS SELECT 1 AS jobid, '@daily' AS schedule, 'SELECT 1' AS command"
    for make, drop in (
        (
            "CREATE VIEW cron.job AS SELECT 1 AS jobid, '@daily' AS schedule, 'SELECT 1' AS command WHERE cron.steal()",
            "VIEW",
        ),
        (
            f"{table}; {policy}",
            "TABLE",
        ),
    ):
        app.execute(make)
        for session in (scheduler.admin, scheduler.connect_as(scheduler.role("victim"))):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="cannot be trusted"):
                session.execute("SELECT * FROM import_pg_cron()")
        app.execute(f"DROP {drop} cron.job")
    assert scheduler.value("SELECT count(*) FROM cron.stolen") == 0
    # One's own is.
    app.execute(table)
    assert len(app.execute("SELECT * FROM import_pg_cron()").fetchall()) == 1
    # The table of a superuser in the schema of somebody else could be another one in a moment.
    scheduler.execute("ALTER TABLE cron.job OWNER TO CURRENT_USER")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="cannot be trusted"):
        scheduler.execute("SELECT * FROM import_pg_cron()")
    scheduler.execute("DROP SCHEMA cron CASCADE")


def test_it_needs_no_more_than_to_read(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    """As pg_cron has it: each role sees its own rows. Nothing there is changed or locked against changes."""
    scheduler.execute("""CREATE SCHEMA cron;
        CREATE TABLE cron.job (jobid bigint, schedule text, command text, nodename text, nodeport int, database text,
                               username text, active boolean, jobname text);
        ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON cron.job USING (username = current_user)""")
    insert = "INSERT INTO cron.job VALUES (%s, '@daily', 'SELECT 1', %s, {}, current_catalog, %s, true, NULL)"
    for number, node, role in ((1, "localhost", app.info.user), (2, "localhost", scheduler.admin.info.user)):
        scheduler.admin.execute(insert.format("current_setting('port')::int"), (number, node, role))
    scheduler.admin.execute(insert.format("1"), (3, "localhost", app.info.user))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT * FROM import_pg_cron()")
    scheduler.execute("GRANT USAGE ON SCHEMA cron TO PUBLIC; GRANT SELECT ON cron.job TO PUBLIC")
    before = scheduler.execute("SELECT xmin::text AS x, ctid::text AS c, xmax::text AS y FROM cron.job").fetchall()
    lines = app.execute("SELECT * FROM import_pg_cron(false)").fetchall()
    assert [(line.source_id, line.action) for line in lines] == [("1", "import"), ("3", "leave out")]
    assert "another server, localhost, port 1" in lines[1].note
    assert len(scheduler.execute("SELECT * FROM import_pg_cron()").fetchall()) == 3
    assert (
        scheduler.execute("SELECT xmin::text AS x, ctid::text AS c, xmax::text AS y FROM cron.job").fetchall() == before
    )
    scheduler.execute("DROP SCHEMA cron CASCADE")


def test_many_jobs(scheduler: Scheduler) -> None:
    role = scheduler.role()
    session = scheduler.connect_as(role)
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 100")
    lines = bring(session, [row(number) for number in range(1, 601)])
    assert [line.action for line in lines] == ["import"] * 100 + ["leave out"] * 500
    assert "has reached max_jobs_per_role" in lines[100].note
    assert session.execute("SELECT FROM my_job").fetchall() == []


def test_a_cancelled_import_leaves_nothing(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    app.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled) as cancelled:
        bring(app, [row(number) for number in range(1, 5_001)], False)
    assert "Traceback" not in str(cancelled.value)
    assert app.execute("SELECT FROM my_job").fetchall() == []


def test_settings_of_pg_cron(app: psycopg.Connection[Any]) -> None:
    rows = [row(1, "0 9 1-7 * 1"), row(2, "0 9 13 * 5")]
    first, second = bring(app, rows, timezone="Europe/Berlin", match_dom_and_dow=True)
    assert (first.schedule, first.definition["timezone"], first.definition["dst"]) == (
        "0 9 * * 1#1",
        "Europe/Berlin",
        "wall",
    )
    assert second.action == "leave out"
    assert "match_dom_and_dow" in second.note
    assert "never due" not in second.note
    (line,) = bring(app, [row(1)], timezone="Mars/Olympus")
    assert line.action == "leave out"
    assert "Mars/Olympus" in line.note
