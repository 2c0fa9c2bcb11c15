"""Jobs of crontabs, pgAgent and pg_timetable become jobs of this extension; nothing is run or changed there."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.cluster import ROOT, Cluster, pg_config
from harness.documents import blocks
from harness.scheduler import SCHEMA, Scheduler, new_scheduler

JOBS = "SELECT * FROM member_job ORDER BY job_id"
# The tables of pg_timetable, from their documentation.
TIMETABLE = """
    CREATE SCHEMA timetable;
    CREATE TYPE timetable.command_kind AS ENUM ('SQL', 'PROGRAM', 'BUILTIN');
    CREATE TABLE timetable.chain (
        chain_id bigserial PRIMARY KEY, chain_name text, run_at text, max_instances integer, timeout integer,
        live boolean, self_destruct boolean, exclusive_execution boolean, client_name text, on_error text);
    CREATE TABLE timetable.task (
        task_id bigserial PRIMARY KEY, chain_id bigint, task_order float8, task_name text,
        kind timetable.command_kind DEFAULT 'SQL', command text, run_as text, database_connection text,
        ignore_error boolean, autonomous boolean, timeout integer);
    CREATE TABLE timetable.parameter (task_id bigint, order_id integer, value jsonb)
"""


@pytest.fixture(scope="module")
def pgagent(cluster: Cluster) -> Cluster:
    """The cluster, in which pgAgent's extension can be created: it is written in SQL."""
    directory = cluster.installation.moved(pg_config("--sharedir")) / "extension"
    if not (directory / "pgagent.control").exists():
        for file in Path("/usr/share/postgresql").glob("*/extension/pgagent*"):
            shutil.copy(file, directory)
    return cluster


@pytest.fixture(scope="module")
def shared(pgagent: Cluster) -> Iterator[Scheduler]:
    """A control database for tests that clean up after themselves."""
    scheduler = new_scheduler(pgagent)
    scheduler.execute("CREATE EXTENSION pgagent")
    scheduler.execute(TIMETABLE)
    yield scheduler
    scheduler.close()


@pytest.fixture
def control(shared: Scheduler) -> Iterator[Scheduler]:
    yield shared
    shared.execute("RESET ROLE")
    shared.execute("DELETE FROM member_job")
    shared.execute("TRUNCATE timetable.chain, timetable.task, timetable.parameter")
    shared.execute("DELETE FROM pgagent.pga_job")


def taken_over(session: psycopg.Connection[Any], call: str, *values: Any) -> list[tuple[Any, ...]]:
    rows = session.execute(f"SELECT * FROM {call}", values).fetchall()
    return [(row.source_id, row.action, row.job_name, row.schedule) for row in rows]


def state(session: psycopg.Connection[Any], query: str) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as raised:
        session.execute(query)
    return raised.value


# --- crontabs -------------------------------------------------------------------------------

CRONTAB = """
MAILTO=dba
# refresh
*/10 * * * 1-5 psql -d {database} -c 'SELECT refresh()'
0 3 * * * vacuumdb --analyze {database}
0 4 * * * psql -d {database} -c 'VACUUM' && psql -d {database} -c 'SELECT 2'
0 5 * * * pg_dump {database} > /backup
0 25 * * * psql -d {database} -c 'SELECT 3'
0 6 * * * psql -d nowhere -c 'SELECT 4'
0 7 * * * psql -U nobody -d {database} -c 'SELECT 5'
0 8 31 2 * psql -d {database} -c 'SELECT 6'
0 9 * * * psql -d {database} -c 'SELEC 7'
"""


