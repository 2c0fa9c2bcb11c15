"""ALTER EXTENSION … UPDATE leads from an earlier release to what CREATE EXTENSION makes, while jobs run."""

from __future__ import annotations

import ast
import hashlib
import re
import tarfile
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, Cluster
from harness.remedies import alternatives, mend
from harness.scheduler import SCHEMA, Scheduler
from harness.settings import settable
from harness.waiting import until
from tests.catalog import assert_same, catalogs
from tests.releases import DIRECTORY, ORIGIN, UPDATE


def test_frozen() -> None:
    """What has been released never changes, neither what updates start from nor what they do."""
    frozen = {}
    for line in (DIRECTORY / "frozen.txt").read_text().splitlines():
        checksum, name = line.split()
        frozen[name] = checksum
    files = {str(path.relative_to(DIRECTORY)): path for path in DIRECTORY.glob("*.*.*/*")}
    assert frozen == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert (DIRECTORY / ORIGIN / f"elephant_worker--{ORIGIN}.sql").exists()


def test_fresh_equals_upgraded(database: Callable[..., Scheduler]) -> None:
    assert f"{UPDATE};" in (ROOT / "README.md").read_text()
    fresh, upgraded = database(), database(ORIGIN)
    upgraded.execute(UPDATE)
    assert_same(fresh, upgraded)


# What a session, or a role or database by ALTER … SET, may have set, and a script must not depend on.
OTHERS_SETTINGS = {
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "off",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "check_function_bodies": "on",
    "client_encoding": "LATIN1",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "EST5",
    "search_path": "pg_temp, public",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "lock_timeout": "1h",
    "plan_cache_mode": "force_generic_plan",
}


def others_settings(session: psycopg.Connection[Any]) -> dict[str, str]:
    """Those of them that the server has."""
    settings = settable(session, (f"{name} = {value}" for name, value in OTHERS_SETTINGS.items()))
    return {setting.partition(" = ")[0]: setting.partition(" = ")[2] for setting in settings}


@pytest.mark.parametrize("version", [None, ORIGIN])
def test_whatever_the_session_is_set_to(database: Callable[..., Scheduler], version: str | None) -> None:
    fresh, scheduler = database(), database()
    scheduler.execute("DROP EXTENSION elephant_worker")
    for name, value in others_settings(scheduler.admin).items():
        scheduler.execute("SET {} = {}", sql.Identifier(name), sql.SQL(value) if "," in value else sql.Literal(value))
    wanted = sql.SQL("VERSION {}").format(version) if version else sql.SQL("")
    scheduler.execute("CREATE EXTENSION elephant_worker SCHEMA {} {}", sql.Identifier(SCHEMA), wanted)
    if version:
        scheduler.execute(UPDATE)
    scheduler.admin.close()
    scheduler.admin = scheduler.connect()
    assert_same(fresh, scheduler)


def test_an_update_that_is_rolled_back_changes_nothing(database: Callable[..., Scheduler]) -> None:
    """Also one that is rolled back to a savepoint, or fails half-way; then it can be done still."""
    fresh, scheduler = database(), database(ORIGIN)
    before = catalogs(scheduler.admin)
    with scheduler.admin.transaction():
        with scheduler.admin.transaction(force_rollback=True):
            scheduler.execute(UPDATE)
        scheduler.execute("CREATE TABLE other ()")
    assert catalogs(scheduler.admin) == before
    # It finds out late that it cannot be done.
    scheduler.execute("CREATE VIEW mine AS SELECT * FROM trial")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        scheduler.execute(UPDATE)
    assert catalogs(scheduler.admin) == before
    scheduler.execute("DROP VIEW mine")
    scheduler.execute("BEGIN")
    scheduler.execute("SAVEPOINT one")
    scheduler.execute(UPDATE)
    scheduler.execute("RELEASE one")
    scheduler.execute("COMMIT")
    assert_same(fresh, scheduler)


def test_the_path_is_known(cluster_of_releases: Cluster) -> None:
    with cluster_of_releases.connect() as admin:
        paths = admin.execute(
            "SELECT path FROM pg_extension_update_paths('elephant_worker') p, pg_available_extensions a"
            " WHERE a.name = 'elephant_worker' AND p.source = %s AND p.target = a.default_version",
            (ORIGIN,),
        ).fetchone()
    assert paths is not None
    assert paths.path.startswith(f"{ORIGIN}--")


