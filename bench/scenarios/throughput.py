"""Runs per second of trivial jobs, each logged durably: more are asked than can be done. The CPU time
a run is that of scheduler, server and log."""

from __future__ import annotations

from contextlib import closing

from bench.context import Context

PLACES = [(1, 1), (5, 1), (20, 5)]


def measure(context: Context) -> None:
    seconds = 2.0 if context.quick else 5.0
    # More than elsewhere: machines are faster in one minute than in another.
    repetitions = context.repetitions if context.quick else 5
    for _ in range(repetitions):
        for kind in context.kinds:
            # Alone: some have a backlog that they go on with when their jobs have been deleted.
            with closing(kind(context.installation)) as candidate:
                runs, cpu = candidate.throughput(seconds)
                context.record("runs per second", candidate.name, "1 role, 1 database", "1/s", [runs])
                context.record("CPU per run", candidate.name, "1 role, 1 database", "ms", [cpu])
    with context.elephant_worker() as ours:
        for roles, databases in PLACES[1:]:
            ours.spread(roles, databases)
            for _ in range(repetitions):
                runs, cpu = ours.throughput(seconds)
                case = f"{roles} roles, {databases} database" + "s" * (databases > 1)
                context.record("runs per second", ours.name, case, "1/s", [runs])
                context.record("CPU per run", ours.name, case, "ms", [cpu])
