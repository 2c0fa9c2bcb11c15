"""10 000 jobs due at the same moment: until the last has ended, and what becomes meanwhile of jobs that
are due while these wait, and of one that is running."""

from __future__ import annotations

from datetime import timedelta

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context
from bench.server import record

JOBS = 10_000
OTHERS = 10
SLEEP = 1.5


def measure(context: Context) -> None:
    with context.elephant_worker() as ours:
        for _ in range(context.repetitions):
            _burst(context, ours)
            ours.clear()
            ours.server.admin.execute("TRUNCATE public.witness, job_log")


def _burst(context: Context, ours: ElephantWorker) -> None:
    due = ours.server.value("SELECT clock_timestamp()") + timedelta(seconds=8)
    ours.due_at_instant(due, JOBS, "SELECT 1")
    ours.due_at_instant(due - timedelta(seconds=1), 1, f"SELECT pg_sleep({SLEEP})")
    others = {f"other {number}": due + timedelta(seconds=(number + 1) / 4) for number in range(OTHERS)}
    for tag, moment in others.items():
        ours.due_at_instant(moment, 1, record(tag))
    done = "SELECT count(*) FROM job_log WHERE state = 'succeeded'"
    ours.server.until(lambda: ours.server.value(done) >= JOBS + OTHERS + 1)

    last = ours.server.value("SELECT max(job_finished) FROM job_log WHERE scheduled_at = %s", due)
    context.record("until the last has ended", ours.name, f"{JOBS} jobs", "s", [(last - due).total_seconds()])
    for tag, began in ours.server.admin.execute("SELECT tag, began FROM public.witness").fetchall():
        late = (began - others[tag]).total_seconds() * 1000
        context.record("lateness", ours.name, "jobs due later, one every 250 ms", "ms", [late])
    took = ours.server.value(
        """SELECT extract(epoch FROM job_finished - job_started)::float8 FROM job_log
           WHERE job_command LIKE 'SELECT pg_sleep%%'"""
    )
    context.record("end noticed late", ours.name, "a job that was running", "ms", [(took - SLEEP) * 1000])