def test_what_the_worker_of_before_asks_for_is_there(database: Callable[..., Scheduler]) -> None:
    """The statements that it goes on executing until it has left; in its modules they stand with their types."""
    with tarfile.open(DIRECTORY / ORIGIN / "plpython.tar.gz") as archive:
        files = [archive.extractfile(member) for member in archive.getmembers() if member.name.endswith(".py")]
        nodes = [node for file in files if file is not None for node in ast.walk(ast.parse(file.read()))]
    statements = []
    for node in nodes:
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            text, types = node.elts
            if isinstance(text, ast.Constant) and isinstance(types, ast.List) and "@extschema@" in str(text.value):
                statements.append((str(text.value), ", ".join(ast.literal_eval(types))))
    assert len(statements) == 60
    scheduler = database(ORIGIN)
    scheduler.start()
    with scheduler.admin.transaction(force_rollback=True):
        scheduler.execute(UPDATE)
        for number, (text, types) in enumerate(statements):
            parameters = f"({types})" if types else ""
            scheduler.execute(f"PREPARE before_{number}{parameters} AS {text}".replace("@extschema@", f'"{SCHEMA}"'))
        scheduler.execute("DEALLOCATE ALL")


def test_under_load(database: Callable[..., Scheduler]) -> None:
    """Ten jobs every second run through the update: each due time once, and soon worker and spare are new."""
    scheduler = database(ORIGIN)
    scheduler.execute(
        "CREATE TABLE done (job_id bigint, at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON done TO PUBLIC"
    )
    # As superuser, as an ordinary role, and on a foreign server, which is this one.
    role = scheduler.role()
    scheduler.execute("CREATE EXTENSION postgres_fdw")
    scheduler.execute(
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port {}, dbname {})",
        sql.Literal(str(scheduler.cluster.port)),
        sql.Literal(scheduler.dbname),
    )
    scheduler.execute("GRANT USAGE ON FOREIGN SERVER elsewhere TO {}", sql.Identifier(role))
    scheduler.execute(
        "CREATE USER MAPPING FOR {} SERVER elsewhere OPTIONS (user {}, password {})",
        sql.Identifier(role),
        sql.Literal(role),
        sql.Literal(role),
    )
    jobs = []
    # Whatever is due from one worker to the next is made up for.
    for options in [{}] * 6 + [{"rolname": role}] * 2 + [{"rolname": role, "server": "elsewhere"}] * 2:
        job = scheduler.insert("SELECT", schedule="* * * * * *", parallel=True, catch_up="all", **options)
        scheduler.execute(
            "UPDATE member_job SET job_command = {} WHERE job_id = {}",
            sql.Literal(f"INSERT INTO public.done (job_id) VALUES ({job})"),
            sql.Literal(job),
        )
        jobs.append(job)
    asked_for = scheduler.insert("SELECT 1")
    follower = scheduler.insert("SELECT 2", run_after=[asked_for])
    failing = scheduler.insert("SELECT 1/0", max_retries=1, retry_delay="1 s")
    fresh = database()
    log = len(scheduler.cluster.log)
    before = scheduler.start()
    until(lambda: scheduler.value("SELECT count(*) FROM done") >= 20, "runs")
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")

    with scheduler.admin.transaction(force_rollback=True):
        scheduler.execute(UPDATE)
    scheduler.tick()
    assert scheduler.value("SELECT pid FROM worker_state") == before

    scheduler.execute(UPDATE)
    updated = scheduler.value("SELECT clock_timestamp()")
    # The worker of before still does what the functions of now ask for.
    requests = [scheduler.value("SELECT run_job(%s)", job) for job in (asked_for, failing)]
    requests.append(scheduler.value("SELECT run_once('SELECT 3', current_catalog)"))
    until(lambda: scheduler.value("SELECT pid FROM worker_status") not in (before, None), "the new worker")
    replaced = len(scheduler.cluster.log)
    assert [scheduler.ended(run).state for run in requests] == ["succeeded", "failed", "succeeded"]
    until(lambda: [row.state for row in scheduler.log(follower)] == ["succeeded"], "the run after another")
    until(lambda: [row.state for row in scheduler.log(failing)] == ["failed", "failed"], "the retry")
    until(
        lambda: scheduler.value(
            "SELECT true FROM worker_state s, pg_stat_get_activity(s.spare_pid) a"
            " WHERE a.backend_start = s.spare_start AND s.spare_pid <> %s",
            spare,
        ),
        "the new spare",
    )
    starts = scheduler.execute("SELECT backend_start, spare_start FROM worker_state").fetchone()
    assert starts is not None
    assert min(starts) > updated
    runs = scheduler.value("SELECT count(*) FROM done")
    until(lambda: scheduler.value("SELECT count(*) FROM done") >= runs + 20, "runs of the new worker")
    until(
        lambda: scheduler.value("SELECT to_regclass('worker_inbox') IS NULL"),
        "what the old worker needed to be dropped",
    )
    assert_same(fresh, scheduler)
    scheduler.pause()
    until(lambda: not scheduler.value("SELECT running_jobs FROM worker_status"), "the runs to end")
    scheduler.stop()

    audit = scheduler.execute(
        """SELECT l.job_id, count(*) AS rows, count(DISTINCT l.scheduled_at) AS due,
               date_part('epoch', max(l.scheduled_at) - min(l.scheduled_at)) + 1 AS seconds,
               count(*) FILTER (WHERE l.state = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE l.state = 'missed') AS missed,
               (SELECT count(*) FROM done d WHERE d.job_id = l.job_id) AS done
           FROM job_log l WHERE l.cause = 'schedule' GROUP BY l.job_id ORDER BY l.job_id"""
    ).fetchall()
    assert [row.job_id for row in audit] == jobs
    for row in audit:
        assert row.rows == row.due == row.seconds == row.succeeded + row.missed, audit
        assert row.done == row.succeeded, audit
    said = [line for line in scheduler.cluster.log[log:].splitlines() if "ERROR" in line or "WARNING" in line]
    # The update has locked all that the worker needs, and on a busy machine for longer than that waits. PostgreSQL 19
    # warns at the sessions of the worker of before, and of nothing that is here to stay.
    expected = "division by zero|(lock timeout|deadlock detected); trying again|password will expire soon"
    assert [line for line in said if not re.search(expected, line)] == []
    assert "password will expire soon" not in scheduler.cluster.log[replaced:]


