"""Two-phase commit: what somebody has prepared, and leaves so, holds up neither the worker nor others' definitions."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.scheduler import Scheduler, new_scheduler
from harness.waiting import until


@pytest.fixture(scope="module")
def server(installation: Installation, data_directory: str) -> Iterator[Cluster]:
    """One that lets transactions be prepared, which stock servers do not."""
    cluster = Cluster(installation, {"max_prepared_transactions": "10"}, copy_data_from=data_directory)
    yield cluster
    cluster.stop()


@pytest.fixture
def two_phase(server: Cluster) -> Iterator[Scheduler]:
    """A worker runs, nobody is patient."""
    scheduler = new_scheduler(server)
    scheduler.execute("SET lock_timeout = '3 s'")
    scheduler.start()
    yield scheduler
    for row in scheduler.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
        scheduler.execute("ROLLBACK PREPARED {}", sql.Literal(row.gid))
    scheduler.close()


# What Mallory prepares; {0} is her job, of which a run goes on, and {1} another one of hers.
STATEMENTS = {
    "insert_job": "SELECT insert_job('SELECT 1', current_catalog, '1 second')",
    "define_job": "SELECT define_job('new', 'SELECT 1', schedule := '1 second')",
    "run_after": "UPDATE my_job SET run_after = '{{{1}}}' WHERE job_id = {0}",
    "delete_job": "SELECT delete_job({1})",
    "run_job": "SELECT run_job({0})",
    "run_once": "SELECT run_once('SELECT 1')",
    "cancel_job": "SELECT cancel_job({0})",
    "cancel_run": "SELECT cancel_run(max(jl_id)) FROM my_job_log WHERE job_id = {0}",
    "row locks": "SELECT * FROM my_job WHERE job_id IN ({0}, {1}) FOR UPDATE",
}


def test_a_definition_cannot_be_prepared(two_phase: Scheduler) -> None:
    """It has notified the worker."""
    mallory = two_phase.connect_as(two_phase.role("mallory"))
    mallory.autocommit = False
    mallory.execute("SELECT insert_job('SELECT 1', current_catalog)")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        mallory.execute("PREPARE TRANSACTION 'held'")


def test_what_is_prepared_holds_up_nobody(two_phase: Scheduler) -> None:
    """Unless whoever prepares it calls itself the worker: then nobody is notified."""
    victim = two_phase.connect_as(two_phase.role("victim"))
    victim.execute("SET lock_timeout = '3 s'")
    attacks = []
    for name, statement in STATEMENTS.items():
        # A role of its own for each statement: they would wait for one another.
        mallory = two_phase.connect_as(two_phase.role("mallory"))
        mallory.execute("SET lock_timeout = '3 s'")
        jobs = []
        for command in ("SELECT pg_sleep(1000)", "SELECT 1"):
            row = mallory.execute("SELECT job_id FROM insert_job(%s, current_catalog)", (command,)).fetchone()
            assert row is not None
            jobs.append(row.job_id)
        mallory.execute("SELECT run_job(%s)", jobs[:1])
        attacks.append((name, mallory, statement.format(*jobs)))
    until(lambda: [run.state for run in two_phase.log()] == ["running"] * len(attacks), "her runs")
    scheduled = {}
    for name, mallory, statement in attacks:
        mallory.execute("SET application_name = 'elephant_worker'")
        mallory.autocommit = False
        mallory.execute(statement)
        mallory.execute(sql.SQL("PREPARE TRANSACTION {}").format(sql.Literal(name)))
        mallory.autocommit = True
        row = victim.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog, '1 second')").fetchone()
        assert row is not None
        scheduled[name] = row.job_id
        victim.execute("UPDATE my_job SET run_after = '{}', job_description = 'x' WHERE job_id = %s", (row.job_id,))
        run = victim.execute("SELECT run_once('SELECT 1') AS run").fetchone()
        assert run is not None
        assert two_phase.ended(run.run, 10).state == "succeeded", name
    # From now on all of it is held.
    now = two_phase.value("SELECT clock_timestamp()")
    for name, job_id in scheduled.items():
        runs = "SELECT true FROM member_job_log WHERE job_id = %s AND scheduled_at > %s AND state = 'succeeded'"
        until(lambda query=runs, job_id=job_id: two_phase.value(query, job_id, now), f"a run after {name}", 10)
        victim.execute("SELECT delete_job(%s)", (job_id,))
    assert two_phase.value("SELECT count(*) FROM pg_prepared_xacts") == len(STATEMENTS)


def test_what_was_prepared_counts_when_it_is_committed(two_phase: Scheduler) -> None:
    """Also if a worker has ended and another has begun meanwhile."""
    mallory = two_phase.connect_as(two_phase.role("mallory"))
    mallory.execute("SET application_name = 'elephant_worker'")
    mallory.autocommit = False
    row = mallory.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog, '1 second')").fetchone()
    assert row is not None
    mallory.execute("PREPARE TRANSACTION 'held'")
    two_phase.stop()
    two_phase.start()
    assert two_phase.run("SELECT 1").state == "succeeded"
    two_phase.execute("COMMIT PREPARED 'held'")
    until(lambda: two_phase.log(row.job_id), "a run of what was committed", 10)


def test_nobody_else_commits_what_is_prepared(two_phase: Scheduler) -> None:
    mallory, victim = two_phase.connect_as(two_phase.role("mallory")), two_phase.connect_as(two_phase.role("victim"))
    victim.execute("SET application_name = 'elephant_worker'")
    victim.autocommit = False
    victim.execute("SELECT insert_job('SELECT 1', current_catalog)")
    victim.execute("PREPARE TRANSACTION 'of the victim'")
    for end in ("COMMIT", "ROLLBACK"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            mallory.execute(f"{end} PREPARED 'of the victim'")


def test_who_shares_a_role_is_told_of_what_is_prepared(two_phase: Scheduler) -> None:
    team = two_phase.role("team")
    mallory, victim = two_phase.connect_as(team), two_phase.connect_as(team)
    mallory.execute("SET application_name = 'elephant_worker'")
    mallory.autocommit = False
    mallory.execute("SELECT insert_job('SELECT 1', current_catalog)")
    mallory.execute("PREPARE TRANSACTION 'of the team'")
    victim.execute("SET lock_timeout = '50ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable) as raised:
        victim.execute("SELECT insert_job('SELECT 1', current_catalog)")
    assert "pg_prepared_xacts" in str(raised.value.diag.message_hint)
    (held,) = victim.execute("SELECT gid FROM pg_prepared_xacts WHERE owner = %s", (team,)).fetchone() or ("",)
    victim.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(held)))
    victim.execute("SELECT insert_job('SELECT 1', current_catalog)")
