"""What is counted of the runs of each job, and how it is added to the row of job_statistic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .run import Run

# Who cancels a run has not seen it fail.
FAILURES = {"failed", "timed out", "lost"}
# How many states, and how many durations and delays, are kept of each job.
LAST_STATES = 10
SAMPLES = 100


@dataclass(slots=True)
class Tally:
    """What the runs of one job that ended in one turn of the worker add to its statistics.

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
    states: list[str] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Count a run that has ended, after those that ended before it."""
        assert run.outcome is not None
        assert run.finished is not None
        state = run.outcome.state
        self.states.append(state)
        if run.started is not None:
            self.delays.append(run.started - run.scheduled_at)
        if state == "skipped":
            self.skipped += 1
            return
        if state == "missed":
            self.missed += run.missed_count or 1
            return
        self.executed = max(self.executed or 0.0, run.started or run.finished)
        if state == "succeeded":
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


def rows(tallies: dict[int, Tally]) -> list[tuple[Any, ...]]:
    """What the statement COUNT takes: a row of the type counted_runs for each job."""
    return [
        (
            job_id,
            count.executed,
            count.succeeded,
            count.successes,
            count.failures,
            count.failure_total,
            count.cancelled,
            count.skipped,
            count.missed,
            len(count.states),
            count.states[: -LAST_STATES - 1 : -1],
            count.durations[-SAMPLES:],
            count.delays[-SAMPLES:],
        )
        for job_id, count in tallies.items()
    ]


# Arrays in the row get shorter in front before they get longer at the end.
COUNT = (
    """WITH counted AS (
            UPDATE @extschema@.job_statistic s
            SET last_executed = greatest(s.last_executed, to_timestamp(r.executed)),
                last_success = greatest(s.last_success, to_timestamp(r.succeeded)),
                success_count = s.success_count + r.successes,
                failure_count = CASE WHEN r.successes > 0 THEN r.failures ELSE s.failure_count + r.failures END,
                failure_total = s.failure_total + r.failure_total,
                cancelled_count = s.cancelled_count + r.cancelled,
                skipped_count = s.skipped_count + r.skipped,
                missed_count = s.missed_count + r.missed,
                last_states = (r.states || s.last_states)[:$3],
                durations = s.durations[cardinality(s.durations) + cardinality(r.durations) - $4 + 1:] || r.durations,
                delays = s.delays[cardinality(s.delays) + cardinality(r.delays) - $4 + 1:] || r.delays,
                log_rows = s.log_rows + r.rows
            FROM unnest($2) r
            WHERE s.job_id = r.job_id AND s.job_id = ANY ($1)
            RETURNING s.job_id, s.log_rows)
        SELECT c.job_id FROM counted c, @extschema@.worker_setting w
        WHERE c.log_rows > w.log_max_rows + greatest(10, w.log_max_rows / 10)""",
    ["int8[]", "@extschema@.counted_runs[]", "int4", "int4"],
)
