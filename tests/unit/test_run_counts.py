"""What is counted of the runs of a job."""

from __future__ import annotations

from elephant_worker.database.job_statistic import counted_runs
from elephant_worker.jobs.run import Cost, Outcome, Run, RunState, Target
from elephant_worker.jobs.run_counts import SAMPLES, tally


def ended(state: str, scheduled_at: float = 100.0, started: float | None = 101.0, finished: float = 103.0) -> Run:
    run = Run(1, 7, Target(10, "app", "shop"), "schedule", "SELECT 1", scheduled_at, 60.0)
    run.started = started
    run.end(Outcome(RunState(state), "00000"), finished)
    return run


def test_nothing_has_ended() -> None:
    assert tally([]) == {}


def test_one_success() -> None:
    (count,) = tally([ended("succeeded")]).values()
    assert (count.executed, count.succeeded, count.successes, count.failures) == (101.0, 103.0, 1, 0)
    assert (count.durations, count.delays, count.states) == ([2.0], [1.0], ["succeeded"])


def test_failures_are_counted_since_the_last_success() -> None:
    states = ["failed", "succeeded", "timed out", "cancelled", "lost"]
    (count,) = tally([ended(state) for state in states]).values()
    assert (count.successes, count.failures, count.failure_total, count.cancelled) == (1, 2, 3, 1)
    assert count.states == states
    assert count.durations == [2.0]  # of what succeeded


def test_what_did_not_start_has_no_delay() -> None:
    missed = ended("missed", started=None)
    missed.missed_count = 5
    (count,) = tally([missed, ended("skipped", started=None), ended("failed", started=None)]).values()
    assert (count.missed, count.skipped, count.failures, count.delays) == (5, 1, 1, [])
    assert count.executed is None


def test_a_row_for_each_job() -> None:
    other = ended("failed")
    other.job_id = 8
    runs = [ended("succeeded", finished=101.0 + number) for number in range(SAMPLES + 5)]
    first, second = (counted_runs(job_id, counts) for job_id, counts in tally([*runs, other]).items())
    assert (first[:2], second[:2]) == ((7, 101_000_000), (8, 101_000_000))  # microseconds
    assert first[-4:-2] == (SAMPLES + 5, ["succeeded"] * 10)
    assert first[-2] == [float(number) for number in range(5, SAMPLES + 5)]
    assert second[-4:] == (0, ["failed"], [], [1.0])  # the log keeps it by age


def test_cost_is_what_was_used_since() -> None:
    assert Cost(3.0, 50, 70).since(Cost(1.0, 20, 30)) == Cost(2.0, 30, 40)
