"""What is counted of the runs of each job, before it is added to its row of job_statistic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from ..records import record
from .run import FAILURES, Run, RunState

# Rows of the log that are kept by number.
COUNTED_ROWS = (RunState.SUCCEEDED, RunState.SKIPPED)
# How many states are kept of each job.
LAST_STATES = 10  # runs
# How many durations, and how many delays, are kept of each job.
SAMPLES = 100  # runs


@record()
class Tally:
    """What the runs of one job that ended in one tick of the worker add to its statistics.

    Moments are seconds since 1970, durations and delays are seconds.
    """

    executed: float | None = None
    succeeded: float | None = None
    successes: int = 0
    # Since the last success among them.
    failures: int = 0
    failure_total: int = 0
    cancelled: int = 0
    skipped: int = 0
    missed: int = 0
    # In the log that worker_setting.log_max_rows limits; others are kept by age.
    rows: int = 0
    states: list[RunState] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Count a run that has ended, after those that ended before it."""
        assert run.outcome is not None
        assert run.finished is not None
        state = run.outcome.state
        self.rows += state in COUNTED_ROWS
        if run.quarantined:
            return
        self.states.append(state)
        if run.started is not None:
            self.delays.append(run.started - run.scheduled_at)
        if state is RunState.SKIPPED:
            self.skipped += 1
            return
        if state is RunState.MISSED:
            self.missed += run.missed_count or 1
            return
        if run.started is not None:
            self.executed = max(self.executed or 0.0, run.started)
        if state is RunState.SUCCEEDED:
            self.successes += 1
            self.failures = 0
            self.succeeded = run.finished
            if run.started is not None:
                self.durations.append(run.finished - run.started)
        elif state in FAILURES:
            self.failures += 1
            self.failure_total += 1
        else:
            self.cancelled += 1


def tally(runs: Iterable[Run]) -> dict[int, Tally]:
    """Count runs, in the order in which they ended, by job."""
    tallies: dict[int, Tally] = {}
    for run in runs:
        tallies.setdefault(run.job_id, Tally()).add(run)
    return tallies
