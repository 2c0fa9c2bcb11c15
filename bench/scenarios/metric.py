"""How long the view metric takes, which monitoring asks for every few seconds, with many jobs."""

from __future__ import annotations

import time

from bench.context import Context
from bench.many import fill
from bench.process import cpu_seconds


def measure(context: Context) -> None:
    counts = [1_000] if context.quick else [1_000, 100_000]
    with context.elephant_worker() as ours:
        admin = ours.server.admin
        for count in counts:
            fill(ours, count)
            for failing in (0, count // 100):
                admin.execute(
                    """INSERT INTO job_statistic (job_id, failure_count)
                       SELECT j.job_id, (j.job_id %% 100 = 0 AND %(failing)s > 0)::integer FROM job j
                       ON CONFLICT (job_id) DO UPDATE SET failure_count = excluded.failure_count""",
                    {"failing": failing},
                )
                admin.execute("VACUUM ANALYZE job_statistic")
                case = f"{count} jobs, {failing} failing"
                admin.execute("SELECT count(*) FROM metric")
                for _ in range(5 if context.quick else 30):
                    began, cpu = time.perf_counter(), cpu_seconds(admin.info.backend_pid)
                    admin.execute("SELECT count(*) FROM metric")
                    cpu = cpu_seconds(admin.info.backend_pid) - cpu
                    context.record("metric", ours.name, case, "ms", [(time.perf_counter() - began) * 1000])
                    context.record("CPU of metric", ours.name, case, "ms", [cpu * 1000])
