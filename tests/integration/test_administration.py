"""What administrators do to databases and roles while jobs use them."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.remedies import alternatives
from harness.scheduler import Scheduler
from harness.waiting import until


def every_second(scheduler: Scheduler, database: str, rolname: str | None = None) -> int:
    """A job whose session is kept from one run to the next, and which has run."""
    job_id = scheduler.insert("SELECT pg_backend_pid()", database, schedule="1 second", rolname=rolname)
    until(lambda: scheduler.successes(job_id) >= 2, "two runs")
    return job_id


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE {new} TEMPLATE {old}",
        "ALTER DATABASE {old} RENAME TO {new}",
        "ALTER DATABASE {old} SET TABLESPACE elsewhere",
        "DROP DATABASE {old}",
    ],
)
def test_a_database_with_frequent_jobs(worker: Scheduler, statement: str) -> None:
    old, new = worker.database("o'ld"), 'n"ew'
    worker._databases.append(new)
    if "TABLESPACE" in statement:
        worker.execute("SET allow_in_place_tablespaces = on")
        worker.execute("CREATE TABLESPACE elsewhere LOCATION ''")
    jobs = [every_second(worker, old), every_second(worker, old, worker.role())]
    elsewhere = every_second(worker, worker.database("elsewhere"))
    before = worker.successes(elsewhere)
    worker.admin.execute(sql.SQL(statement).format(old=sql.Identifier(old), new=sql.Identifier(new)))  # type: ignore[arg-type]
    if "RENAME" in statement:
        worker.execute("UPDATE member_job SET datname = {} WHERE datname = {}", sql.Literal(new), sql.Literal(old))
    if "DROP" not in statement:
        for job in jobs:
            seen = worker.successes(job)
            until(lambda job=job, seen=seen: worker.successes(job) > seen, "the job to go on")  # type: ignore[misc]
    until(lambda: worker.successes(elsewhere) > before, "the other job to go on")
    worker.execute("DELETE FROM member_job")
    if "TABLESPACE" in statement:
        worker.execute("ALTER DATABASE {} SET TABLESPACE pg_default", sql.Identifier(old))
        worker.execute("DROP TABLESPACE elsewhere")


def test_a_frequent_job_in_template1_does_not_keep_databases_from_being_created(worker: Scheduler) -> None:
    job = every_second(worker, "template1")
    worker.database()
    seen = worker.successes(job)
    until(lambda: worker.successes(job) > seen, "the job to go on")


@pytest.mark.slow
def test_what_is_due_waits_for_a_database_that_is_closed(worker: Scheduler) -> None:
    database, other = worker.database(), worker.database()
    job, free = every_second(worker, database), every_second(worker, other)
    with worker.connect() as owner:
        owner.execute("BEGIN")
        owner.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database), sql.Identifier(database + "2"))
        )
        asked = worker.value("SELECT run_job(%s)", job)
        once = worker.value("SELECT run_once('SELECT 1', %s)", database)
        worker.tick()
        before = worker.successes(free)
        until(lambda: worker.successes(free) >= before + 2, "the other job to go on")
        assert not [run for run in worker.log() if run.jl_id in (asked, once)]
        found = "SELECT * FROM check_jobs() WHERE state <> 'ok'"
        row = until(lambda: worker.execute(found).fetchone())
        assert f'database "{database}"' in row.found
        assert f"process {owner.info.backend_pid} " in row.found
        worker.execute(row.remedy)
        owner.execute("SELECT")
        worker.execute(alternatives(row.remedy)["to end that"])
        with pytest.raises(psycopg.OperationalError):
            owner.execute("SELECT")
    assert worker.execute(found).fetchall() == []
    assert [worker.ended(run).state for run in (asked, once)] == ["succeeded"] * 2
    # One of them may have been due while the other was active.
    assert {run.state for run in worker.log()} <= {"running", "succeeded", "skipped"}


def test_runs_wait_for_a_database_that_has_reached_its_connection_limit(worker: Scheduler) -> None:
    database, roles = worker.database(), [worker.role() for _ in range(4)]
    jobs = [worker.insert("SELECT pg_sleep(0.05)", database, rolname=role) for role in roles]
    worker.execute("ALTER DATABASE {} CONNECTION LIMIT 2", sql.Identifier(database))
    with worker.cluster.connect(database):
        runs = [worker.value("SELECT run_job(%s)", job) for job in jobs]
        assert [worker.ended(run).state for run in runs] == ["succeeded"] * 4
    # Walsenders are not counted, also if there are as many as sessions may be.
    with ExitStack() as walsenders:
        for _ in range(2):
            socket = worker.cluster.socket_directory
            walsender = psycopg.connect(host=socket, port=worker.cluster.port, dbname=database, replication="database")
            walsenders.enter_context(closing(walsender))
        sender = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'walsender'"
        assert worker.value(sender, database) == 2
        assert worker.ended(worker.value("SELECT run_job(%s)", jobs[0])).state == "succeeded"


@pytest.mark.parametrize("place", ["another database", "the control database"])
def test_what_others_leave_of_a_connection_limit(worker: Scheduler, place: str) -> None:
    database, limit, others = worker.database("o'thers"), 2, 2
    if place == "the control database":  # beside worker, spare, listener, and the session that looks
        database, limit, others = worker.dbname, 6, 2
        until(lambda: worker.value("SELECT spare_pid FROM worker_state"), "the spare")
        until(lambda: worker.value("SELECT sessions FROM worker_status") == 1, "the listener")
    job = worker.insert("SELECT 1", database, rolname=worker.role())
    monitor = worker.role("monitor", "LOGIN IN ROLE job_monitor", scheduler=False)
    worker.execute(f"ALTER DATABASE {{}} CONNECTION LIMIT {limit}", sql.Identifier(database))
    with ExitStack() as sessions:
        for _ in range(others):
            sessions.enter_context(worker.cluster.connect(database))
        run = worker.value("SELECT run_job(%s)", job)
        worker.tick()
        assert not [row for row in worker.log() if row.jl_id == run]
        row = next(row for row in worker.execute("SELECT * FROM check_connections()") if row.state != "ok")
        assert (
            f'database "{database}" has CONNECTION LIMIT {limit}, and there are {limit} sessions of no runs'
            in row.found
        )
        worker.execute("SET ROLE {}", sql.Identifier(monitor))
        assert row in worker.execute("SELECT * FROM check_connections()").fetchall()
        worker.execute("RESET ROLE")
        worker.execute(row.remedy)
        worker.execute(alternatives(row.remedy)["to allow more"])
        assert worker.ended(run).state == "succeeded"
        assert worker.value("SELECT state FROM check_connections()") == "ok"


def test_the_connection_limit_of_the_control_database(worker: Scheduler) -> None:
    job = worker.insert("SELECT 1", rolname=worker.role())
    free = every_second(worker, worker.database())
    until(lambda: worker.value("SELECT spare_pid FROM worker_state"), "the spare")
    worker.execute("ALTER DATABASE {} CONNECTION LIMIT 3", sql.Identifier(worker.dbname))
    run = worker.value("SELECT run_job(%s)", job)
    worker.tick()
    row = next(row for row in worker.execute("SELECT * FROM check_connections()") if row.state == "error")
    assert "CONNECTION LIMIT 3" in row.found
    before = worker.successes(free)
    until(lambda: worker.successes(free) > before, "the other job to go on")
    assert worker.log(job) == []
    worker.execute(row.remedy)
    assert worker.ended(run).state == "succeeded"
    assert {row.state for row in worker.execute("SELECT * FROM check_connections()")} == {"ok"}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE {role} SET search_path = changed",
        "ALTER ROLE {role} IN DATABASE {database} SET search_path = changed",
        "ALTER DATABASE {database} SET search_path = changed",
        "ALTER ROLE ALL SET search_path = changed",
    ],
)
def test_what_is_set_for_a_role_reaches_its_next_run(worker: Scheduler, statement: str) -> None:
    role, database = worker.role(), worker.database()
    job = worker.insert("DO $$BEGIN RAISE NOTICE '%', current_setting('search_path'); END$$", database, rolname=role)

    def search_path() -> str:
        return str(worker.ended(worker.value("SELECT run_job(%s)", job)).notices).strip()

    assert search_path().endswith('"$user", public')
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database)}
    for change, expected in ((statement, "changed"), (statement.partition(" SET ")[0] + " RESET ALL", "public")):
        worker.admin.execute(sql.SQL(change).format(**names))  # type: ignore[arg-type]
        assert search_path().endswith(expected)


def test_a_session_of_a_runner_that_was_dropped_takes_no_run(worker: Scheduler) -> None:
    role = worker.role()
    job = worker.insert("SELECT 1", rolname=role)
    for _ in range(3):
        assert worker.ended(worker.value("SELECT run_job(%s)", job)).state == "succeeded"
        worker.execute(
            "DROP ROLE {}",
            sql.Identifier(worker.value("SELECT runner_name(oid) FROM pg_roles WHERE rolname = %s", role)),
        )


def test_what_was_done_to_a_runner_is_undone(worker: Scheduler) -> None:
    """As by a script that treats all roles that can log in alike."""
    worker.configure("session_lifetime = '0', max_idle_sessions = 0")
    role = worker.role()
    assert worker.run("SELECT 1", rolname=role).state == "succeeded"
    runner = worker.value("SELECT runner_name(oid) FROM pg_roles WHERE rolname = %s", role)
    attributes = """SELECT rolcanlogin, rolconnlimit, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolreplication,
        rolbypassrls FROM pg_roles WHERE rolname = {}"""
    before = worker.execute(attributes, sql.Literal(runner)).fetchone()
    for change in ("NOLOGIN", "CONNECTION LIMIT 0", "NOINHERIT", "SUPERUSER CREATEDB", "VALID UNTIL '2000-01-01'"):
        worker.execute("ALTER ROLE {} " + change, sql.Identifier(runner))
        assert worker.run("SELECT 1", rolname=role).state == "succeeded", change
        assert worker.execute(attributes, sql.Literal(runner)).fetchone() == before


@pytest.mark.parametrize("kind", ["role", "database"])
def test_what_is_renamed_under_its_jobs(worker: Scheduler, kind: str) -> None:
    """It is told of wherever somebody may look, and the remedy keeps the jobs."""
    role, database = worker.role("o'ne"), worker.database("o'ne")
    old = role if kind == "role" else database
    new = f"{old} then"
    (worker._roles if kind == "role" else worker._databases).append(new)
    with worker.connect() as session:
        alerts: list[dict[str, Any]] = []
        session.add_notify_handler(lambda notify: alerts.append(json.loads(notify.payload)))
        session.execute("LISTEN elephant_worker")
        job = every_second(worker, database, role)
        idle = worker.insert("SELECT 1", database, rolname=role)
        worker.execute(f"ALTER {kind.upper()} {{}} RENAME TO {{}}", sql.Identifier(old), sql.Identifier(new))
        reason = f'{kind} "{old}" does not exist'
        until(lambda: session.execute("SELECT 1") and [alert for alert in alerts if alert["event"] == "quarantined"])
        assert [alert["job_id"] for alert in alerts if alert["event"] == "quarantined"] == [job]
    assert f"LOG:  elephant_worker: job {job} is in quarantine: {reason}" in worker.cluster.log
    assert worker.value("SELECT quarantined_reason FROM member_job WHERE job_id = %s", job) == reason
    (row,) = (row for row in worker.execute("SELECT * FROM check_jobs()") if row.state != "ok")
    renamed = re.search(r"^-- if it was renamed: (.*)$", row.remedy, re.MULTILINE)
    assert renamed is not None
    worker.execute(renamed[1].replace("'...'", sql.quote(new)))
    until(lambda: worker.log(job)[-1].state == "succeeded", "the job to run again")
    assert f"LOG:  elephant_worker: job {job} leaves quarantine" in worker.cluster.log
    assert worker.ended(worker.value("SELECT run_job(%s)", idle)).state == "succeeded"
    assert {row.state for row in worker.execute("SELECT * FROM check_jobs()")} == {"ok"}


def test_a_superuser_says_who_defined_a_job(scheduler: Scheduler) -> None:
    old, new, other = (scheduler.role(name) for name in ("old", "new", "other"))
    job = scheduler.insert("SELECT 1", rolname=old)
    definer = "SELECT defined_by FROM all_job WHERE job_id = %s"
    for table in ("member_job", "job"):
        scheduler.execute(
            f"UPDATE {table} SET rolname = {{0}}, defined_by = {{0}} WHERE job_id = {{1}}",
            *(sql.Literal(new), sql.Literal(job)),
        )
        assert scheduler.value(definer, job) == new
        scheduler.execute(f"UPDATE {table} SET defined_by = current_user, rolname = {{}}", sql.Literal(old))
        assert scheduler.value(definer, job) == scheduler.value("SELECT current_user")
    session = scheduler.connect_as(new)
    job = session.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone().job_id
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("UPDATE my_job SET defined_by = %s", (other,))
    assert scheduler.value(definer, job) == new


def test_runners_out_of_a_dump_of_roles(scheduler: Scheduler) -> None:
    """Their names are made of the oids that roles and databases had elsewhere."""
    roles = [scheduler.role(name) for name in ("b", "a")]
    oids = [scheduler.value("SELECT oid FROM pg_roles WHERE rolname = %s", role) for role in roles]
    own = scheduler.value("SELECT oid FROM pg_database WHERE datname = current_database()")
    strays = {
        f"elephant_worker_{own}_{oids[0]}": roles[1],
        f"elephant_worker_{own}_{oids[1]}": roles[0],
        "elephant_worker_4294967294_16384": roles[0],
        "elephant_worker_4294967294_16385": roles[0],
    }
    for name, role in strays.items():
        scheduler.execute("CREATE ROLE {} LOGIN PASSWORD 'x'", sql.Identifier(name))
        scheduler.execute("GRANT {} TO {}", sql.Identifier(role), sql.Identifier(name))
    scheduler.execute("CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO elephant_worker_4294967294_16385")
    scheduler.start()
    for role in roles:
        assert scheduler.run("SELECT 1", rolname=role).state == "succeeded"
    rows = scheduler.execute("SELECT * FROM check_runners()").fetchall()
    assert [row.state for row in rows] == ["warning"] * 2
    for row, number in zip(rows, ("16384", "16385"), strict=True):
        assert f'"elephant_worker_4294967294_{number}"' in row.found
        scheduler.execute(row.remedy)
    scheduler.execute("DROP OWNED BY not_elephant_worker_4294967294_16385")
    scheduler.execute("DROP ROLE not_elephant_worker_4294967294_16385")
    assert scheduler.value("SELECT state FROM check_runners()") == "ok"
    scheduler.stop()
    assert scheduler.execute("SELECT FROM pg_roles WHERE rolname = ANY ({})", sql.Literal(list(strays))).rowcount == 0
