"""What one looks at every day fits the terminal, and shows what is one's own."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

WIDTH = 120
VIEWS = ["job_overview", "recent_runs", "job_chain", "waiting_run"]


@pytest.fixture
def worker(scheduler: Scheduler) -> Scheduler:
    scheduler.start()
    return scheduler


def printed(scheduler: Scheduler, query: str) -> list[str]:
    """What psql prints, as it comes."""
    command = scheduler.cluster.command(
        "psql", "-X", "-d", scheduler.dbname, "-c", f'SET search_path = "{SCHEMA}"', "-c", query
    )
    return command.stdout.splitlines()


def test_they_fit(worker: Scheduler) -> None:
    role, database = worker.role("a role with a long name"), worker.database("a database with a long name")
    first = worker.insert(
        "DO $$BEGIN\n    RAISE EXCEPTION 'something went wrong that takes\n    many words to say';\nEND$$",
        database,
        rolname=role,
        schedule='{"0 9 * * 1-5","0 12 * * 6","30 4 1,15 * *"}',
        job_name="the report of all orders of the night",
    )
    worker.insert("SELECT 1", database, rolname=role, run_after=[first], run_when="on_failure", job_name="x" * 100)
    worker.execute("ALTER SEQUENCE worker_inbox_request_id_seq RESTART 12345678")
    worker.ended(worker.value("SELECT run_job(%s)", first))
    worker.run("UPDATE pg_class SET relname = relname WHERE false")
    until(lambda: len([run for run in worker.log() if run.state != "running"]) == 3)
    worker.stop()
    worker.value("SELECT run_once('SELECT 1')")
    for view in VIEWS:
        lines = printed(worker, f"SELECT * FROM {view}")
        assert len(lines) > 4, view
        assert max(map(len, lines)) <= WIDTH, (view, lines)


def test_overview(worker: Scheduler) -> None:
    role = worker.role()
    app = worker.connect_as(role)
    failing = worker.insert("SELECT\n  1/0", rolname=role, max_retries=1)
    worker.insert("SELECT 1", rolname=role, enabled=False, job_description="switched off")
    worker.insert("SELECT 1", rolname=role, job_name="named", schedule="@daily", job_description="never seen")
    worker.ended(worker.value("SELECT run_job(%s)", failing))
    rows = app.execute("SELECT * FROM job_overview").fetchall()
    assert [(row.job, row.status, row.fails) for row in rows] == [
        ("SELECT 1/0", "to retry", 1),
        ("switched off", "not enabled", 0),
        ("named", "new", 0),
    ]
    assert rows[0].last_run
    assert rows[0].next_run
    assert rows[2].next_run.endswith(" 00:00:00")
    sleeping = worker.insert("SELECT pg_sleep(1000)", rolname=role)
    worker.value("SELECT run_job(%s)", sleeping)
    until(
        lambda: app.execute("SELECT status FROM job_overview WHERE job_id = %s", (sleeping,)).fetchone() == ("running",)
    )
    assert worker.value(f"SELECT job FROM job_overview WHERE job_id = {failing}").startswith(f"{role}.")


def test_recent_runs(worker: Scheduler) -> None:
    role = worker.role()
    app = worker.connect_as(role)
    job = worker.insert("SELECT generate_series(1, 7)", rolname=role, job_name="seven")
    for _ in range(22):
        last = worker.ended(worker.value("SELECT run_job(%s)", job))
    rows = app.execute("SELECT * FROM recent_runs").fetchall()
    assert len(rows) == 20
    assert rows[0].jl_id == last.jl_id
    assert (rows[0].job, rows[0].state, rows[0].rows, rows[0].message) == ("seven", "succeeded", 7, None)
    assert rows[0].took.total_seconds() >= 0


def test_what_is_not_ones_own_is_not_there(worker: Scheduler) -> None:
    worker.run("SELECT 1", rolname=worker.role("victim"))
    stranger = worker.connect_as(worker.role("stranger"))
    for view in ("job_overview", "recent_runs", "job_chain", "waiting_run"):
        assert stranger.execute(f"SELECT * FROM {view}").fetchall() == []
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            stranger.execute(f"DELETE FROM {view}")
    worker.execute("GRANT USAGE ON SCHEMA {} TO PUBLIC", sql.Identifier(SCHEMA))
    nobody = worker.connect_as(worker.role("nobody", scheduler=False))
    for view in VIEWS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            nobody.execute(f"SELECT * FROM {view}")


def test_errors_of_the_functions_carry_hints(scheduler: Scheduler) -> None:
    """Each RAISE EXCEPTION that a user can meet has a HINT."""
    bare = scheduler.execute(
        r"""SELECT p.proname, r.raised
           FROM pg_proc p
           JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
           CROSS JOIN LATERAL (SELECT m[1] AS raised
                               FROM regexp_matches(p.prosrc, '(RAISE EXCEPTION.*?;)\s*\n', 'g') m) r
           WHERE p.pronamespace = (SELECT extnamespace FROM pg_extension WHERE extname = 'elephant_worker')
             AND r.raised !~ 'HINT' AND p.proname NOT IN ('check_settings', 'raise_error')"""
    ).fetchall()
    assert bare == []
