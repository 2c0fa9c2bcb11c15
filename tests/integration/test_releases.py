"""Between two releases: who is in the way of an update, what it leaves as it was, files of one version under the
extension of another, and dumps of the earlier one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, Cluster, Installation, pg_config
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until
from tests.catalog import assert_same
from tests.releases import ORIGIN, UPDATE, add_release


def rows(scheduler: Scheduler, name: str) -> Any:
    """What check_setup() says in a session of its own."""
    with scheduler.connect() as session:
        return session.execute("SELECT * FROM check_setup() WHERE check_name = %s", (name,)).fetchone()


def execute_remedy(releases: Installation, scheduler: Scheduler, remedy: str) -> None:
    """Do what check_setup() advises, as SQL or in the shell; who runs the tests needs no sudo for their own files."""
    if not remedy.startswith("#"):
        with scheduler.connect() as session:
            session.execute(remedy.encode())
        return
    environment = {
        **os.environ,
        "PG_CONFIG": str(releases.bindir / "pg_config"),
        "MAKEFLAGS": f" -- BUILD={releases.build}",
    }
    subprocess.run(
        ["sh", "-ec", f'sudo() {{ "$@"; }}\n{remedy}'], env=environment, cwd=ROOT, check=True, capture_output=True
    )


@pytest.fixture
def installed(releases: Installation) -> Iterator[Callable[[str], None]]:
    """Makes the files of one version those that are installed, and the only ones."""
    scripts = releases.moved(pg_config("--sharedir")) / "extension"
    packages = releases.moved(pg_config("--pkglibdir")) / "elephant_worker"
    control = scripts / "elephant_worker.control"
    present = control.read_text()

    def make(version: str) -> None:
        control.write_text(re.sub("default_version = '.*'", f"default_version = '{version}'", present))
        for path in [*scripts.glob("elephant_worker--*.sql"), *packages.iterdir()]:
            # The vendor directory of the release of the past is that of the present one.
            if not re.search(rf"(^|--){re.escape(version)}(\.sql)?$", path.name):
                if path.is_dir():
                    shutil.rmtree(path / "elephant_worker")
                else:
                    path.unlink()

    yield make
    shutil.rmtree(packages)
    for script in scripts.glob("elephant_worker--*.sql"):
        script.unlink()
    releases.make("install")
    add_release(releases, ORIGIN)


@pytest.mark.slow
def test_new_files_under_an_old_version(
    releases: Installation, database: Callable[..., Scheduler], installed: Callable[[str], None]
) -> None:
    scheduler = database(ORIGIN)
    scheduler.admin.prepare_threshold = None  # an update gives the log more columns
    before = scheduler.start()
    job = scheduler.insert("SELECT", schedule="* * * * * *", parallel=True)
    until(lambda: scheduler.log(job))
    version = scheduler.value("SELECT default_version FROM pg_available_extensions WHERE name = 'elephant_worker'")
    installed(version)
    # The worker goes on.
    runs = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > runs + 2)
    assert scheduler.value("SELECT pid FROM worker_status") == before
    # What a new session cannot do, it says, and what to do about it.
    with scheduler.connect() as session, pytest.raises(psycopg.Error, match=f"elephant_worker/{ORIGIN}"):
        session.execute("SELECT * FROM next_runs('@daily')")
    assert rows(scheduler, "package").state == "error"
    row = rows(scheduler, "files")
    assert (row.state, row.remedy) == ("warning", "ALTER EXTENSION elephant_worker UPDATE;")
    execute_remedy(releases, scheduler, row.remedy)
    for name in ("files", "package"):
        assert rows(scheduler, name).state == "ok"
    until(lambda: scheduler.value("SELECT pid FROM worker_status") not in (before, None), "the new worker")
    runs = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > runs + 2)
    # On a slow machine the change of workers may take longer than a run may be late.
    assert {row.state for row in scheduler.log(job)} <= {"succeeded", "running", "missed"}


@pytest.mark.slow
def test_old_files_under_a_new_version(
    releases: Installation, database: Callable[..., Scheduler], installed: Callable[[str], None]
) -> None:
    scheduler = database()
    version = scheduler.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'")
    before = scheduler.start()
    job = scheduler.insert("SELECT", schedule="* * * * * *")
    until(lambda: scheduler.log(job))
    installed(ORIGIN)
    runs = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > runs + 2)
    assert scheduler.value("SELECT pid FROM worker_status") == before
    with scheduler.connect() as session, pytest.raises(psycopg.errors.UndefinedFile) as raised:
        session.execute("SELECT * FROM next_runs('@daily')")
    message = raised.value.diag.message_primary or ""
    assert message.endswith(
        f"the Python package of elephant_worker {version} is not installed"
    )  # PL/Python names a type
    found = {name: rows(scheduler, name) for name in ("files", "package")}
    assert [(row.state, row.remedy) for row in found.values()] == [
        (state, f"# in a clone of elephant_worker {version}\nmake && sudo make install")
        for state in ("warning", "error")
    ]
    with scheduler.connect() as session, pytest.raises(psycopg.errors.InvalidParameterValue):
        session.execute(UPDATE)  # which would be no remedy
    execute_remedy(releases, scheduler, found["package"].remedy)
    for name in found:
        assert rows(scheduler, name).state == "ok"
    assert scheduler.value("SELECT count(*) FROM next_runs('@daily')") > 0
    assert scheduler.value("SELECT pid FROM worker_status") == before


def test_a_worker_cannot_start_without_its_files(
    releases: Installation, database: Callable[..., Scheduler], installed: Callable[[str], None]
) -> None:
    scheduler = database()
    installed(ORIGIN)
    with pytest.raises(psycopg.errors.UndefinedFile):
        scheduler.start()
    execute_remedy(releases, scheduler, rows(scheduler, "package").remedy)
    scheduler.start()


def test_whom_an_update_waits_for(database: Callable[..., Scheduler]) -> None:
    scheduler = database(ORIGIN)
    role = scheduler.role("reader")
    job = scheduler.insert("SELECT", schedule="* * * * * *", rolname=role, parallel=True)
    scheduler.start()
    until(lambda: scheduler.log(job))
    with scheduler.connect_as(role) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM my_job")
        pid = reader.info.backend_pid
        with pytest.raises(psycopg.errors.LockNotAvailable) as raised:
            scheduler.execute(UPDATE)
        said = raised.value.diag
        assert said.message_primary == "elephant_worker could not be updated: its tables are in use"
        assert re.fullmatch(
            rf'Process {pid} \(role "{role}", idle in transaction since ..:..:..\) holds a lock on job.*\.',
            said.message_detail or "",
        )
        assert said.message_hint == (
            f"Update again once that has ended; to end it now: SELECT pg_terminate_backend({pid});"
        )
        assert scheduler.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'") == ORIGIN
        runs = len(scheduler.log(job))
        until(lambda: len(scheduler.log(job)) > runs + 2, "the worker to go on")
        # The hint is what helps.
        scheduler.execute(said.message_hint.partition(": ")[2].encode())  # type: ignore[union-attr]
        until(lambda: scheduler.value("SELECT NOT EXISTS (SELECT FROM pg_stat_get_activity(%s))", pid))
        scheduler.execute(UPDATE)
        reader.close()
    assert {row.state for row in scheduler.log(job)} <= {"succeeded", "running"}


def test_a_prepared_transaction_is_named(releases: Installation) -> None:
    cluster = Cluster(releases, {"max_prepared_transactions": "1"})
    try:
        with cluster.connect() as admin:
            admin.execute(f"CREATE EXTENSION elephant_worker VERSION '{ORIGIN}' CASCADE")
            with admin.transaction():
                admin.execute("LOCK TABLE worker_setting IN ROW EXCLUSIVE MODE")
                admin.execute("PREPARE TRANSACTION 'it''s open'")
            with pytest.raises(psycopg.errors.LockNotAvailable) as raised:
                admin.execute(UPDATE)
            assert raised.value.diag.message_detail is not None
            assert raised.value.diag.message_detail.startswith("The prepared transaction 'it''s open' holds a lock on ")
            assert (raised.value.diag.message_hint or "").endswith("ROLLBACK PREPARED 'it''s open';")
            admin.execute("ROLLBACK PREPARED 'it''s open'")
            admin.execute(UPDATE)
    finally:
        cluster.stop()


def test_what_users_have_built_stays(database: Callable[..., Scheduler]) -> None:
    """Views on public views, grants on them, triggers of one's own; and pg_dump still knows the grants."""
    scheduler = database(ORIGIN)
    role = scheduler.role("auditor", scheduler=False)
    for view in ("my_job", "member_job", "my_job_log", "member_job_log", "job_stats", "all_job", "all_job_log"):
        scheduler.execute("CREATE VIEW {} AS SELECT * FROM {}", sql.Identifier(f"on {view}"), sql.Identifier(view))
        scheduler.execute("GRANT SELECT ON {} TO {}", sql.Identifier(view), sql.Identifier(role))
    scheduler.execute("GRANT EXECUTE ON FUNCTION next_runs, stop_worker TO {}", sql.Identifier(role))
    scheduler.execute("GRANT UPDATE (schedule) ON member_job TO {}", sql.Identifier(role))
    scheduler.execute(
        """CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
           CREATE TRIGGER noted AFTER INSERT ON job FOR EACH STATEMENT EXECUTE FUNCTION noted()"""
    )
    grants = """SELECT classid::regclass, objid::regclass, objsubid, x.privilege_type
        FROM (SELECT 'pg_class'::regclass AS classid, c.oid AS objid, 0 AS objsubid, c.relacl AS acl FROM pg_class c
              UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum, a.attacl FROM pg_attribute a
              UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, p.proacl FROM pg_proc p) o
        CROSS JOIN LATERAL aclexplode(o.acl) x WHERE x.grantee = %s::regrole ORDER BY 1, 2, 3, 4"""
    quoted = f'"{role}"'
    before = scheduler.admin.execute(grants, (quoted,)).fetchall()
    assert len(before) == 10
    scheduler.execute(UPDATE)
    assert scheduler.admin.execute(grants, (quoted,)).fetchall() == before
    assert scheduler.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'noted'") == 1
    scheduler.value('SELECT count(*) FROM "on member_job"')
    dump = scheduler.cluster.command("pg_dump", "--schema-only", scheduler.dbname).stdout
    assert f'GRANT SELECT ON TABLE "{SCHEMA}".member_job TO {quoted};' in dump
    assert f'GRANT UPDATE(schedule) ON TABLE "{SCHEMA}".member_job TO {quoted};' in dump
    assert f'GRANT ALL ON FUNCTION "{SCHEMA}".stop_worker() TO {quoted};' in dump
    scheduler.execute("DROP TRIGGER noted ON job")


