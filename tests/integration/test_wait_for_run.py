"""wait_for_run(): what applications and tests wait with."""

from __future__ import annotations

import re
import threading

import psycopg
import pytest

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

WAIT = "CALL wait_for_run(%s)"


def test_it_returns_how_the_run_went(worker: Scheduler) -> None:
    app = worker.connect_as(worker.role())
    # PostgreSQL looks for types there first.
    app.execute("CREATE DOMAIN pg_temp.timestamptz AS pg_catalog.timestamptz CHECK (VALUE IS NULL)")
    app.execute("SELECT insert_job('SELECT 1', current_catalog, job_name => 'good')")
    assert app.execute("CALL wait_for_run(run_job('good'))").fetchone() == ("succeeded", None)
    run = app.execute("SELECT run_once('SELECT 1/0')").fetchone()
    assert run is not None
    for _ in range(2):  # also of a run that has ended already
        assert app.execute(WAIT, run).fetchone() == ("failed", "division by zero")
    # A block that commits may call it, too, and what it has requested starts.
    app.execute(
        """DO $$ DECLARE how text; why text; BEGIN
               CALL wait_for_run(run_once('SELECT 2'), '1 minute', how, why);
               ASSERT how = 'succeeded';
           END $$"""
    )


def test_it_holds_no_snapshot_for_longer_than_a_look(worker: Scheduler) -> None:
    app = worker.connect_as(worker.role())
    began = "SELECT coalesce(xact_start, query_start) FROM pg_stat_activity WHERE pid = %s AND query ~ '^CALL'"
    worker.execute("SELECT pg_advisory_lock(19)")
    run = app.execute("SELECT run_once('SELECT pg_advisory_lock_shared(19)')").fetchone()
    results: list[object] = []
    waiter = threading.Thread(target=lambda: results.append(app.execute(WAIT, run).fetchone()))
    waiter.start()
    try:
        for _ in range(3):
            seen = until(lambda: worker.value(began, app.info.backend_pid), "a look")
            until(
                lambda since=seen: worker.value(began, app.info.backend_pid) > since,  # type: ignore[misc]
                "the next transaction",
            )
    finally:
        worker.execute("SELECT pg_advisory_unlock(19)")
        waiter.join()
    assert results == [("succeeded", None)]


def test_it_can_be_cancelled(worker: Scheduler) -> None:
    app = worker.connect_as(worker.role())
    run = app.execute("SELECT run_once('SELECT pg_sleep(1000)')").fetchone()
    app.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        app.execute(WAIT, run)
    app.execute("SET statement_timeout = 0")
    with pytest.raises(psycopg.errors.QueryCanceled) as late:
        app.execute("CALL wait_for_run(%s, '0')", run)
    # Its hint ends the run.
    (remedy,) = re.findall(f'SELECT "{SCHEMA}".cancel_run[(].*[)];', late.value.diag.message_hint or "")
    app.execute(remedy)
    assert app.execute("CALL wait_for_run(%s, NULL)", run).fetchone()[0] == "cancelled"  # type: ignore[index]


def test_it_says_why_it_cannot_wait(scheduler: Scheduler) -> None:
    app = scheduler.connect_as(scheduler.role())
    run = app.execute("SELECT run_once('SELECT 1')").fetchone()
    with app.transaction(), pytest.raises(psycopg.errors.ActiveSqlTransaction) as refused:
        app.execute("CALL wait_for_run(run_once('SELECT 1'))")
    assert "autocommit" in (refused.value.diag.message_hint or "")
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        app.execute("SELECT run_once('SELECT 1'); CALL wait_for_run(1)")
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no run 12345 that role"):
        app.execute(WAIT, (12345,))
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no run NULL that role"):
        app.execute(WAIT, (None,))
    other = scheduler.connect_as(scheduler.role())
    with pytest.raises(psycopg.errors.NoDataFound):
        other.execute(WAIT, run)
    with pytest.raises(psycopg.errors.QueryCanceled, match="has not ended in time") as late:
        app.execute("CALL wait_for_run(%s, '0')", run)
    assert late.value.diag.message_detail == (
        "It has not started: no worker has been started since the extension was created in this database."
    )
