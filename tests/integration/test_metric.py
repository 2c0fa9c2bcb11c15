"""The view metric: what it counts, at what cost, and for whom."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

Series = dict[tuple[str, ...], float]


def metrics(scheduler: Scheduler) -> dict[str, Series]:
    """By name, then by the values of the labels."""
    found: dict[str, Series] = {}
    for row in scheduler.execute("SELECT * FROM metric"):
        series = found.setdefault(row.name.removeprefix("elephant_worker_"), {})
        labels = tuple(value for _, value in sorted(row.labels.items()))
        assert labels not in series, row
        series[labels] = row.value
    return found


def test_what_is_counted(scheduler: Scheduler) -> None:
    role = scheduler.role()
    scheduler.start()
    until(lambda: "missed_due_times_total" in metrics(scheduler), "counters before anything has run", 30)
    before = metrics(scheduler)
    assert set(before["run_duration_seconds_bucket"].values()) == {0}
    for command in ("SELECT 1", "SELECT pg_sleep(0.2)", "SELECT 1/0"):
        scheduler.run(command, rolname=role)
    scheduler.insert("SELECT 1", expect_success_within="1 hour", job_name="nightly")
    until(lambda: len(metrics(scheduler).get("runs_total", {})) == 2, "two states", 30)
    now = metrics(scheduler)
    assert now["runs_total"] == {(scheduler.dbname, role, "succeeded"): 2, (scheduler.dbname, role, "failed"): 1}
    assert now["alerts_total"] == {("failed",): 1}
    assert (now["up"], now["condition"], now["paused"], now["failing_jobs"]) == (
        {(): 1},
        {("ok",): 1},
        {(): 0},
        {(): 1},
    )
    assert (now["jobs"], now["undelivered_alerts"]) == ({(): 4}, {(): 1})
    assert now["run_duration_seconds_count"] == {(): 2}
    assert now["run_lateness_seconds_count"] == {(): 3}
    buckets = now["run_duration_seconds_bucket"]
    took = "SELECT count(*) FROM job_log WHERE state = 'succeeded' AND job_finished - job_started <= %s::interval"
    assert (buckets["0.1",], buckets["1",]) == (scheduler.value(took, "0.1 s"), scheduler.value(took, "1 s"))
    assert (buckets["0.1",] < 2, buckets["+Inf",]) == (True, 2)
    assert 0.2 < now["run_duration_seconds_sum"][()] < 60
    ((labels, age),) = now["job_success_age_seconds"].items()
    assert labels[1:] == ("nightly", "postgres")
    assert 0 <= age < 600
    assert now["job_success_expected_seconds"] == {labels: 3600}


def test_what_has_been_counted_is_written_when_the_worker_ends(scheduler: Scheduler) -> None:
    scheduler.start()
    for _ in range(3):
        scheduler.run("SELECT 1")
        scheduler.stop()
        scheduler.start()
    scheduler.stop()
    now = metrics(scheduler)
    assert sum(now["runs_total"].values()) == now["run_duration_seconds_count"][()] == 3
    assert (now["up"], now["condition"]) == ({(): 0}, {("stopped",): 1})


def test_counters_count_what_is_committed(scheduler: Scheduler) -> None:
    """The transaction that logs a run fails for a while: it is counted once."""
    scheduler.start()
    scheduler.execute(
        """CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END$$"""
    )
    scheduler.execute("CREATE TRIGGER full_disk BEFORE INSERT ON alert EXECUTE FUNCTION public.full()")
    before = len(scheduler.cluster.log)
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 1/0"))
    until(lambda: scheduler.cluster.log[before:].count("no space left on device") > 3)
    scheduler.execute("DROP TRIGGER full_disk ON alert")
    scheduler.ended(run)
    scheduler.stop()
    now = metrics(scheduler)
    assert list(now["runs_total"].values()) == list(now["alerts_total"].values()) == [1]


def test_only_monitors_see_it(scheduler: Scheduler) -> None:
    monitor, other = scheduler.role(scheduler=False), scheduler.role()
    scheduler.execute("GRANT job_monitor TO {}", sql.Identifier(monitor))
    count = "SELECT count(*) FROM metric"
    session = scheduler.connect_as(monitor)
    assert (session.execute(count).fetchone() or (0,))[0] > 10
    for relation in ("metric", "metric_counter", "metric_gauges()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scheduler.connect_as(other).execute(f"SELECT count(*) FROM {relation}")


def test_few_series_however_many_jobs_there_are(scheduler: Scheduler) -> None:
    """Jobs that expect a success have two series, the first hundred of them."""
    scheduler.execute(
        """INSERT INTO member_job (job_command, schedule, expect_success_within)
           SELECT 'SELECT 1', '@yearly', '1 day' FROM generate_series(1, 1000)"""
    )
    rows: list[Any] = scheduler.execute("SELECT name, count(*) AS series FROM metric GROUP BY 1 ORDER BY 2").fetchall()
    assert rows[-1].series == 100
    assert sum(row.series for row in rows) < 300
