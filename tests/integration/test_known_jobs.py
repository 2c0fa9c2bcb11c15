"""What the worker knows of a job is what its row says now."""

from __future__ import annotations

from harness.scheduler import Scheduler
from harness.waiting import until


def test_a_change_of_a_known_job(scheduler: Scheduler) -> None:
    """Also after the rows have been written anew by VACUUM FULL; and of two jobs in one place one may lose it."""
    scheduler.start()
    changed = scheduler.insert("SELECT 1", schedule="1 second")
    moved = scheduler.insert("SELECT 1", schedule="1 second")

    def has_run(job: int, command: str) -> bool:
        return bool(
            scheduler.value(
                "SELECT count(*) FROM job_log WHERE job_id = %s AND job_command = %s AND state = 'succeeded'",
                job,
                command,
            )
        )

    scheduler.execute("VACUUM FULL job")
    until(lambda: scheduler.successes(changed) >= 2 and scheduler.successes(moved) >= 2, "two runs of each")
    scheduler.execute(f"UPDATE member_job SET job_command = 'SELECT 2' WHERE job_id = {changed}")
    scheduler.execute(f"UPDATE job SET database_oid = 1 WHERE job_id = {moved}")
    scheduler.execute("VACUUM FULL job")
    until(lambda: has_run(changed, "SELECT 2"), "a run of the new command")
    reason = "SELECT quarantined_reason FROM job_state WHERE job_id = %s"
    until(lambda: scheduler.value(reason, moved), "its quarantine")
    assert "is not the database that it was" in scheduler.value(reason, moved)
    assert scheduler.value(reason, changed) is None
    scheduler.execute(f"UPDATE member_job SET job_command = 'SELECT 3' WHERE job_id = {changed}")
    until(lambda: has_run(changed, "SELECT 3"), "a run of the next command")


def test_the_log_of_a_known_job_says_what_that_of_one_does_that_was_read(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    job = worker.insert("SELECT 1", database, schedule="1 second", rolname=role, job_name="sum up")
    until(lambda: worker.successes(job) >= 4, "four runs")
    runs = worker.execute(
        f"""SELECT DISTINCT rolname, datname, server, cause, attempt, caused_by, job_command, version, job_name
            FROM job_log WHERE job_id = {job}"""
    ).fetchall()
    assert runs == [(role, database, None, "schedule", 1, None, "SELECT 1", 1, "sum up")]
    due_times = [run.scheduled_at for run in worker.log(job)]
    assert due_times == sorted(set(due_times))


def test_a_due_time_of_a_known_job_that_the_log_has_already_is_not_run(worker: Scheduler) -> None:
    job, other = (worker.insert("SELECT 1", schedule="1 second") for _ in range(2))
    until(lambda: worker.successes(job) >= 2, "two runs")
    pid = worker.value("SELECT pid FROM worker_status")
    worker.execute(
        f"""INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command)
            SELECT -n, s.job_id, s.rolname, current_catalog, 'schedule', s.next_run_at + n * interval '1 s', 'missed',
                   'SELECT 1'
            FROM job_state s, generate_series(1, 2) n WHERE s.job_id = {job}"""
    )
    noted = [run.scheduled_at for run in worker.log(job) if run.state == "missed"]
    until(lambda: max(run.scheduled_at for run in worker.log(job)) > max(noted), "the next run")
    until(lambda: max(run.scheduled_at for run in worker.log(other)) > max(noted), "the next run of the other")
    assert [run.state for run in worker.log(job) if run.scheduled_at in noted] == ["missed", "missed"]
    assert worker.value("SELECT pid FROM worker_status") == pid
