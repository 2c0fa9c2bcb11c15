"""How long after a run has failed a session that listens knows of it: one failure at a time, and while
100 jobs a second run beside it."""

from __future__ import annotations

import json
import time

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context

ALERTS = 100
OTHERS = 100


def measure(context: Context) -> None:
    with context.elephant_worker() as ours:
        for _ in range(context.repetitions):
            context.record("alert after the end of the run", ours.name, "nothing else runs", "ms", _alerts(ours))
            ours.every_second(OTHERS, "SELECT 1")
            context.record("alert after the end of the run", ours.name, f"{OTHERS} runs/s beside", "ms", _alerts(ours))
            ours.clear()


def _alerts(ours: ElephantWorker) -> list[float]:
    """Milliseconds from the end of each failed run, as the log has it, to when the alert has been read."""
    listener = ours.server.cluster.connect()
    listener.execute("LISTEN elephant_worker")
    delays = []
    for _ in range(ALERTS):
        run = ours.server.value("SELECT run_once('SELECT 1/0')")
        for notification in listener.notifies(timeout=30):
            heard = time.time()
            if json.loads(notification.payload)["jl_id"] == run:
                break
        ended = "SELECT extract(epoch FROM job_finished)::float8 FROM job_log WHERE jl_id = %s"
        delays.append((heard - ours.server.value(ended, run)) * 1000)
    listener.close()
    return delays
