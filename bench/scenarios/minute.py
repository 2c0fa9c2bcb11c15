"""1, 100 and 1 000 jobs due at the same full minute, for all candidates: how late each starts, as it
records itself, CPU seconds of scheduler and server until all are logged, connections opened. The
candidates take turns, minute by minute (the single jobs share one); left out of the short form."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from bench.candidate import Candidate, next_minute
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
            for together in [candidates] if count == 1 else [[candidate] for candidate in candidates]:
                _measure(context, together, count)


def _measure(context: Context, candidates: list[Candidate], count: int) -> None:
    minute = next_minute(MARGIN)
    case = f"{count} job" + "s" * (count > 1)
    for candidate in candidates:
        candidate.due_at(minute, count, record(case))
    time.sleep(max(0.0, (minute - datetime.now(timezone.utc)).total_seconds() - 1))
    before = [
        (candidate.logged(), candidate.all_cpu_seconds(), candidate.server.sessions()) for candidate in candidates
    ]
    for candidate, (logged, cpu, sessions) in zip(candidates, before):
        runs = candidate.server.settle(candidate.logged, logged + count, PATIENCE) - logged
        context.record("CPU", candidate.name, case, "s", [candidate.all_cpu_seconds() - cpu])
        context.record("connections", candidate.name, case, "", [candidate.server.sessions() - sessions])
        context.record("runs logged", candidate.name, case, "", [runs])
        began = candidate.server.witnessed(case)
        late = [(moment - minute).total_seconds() * 1000 for moment in began]
        context.record("lateness", candidate.name, case, "ms", late)
    for candidate in candidates:
        candidate.clear()
        candidate.server.admin.execute("TRUNCATE public.witness")
