"""How long report_html() and the view metric take for 1000 jobs with 100 000 runs in a day; how large the page is."""

from __future__ import annotations

import time

from bench.context import Context
from bench.process import cpu_seconds
from harness.past import Past, live_through

DAY = 86400.0  # seconds
SCHEDULES = [
    "*/15 * * * *",
    "0 * * * *",
    "30 4 * * 1-5",
    "* * * * *",
    "5 minutes",
    "H * * * *",
    "H H * * *",
    "0 9 * * 1",
]
QUERIES = {
    "report_html()": "SELECT octet_length(report_html())",
    "report_data()": "SELECT octet_length(report_data()::text)",
    "metric": "SELECT count(*) FROM metric",
}
ZONES = ["UTC", "Europe/Berlin", "Asia/Tokyo"]


def measure(context: Context) -> None:
    jobs, runs = (100, 20) if context.quick else (1000, 100)
    case = f"{jobs} jobs, {jobs * runs} runs"
    with context.elephant_worker() as ours:
        admin = ours.server.admin
        ours.stop_worker()
        live_through(admin, [_job(number, DAY / runs) for number in range(jobs)], DAY)
        for _ in range(1 if context.quick else 5):
            for name, query in QUERIES.items():
                began, cpu = time.perf_counter(), cpu_seconds(admin.info.backend_pid)
                size = ours.server.value(query)
                cpu = cpu_seconds(admin.info.backend_pid) - cpu
                context.record(name, ours.name, case, "ms", [(time.perf_counter() - began) * 1000])
                context.record(f"CPU of {name}", ours.name, case, "ms", [cpu * 1000])
                if name != "metric":
                    context.record(f"size of {name}", ours.name, case, "kB", [size / 1000])


def _job(number: int, every: float) -> Past:
    return Past(
        f"job number {number} of many",
        SCHEDULES[number % len(SCHEDULES)],
        every,
        takes=1 + number % 50 * 3,
        growth=2 if number % 7 == 0 else 1,
        trouble=0.05 if number % 3 == 0 else 0,
        message="problem {}" if number % 2 else "division by zero",
        timezone=ZONES[number % len(ZONES)],
    )
