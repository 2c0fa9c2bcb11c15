"""1, 100 and 1 000 jobs due at the same full minute, for all candidates: how late each starts, as it
records itself, until the last one has started and been logged, CPU seconds of scheduler and server,
connections opened. The candidates take turns, minute by minute; left out of the short form."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from bench.candidate import Candidate
from bench.context import Context
from bench.server import record

COUNTS = [1, 100, 1000]
# A minute is let pass where less than this is left to define the jobs.
MARGIN = 3.0
PATIENCE = 100.0


def measure(context: Context) -> None:
    if context.quick:
        return
    with context.candidates() as candidates:
        for count in COUNTS:
            for candidate in candidates:
                _measure(context, candidate, count)


def _measure(context: Context, candidate: Candidate, count: int) -> None:
    now = datetime.now(timezone.utc)
    minute = (now + timedelta(seconds=MARGIN)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    tag = f"{count} jobs"
    logged = candidate.logged()
    candidate.due_at(minute, count, record(tag))
    time.sleep(max(0.0, (minute - datetime.now(timezone.utc)).total_seconds() - 1))
    cpu, sessions = candidate.all_cpu_seconds(), candidate.server.sessions()
    runs = candidate.server.settle(lambda: candidate.logged() - logged, count, PATIENCE)
    seconds = (datetime.now(timezone.utc) - minute).total_seconds()
    case = f"{count} job" + "s" * (count > 1)
    context.record("CPU", candidate.name, case, "s", [candidate.all_cpu_seconds() - cpu])
    context.record("connections", candidate.name, case, "", [candidate.server.sessions() - sessions])
    context.record("runs logged", candidate.name, case, "", [runs])
    context.record("until all are logged", candidate.name, case, "s", [seconds])
    late = [(moment - minute).total_seconds() * 1000 for moment in candidate.server.witnessed(tag)]
    context.record("lateness", candidate.name, case, "ms", late)
    candidate.clear()
    candidate.server.admin.execute("TRUNCATE public.witness")
