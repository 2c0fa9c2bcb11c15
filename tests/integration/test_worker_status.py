"""worker_status: whether the worker is alive and keeps up."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until


def test_a_database_without_a_worker(scheduler: Scheduler) -> None:
    scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 1"))
    status = scheduler.execute("SELECT * FROM worker_status").fetchone()
    assert status is not None
    assert (status.running, status.pid, status.last_tick, status.running_jobs, status.sessions) == (
        False,
        None,
        None,
        0,
        0,
    )
    assert status.queued_runs == 1
    assert status.lag.total_seconds() > 0


def test_what_waits_and_what_runs(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 1")
    scheduler.start()
    # The session that listens, and nothing else.
    until(lambda: scheduler.value("SELECT sessions FROM worker_status") == 1)
    assert scheduler.value("SELECT lag = '0' AND queued_runs = 0 AND due_jobs = 0 FROM worker_status")
    with scheduler.connect() as blocker, blocker.transaction():
        blocker.execute("SELECT pg_advisory_xact_lock(1)")
        runs = [scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_advisory_xact_lock(1)"))]
        until(lambda: scheduler.value("SELECT running_jobs FROM worker_status") == 1)
        runs.append(scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 1")))
        scheduled = scheduler.insert("SELECT 1", schedule="* * * * * *")
        status = until(
            lambda: scheduler.execute("SELECT * FROM worker_status WHERE due_jobs = 1 AND queued_runs = 1").fetchone()
        )
        assert (status.running_jobs, status.sessions) == (1, 2)
        assert status.lag.total_seconds() > 0
    for run in runs:
        scheduler.ended(run)
    until(lambda: scheduler.log(scheduled))
    scheduler.value("SELECT enabled FROM update_job(%s, enabled := false)", scheduled)
    until(lambda: scheduler.value("SELECT lag = '0' AND running_jobs = 0 FROM worker_status"))


def test_without_a_worker_nothing_is_active(scheduler: Scheduler) -> None:
    """Whatever it has left in the log: the next worker says of that that it is lost."""
    scheduler.start()
    job = scheduler.insert("SELECT pg_sleep(1000)")
    scheduler.value("SELECT run_job(%s)", job)
    until(lambda: scheduler.value("SELECT running_jobs FROM worker_status") == 1)
    until(lambda: scheduler.value("SELECT count(*) FROM job_statistic WHERE job_id = %s", job), "the worker to know it")
    scheduler.execute(f"UPDATE job_statistic SET durations = array_fill(0.1::real, ARRAY[20]) WHERE job_id = {job}")
    overrun = "SELECT count(*) FROM problem WHERE problem = 'overrun'"
    until(lambda: scheduler.value(overrun) == 1, "it to take longer than usual")
    scheduler.kill()
    assert scheduler.value("SELECT state FROM job_log WHERE job_id = %s", job) == "running"
    assert scheduler.value("SELECT running_jobs FROM worker_status") == 0
    assert scheduler.value(overrun) == 0


def test_jobs_in_quarantine_are_counted(scheduler: Scheduler) -> None:
    scheduler.start()
    role = scheduler.role("gone")
    job = scheduler.insert("SELECT 1", rolname=role, schedule="* * * * * *")
    assert scheduler.value("SELECT quarantined_jobs FROM worker_status") == 0
    scheduler.execute("DROP ROLE {}", sql.Identifier(role))
    until(lambda: scheduler.value("SELECT quarantined_jobs FROM worker_status") == 1)
    # Who disables it has seen to it: nothing else would end that, and alarms go by this number.
    scheduler.execute(f"UPDATE member_job SET enabled = false WHERE job_id = {job}")
    metric = "SELECT value FROM metric WHERE name = 'elephant_worker_quarantined_jobs'"
    assert (scheduler.value("SELECT quarantined_jobs FROM worker_status"), scheduler.value(metric)) == (0, 0)
    assert scheduler.value("SELECT count(*) FROM problem") == 0


def test_a_tick_writes_nothing(scheduler: Scheduler) -> None:
    """The tick is the start of the worker's last transaction, which nobody has to write down."""
    scheduler.start()

    def quiet() -> bool:
        """Whether no transaction of this server writes while the worker ticks twice."""
        before = scheduler.value("SELECT pg_snapshot_xmax(pg_current_snapshot())")
        for _ in range(2):
            scheduler.tick()
        return bool(scheduler.value("SELECT pg_snapshot_xmax(pg_current_snapshot()) = %s::xid8", before))

    until(quiet)


def test_who_may_see_it(scheduler: Scheduler) -> None:
    scheduler.start()
    for role in (scheduler.role(), scheduler.role("monitor", "LOGIN IN ROLE job_monitor", scheduler=False)):
        session = scheduler.connect_as(role)
        status = session.execute("SELECT * FROM worker_status").fetchone()
        assert status is not None
        assert status.running
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("TABLE worker_state")


def test_no_view_is_compiled(scheduler: Scheduler) -> None:
    """JIT takes longer than any view, also where ANALYZE has not seen the tables yet."""
    scheduler.execute("ALTER TABLE job SET (autovacuum_enabled = off)")
    scheduler.execute("SELECT insert_job('SELECT 1', current_catalog, '@daily') FROM generate_series(1, 300)")
    views = scheduler.execute(
        """SELECT c.relname FROM pg_class c WHERE c.relkind = 'v'
           AND c.relnamespace IN ((SELECT relnamespace FROM pg_class WHERE oid = 'job'::regclass),
                  'elephant_worker_internal'::regnamespace)"""
    ).fetchall()
    assert len(views) > 10
    plans = {row.relname: scheduler.value(f"EXPLAIN (ANALYZE, FORMAT JSON) TABLE {row.relname}")[0] for row in views}
    assert {name for name, plan in plans.items() if "JIT" in plan} == set()
    # What they call is not either, nor what functions do for each of many jobs.
    names = [
        "check_setup",
        "worker_condition",
        "define_job",
        "apply_jobs",
        "export_jobs",
        "upcoming_runs",
        "write_report",
    ]
    names += ["import_crontab", "import_pg_cron", "import_pgagent", "import_pg_timetable"]
    functions = scheduler.execute(
        "SELECT proname AS name, 'jit=off' = ANY (proconfig) AS is_off FROM pg_proc WHERE proname = ANY ({})",
        sql.Literal(names),
    ).fetchall()
    assert {row.name for row in functions} == set(names)
    assert {row.name for row in functions if not row.is_off} == set()
