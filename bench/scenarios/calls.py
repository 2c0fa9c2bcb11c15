"""From a call to the first statement of the run: run_job(), and insert_job() with a schedule that is
due 10 ms later, in sessions that are kept and in new ones."""

from __future__ import annotations

import time

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context
from bench.server import record

CALLS = {
    "run_job": "SELECT run_job(1)",
    "insert_job, due 10 ms later": f"""SELECT insert_job($${record("call")}$$, 'postgres',
        to_char(clock_timestamp() + interval '10 ms', 'YYYY-MM-DD HH24:MI:SS.US'), 'bench_1', timezone := 'UTC')""",
}


def measure(context: Context) -> None:
    with context.elephant_worker() as ours:
        ours.server.admin.execute("SELECT insert_job(%s, 'postgres', rolname := 'bench_1')", (record("call"),))
        for name, call in CALLS.items():
            for kept, idle_time, pause in (("kept session", "1 minute", 0.05), ("new session", "0", 0.2)):
                ours.server.admin.execute("UPDATE worker_setting SET session_idle_time = %s", (idle_time,))
                _latency(ours, call, 0.5)
                values = [_latency(ours, call, pause) for _ in range(20 if context.quick else 100)]
                context.record("to the first statement", ours.name, f"{name}, {kept}", "ms", values)


def _latency(ours: ElephantWorker, call: str, pause: float) -> float:
    """Milliseconds from the call to the first statement of its run."""
    time.sleep(pause)
    ours.server.admin.execute("TRUNCATE public.witness")
    called = ours.server.value("SELECT clock_timestamp()")
    ours.server.admin.execute(call)
    while not (began := ours.server.witnessed("call")):
        time.sleep(0.001)
    milliseconds: float = (began[0] - called).total_seconds() * 1000
    return milliseconds