def test_a_crontab(control: Scheduler) -> None:
    app = control.connect_as(control.role())
    text = CRONTAB.format(database=f'"{control.dbname}"')
    expected = [
        ("line 2", "remark", None, None),
        ("line 4", "import", "SELECT refresh()", "*/10 * * * 1-5"),
        ("line 5", "import", "VACUUM (ANALYZE)", "0 3 * * *"),
        ("line 6", "import", "VACUUM", "0 4 * * *"),
        ("line 6, step 2", "import", "SELECT 2", None),
        ("line 7", "leave out", None, None),
        ("line 8", "leave out", "SELECT 3", None),
        ("line 9", "leave out", "SELECT 4", None),
        ("line 10", "leave out", "SELECT 5", None),
        ("line 11", "leave out", "SELECT 6", None),
        ("line 12", "import", "SELEC 7", "0 9 * * *"),
    ]
    for _ in range(2):
        assert taken_over(app, "import_crontab(%s)", text) == expected
    assert app.execute(JOBS).fetchall() == []
    notes = {row.source_id: row.note for row in app.execute("SELECT * FROM import_crontab(%s)", (text,))}
    assert 'hour, "25"' in notes["line 8"]
    assert 'atabase "nowhere" does not exist' in notes["line 9"]
    assert '"nobody"' in notes["line 10"]
    assert "never" in notes["line 11"]
    assert "syntax error" in notes["line 12"]
    assert taken_over(app, "import_crontab(%s, dry_run => false)", text) == expected
    jobs = app.execute(JOBS).fetchall()
    assert [(job.job_name, job.schedule, job.part) for job in jobs] == [
        ("SELECT refresh()", "*/10 * * * 1-5", "crontab"),
        ("VACUUM (ANALYZE)", "0 3 * * *", "crontab"),
        ("VACUUM", "0 4 * * *", "crontab"),
        ("SELECT 2", None, "crontab"),
        ("SELEC 7", "0 9 * * *", "crontab"),
    ]
    assert jobs[0].job_description == "refresh"
    assert jobs[3].run_after == [jobs[2].job_id]
    # Again, nothing changes; a line that does is the same job.
    again = taken_over(app, "import_crontab(%s, dry_run => false)", text)
    assert [line[1] for line in again] == [("none" if line[1] == "import" else line[1]) for line in expected]
    assert app.execute(JOBS).fetchall() == jobs
    app.execute("SELECT import_crontab(%s, dry_run => false)", (text.replace("*/10", "*/5"),))
    assert app.execute(JOBS).fetchall()[0].schedule == "*/5 * * * 1-5"


def test_files_are_read_with_the_rights_of_the_caller(control: Scheduler, tmp_path: Path) -> None:
    file = tmp_path / "nightly.sql"
    file.write_text("SELECT 'gel\u00e4ufig';\n")
    (tmp_path / "binary.sql").write_bytes(b"\xff\xfe\0")
    app = control.connect_as(control.role())
    line = f'0 4 * * * psql -d "{control.dbname}" -f {file}'
    (row,) = app.execute("SELECT * FROM import_crontab(%s)", (line,))
    assert row.note == f"{file} cannot be read: permission denied for function pg_read_file."
    (row,) = control.execute("SELECT * FROM import_crontab({})", psycopg.sql.Literal(line))
    assert (row.action, row.definition["job_command"]) == ("import", "SELECT 'gel\u00e4ufig';")
    others = "\n".join(
        f"0 4 * * * psql -d x -f {name}"
        for name in (tmp_path / "none.sql", tmp_path, tmp_path / "binary.sql", "/dev/zero")
    )
    notes = [row.note for row in control.execute("SELECT * FROM import_crontab({})", psycopg.sql.Literal(others))]
    assert all(" cannot be read: " in note for note in notes), notes


def test_an_error_of_somebody_else_ends_an_import(control: Scheduler) -> None:
    """A cancelled import leaves nothing."""
    app = control.connect_as(control.role())
    text = "\n".join(f"0 4 * * * psql -d \"{control.dbname}\" -c 'SELECT {number}'" for number in range(2000))
    for milliseconds in (20, 80, 300):  # while the files are looked for, jobs planned, and made
        app.execute(f"SET statement_timeout = {milliseconds}")
        error = state(app, f"SELECT import_crontab($x${text}$x$, dry_run => false)")
        assert error.sqlstate == "57014"
        assert "Traceback" not in str(error.diag.context)
    assert app.execute(JOBS).fetchall() == []
    app.execute("RESET statement_timeout")
    assert state(app, "SELECT import_crontab(NULL)").sqlstate == "22004"
    assert app.execute("SELECT FROM import_crontab('')").fetchall() == []


