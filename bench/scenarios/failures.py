"""Runs per second when every tenth run fails, with the alerts kept and with the inserts into their table switched off:
one after the other on the same server, since machines are faster in one minute than in another."""

from __future__ import annotations

import time

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context

JOBS = 1000
# Each run draws its lot, so that failures and recoveries alternate.
COMMAND = "DO $$BEGIN IF random() < 0.1 THEN RAISE 'one in ten'; END IF; END$$"
SWITCHES = {
    "alerts kept": "ALTER TABLE alert DISABLE TRIGGER not_kept",
    "alerts not kept": "ALTER TABLE alert ENABLE ALWAYS TRIGGER not_kept",
}


def measure(context: Context) -> None:
    seconds = 3.0 if context.quick else 10.0
    with context.elephant_worker() as ours:
        for statement in (
            "CREATE FUNCTION public.not_kept() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
            "CREATE TRIGGER not_kept BEFORE INSERT ON alert FOR EACH ROW EXECUTE FUNCTION public.not_kept()",
        ):
            ours.server.admin.execute(statement)
        ours.every_second(10 * JOBS, COMMAND)
        time.sleep(seconds)
        for _ in range(2 if context.quick else 8):
            for case, switch in SWITCHES.items():
                ours.server.admin.execute(switch)
                time.sleep(1)
                runs, cpu = _runs(ours, seconds)
                context.record("runs per second, every tenth fails", ours.name, case, "1/s", [runs])
                context.record("CPU per run, every tenth fails", ours.name, case, "ms", [cpu])
        ours.clear()


def _runs(ours: ElephantWorker, seconds: float) -> tuple[float, float]:
    ended = "SELECT count(*) FROM job_log WHERE state IN ('succeeded', 'failed')"
    before, cpu, began = ours.server.value(ended), ours.all_cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    cpu, elapsed = ours.all_cpu_seconds() - cpu, time.monotonic() - began
    runs = ours.server.value(ended) - before
    return runs / elapsed, cpu / max(runs, 1) * 1000