def test_default_privileges_give_nobody_more(database: Callable[..., Scheduler]) -> None:
    scheduler = database(ORIGIN)
    role = scheduler.role("greedy", scheduler=False)
    kinds = ("TABLES", "FUNCTIONS", "SEQUENCES")
    for kind in kinds:
        scheduler.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO {{}}", sql.Identifier(role))
    scheduler.start()  # so that the update leaves views for its worker, too
    scheduler.execute(UPDATE)
    given = scheduler.execute(
        """SELECT o.name, x.privilege_type
           FROM (SELECT c.oid::regclass::text AS name, c.relacl AS acl FROM pg_class c
                 UNION ALL SELECT p.oid::regprocedure::text, p.proacl FROM pg_proc p) o
           CROSS JOIN LATERAL aclexplode(o.acl) x WHERE x.grantee = {}::regrole""",
        sql.Literal(f'"{role}"'),
    ).fetchall()
    for kind in kinds:
        scheduler.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON {kind} FROM {{}}", sql.Identifier(role))
    assert given == []


def test_what_is_not_the_extensions_is_not_replaced(database: Callable[..., Scheduler]) -> None:
    """Whoever could create objects in the schema could otherwise have them run as the superuser who updates."""
    scheduler = database(ORIGIN)
    scheduler.execute(
        "CREATE FUNCTION {}.restart_worker() RETURNS integer LANGUAGE sql AS 'SELECT 1'", sql.Identifier(SCHEMA)
    )
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is not a member of extension"):
        scheduler.execute(UPDATE)
    scheduler.execute("DROP FUNCTION {}.restart_worker()", sql.Identifier(SCHEMA))
    scheduler.execute(UPDATE)


