"""Jobs, log and settings survive pg_dump and its restore in another cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster
from harness.remedies import mend
from harness.scheduler import SCHEMA, TEMPLATE, Scheduler, new_scheduler
from harness.waiting import until


def contents(scheduler: Scheduler) -> dict[str, list[tuple[object, ...]]]:
    """What a user sees, without what depends on the moment."""
    return {
        query: scheduler.execute(query).fetchall()
        for query in (
            "SELECT * FROM member_job ORDER BY job_id",
            "SELECT * FROM member_job_log ORDER BY jl_id",
            "SELECT * FROM worker_setting",
            "SELECT * FROM member_job_change ORDER BY job_id, version",
        )
    }


@pytest.mark.slow
def test_dump_and_restore(scheduler: Scheduler, own_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    role, gone = scheduler.role("re'port"), scheduler.role("gone")
    database = scheduler.database("we'b order")
    scheduler.start()
    scheduler.run("SELECT 'it''s done'", database, role, job_description="üñï\t\n")
    scheduler.run("SELECT 1/0", rolname=role, schedule='{"@daily","0 9 * * 1-5"}', timezone="Europe/Berlin")
    scheduler.insert("SELECT 1", rolname=gone, schedule="@hourly")
    retried = scheduler.insert("SELECT 1/0", rolname=role, max_retries=1, retry_delay="1 hour")
    scheduler.ended(scheduler.value("SELECT run_job(%s)", retried))
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 7")
    dump = tmp_path / "dump"
    scheduler.cluster.command("pg_dump", "--format=custom", f"--file={dump}", scheduler.dbname)
    scheduler.stop()
    before = contents(scheduler)
    assert scheduler.value("SELECT retry_at FROM member_job WHERE job_id = %s", retried) is not None

    other = own_cluster()
    with other.connect() as admin:
        for name in (role,):
            admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(scheduler.dbname)))
    other.command("pg_restore", "--exit-on-error", f"--dbname={scheduler.dbname}", str(dump))
    restored = Scheduler(other, scheduler.dbname)
    assert contents(restored) == before

    # It is not started by a launcher, only by a person; then all goes on.
    assert restored.value("SELECT start_worker(unattended := true)") is None
    restored.start()
    restored.execute(f"SELECT update_job({retried}, job_description := 'restored')")
    assert restored.value("SELECT version FROM member_job WHERE job_id = %s", retried) == 2
    assert restored.run("SELECT 1", database, role).state == "succeeded"
    job = restored.insert("SELECT 1", schedule="* * * * * *")
    until(lambda: restored.log(job))
    numbers = [row.jl_id for row in restored.log()]
    assert len(set(numbers)) == len(numbers)
    assert restored.value("SELECT count(*) FROM member_job WHERE next_run_at IS NULL AND schedule IS NOT NULL") == 0
    restored.admin.close()


@pytest.mark.parametrize("call", ["insert_job('SELECT 1', current_catalog)", "run_once('SELECT 1')", "run_job(1)"])
@pytest.mark.parametrize("jobs", [1, 20])
def test_the_first_call_after_a_restore(scheduler: Scheduler, tmp_path: Path, call: str, jobs: int) -> None:
    """No worker has run where the dump comes from: the restored jobs make requests, then the sequence is set back."""
    for _ in range(jobs):
        scheduler.insert("SELECT 1")
    scheduler.cluster.command("pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", scheduler.dbname)
    name = scheduler.database()
    scheduler.cluster.command("pg_restore", "--exit-on-error", f"--dbname={name}", str(tmp_path / "dump"))
    restored = Scheduler(scheduler.cluster, name)
    restored.execute(f"SELECT {call}")
    numbers = [row.request_id for row in restored.execute("SELECT request_id FROM worker_request")]
    assert len(set(numbers)) == len(numbers) > jobs
    restored.admin.close()


# What a dump leaves out, and why that is right.
NOT_DUMPED = {
    "alert_receiver": "says who is sending alerts at this moment: after a restore nobody is",
    "known_role": "has numbers of roles, which are others in another cluster: a restore fills it anew",
    "job_quota": "counts the jobs: a restore counts those that it defines",
    "metric_counter": "counts what the worker of this cluster has done; counters of Prometheus may begin anew",
    "once_job": "runs that were asked for at once: later, elsewhere, nobody waits for them",
    "worker_request": "tells the worker what has happened since it looked; one that starts reads all jobs anew",
    "withdrawal": "is about requests in worker_request",
    "worker_state": "is about this cluster and its worker: a restored database is quiet until somebody starts one",
}


def test_every_table_is_dumped_or_has_a_reason(scheduler: Scheduler) -> None:
    tables = scheduler.execute(
        """SELECT c.relname, c.oid = ANY (e.extconfig) AS dumped, x.condition
           FROM pg_extension e
           JOIN pg_depend d ON d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass
           JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'S')
           LEFT JOIN LATERAL unnest(e.extconfig, e.extcondition) x (oid, condition) ON x.oid = c.oid
           WHERE e.extname = 'elephant_worker'"""
    ).fetchall()
    assert {row.relname for row in tables if not row.dumped} == set(NOT_DUMPED)
    # All rows of a table that is dumped: the script makes none of its own, or they are replaced.
    assert {row.condition for row in tables if row.dumped} == {""}


def test_a_restore_of_jobs_while_the_worker_runs(worker: Scheduler, tmp_path: Path) -> None:
    """Their due times come from nobody who tells the worker, and are earlier than all that it knows."""
    job = worker.insert("SELECT 1", schedule="1 hour")
    worker.due(job)
    worker.stop()
    worker.execute("UPDATE job_state SET next_run_at = now() - interval '1 s'")
    dump = tmp_path / "dump"
    tables = [f'--table="{SCHEMA}".{name}' for name in ("job", "job_state", "job_statistic")]
    worker.cluster.command("pg_dump", "--format=custom", "--data-only", *tables, f"--file={dump}", worker.dbname)
    worker.execute("SELECT delete_job({})", sql.Literal(job))
    worker.start()
    worker.seen()
    assert worker.value("SELECT count(*) FROM job_state") == 0
    other = worker.insert("SELECT 2", schedule="1 second")
    until(lambda: len(worker.log(other)) > 1, "another job to be due")
    how = ("--data-only", "--disable-triggers", "--single-transaction", "--exit-on-error")
    worker.cluster.command("pg_restore", *how, f"--dbname={worker.dbname}", str(dump))
    until(lambda: worker.log(job), "the restored job to be due")


def test_a_restore_over_a_log_that_has_gone_on(worker: Scheduler, tmp_path: Path) -> None:
    """What was active when the backup was taken is lost, though the worker has seen all runs of such numbers end: a job
    that waits for its end goes on."""
    stalled = worker.insert("SELECT pg_sleep(600)", schedule="@after 1 second")
    until(lambda: [run.state for run in worker.log(stalled)] == ["running"], "the job to run")
    names = ("job", "job_log", "job_state", "job_statistic")
    dump = tmp_path / "dump"
    tables = [f'--table="{SCHEMA}".{name}' for name in names]
    worker.cluster.command("pg_dump", "--format=custom", "--data-only", *tables, f"--file={dump}", worker.dbname)
    worker.stop()
    worker.start()
    worker.run("SELECT 1")
    worker.stop()
    worker.start()  # it begins with the runs that have not ended
    worker.stop()
    worker.execute(f"TRUNCATE {', '.join(names)}")
    worker.cluster.command("pg_restore", "--data-only", "--exit-on-error", f"--dbname={worker.dbname}", str(dump))
    worker.start()
    assert worker.log(stalled)[0].state == "lost"
    until(lambda: len(worker.log(stalled)) > 1, "the job to run again")


@pytest.mark.parametrize("dbname", ["zoo", "aviary"])
def test_databases_that_pg_dumpall_creates_after_the_jobs(own_cluster: Callable[..., Cluster], dbname: str) -> None:
    """It follows the order of their names; the control database is between these two."""
    there, here = own_cluster(), own_cluster()
    scheduler = new_scheduler(there)
    scheduler.execute(f"CREATE DATABASE {dbname}")
    job = scheduler.insert("SELECT 1", dbname)
    here.command("dropdb", TEMPLATE)
    here.command("psql", "-X", "-d", "postgres", input=there.command("pg_dumpall").stdout)
    restored = Scheduler(here, scheduler.dbname)
    scheduler.admin.close()
    jobs = "SELECT * FROM check_setup() WHERE check_name = 'jobs'"
    (row,) = restored.execute(jobs).fetchall()
    if dbname > scheduler.dbname:
        assert 'database "zoo" is not the database that it was' in row.found
        restored.execute("UPDATE member_job SET defined_by = current_user WHERE datname = 'zoo'")
        (row,) = restored.execute(jobs).fetchall()
    assert row.state == "ok"
    restored.start()
    assert restored.ended(restored.value("SELECT run_job(%s)", job)).state == "succeeded"
    restored.stop()
    restored.admin.close()


def test_triggers_that_a_restore_has_left_disabled(worker: Scheduler, tmp_path: Path) -> None:
    """pg_restore disables them, and where it fails they stay so."""
    worker.insert("SELECT 1")
    worker.execute("CREATE FUNCTION public.ours() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    worker.execute("CREATE TRIGGER ours BEFORE INSERT ON job_log FOR EACH ROW EXECUTE FUNCTION public.ours()")
    worker.execute("ALTER TABLE job_log DISABLE TRIGGER ours")  # as whose it is may
    check = "SELECT * FROM check_setup() WHERE check_name = 'triggers'"
    assert [row.state for row in worker.execute(check)] == ["ok"]
    dump = tmp_path / "dump"
    worker.cluster.command("pg_dump", "--format=custom", "--data-only", f"--file={dump}", worker.dbname)
    how = ("--data-only", "--disable-triggers", "--exit-on-error")
    failed = worker.cluster.command("pg_restore", *how, f"--dbname={worker.dbname}", str(dump), check=False)
    assert "duplicate key" in failed.stderr
    with pytest.raises(psycopg.errors.NotNullViolation):
        worker.insert("SELECT 2")
    (row,) = worker.execute(check).fetchall()
    assert row.state == "error"
    assert "triggers on table job are disabled" in row.found
    mend(worker, row.remedy)
    assert [row.state for row in worker.execute(check)] == ["ok"]
    assert worker.value("SELECT tgenabled FROM pg_trigger WHERE tgname = 'ours'") == "D"
    assert worker.run("SELECT 2").state == "succeeded"


def test_triggers_that_a_restore_has_disabled_and_enabled(worker: Scheduler) -> None:
    """pg_restore --data-only --disable-triggers enables all that there are, those for replicas alike."""
    tables = [row.name for row in worker.execute(
        """SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker' WHERE c.relkind = 'r'"""
    )]  # fmt: skip
    for table in tables:
        worker.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL; ALTER TABLE {table} ENABLE TRIGGER ALL")
    worker.configure("max_running_jobs = 7")
    assert worker.value("SELECT max_running_jobs FROM worker_setting") == 7
    app = worker.connect_as(worker.role())
    app.execute("SELECT insert_job('SELECT 1', current_catalog, job_name := 'mine')")
    for (run,) in app.execute("SELECT run_job('mine') UNION ALL SELECT run_once('SELECT 1')"):
        assert worker.ended(run).state == "succeeded"
    # What a name meant is not noted anew by each change.
    worker.execute("UPDATE known_role SET role_oid = 1")
    worker.execute("SET session_replication_role = replica")
    worker.execute("UPDATE job SET database_oid = 1")
    worker.execute("RESET session_replication_role")
    app.execute("UPDATE my_job SET job_description = 'x'")
    assert worker.value("SELECT database_oid FROM job") == 1
