"""Finding the next due time, as the loop does it in a server process: of schedules that are read already,
of ordinary ones, rare ones, and near changes of the clock; and the first call in a new session."""

from __future__ import annotations

import time
from contextlib import closing

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context

ORDINARY = [
    *("* * * * *", "*/5 * * * *", "0 0 * * *", "0 9 * * 1-5", "30 4 1,15 * 5", "0 0 1 1 *", "30 2 * * *"),
    *("*/10 9-17 * * mon-fri", "0 12 L * *", "30 seconds", '{"0 9 * * 1-5","0 12 * * 6"}', "H H * * *"),
]
# 29 February: any, on a Sunday, and (as days 1 and 29 with an odd step) on a Monday; a fifth Monday; 31st and Friday.
RARE = ["0 0 29 2 *", "0 0 29 2 */7", "0 0 */28 2 1", "0 0 * 2 1#5", "0 0 31 * */5"]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]

# Microseconds that each call took. `begins` are moments to search from; where there are none, each
# search begins where the one before has ended, as those of the loop do.
MEASURE = """
CREATE FUNCTION pg_temp.measure(text, text, float8[], integer) RETURNS float8[] LANGUAGE plpython3u AS $python$
import sys, time
package = next(m for name, m in sys.modules.items() if name.startswith("elephant_worker_") and "." not in name)
text, zone, begins, number = args
due_times = package.module("schedule.due_times")
timing = due_times.Timing(due_times.schedule(text, zone, "cron", "1"), 1.8e9)
found, after, clock = [], 1.8e9, time.perf_counter
for begin in begins or [None] * number:
    after = after if begin is None else begin
    began = clock()
    due = timing.next(after)
    found.append((clock() - began) * 1e6)
    after = due or 1.8e9
return found
$python$"""
# Moments within 26 hours of a change of the clock, and moments of the next hundred years.
NEAR = """SELECT array_agg(extract(epoch FROM change.at) + (random() * 2 - 1) * 26 * 3600)
FROM (SELECT h AS at FROM generate_series('2027-01-01'::timestamptz, '2031-01-01', '1 hour') h
      WHERE (h AT TIME ZONE %(zone)s) - ((h - interval '1 hour') AT TIME ZONE %(zone)s) <> interval '1 hour') change,
     generate_series(1, %(number)s)"""
CENTURY = "SELECT array_agg(1.8e9 + random() * 3.1e9) FROM generate_series(1, %(number)s)"


def measure(context: Context) -> None:
    number = 200 if context.quick else 2000
    with context.elephant_worker() as ours:
        admin = ours.server.admin
        admin.execute("SELECT setseed(0.5)")
        admin.execute("SELECT count(*) FROM next_runs('@daily')")
        admin.execute(MEASURE)

        def record(case: str, text: str, zone: str, begins: str | None, number: int) -> None:
            row = admin.execute(begins, {"zone": zone, "number": number}).fetchone() if begins else None
            values = ours.server.value(
                "SELECT pg_temp.measure(%s, %s, %s::float8[], %s)", text, zone, row and row[0], number
            )
            context.record("next due time", ours.name, case, "µs", values)

        for zone in ZONES:
            for text in ORDINARY:
                record("ordinary schedules", text, zone, None, number)
                record("ordinary schedules, within 26 h of a change", text, zone, NEAR, max(1, number // 8))
            for text in RARE:
                record("rare schedules", text, zone, CENTURY, number)
        _first_calls(context, ours, 5 if context.quick else 40)


FIRST_CALLS = {
    "PL/Python alone": "DO LANGUAGE plpython3u $$pass$$",
    "insert_job": "SELECT job_id FROM insert_job('SELECT 1', 'postgres', '30 4 * * 1-5', timezone := 'Europe/Berlin')",
    "next_runs": "SELECT count(*) FROM next_runs('30 4 * * 1-5', 'Europe/Berlin')",
    "describe_schedule": "SELECT describe_schedule('30 4 * * 1-5', 'Europe/Berlin')",
}


def _first_calls(context: Context, ours: ElephantWorker, number: int) -> None:
    for name, call in FIRST_CALLS.items():
        values = []
        for _ in range(number):
            with closing(ours.server.cluster.connect()) as session:
                session.execute("SET search_path = scheduler")
                began = time.perf_counter()
                session.execute(call)
                values.append((time.perf_counter() - began) * 1000)
        context.record("first call in a session", ours.name, name, "ms", values)