def test_what_is_too_much_is_refused_at_once(control: Scheduler) -> None:
    """Whatever it is made of, 1 MB and more has an answer, and makes no job."""
    rows = json.dumps([{}] * 10_001)
    variables = "".join(f"V{number}=1\n* * * * * x\n" for number in range(5_001))
    steps = "* * * * * " + "psql -c 1; " * 40 + "psql -c 1\n"
    for call, value in (
        ("import_crontab(%s)", "a\n" * 500_000),
        ("import_crontab(%s)", variables),
        ("import_crontab(%s)", steps * 250),
        ("import_crontab(%s, dry_run => false)", "* * * * * psql -c 1\n" * 10_001),
        ("import_pg_cron(jobs => %s)", rows),
        ("import_pgagent(jobs => %s)", f'{{"pga_job": {rows}}}'),
        ("import_pg_timetable(chains => %s)", f'{{"chain": [], "task": {rows}}}'),
    ):
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="too many entries") as refused:
            control.admin.execute(f"SELECT {call}", (value,))
        assert refused.value.diag.message_hint is not None
    assert control.execute(JOBS).fetchall() == []
    # Empty lines and comments are none.
    control.execute("SELECT import_crontab({})", psycopg.sql.Literal("\n#\n" * 300_000))
    (line,) = control.execute(
        "SELECT * FROM import_crontab({})", psycopg.sql.Literal("* * * * * psql" + "x" * 1_000_000)
    )
    assert line.action == "leave out"


# --- pgAgent --------------------------------------------------------------------------------


def some(rng: random.Random, length: int, most: int) -> list[bool]:
    """An array as a person fills it in: nothing chosen, everything, or a few."""
    how = rng.random()
    places = set(range(length)) if how < 0.1 else set() if how < 0.4 else {rng.randrange(length) for _ in range(most)}
    return [place in places for place in range(length)]


def test_fifty_jobs_are_due_when_pgagent_says(control: Scheduler) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for number in range(1, 51):
        control.admin.execute(
            """INSERT INTO pgagent.pga_job (jobid, jobjclid, jobname, jobenabled) VALUES (%s, 1, %s, false)""",
            (number, f"job {number}"),
        )
        control.admin.execute(
            """INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
               VALUES (%s, 'step', 's', 'SELECT 1', %s)""",
            (number, control.dbname),
        )
        days = [*some(rng, 28, 4), False, False, False, rng.random() < 0.1]
        control.admin.execute(
            """INSERT INTO pgagent.pga_schedule (jscid, jscjobid, jscname, jscstart, jscminutes, jschours, jscweekdays,
                   jscmonthdays, jscmonths)
               VALUES (%s, %s, 'schedule', '2020-01-01', %s, %s, %s, %s, %s)""",
            (number, number, some(rng, 60, 3), some(rng, 24, 3), some(rng, 7, 3), days, some(rng, 12, 6)),
        )
        if rng.random() < 0.2:
            control.admin.execute(
                """INSERT INTO pgagent.pga_exception (jexscid, jextime) VALUES (%s, make_time(%s, %s, 0))
                   ON CONFLICT DO NOTHING""",
                (number, rng.randrange(24), rng.randrange(20)),
            )
    control.execute("SET TimeZone = 'UTC'")
    rows = control.execute("SELECT * FROM import_pgagent()").fetchall()
    assert len(rows) == 50
    compared = 0
    for row in rows:
        if row.action == "leave out":
            assert row.note.startswith("A day must match day of month and day of week"), row
            continue
        start = datetime(2027, rng.randint(1, 12), rng.randint(1, 28), tzinfo=timezone.utc)
        expected = control.admin.execute(
            """WITH RECURSIVE runs (n, due) AS (
                   SELECT 1, %s::timestamptz - interval '1 minute'
                   UNION ALL
                   SELECT n + 1, pgagent.pga_next_schedule(jscid, due + interval '1 minute', NULL, jscminutes, jschours,
                       jscweekdays, jscmonthdays, jscmonths)
                   FROM runs, pgagent.pga_schedule WHERE jscid = %s AND n <= 10)
               SELECT array_agg(due ORDER BY n) FROM runs WHERE n > 1""",
            (start, int(row.source_id.split()[1])),
        ).fetchone()
        due = control.value(
            "SELECT array_agg(run) FROM next_runs(%s, 'UTC', %s, 10) run", row.schedule, start - timedelta(seconds=1)
        )
        assert expected is not None
        if due != expected[0]:
            assert row.note is not None, (row.schedule, expected[0], due)
            assert row.note.startswith("pgAgent "), (row.schedule, expected[0], due)
        else:
            compared += 1
    assert compared > 20


