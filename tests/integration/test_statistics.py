"""job_stats: how the runs of each job went."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until


def stats(connection: psycopg.Connection[Any], job_id: int) -> Any:
    return connection.execute("SELECT * FROM job_stats WHERE job_id = %s", (job_id,)).fetchone()


def seconds(value: Any) -> float:
    return float(value.total_seconds())


def test_a_job_that_has_not_run(scheduler: Scheduler) -> None:
    row = stats(scheduler.admin, scheduler.insert("SELECT 1"))
    assert (row.runs, row.failures, row.cancelled, row.skipped, row.missed) == (0, 0, 0, 0, 0)
    assert (row.duration_p50, row.duration_p95, row.lateness_p50, row.last_states) == (None, None, None, None)


def test_runs_are_counted_by_how_they_ended(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.execute("CREATE TABLE t (command text)")
    job = scheduler.insert("DO $$BEGIN EXECUTE (SELECT command FROM t); END$$")
    for command in ("SELECT 1", "SELECT 1/0", "SELECT pg_sleep(1000)", "SELECT pg_sleep(0.1)"):
        timeout = "100 ms" if "1000" in command else "1 hour"
        scheduler.execute("UPDATE member_job SET job_timeout = {}", sql.Literal(timeout))
        scheduler.execute("DELETE FROM t")
        scheduler.admin.execute("INSERT INTO t VALUES (%s)", (command,))
        last = scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
    longest = max(row.job_finished - row.job_started for row in scheduler.log(job) if row.state == "succeeded")
    row = stats(scheduler.admin, job)
    assert (row.runs, row.failures, row.cancelled, row.skipped, row.missed) == (4, 2, 0, 0, 0)
    assert row.last_states == ["succeeded", "timed out", "failed", "succeeded"]
    ended = (last.job_started.replace(microsecond=0), last.job_finished.replace(microsecond=0))
    assert (row.last_executed, row.last_success) == ended
    assert 0 < seconds(row.duration_p50) < seconds(row.duration_p95)
    assert seconds(row.duration_p95) == pytest.approx(seconds(longest), abs=1e-3)
    assert 0 <= seconds(row.lateness_p50) <= seconds(row.lateness_p95)
    assert scheduler.value("SELECT failure_count FROM member_job WHERE job_id = %s", job) == 0

    # A run that is cancelled, with one that is skipped meanwhile.
    scheduler.execute("UPDATE t SET command = 'SELECT pg_sleep(1000)'")
    scheduler.execute("UPDATE member_job SET job_timeout = '1 hour'")
    first = scheduler.value("SELECT run_job(%s)", job)
    until(
        lambda: scheduler.value(
            "SELECT job_started IS NOT NULL OR state = 'running' FROM job_log WHERE jl_id = %s", first
        )
    )
    scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
    scheduler.value("SELECT cancel_job(%s)", job)
    scheduler.ended(first)
    row = stats(scheduler.admin, job)
    assert (row.runs, row.failures, row.cancelled, row.skipped) == (5, 2, 1, 1)
    assert row.last_states[:2] == ["cancelled", "skipped"]


# Complete runs that have succeeded in the one way and in the other.
COMPLETE = """
spi = elephant("database.spi").Spi(plpy, schema)
log, statistic, run = elephant("database.job_log"), elephant("database.job_statistic"), elephant("jobs.run")
runs = []
for number, job_id in enumerate(jobs):
    outcome = run.Outcome(run.RunState.SUCCEEDED, "00000", command_tag="SELECT 7", row_count=7, notices="NOTICE:  it")
    target = run.Target(10, "app", "shop")
    runs.append(run.Run(job_id, job_id, target, "request", "SELECT 1", 1800000000.0, 60.0))
    runs[-1].started = 1800000000.25 + number // 2
    runs[-1].end(outcome, 1800000000.5 + number // 2 * 2)
overfull = log.succeed(spi, runs[::2])
log.complete(spi, runs[1::2])
return [*overfull, 0, *statistic.count(spi, runs[1::2])]
"""


def test_a_success_is_counted_the_same_however_it_is_logged(scheduler: Scheduler) -> None:
    """By the statement for most runs, and by those for runs that may end in any way."""
    scheduler.worker_code("complete", "jobs bigint[]", COMPLETE)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    jobs = [*range(1, 101)]
    for job in jobs[::2]:
        states = chance.choices(["succeeded", "failed", "skipped", "missed"], k=chance.choice([0, 1, 5, 9, 10]))
        samples = [chance.choices([0.25, 1.5, 300.0], k=chance.choice([0, 1, 98, 99, 100])) for _ in range(2)]
        last = chance.choice([None, datetime.fromtimestamp(1800000000 + chance.randrange(200), timezone.utc)])
        irregular, rows = chance.choice([True, False, None]), chance.choice([0, 2000])
        for copy in (job, job + 1):
            scheduler.admin.execute(
                """INSERT INTO job_statistic (job_id, last_executed, last_success, success_count, failure_count,
                       last_states, durations, delays, log_rows, irregular)
                   VALUES (%s, %s, %s, 5, %s, %s, %s, %s, %s, %s)""",
                (copy, last, last, len(states), states, *samples, rows, irregular),
            )
            scheduler.admin.execute(
                """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command)
                   VALUES (%s, %s, 'app', 'shop', 'request', to_timestamp(1800000000), 'running', 'SELECT 1')""",
                (copy, copy),
            )
    overfull = scheduler.value("SELECT complete(%s, %s)", f'"{SCHEMA}"', jobs)
    end = overfull.index(0)
    assert sorted(overfull[:end]) == [job - 1 for job in sorted(overfull[end + 1 :])]
    assert 0 < end < 50
    for query in (
        "SELECT to_jsonb(t) - 'job_id' FROM job_statistic t",
        "SELECT to_jsonb(t) - '{job_id, jl_id}'::text[] FROM job_log t",
    ):
        rows = [row for (row,) in scheduler.execute(f"{query} ORDER BY job_id")]
        assert rows[::2] == rows[1::2]


def test_what_is_irregular_is_found_by_index(scheduler: Scheduler) -> None:
    """As the states of the last runs say, also where a dump of 1.0.0 has nothing to say about that; and what changes
    with each run touches no index."""
    scheduler.start()
    job = scheduler.insert("SELECT 1")
    paused = scheduler.insert("SELECT pg_sleep(1000)")
    scheduler.seen()
    query = """SELECT irregular, irregular IS NOT DISTINCT FROM coalesce(
            last_states[1] = 'missed' OR cardinality(array_positions(last_states, 'skipped')) >= 5, false)
        FROM job_statistic WHERE job_id = %s"""

    def irregular(job_id: int) -> bool:
        row = scheduler.admin.execute(query, (job_id,)).fetchone()
        assert row is not None
        assert row[1]
        return bool(row[0])

    assert not irregular(job)
    scheduler.execute("UPDATE job_statistic SET irregular = NULL")
    for _ in range(3):
        scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
        assert not irregular(job)
    first = scheduler.value("SELECT run_job(%s)", paused)
    for number in range(5):
        assert not number or irregular(paused) is False
        scheduler.ended(scheduler.value("SELECT run_job(%s)", paused))
    assert irregular(paused)
    scheduler.value("SELECT cancel_job(%s)", paused)
    scheduler.ended(first)
    assert irregular(paused)
    scheduler.execute("UPDATE member_job SET job_command = 'SELECT 1'")
    for _ in range(5):
        scheduler.ended(scheduler.value("SELECT run_job(%s)", paused))
    assert not irregular(paused)
    columns = """SELECT array_agg(DISTINCT a.attname::text) FROM pg_index i
        CROSS JOIN LATERAL regexp_matches(pg_get_indexdef(i.indexrelid), '[a-z_]+', 'g') m
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = m[1]
        WHERE i.indrelid = 'job_statistic'::regclass"""
    assert scheduler.value(columns) == ["failure_count", "irregular", "job_id"]


def test_a_lost_run_is_a_failure(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT pg_sleep(1000)")
    scheduler.value("SELECT run_job(%s)", job)
    until(lambda: scheduler.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"))
    scheduler.kill()
    scheduler.start()
    row = stats(scheduler.admin, job)
    assert (row.runs, row.failures, row.last_states) == (1, 1, ["lost"])
    assert scheduler.value("SELECT log_rows FROM job_statistic") == 0  # kept by age


def test_missed_due_times_are_counted(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET start_grace = '0'")
    job = scheduler.insert("SELECT 1", schedule="* * * * * *")
    until(lambda: scheduler.value("SELECT now() > next_run_at + interval '2 seconds' FROM member_job"))
    scheduler.start()
    row = until(lambda: (found := stats(scheduler.admin, job)).missed and found)
    assert row.missed >= 2
    assert "missed" in row.last_states


def test_the_latest_hundred_are_kept(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT 1", parallel=True)
    for run in [scheduler.value("SELECT run_job(%s)", job) for _ in range(130)]:
        scheduler.ended(run)
    row = scheduler.execute(
        """SELECT cardinality(durations) AS durations, cardinality(delays) AS delays,
                  cardinality(last_states) AS states, success_count FROM job_statistic"""
    ).fetchone()
    assert row == (100, 100, 10, 130)
    # What is read from them is what the log says of the last hundred, in whatever order they ended.
    logged = scheduler.execute(
        """SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY job_started - scheduled_at) AS p50 FROM
           (SELECT * FROM job_log ORDER BY job_finished DESC LIMIT 100) l"""
    ).fetchone()
    assert logged is not None
    assert seconds(stats(scheduler.admin, job).lateness_p50) == pytest.approx(seconds(logged.p50), rel=0.5)


def test_percentiles(scheduler: Scheduler) -> None:
    row = scheduler.execute(
        "SELECT * FROM percentiles((SELECT array_agg(i)::real[] FROM generate_series(100, 1, -1) i))"
    ).fetchone()
    assert row is not None
    assert (seconds(row.p50), seconds(row.p95)) == (50, 95)
    assert scheduler.value("SELECT p50 FROM percentiles('{0.0123456}')").microseconds == 12000
    assert scheduler.value("SELECT p50 IS NULL AND p95 IS NULL FROM percentiles('{}')")
    assert scheduler.value("SELECT p50 IS NULL FROM percentiles(NULL)")


def test_who_sees_which_statistics(scheduler: Scheduler) -> None:
    mine, team = scheduler.role("mine"), scheduler.role("team", "NOLOGIN", False)
    foreign, monitor, stranger = scheduler.role("foreign"), scheduler.role("monitor", scheduler=False), scheduler.role()
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(mine))
    scheduler.execute("GRANT job_monitor TO {}", sql.Identifier(monitor))
    jobs = [scheduler.insert("SELECT 1", rolname=role) for role in (mine, team, foreign)]
    gone = scheduler.role("gone")
    jobs.append(scheduler.insert("SELECT 1", rolname=gone))
    scheduler.execute("DROP ROLE {}", sql.Identifier(gone))

    def seen(role: str) -> list[int]:
        session = scheduler.connect_as(role)
        return [row.job_id for row in session.execute("SELECT job_id FROM job_stats ORDER BY job_id")]

    assert seen(mine) == jobs[:2]
    assert seen(foreign) == [jobs[2]]
    assert seen(stranger) == []
    assert seen(monitor) == jobs
    assert [row.job_id for row in scheduler.execute("SELECT job_id FROM job_stats ORDER BY job_id")] == jobs

    for role in (mine, monitor):
        session = scheduler.connect_as(role)
        for statement in ("TABLE job_statistic", "UPDATE job_stats SET runs = 0", "DELETE FROM job_stats"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
                session.execute(statement)
    nobody = scheduler.connect_as(scheduler.role("nobody", scheduler=False))
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
        nobody.execute("TABLE job_stats")


def test_what_runs_cost(scheduler: Scheduler) -> None:
    scheduler.start()
    unmeasured = scheduler.run("SELECT 1")
    assert (unmeasured.cpu_time, unmeasured.bytes_read, unmeasured.bytes_written) == (None, None, None)

    scheduler.execute("UPDATE worker_setting SET measure_cost = true")
    scheduler.tick()
    little = scheduler.run("SELECT 1")
    loop = "DO $$BEGIN FOR i IN 1..1000000 LOOP PERFORM i; END LOOP; END$$"
    much = scheduler.run(loop)
    assert 0 <= seconds(little.cpu_time) < seconds(much.cpu_time)
    assert seconds(much.cpu_time) <= 1.1 * seconds(much.job_finished - much.job_started) + 0.01
    # Sorting with little memory writes a temporary file and reads it again.
    sort = "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT i FROM generate_series(1, 300000) i ORDER BY -i) s"
    spilled = scheduler.run(sort)
    assert spilled.bytes_written > 2_000_000
    assert spilled.bytes_read > 2_000_000
    assert little.bytes_written < 1_000_000
    # Each run of a session that is kept counts for itself; also one that fails.
    failed = scheduler.run("SELECT 1/0")
    assert failed.state == "failed"
    assert failed.bytes_written < spilled.bytes_written
    assert seconds(failed.cpu_time) < seconds(much.cpu_time)