def test_another_superuser_updates(database: Callable[..., Scheduler]) -> None:
    fresh, scheduler = database(), database(ORIGIN)
    other = scheduler.role("other", "LOGIN SUPERUSER", scheduler=False)
    with scheduler.connect_as(other) as session:
        session.execute("SET lock_timeout = '1h'")
        session.execute(UPDATE)
        said = session.execute("SELECT current_user::text, current_setting('lock_timeout')").fetchone()
        assert tuple(said or ()) == (other, "1h")
    assert_same(fresh, scheduler)


@pytest.mark.parametrize("form", ["custom", "plain"])
def test_old_dumps(
    form: str, database: Callable[..., Scheduler], own_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """What pg_dump has written of 1.0.0 restores into a server that has only this version, and runs."""
    scheduler = database(ORIGIN)
    role = scheduler.role("re'port")
    scheduler.start()
    every = scheduler.insert("SELECT 1", schedule="* * * * * *", parallel=True, job_name="every")
    after = scheduler.insert("SELECT 2", run_after=[every], run_when="always")
    never = scheduler.insert("SELECT 1")
    scheduler.insert("SELECT 3", run_after=[every, never])
    failing = scheduler.insert("SELECT 1/0", rolname=role, schedule="@hourly", max_retries=3, retry_delay="1 hour")
    scheduler.ended(scheduler.value("SELECT run_job(%s)", failing))
    scheduler.insert("SELECT $1", schedule='{"@daily","0 9 * * 1-5"}', timezone="Europe/Berlin", parameters='["x"]')
    scheduler.insert("SELECT 1", enabled=False, job_description="üñï\t\n", settings='{"work_mem": "8MB"}')
    scheduler.value("SELECT run_once('SELECT 3', current_catalog, rolname => %s)", role)
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 7, overrun_factor = 4")
    until(lambda: len(scheduler.log(after)) > 2)
    scheduler.stop()
    # Dumps of 1.0.0 have no retries.
    contents = """SELECT (SELECT json_agg(to_jsonb(j) - 'retry_at' ORDER BY job_id) FROM member_job j) AS jobs,
        (SELECT json_agg(l ORDER BY jl_id) FROM member_job_log l) AS log,
        (SELECT json_agg(s ORDER BY job_id) FROM job_statistic s) AS statistics,
        (SELECT json_agg(s) FROM worker_setting s) AS settings,
        (SELECT json_agg(d ORDER BY job_id) FROM finished_dependency d) AS dependencies"""
    before = scheduler.execute(contents).fetchone()
    assert before is not None
    assert all(before)
    dump = tmp_path / "dump"
    scheduler.cluster.command("pg_dump", f"--format={form}", f"--file={dump}", scheduler.dbname)

    other = own_cluster()
    with other.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(scheduler.dbname)))
    if form == "plain":
        other.command("psql", "-X", "-v", "ON_ERROR_STOP=1", f"--file={dump}", scheduler.dbname)
    else:
        other.command("pg_restore", "--exit-on-error", f"--dbname={scheduler.dbname}", str(dump))
    restored = Scheduler(other, scheduler.dbname)
    version = restored.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'")
    assert version == restored.value(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'elephant_worker'"
    )
    now = restored.execute(contents).fetchone()
    for old, new in zip(before, now or ()):
        kept = [{name: row[name] for name in old[0]} for row in new]  # columns may have been added
        assert kept == old
    # It starts when a person starts it; numbers go on, and so do the jobs.
    assert restored.value("SELECT start_worker(unattended := true)") is None
    last = restored.value("SELECT max(jl_id) FROM job_log")
    restored.start()
    until(lambda: restored.value("SELECT count(*) FROM job_log WHERE job_id = %s AND jl_id > %s", every, last) > 2)
    until(lambda: restored.value("SELECT count(*) FROM job_log WHERE job_id = %s AND jl_id > %s", after, last) > 0)
    assert restored.run("SELECT 1", rolname=role).state == "succeeded"
    assert {row.state for row in restored.log(every) if row.jl_id > last} <= {"succeeded", "running", "missed"}
    restored.stop()
    restored.admin.close()


def test_an_earlier_elephant_worker(database: Callable[..., Scheduler]) -> None:
    scheduler = database("1.0.0")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="newer version") as refused:
        scheduler.execute("CREATE EXTENSION elephant_worker_cron")
    assert refused.value.diag.message_hint is not None
    scheduler.execute(refused.value.diag.message_hint.partition(": ")[2])
    scheduler.execute("CREATE EXTENSION elephant_worker_cron")
    assert scheduler.value("SELECT cron.schedule('@daily', 'SELECT 1')") > 0
    scheduler.execute("DROP EXTENSION elephant_worker_cron")