FIVE_JOBS = """
    INSERT INTO pgagent.pga_job (jobid, jobjclid, jobname, jobdesc, jobenabled) VALUES
        (1, 1, 'refresh', 'Refreshes the reports', true), (2, 1, 'import', '', true), (3, 1, 'friday 13', '', true),
        (4, 1, 'dump', '', true), (5, 1, 'off', '', false);
    INSERT INTO pgagent.pga_jobstep (jstid, jstjobid, jstname, jstkind, jstcode, jstdbname, jstonerror) VALUES
        (1, 1, 'refresh', 's', 'SELECT 1', 'postgres', 'f'), (3, 2, 'a load', 's', 'SELECT 2', 'postgres', 'i'),
        (2, 2, 'b check', 's', 'SELECT 3', 'postgres', 'f'), (4, 3, 'step', 's', 'SELECT 4', 'postgres', 'f'),
        (5, 4, 'dump', 'b', 'pg_dump', '', 'f'), (6, 5, 'step', 's', 'SELECT 6', 'nowhere', 'f');
    INSERT INTO pgagent.pga_schedule (jscid, jscjobid, jscname, jscminutes, jschours, jscweekdays, jscmonthdays)
    SELECT j, j, 'schedule', ARRAY(SELECT i = 0 FROM generate_series(0, 59) i),
        ARRAY(SELECT i = 4 FROM generate_series(0, 23) i), ARRAY(SELECT j = 3 AND i = 5 FROM generate_series(0, 6) i),
        ARRAY(SELECT j = 3 AND i = 13 FROM generate_series(1, 32) i)
    FROM generate_series(1, 5) j;
"""
TABLES = """SELECT to_jsonb(j) AS line FROM pgagent.pga_job j UNION ALL
    SELECT to_jsonb(s) FROM pgagent.pga_schedule s ORDER BY line"""


def test_jobs_of_pgagent(control: Scheduler) -> None:
    control.execute(FIVE_JOBS)
    before = control.execute(TABLES).fetchall()
    expected = [
        ("job 1", "import", "refresh", "0 4 * * *"),
        ("job 2, step 3", "import", "import: a load", "0 4 * * *"),
        ("job 2, step 2", "import", "import: b check", None),
        ("job 3", "leave out", "friday 13", None),
        ("job 4", "leave out", "dump", None),
        ("job 5", "leave out", "off", None),
    ]
    app = control.connect_as(control.role())
    error = state(app, "SELECT import_pgagent()")
    assert error.sqlstate == "42501"
    control.execute("GRANT USAGE ON SCHEMA pgagent TO {}", psycopg.sql.Identifier(app.info.user))
    control.execute("GRANT SELECT ON ALL TABLES IN SCHEMA pgagent TO {}", psycopg.sql.Identifier(app.info.user))
    assert taken_over(app, "import_pgagent()") == expected
    assert app.execute(JOBS).fetchall() == []
    assert taken_over(app, "import_pgagent(false)") == expected
    jobs = app.execute(JOBS).fetchall()
    assert [job.job_name for job in jobs] == ["refresh", "import: a load", "import: b check"]
    assert (jobs[0].job_description, jobs[0].catch_up) == ("Refreshes the reports", "once")
    assert (jobs[2].run_after, jobs[2].run_when) == ([jobs[1].job_id], "always")
    assert {line[1] for line in taken_over(app, "import_pgagent(false)")} == {"none", "leave out"}
    assert app.execute(JOBS).fetchall() == jobs
    # The same rows, from elsewhere.
    tables = control.value(
        """SELECT json_build_object('pga_job', (SELECT json_agg(t) FROM pgagent.pga_job t),
               'pga_jobstep', (SELECT json_agg(t) FROM pgagent.pga_jobstep t),
               'pga_schedule', (SELECT json_agg(t) FROM pgagent.pga_schedule t), 'pga_exception', '[]'::json)::text"""
    )
    assert {line[1] for line in taken_over(app, "import_pgagent(jobs => %s)", tables)} == {"none", "leave out"}
    assert control.execute(TABLES).fetchall() == before
    control.execute("DROP OWNED BY {}", psycopg.sql.Identifier(app.info.user))


