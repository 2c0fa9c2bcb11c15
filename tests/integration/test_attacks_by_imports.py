"""What whoever has written a crontab, or the tables of another scheduler, tries on whoever imports them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import Scheduler, new_scheduler

# Texts that would do something if one of them were executed, or taken for a part of a statement.
HOSTILE = (
    "'; CREATE TABLE public.owned (); --",
    '"; CREATE TABLE public.owned (); --',
    "$$; CREATE TABLE public.owned (); $$",
    "'||(SELECT lo_create(4711))||'",
    "\\'; CREATE TABLE public.owned (); --",
    "E'\\'; CREATE TABLE public.owned (); --",
    "{\"rolname\": \"postgres\"}",
    "%s %I %L {} @extschema@ @internal@",
    "; touch /tmp/owned #",
    "$(touch /tmp/owned) `touch /tmp/owned`",
    "\u202e\u2028</script>",
    "a" * 1_000_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def shared(cluster: Any) -> Iterator[Scheduler]:
    scheduler = new_scheduler(cluster)
    yield scheduler
    scheduler.close()


@pytest.fixture
def control(shared: Scheduler) -> Iterator[Scheduler]:
    yield shared
    shared.execute("DELETE FROM member_job")
    assert shared.value("SELECT to_regclass('public.owned')") is None
    assert shared.value("SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 4711") == 0


def imported(session: psycopg.Connection[Any], crontab: str, dry_run: bool = False) -> Any:
    return session.execute("SELECT * FROM import_crontab(%s, dry_run => %s)", (crontab, dry_run)).fetchall()


def test_nobody_is_shown_a_file_by_whoever_imports_their_crontab(control: Scheduler, tmp_path: Path) -> None:
    """The superuser may read any file; who has written the crontab gets to see what the job has in it."""
    secret = tmp_path / "server.key"
    secret.write_text("SELECT 'the secret of the server'\n")
    mallory = control.role("mallory")
    session = control.connect_as(mallory)
    ways = (
        f"psql -U '{mallory}' -f {secret}",
        f"sudo -u '{mallory}' psql < {secret}",
        f"cat {secret} | PGUSER='{mallory}' psql",
        f"cd {tmp_path} && PGUSER='{mallory}' psql -f server.key",
        f"psql -U '{mallory}' -c 'SELECT 1' && psql -U '{mallory}' -f {secret}",
    )
    for way in ways:
        for dry_run in (True, False):
            row = imported(control.admin, f"0 4 * * * {way} -d '{control.dbname}'", dry_run)[0]
            assert row.action == "leave out", way
            assert row.note.startswith(f'Role "{mallory}" would see what {secret} has in it'), row.note
            assert "secret of the server" not in str(row)
    assert session.execute("SELECT FROM member_job").fetchall() == []
    # What the caller would read for itself, it may read; so may a role that may read files.
    own = f"0 4 * * * psql -d '{control.dbname}' -f {secret}"
    assert imported(control.admin, own)[0].action == "import"
    control.execute("GRANT pg_read_server_files TO {}", sql.Identifier(mallory))
    assert imported(control.admin, f"0 4 * * * {ways[0]} -d '{control.dbname}'")[0].action == "import"
    # As the note says.
    control.execute("REVOKE pg_read_server_files FROM {}", sql.Identifier(mallory))
    assert len(session.execute("SELECT FROM member_job").fetchall()) == 1


def test_what_is_no_file_keeps_nobody_waiting(control: Scheduler, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "link").symlink_to(fifo)
    control.execute("SET statement_timeout = '20s'")
    for path in (fifo, tmp_path / "link", Path("/dev/zero"), Path("/dev/tty"), Path("/proc/self/environ"), tmp_path):
        (row,) = imported(control.admin, f"0 4 * * * psql -d '{control.dbname}' -f {path}")
        assert (row.action, " cannot be read: " in row.note) == ("leave out", True), row
    control.execute("RESET statement_timeout")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_are_only_texts(control: Scheduler, text: str) -> None:
    """In every column of every source: what is imported has them as they were, the rest is left out with a reason."""
    database = control.dbname
    crons = [
        {"jobid": 1, "schedule": text, "command": "SELECT 1", "jobname": "a"},
        {"jobid": 2, "schedule": "* * * * *", "command": text, "jobname": "b"},
        {"jobid": 3, "schedule": "* * * * *", "command": "SELECT 1", "jobname": text},
        {"jobid": 4, "schedule": "* * * * *", "command": "SELECT 1", "jobname": "d", "username": text},
        {"jobid": 5, "schedule": "* * * * *", "command": "SELECT 1", "jobname": "e", "database": text},
        {"jobid": 6, "schedule": "* * * * *", "command": "SELECT 1", "jobname": "f", "nodename": text},
        {"jobid": 7, "schedule": "* * * * *", "command": "SELECT 1", "jobname": "g"},
    ]
    rows = control.admin.execute(
        "SELECT * FROM import_pg_cron(false, %s)", (json.dumps([{"database": database, **row} for row in crons]),)
    ).fetchall()
    done = {row.source_id: row.action for row in rows}
    assert [done[number] for number in "14567"] == ["leave out"] * 4 + ["import"]
    assert all(row.note for row in rows if row.action == "leave out")
    kept = control.execute("SELECT job_command FROM member_job WHERE job_name = 'b'").fetchone()
    assert (kept and kept.job_command == text) if done["2"] == "import" else len(text) == 1_000_000
    chain = {"chain_id": 1, "chain_name": "a", "run_at": "0 4 * * *", "live": True, "max_instances": 1}
    task = {"task_id": 1, "chain_id": 1, "task_order": 1, "kind": "SQL", "command": "SELECT 1"}
    for where, column in [
        *((0, name) for name in ("chain_name", "run_at", "client_name", "on_error", "max_instances", "timeout")),
        *((1, name) for name in ("task_name", "kind", "command", "run_as", "database_connection", "ignore_error")),
    ]:
        pair = [dict(chain), dict(task)]
        pair[where][column] = text
        tables = json.dumps({"chain": pair[:1], "task": pair[1:], "parameter": []})
        found = control.admin.execute("SELECT * FROM import_pg_timetable(false, %s)", (tables,)).fetchall()
        assert found
        assert all(row.rolname == USER for row in found if row.job_id is not None), column
    job = {"jobid": 1, "jobname": "p", "jobdesc": "", "jobenabled": True}
    step = {"jstid": 1, "jstjobid": 1, "jstname": "s", "jstkind": "s", "jstcode": "SELECT 1", "jstdbname": database}
    for where, column in (
        *((0, name) for name in ("jobname", "jobdesc", "jobhostagent", "jobenabled")),
        *((1, name) for name in ("jstname", "jstkind", "jstcode", "jstdbname", "jstconnstr", "jstdesc", "jstonerror")),
    ):
        pair = [dict(job), dict(step)]
        pair[where][column] = text
        tables = json.dumps({"pga_job": pair[:1], "pga_jobstep": pair[1:], "pga_schedule": [], "pga_exception": []})
        found = control.admin.execute("SELECT * FROM import_pgagent(false, %s)", (tables,)).fetchall()
        assert found
        assert all(row.rolname == USER for row in found if row.job_id is not None), column
    quoted = "'" + text.replace("'", "'\\''").replace("%", "\\%") + "'"
    rows = imported(
        control.admin,
        f"0 4 * * * psql -d '{database}' -c {quoted}\n0 5 * * * psql -d {quoted} -c 'SELECT 1'\n"
        f"0 6 * * * psql -U {quoted} -c 'SELECT 1'\n0 7 * * * vacuumdb -t {quoted} '{database}'\n"
        f"0 8 * * * PGOPTIONS={quoted} psql -d '{database}' -c 'SELECT 8'\n{text}\n"
        f"0 9 * * * psql -d '{database}' -c 'SELECT 9'",
    )
    assert [row.action for row in rows if row.source_id in ("line 2", "line 3")] == ["leave out"] * 2
    assert (rows[-1].action, rows[-1].definition["job_command"]) == ("import", "SELECT 9")


def test_a_line_that_is_too_deep_is_left_out_alone(control: Scheduler) -> None:
    deep = ("nice " * 1500, "sh -c " * 1500, "env a=b " * 1000, "flock f " * 1000, "su -c '" * 1000)
    for line in deep:
        rows = imported(control.admin, f"0 4 * * * {line}psql -c x\n0 9 * * * psql -d '{control.dbname}' -c 'SELECT 9'")
        assert [row.action for row in rows[-2:]] in (["leave out", "import"], ["leave out", "none"])


def test_who_may_import(control: Scheduler) -> None:
    """Calls of the internals by roles that may not define jobs, or may not touch what they name."""
    victim, mallory = control.role("victim"), control.role("mallory")
    outsider = control.role("outsider", scheduler=False)
    monitor = control.role("monitor", scheduler=False)
    control.execute("GRANT job_monitor TO {}", sql.Identifier(monitor))
    control.connect_as(victim).execute("SELECT define_job('nightly', 'SELECT 1', current_catalog)")
    before = control.execute("SELECT * FROM member_job").fetchall()
    cron = json.dumps(
        [{"jobid": 1, "jobname": "nightly", "schedule": "* * * * *", "command": "SELECT 2", "username": victim}]
    )
    calls = (
        ("SELECT count(*) FROM import_pg_cron(false, %s) WHERE job_id IS NOT NULL", (cron,)),
        ("SELECT count(*) FROM import_crontab(%s, dry_run => false) WHERE job_id IS NOT NULL",
         (f"* * * * * psql -U '{victim}' -d '{control.dbname}' -c 'SELECT 2'",)),
        ("SELECT count(*) FROM import_jobs('pg_cron', %s, false) WHERE job_id IS NOT NULL",
         (json.dumps({"jobs": json.loads(cron), "timezone": "UTC"}),)),
        ("SELECT 0 FROM apply_jobs(%s)",
         (json.dumps([{"job_name": "nightly", "rolname": victim, "job_command": "SELECT 2"}]),)),
        ("SELECT 0 FROM change_defined_job(%s, '{\"job_command\": \"SELECT 2\"}')", (before[0].job_id,)),
        ("SELECT create_defined_job(%s)",
         (json.dumps({"job_name": "x", "rolname": USER, "job_command": "SELECT 2", "datname": control.dbname}),)),
        ("SELECT read_scripts('{/etc/passwd}') #>> '{/etc/passwd,content}'", ()),
        ("SELECT read_source('elephant_worker_internal', 'known_role')", ()),
        ("SELECT read_source('pg_catalog', 'pg_authid')", ()),
    )  # fmt: skip
    for role in (mallory, outsider, monitor):
        session = control.connect_as(role)
        for call, values in calls:
            try:
                row = session.execute(call, values or None).fetchone()
            except psycopg.Error as error:
                assert error.sqlstate in {"42501", "42883", "P0002", "22023"}, (call, error)  # noqa: PT017
            else:
                assert row is None or row[0] in (0, None), (role, call, row)
    assert control.execute("SELECT * FROM member_job").fetchall() == before
    # A name that another's job has says nothing of it, nor is it a reason to refuse one's own.
    session = control.connect_as(mallory)
    own = cron.replace(victim, mallory)
    row = session.execute("SELECT * FROM import_pg_cron(false, %s)", (own,)).fetchone()
    assert row is not None
    assert (row.action, row.rolname) == ("import", mallory)
