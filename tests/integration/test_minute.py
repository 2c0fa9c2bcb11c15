"""Three jobs every second, in two databases, as two roles, for a minute: none missing, none twice."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.scheduler import Scheduler
from harness.waiting import until

RECORD = """INSERT INTO witness SELECT current_setting('elephant_worker.job_id')::bigint,
                current_setting('elephant_worker.scheduled_at')::timestamptz, current_user, current_catalog"""


@pytest.mark.slow
def test_three_jobs_every_second_for_a_minute(scheduler: Scheduler) -> None:
    first, second = scheduler.role(), scheduler.role()
    other = scheduler.database()
    places = [(scheduler.dbname, first), (other, first), (other, second)]
    databases = [scheduler.admin, scheduler.cluster.connect(other)]
    for database in databases:
        database.execute("CREATE TABLE witness (job_id bigint, scheduled_at timestamptz, rolname name, datname name)")
        database.execute("GRANT INSERT ON witness TO PUBLIC")
    scheduler.start()
    # A run that takes longer than a second, on a slow machine, keeps none from starting.
    always = {"schedule": "* * * * * *", "timezone": "UTC", "parallel": True}
    jobs = {
        scheduler.insert(RECORD, datname, rolname=rolname, **always): (rolname, datname) for datname, rolname in places
    }
    scheduler.seen()
    began = scheduler.value("SELECT date_trunc('second', clock_timestamp()) + interval '1 second'")
    until(lambda: scheduler.value("SELECT clock_timestamp() > %s + interval '60 seconds'", began), seconds=90)
    scheduler.execute("UPDATE member_job SET enabled = false")
    until(lambda: scheduler.value("SELECT count(*) FROM member_job_log WHERE state = 'running'") == 0)

    window = "scheduled_at >= %s AND scheduled_at < %s::timestamptz + interval '60 seconds'"
    runs: list[tuple[int, object, str, str]] = []
    for database in databases:
        runs += database.execute(f"SELECT * FROM witness WHERE {window}", (began, began)).fetchall()
    # Counted by the jobs themselves, not by the log alone.
    assert len(runs) == 180
    assert set(Counter((job, due) for job, due, _, _ in runs).values()) == {1}
    assert {(rolname, datname) for _, _, rolname, datname in runs} == set(jobs.values())
    assert all(jobs[job] == (rolname, datname) for job, _, rolname, datname in runs)
    logged = scheduler.admin.execute(
        f"SELECT job_id, scheduled_at, state FROM member_job_log WHERE {window}", (began, began)
    ).fetchall()
    assert sorted((job, due) for job, due, _ in logged) == sorted((job, due) for job, due, _, _ in runs)
    assert {state for _, _, state in logged} == {"succeeded"}
    databases[1].close()