def test_tables_of_others_are_not_trusted(control: Scheduler) -> None:
    stranger = control.role("stranger")
    try:
        control.execute("ALTER TABLE timetable.task OWNER TO {}", psycopg.sql.Identifier(stranger))
        assert state(control.admin, "SELECT import_pg_timetable()").sqlstate == "42501"
        control.execute("ALTER TABLE timetable.task RENAME TO real_task")
        control.execute("CREATE VIEW timetable.task AS SELECT * FROM timetable.real_task")
        assert state(control.admin, "SELECT import_pg_timetable()").sqlstate == "42501"
        control.execute("DROP VIEW timetable.task")
        assert state(control.admin, "SELECT import_pg_timetable()").sqlstate == "42P01"
    finally:
        control.execute("ALTER TABLE IF EXISTS timetable.real_task RENAME TO task")
        control.execute("ALTER TABLE timetable.task OWNER TO current_user")


# --- pg_timetable ---------------------------------------------------------------------------


CHAINS = """
    INSERT INTO timetable.chain (chain_id, chain_name, run_at, max_instances, live) VALUES
        (1, 'load', '5/20 4 * * *', 1, true), (2, 'poll', '@after 5 minutes', NULL, true),
        (3, 'mail', '0 4 * * *', 1, true), (4, 'once', '0 4 * * *', 1, true), (5, 'typo', '0 4 * * *', 1, true);
    UPDATE timetable.chain SET self_destruct = true WHERE chain_id = 4;
    INSERT INTO timetable.task (task_id, chain_id, task_order, kind, command, autonomous, run_as) VALUES
        (1, 1, 10, 'SQL', 'SELECT 1', false, NULL), (2, 1, 20, 'SQL', 'SELECT $1::integer', false, NULL),
        (3, 2, 10, 'SQL', 'SELECT 3', false, NULL), (4, 3, 10, 'BUILTIN', 'SendMail', false, NULL),
        (5, 4, 10, 'SQL', 'SELECT 5', false, NULL), (6, 5, 10, 'SQL', 'SELECT 6', false, 'nobody');
    INSERT INTO timetable.parameter VALUES (2, 1, '[7]')
"""


def test_chains_of_pg_timetable(control: Scheduler) -> None:
    control.execute(CHAINS)
    expected = [
        ("chain 1, job 1", "import", "load: 1", "5-59/20 4 * * *"),
        ("chain 1, job 2", "import", "load: 2", None),
        ("chain 2", "import", "poll", "@after 5 minutes"),
        ("chain 3", "leave out", "mail", None),
        ("chain 4", "leave out", "once", None),
        ("chain 5", "leave out", "typo", None),
    ]
    assert taken_over(control.admin, "import_pg_timetable()") == expected
    assert control.execute(JOBS).fetchall() == []
    assert taken_over(control.admin, "import_pg_timetable(false)") == expected
    jobs = control.execute(JOBS).fetchall()
    assert (jobs[1].run_after, jobs[1].parameters, jobs[1].datname) == ([jobs[0].job_id], [7], control.dbname)
    assert {line[1] for line in taken_over(control.admin, "import_pg_timetable(false)")} == {"none", "leave out"}
    assert control.execute(JOBS).fetchall() == jobs


@pytest.mark.parametrize("document", ["[]", "7", "null", '{"chain": 1}', '{"chain": [{}]}', '{"chain": [[]]}'])
def test_documents_that_are_no_tables(control: Scheduler, document: str) -> None:
    for call in ("import_pg_timetable(chains => {})", "import_pgagent(jobs => {})"):
        statement = call.format(f"'{document}'")
        error = state(control.admin, f"SELECT {statement}")
        assert error.sqlstate == "22023"
        assert error.diag.message_hint is not None
    assert control.execute(JOBS).fetchall() == []


