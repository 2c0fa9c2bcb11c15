"""How late 100 runs a second start while 10 000 000 old rows of the log are pruned, and while none are."""

from __future__ import annotations

import time

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context

JOBS = 100
LATENESS = """SELECT 1000 * extract(epoch FROM job_started - scheduled_at)::float8 FROM job_log
              WHERE jl_id > %s AND job_started BETWEEN %s AND clock_timestamp()"""


def measure(context: Context) -> None:
    rows = 100_000 if context.quick else 10_000_000
    case = f"{JOBS} runs/s, {rows} old rows"
    with context.elephant_worker() as ours:
        ours.server.admin.execute("UPDATE worker_setting SET log_max_age = NULL, log_max_rows = NULL")
        _fill(ours, rows)
        ours.every_second(JOBS, "SELECT 1")
        time.sleep(5)
        # One after the other, since the machine may be slower at times.
        for _ in range(1 if context.quick else 6):
            for name, age in (("lateness, nothing to prune", None), ("lateness while pruning", "30 days")):
                ours.server.admin.execute("UPDATE worker_setting SET log_max_age = %s", (age,))
                began, first, before = (
                    ours.server.value("SELECT clock_timestamp()"),
                    time.monotonic(),
                    _left(ours, rows),
                )
                time.sleep(3 if context.quick else 20)
                context.record(name, ours.name, case, "ms", _lateness(ours, rows, began))
                if age is not None:
                    pruned = before - _left(ours, rows)
                    context.record("pruned", ours.name, case, "rows/s", [pruned / (time.monotonic() - first)])
        first = time.monotonic()
        left = _left(ours, rows)
        ours.server.until(lambda: _left(ours, rows) == 0, 3600)
        context.record("pruned in one go", ours.name, case, "rows/s", [left / (time.monotonic() - first)])


def _left(ours: ElephantWorker, rows: int) -> int:
    """How many of the old rows there are still."""
    return max(0, rows + 1 - int(ours.server.value("SELECT min(jl_id) FROM job_log")))


def _fill(ours: ElephantWorker, rows: int) -> None:
    with ours.server.admin.transaction():
        ours.server.admin.execute("SET LOCAL synchronous_commit = off")
        ours.server.admin.execute(
            """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                    state, job_command, job_sqlstate, command_tag, row_count)
               SELECT n, 1000000 + n %% 10000, 'bench_1', 'postgres', 'schedule', due, due, due, 'succeeded',
                      'SELECT 1', '00000', 'SELECT 1', 1
               FROM generate_series(1, %s) n,
                    LATERAL (SELECT now() - interval '40 days' + n * interval '1 ms') d (due)""",
            (rows,),
        )
        ours.server.admin.execute("SELECT setval('worker_inbox_request_id_seq', %s)", (rows,))
    ours.server.admin.execute("VACUUM ANALYZE job_log")


def _lateness(ours: ElephantWorker, rows: int, began: object) -> list[float]:
    return [row[0] for row in ours.server.admin.execute(LATENESS, (rows, began))]