def test_a_worker_that_was_stopped_before(database: Callable[..., Scheduler]) -> None:
    scheduler, untouched = database(ORIGIN), database(ORIGIN)
    scheduler.start()
    scheduler.stop()
    for there in (scheduler, untouched):
        there.execute(UPDATE)
    reason = "SELECT reason FROM worker_status"
    assert scheduler.value(reason) == "the worker was stopped before the extension was updated"
    assert untouched.value(reason) == "no worker has been started since the extension was created in this database"
    (found,) = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = 'worker'").fetchall()
    assert (found.state, found.found) == ("error", scheduler.value(reason))
    mend(scheduler, found.remedy)
    assert scheduler.value(reason) is None


def test_long_runs_are_told(database: Callable[..., Scheduler]) -> None:
    """The worker of 1.0.0 is replaced once its runs have ended: the update says which ones take long."""
    scheduler = database(ORIGIN)
    before = scheduler.start()
    jobs = [scheduler.insert("SELECT pg_sleep(600)") for _ in range(2)]
    run, short = [scheduler.value("SELECT run_job(%s)", job) for job in jobs]
    active = "SELECT count(*) FROM job_log WHERE state = 'running'"
    until(lambda: scheduler.value(active) == 2, "the runs")
    scheduler.execute(
        "UPDATE job_log SET scheduled_at = now() + CASE jl_id WHEN {} THEN '-1 minute' ELSE '1 hour' END::interval",
        sql.Literal(run),
    )
    told = []
    scheduler.admin.add_notice_handler(lambda said: told.append((said.message_primary, said.message_hint or "")))
    scheduler.execute(UPDATE)
    ((message, hint),) = told
    assert message == "the worker will start nothing until the runs that are active have ended"
    (found,) = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = 'worker'").fetchall()
    assert (found.state, found.found) == ("warning", scheduler.value("SELECT reason FROM worker_status"))
    assert found.found.startswith(f"the worker (process {before}) is of an earlier version and starts nothing: ")
    scheduler.execute(hint.partition(": ")[2].encode())
    assert scheduler.ended(run).state == "cancelled"
    mend(scheduler, found.remedy)
    assert scheduler.value("SELECT worker_pid()") == before
    scheduler.execute(alternatives(found.remedy)["to cancel the runs that it waits for"])
    assert scheduler.ended(short).state == "cancelled"
    until(lambda: scheduler.value("SELECT pid FROM worker_status") not in (before, None), "the new worker")
    until(lambda: scheduler.value("SELECT reason IS NULL FROM worker_status"), "all to be well")