def test_rows_of_the_wrong_types_are_answered(control: Scheduler) -> None:
    """Whatever stands in a column, the import says what becomes of it, and the others are imported."""
    odd: list[Any] = [None, True, -1, 1e300, "", "x" * 200, "\u2028", [], [[]], {}, {"a": 1}, "infinity", "1970-01-01"]
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    chain = {"chain_id": 1, "chain_name": "a", "run_at": "0 4 * * *", "live": True, "max_instances": 1, "timeout": 5}
    task = {"task_id": 1, "chain_id": 1, "task_order": 1, "task_name": "b", "kind": "SQL", "command": "SELECT 1"}
    task |= {"run_as": None, "database_connection": None, "ignore_error": False, "autonomous": False, "timeout": 1}
    for _ in range(20):
        rows = [dict(chain), dict(task)]
        row = rng.choice(rows)
        row[rng.choice([name for name in row if name not in ("chain_id", "task_id")])] = rng.choice(odd)
        tables = {
            "chain": [rows[0], {**chain, "chain_id": 2, "chain_name": "fine"}],
            "task": [rows[1], {**task, "task_id": 2, "chain_id": 2}],
            "parameter": [{"task_id": 1, "order_id": 1, "value": rng.choice(odd)}],
        }
        lines = taken_over(control.admin, "import_pg_timetable(chains => %s)", json.dumps(tables))
        assert ("chain 2", "import", "fine", "0 4 * * *") in lines, tables


