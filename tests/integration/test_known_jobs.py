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
