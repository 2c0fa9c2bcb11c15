"""A log of 10 000 000 rows (10 000 jobs with 1 000 runs each): what users ask of it about one job, and how
fast it is pruned while nothing else is to be done."""

from __future__ import annotations

import time

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context
from bench.many import fill

RUNS_OF_A_JOB = 1000
# More than log_max_age old.
OLD = "interval '40 days'"

QUERIES = {
    "the latest 10 runs of a job, my_job_log": """
        SELECT * FROM my_job_log WHERE job_id = %s ORDER BY jl_id DESC LIMIT 10""",
    "the runs of a job that failed, member_job_log": """
        SELECT * FROM member_job_log WHERE job_id = %s AND state = 'failed'""",
    "one run, member_job_log": """
        SELECT * FROM member_job_log WHERE jl_id = %s * 1000""",
    "a job with its counters, my_job": """
        SELECT * FROM my_job WHERE job_id = %s""",
}


def measure(context: Context) -> None:
    jobs = 100 if context.quick else 10_000
    rows = jobs * RUNS_OF_A_JOB
    case = f"{rows} rows"
    with context.elephant_worker() as ours:
        fill(ours, jobs)
        _fill_log(ours, jobs)
        size = ours.server.value("SELECT pg_total_relation_size('job_log')")
        context.record("size", ours.name, case, "MB", [size / 2**20])
        ours.server.admin.execute("SET ROLE bench_1")
        for name, query in QUERIES.items():
            times = []
            for number in range(1, 41):
                began = time.perf_counter()
                ours.server.admin.execute(query, (number * (jobs // 50),)).fetchall()
                times.append((time.perf_counter() - began) * 1000)
            context.record(name, ours.name, case, "ms", times[5:])
        ours.server.admin.execute("RESET ROLE")
        _prune(context, ours, case, jobs)


def _fill_log(ours: ElephantWorker, jobs: int) -> None:
    """The first tenth of the rows is older than they are kept."""
    with ours.server.admin.transaction():
        ours.server.admin.execute("SET LOCAL session_replication_role = replica")
        ours.server.admin.execute("SET LOCAL synchronous_commit = off")
        ours.server.admin.execute(
            f"""INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                     state, job_command, job_sqlstate, command_tag, row_count)
               SELECT n, n %% %s + 1, 'bench_1', 'postgres', 'schedule', due, due, due,
                      CASE WHEN n %% 501 = 0 THEN 'failed' ELSE 'succeeded' END, 'SELECT 1', '00000', 'SELECT 1', 1
               FROM generate_series(1, %s) n,
                    LATERAL (
                        SELECT now() - CASE WHEN n <= %s THEN {OLD} ELSE '0' END + n * interval '1 ms' AS due) d""",
            (jobs, jobs * RUNS_OF_A_JOB, jobs * RUNS_OF_A_JOB // 10),
        )
    ours.server.admin.execute("VACUUM ANALYZE job_log")


def _prune(context: Context, ours: ElephantWorker, case: str, jobs: int) -> None:
    """Rows that the worker deletes in a second; it looks for them once a minute or after its start."""
    ours.stop_worker()
    ours.server.admin.execute("SELECT start_worker()")
    lowest, old = "SELECT min(jl_id) FROM job_log", jobs * RUNS_OF_A_JOB // 10
    if ours.server.until(lambda: ours.server.value(lowest) > 1, 90):
        first, began = ours.server.value(lowest), time.monotonic()
        ours.server.until(lambda: ours.server.value(lowest) > old, 30)
        rows = ours.server.value(lowest) - first
        context.record("pruned", ours.name, case, "rows/s", [rows / (time.monotonic() - began)])