# --- the pages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", ["moving-in-from-crontab.md", "moving-in-from-pgagent.md", "moving-in-from-pg_timetable.md"]
)
def test_what_a_page_says(control: Scheduler, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "crontab"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"0 4 * * * psql -d '{control.dbname}' -c VACUUM\" '0 5 * * * ls'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    for host in ("web1", "web2"):
        Path(f"{host}.crontab").write_text(f"0 4 * * * psql -d '{control.dbname}' -c VACUUM\n")
    control.execute(FIVE_JOBS)
    control.execute(CHAINS)
    source = control.execute(TABLES).fetchall()
    code = "".join(block.code for block in blocks(ROOT / "docs" / page))
    begin = f'SET search_path = public, "{SCHEMA}";\n'
    done = control.cluster.command(
        "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", control.dbname, input=begin + code, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| import +\|", done.stdout), done.stdout
    assert re.search(r"\| leave out +\|", done.stdout), done.stdout
    assert ("VACUUM (web2)" in done.stdout) == (page == "moving-in-from-crontab.md"), done.stdout
    # All of it is taken back.
    assert control.execute(JOBS).fetchall() == []
    enabled = [row.line.get("jobenabled") for row in control.execute(TABLES)]
    assert enabled == [row.line.get("jobenabled") for row in source]


# --- several sources of a kind --------------------------------------------------------------


def test_two_crontabs(control: Scheduler) -> None:
    """Each has its part: they neither overwrite each other nor make doubles, in whatever order they are imported."""
    app = control.connect_as(control.role())

    def crontab(*lines: str) -> str:
        return "\n".join(
            f"{when} * * * psql -d \"{control.dbname}\" -c '{command}'" for when, command in lines_of(lines)
        )

    def lines_of(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        return ((line[:4].strip(), line[5:]) for line in lines)

    def imported(text: str, part: str, more: str = "") -> list[tuple[str, str | None]]:
        call = f"SELECT * FROM import_crontab(%s, part => %s, dry_run => false{more})"
        return [(row.action, row.job_name) for row in app.execute(call, (text, part))]

    one, two = crontab("0 1  SELECT 1", "0 2  SELECT 2"), crontab("0 3  SELECT 1", "0 4  SELECT 4")
    assert imported(one, "web1") == [("import", "SELECT 1"), ("import", "SELECT 2")]
    expected = [("import", "SELECT 1 (web2)"), ("import", "SELECT 4")]
    assert taken_over(app, "import_crontab(%s, part => 'web2')", two)[0][2] == "SELECT 1 (web2)"
    assert imported(two, "web2") == expected
    jobs = app.execute(JOBS).fetchall()
    assert [(job.part, job.schedule) for job in jobs] == [
        ("web1", "0 1 * * *"),
        ("web1", "0 2 * * *"),
        ("web2", "0 3 * * *"),
        ("web2", "0 4 * * *"),
    ]
    for text, part in ((one, "web1"), (two, "web2"), (two, "web2"), (one, "web1")):
        assert {action for action, _ in imported(text, part)} == {"none"}
    assert app.execute(JOBS).fetchall() == jobs
    # The job of web2 keeps its name when that of web1 is gone.
    assert imported(crontab("0 2  SELECT 2"), "web1", ", prune => true") == [
        ("none", "SELECT 2"),
        ("delete", "SELECT 1"),
    ]
    assert imported(two, "web2") == [("none", name) for _, name in expected]
    # As one crontab, what the other one has is gone, which is said before anything happens.
    lines = app.execute("SELECT * FROM import_crontab(%s, part => 'web1')", (two,)).fetchall()
    assert [line.action for line in lines] == ["import", "import", "gone"]


def test_what_the_source_no_longer_has(control: Scheduler) -> None:
    """It is said, and deleted only if that is asked for."""
    role, other = control.role(), control.role("other")
    app = control.connect_as(role)
    control.execute("GRANT {} TO {}", psycopg.sql.Identifier(other), psycopg.sql.Identifier(role))
    line = f"0 4 * * * psql -d \"{control.dbname}\" -c 'SELECT {{}}'\n"
    text = line.format(1) + line.format(2)
    app.execute("SELECT import_crontab(%s, dry_run => false)", (text,))
    app.execute("SELECT insert_job('SELECT 9', job_name => 'by hand', datname => current_catalog)")
    # What cannot be brought again is still there.
    now = line.format(1).replace("0 4", "0 25")
    (left, gone) = app.execute("SELECT * FROM import_crontab(%s, dry_run => false)", (now,)).fetchall()
    assert (left.action, left.job_name) == ("leave out", "SELECT 1")
    assert (gone.source_id, gone.action, gone.job_name, gone.schedule) == (None, "gone", "SELECT 2", "0 4 * * *")
    assert "prune => true" in gone.note
    names = "SELECT array_agg(job_name ORDER BY job_id) FROM my_job"
    assert app.execute(names).fetchone() == (["SELECT 1", "SELECT 2", "by hand"],)
    for _ in range(2):
        (_, gone) = app.execute("SELECT * FROM import_crontab(%s, prune => true)", (now,)).fetchall()
        assert gone.action == "delete"
    assert app.execute(names).fetchone() == (["SELECT 1", "SELECT 2", "by hand"],)
    # A source that was read as one role says nothing of the jobs of others.
    control.execute(
        "SELECT import_crontab({}, dry_run => false)", psycopg.sql.Literal(f"0 4 * * * psql -U '{other}' -d x -c ''")
    )
    app.execute(f"SELECT define_job('of another', 'SELECT 3', rolname => '{other}', part => 'crontab')")
    app.execute("SELECT import_crontab(%s, dry_run => false, prune => true)", (now,))
    assert app.execute(names).fetchone() == (["SELECT 1", "by hand"],)
    assert control.value("SELECT count(*) FROM member_job WHERE job_name = 'of another'") == 1
    (gone,) = control.execute("SELECT * FROM import_crontab('') WHERE job_name = 'of another'").fetchall()
    assert gone.action == "gone"


def test_a_note_says_what_to_do(control: Scheduler) -> None:
    """As the error of insert_job() would."""
    text = (
        f"0 25 * * * psql -d \"{control.dbname}\" -c 'SELECT 1'\n0 8 31 2 * psql -d \"{control.dbname}\" -c 'SELECT 2'"
    )
    lines = control.execute("SELECT * FROM import_crontab({})", psycopg.sql.Literal(text)).fetchall()
    for line, schedule in zip(lines, ("0 25 * * *", "0 8 31 2 *")):
        error = state(control.admin, f"SELECT insert_job('SELECT 1', current_catalog, '{schedule}')")
        assert error.diag.message_hint is not None
        assert line.note.endswith(error.diag.message_hint)
    text = text.replace("25", "5")
    (line, _) = control.execute("SELECT * FROM import_crontab({}, part => '')", psycopg.sql.Literal(text))
    assert line.note.startswith('Part cannot be ""')
