"""Many jobs that are not due, without the time that it takes to define each of them."""

from __future__ import annotations

from bench.candidates.elephant_worker import ElephantWorker


def fill(ours: ElephantWorker, count: int) -> None:
    """Have so many jobs in all, as if they had been defined one by one."""
    with ours.server.admin.transaction():
        ours.server.admin.execute("SET LOCAL session_replication_role = replica")
        ours.server.admin.execute(
            """INSERT INTO job
                   (datname, rolname, schedule, job_command, timezone, defined_by, schedule_set_at, first_run_at)
               SELECT 'postgres', 'bench_1', '0 0 1 1 *', 'SELECT 1', 'UTC', current_user, now(),
                      date_trunc('year', now()) + interval '1 year'
               FROM generate_series(1, %s - (SELECT count(*) FROM job))""",
            (count,),
        )
        ours.server.admin.execute(
            """INSERT INTO job_state (job_id, schedule_set_at, next_run_at)
               SELECT job_id, schedule_set_at, first_run_at FROM job ON CONFLICT DO NOTHING"""
        )
    ours.server.admin.execute("VACUUM ANALYZE job, job_state")
