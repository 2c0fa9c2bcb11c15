"""How the log is kept short."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from elephant_worker.database import job_log, job_statistic
from elephant_worker.database.spi import in_schemas
from elephant_worker.worker.main import SESSION
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

BACKLOG = """
    INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished, state,
                         job_command, job_sqlstate)
    SELECT nextval('worker_inbox_request_id_seq'), %(job)s + i %% %(jobs)s, 'somebody', current_catalog,
           'request', moment, moment, moment, 'succeeded', 'SELECT 1', '00000'
    FROM generate_series(1, %(rows)s) i,
         LATERAL (SELECT now() - %(age)s::interval + i * interval '1 us') m (moment)"""


def backlog(scheduler: Scheduler, rows: int, job: int = 1000, jobs: int = 1, age: str = "31 days") -> None:
    """Runs that ended some time ago."""
    scheduler.admin.execute(BACKLOG, {"rows": rows, "job": job, "jobs": jobs, "age": age})


def rows(scheduler: Scheduler, job: int = 1000) -> int:
    count: int = scheduler.value("SELECT count(*) FROM job_log WHERE job_id >= %s", job)
    return count


def test_the_defaults(scheduler: Scheduler) -> None:
    setting = scheduler.execute("SELECT log_max_age::text, log_max_rows FROM worker_setting").fetchone()
    assert setting == ("30 days", 1000)


@pytest.mark.parametrize("wrong", ["log_max_age = '0'", "log_max_rows = 0", "log_max_rows = 100001"])
def test_settings_out_of_range(scheduler: Scheduler, wrong: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        scheduler.execute(f"UPDATE worker_setting SET {wrong}")


def test_old_rows_go_and_young_ones_stay(scheduler: Scheduler) -> None:
    backlog(scheduler, 1700, job=1000)
    backlog(scheduler, 20, job=2000, age="29 days")
    scheduler.start()
    until(lambda: rows(scheduler) == 20, "the old rows to go")
    scheduler.tick()
    assert rows(scheduler, 2000) == 20
    scheduler.execute("UPDATE worker_setting SET log_max_age = '7 days'")
    until(lambda: rows(scheduler) == 0, "the other rows to go")


def test_no_limits(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET log_max_age = NULL, log_max_rows = NULL")
    backlog(scheduler, 1700)
    scheduler.start()
    scheduler.tick()
    scheduler.tick()
    assert rows(scheduler) == 1700
    scheduler.execute("UPDATE worker_setting SET log_max_age = '1 day'")
    until(lambda: rows(scheduler) == 0, "the rows to go")


def test_failures_are_kept_by_age(scheduler: Scheduler) -> None:
    """Also if runs that succeed, or are skipped, fill the log meanwhile; many failures do not push these out."""
    scheduler.execute("UPDATE worker_setting SET log_max_rows = 20")
    scheduler.start()
    scheduler.execute("CREATE TABLE t (divisor integer); INSERT INTO t VALUES (0)")
    job = scheduler.insert("SELECT 1 / divisor FROM t", parallel=True)
    failed = scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
    scheduler.execute("UPDATE t SET divisor = 1")
    counted = "SELECT success_count + failure_total FROM job_statistic"
    for _ in range(40):
        scheduler.value("SELECT run_job(%s)", job)
    until(lambda: scheduler.value(counted) == 41 and len(scheduler.log(job)) <= 31, "successes to go")
    assert scheduler.log(job)[0].jl_id == failed.jl_id
    scheduler.execute("UPDATE t SET divisor = 0")
    for _ in range(40):
        scheduler.value("SELECT run_job(%s)", job)
    until(lambda: scheduler.value(counted) == 81, "40 failures")
    scheduler.tick()
    states = [row.state for row in scheduler.log(job)]
    assert states.count("failed") == 41
    assert states.count("succeeded") >= 20
    scheduler.execute("UPDATE job_log SET job_finished = now() - interval '31 days' WHERE state = 'failed'")
    scheduler.execute("UPDATE worker_setting SET log_max_age = '29 days'")  # it looks again
    until(lambda: "failed" not in [row.state for row in scheduler.log(job)], "old failures to go")


def test_a_run_that_is_active_is_never_pruned(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT pg_sleep(1000)", parallel=True)
    first = scheduler.value("SELECT run_job(%s)", job)
    until(lambda: [row.state for row in scheduler.log(job)] == ["running"])
    backlog(scheduler, 50, job)
    scheduler.execute("UPDATE job_statistic SET log_rows = 51")
    scheduler.execute("UPDATE worker_setting SET log_max_age = '1 us', log_max_rows = 1")
    until(lambda: [row.jl_id for row in scheduler.log(job)] == [first], "all but the active run to go")
    scheduler.tick()
    assert [row.state for row in scheduler.log(job)] == ["running"]
    # Once it has ended, it goes like any other, although later ones went before it.
    scheduler.value("SELECT cancel_job(%s)", job)
    until(lambda: "running" not in [row.state for row in scheduler.log(job)], "the active run to end")
    scheduler.execute("UPDATE worker_setting SET log_max_age = '2 us'")
    until(lambda: scheduler.log(job) == [], "the cancelled run to go")


def test_each_job_keeps_its_latest_rows(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET log_max_rows = 30")
    scheduler.start()

    def numbers(job: int) -> list[int]:
        return [row.jl_id for row in scheduler.log(job)]

    jobs = [scheduler.insert("SELECT 1", parallel=True) for _ in range(2)]
    first, second = (
        [scheduler.value("SELECT run_job(%s)", job) for _ in range(count)] for job, count in zip(jobs, (60, 20))
    )
    counts = "SELECT array_agg(success_count ORDER BY job_id) FROM job_statistic"
    until(lambda: scheduler.value(counts) == [60, 20], "all runs to end")
    until(lambda: 30 <= len(scheduler.log(jobs[0])) <= 40, "surplus rows to go")
    # A run that ended when later ones had been deleted goes with the next surplus.
    while (kept := numbers(jobs[0])) != first[-len(kept) :] and len(first) < 80:
        first.append(scheduler.value("SELECT run_job(%s)", jobs[0]))
        scheduler.ended(first[-1])
    until(lambda: (kept := numbers(jobs[0])) == first[-len(kept) :], "the rows to be the latest")
    assert len(numbers(jobs[0])) >= 30
    assert numbers(jobs[1]) == second
    # Statistics remember what the log has forgotten.
    assert scheduler.value("SELECT runs FROM job_stats WHERE job_id = %s", jobs[0]) == len(first)

    scheduler.execute("UPDATE worker_setting SET log_max_rows = 5")
    until(lambda: [len(scheduler.log(job)) for job in jobs] == [5, 5], "more rows to go")
    assert [row.jl_id for row in scheduler.log(jobs[0])] == first[-5:]


def test_the_log_of_a_job_that_is_deleted_stays_until_it_is_old(scheduler: Scheduler) -> None:
    scheduler.start()
    run = scheduler.run("SELECT 1")
    scheduler.value("SELECT job_id FROM delete_job(%s)", run.job_id)
    until(lambda: scheduler.value("SELECT count(*) FROM job_statistic") == 0)
    scheduler.execute("UPDATE worker_setting SET log_max_rows = 1")
    scheduler.tick()
    assert scheduler.value("SELECT count(*) FROM job_log") == 1
    scheduler.execute("UPDATE worker_setting SET log_max_age = '1 us'")
    until(lambda: scheduler.value("SELECT count(*) FROM job_log") == 0)


def test_no_statement_reads_the_whole_log(scheduler: Scheduler) -> None:
    backlog(scheduler, 50_000, jobs=100)
    scheduler.execute("INSERT INTO job_statistic (job_id, log_rows) SELECT 1000 + i, 500 FROM generate_series(0, 99) i")
    scheduler.execute("ANALYZE job_log, job_statistic")
    session = scheduler.connect()
    for name, value in SESSION.items():
        session.execute(
            "SELECT set_config(name, %s, false) FROM pg_settings WHERE lower(name) = lower(%s)", (value, name)
        )
    for number, (statement, values) in enumerate(
        [
            (job_log.PRUNE_BY_AGE, "0, 0, 500"),
            (job_statistic.OVERFULL_JOBS, "0, 1000"),
            (job_log.PRUNE_BY_COUNT, "'{1001,1002}', 100, 100"),
        ]
    ):
        text = in_schemas(statement.text, f'"{SCHEMA}"')
        session.execute(f"PREPARE s{number} ({', '.join(statement.types)}) AS {text}")
        plan = "\n".join(row[0] for row in session.execute(f"EXPLAIN EXECUTE s{number} ({values})"))
        assert "Seq Scan on job_" not in plan, plan
        assert "Index" in plan, plan
    session.close()


@pytest.mark.slow
def test_the_log_is_pruned_while_100_runs_a_second_start(scheduler: Scheduler) -> None:
    backlog(scheduler, 30_000, jobs=50)
    scheduler.execute("UPDATE worker_setting SET log_max_rows = 4, max_running_jobs = 8")
    with scheduler.admin.transaction():  # so that they are due for the first time at the same moment
        jobs = [scheduler.insert("SELECT 1", schedule="* * * * * *", start_deadline="1 hour") for _ in range(100)]
    scheduler.start()
    until(lambda: rows(scheduler) == 0, "the old rows to go", 120)
    until(
        lambda: scheduler.value("SELECT count(*) FROM job_stats WHERE runs > 16") == 100,
        "the jobs to have run often",
        120,
    )
    scheduler.execute("UPDATE my_job SET enabled = false")
    until(lambda: scheduler.value("SELECT running_jobs FROM worker_status") == 0)
    until(lambda: scheduler.value("SELECT max(log_rows) FROM job_statistic") <= 14, "their rows to be pruned")
    # None failed, and no due time left out. (On a slow machine some wait when the jobs are disabled, and are missed.)
    totals = scheduler.execute(
        """SELECT sum(failures + cancelled) AS other, min(runs + skipped + missed), max(runs + skipped + missed)
           FROM job_stats"""
    ).fetchone()
    assert totals is not None
    assert totals.other == 0
    assert totals.max - totals.min <= 2
    log = scheduler.execute(
        """SELECT job_id, count(*) AS rows,
                  extract(epoch FROM max(scheduled_at) - min(scheduled_at)) + 1 AS seconds
           FROM job_log WHERE job_id = ANY ({}) AND state <> 'missed' GROUP BY job_id""",
        sql.Literal(jobs),
    ).fetchall()
    assert len(log) == 100
    assert all(row.rows <= 14 and row.rows == row.seconds for row in log), log
