"""Whether and when a run that has failed is tried again."""

from __future__ import annotations

from ..records import record
from .run import RunState

# No session could be opened, or it was terminated.
CONNECTION = {"53300", "57P01", "57P02", "57P03", "57P05"}
# Another transaction was in the way; the same command may well succeed next time.
SERIALIZATION = {"40001", "40P01"}

# Whatever a row of the table says: a retry never comes before the failure.
LEAST_DELAY = 0.1  # seconds


@record(frozen=True)
class Policy:
    """What a job says about its failures. Delays are seconds."""

    job_id: int
    enabled: bool
    max_retries: int
    retry_delay: float
    max_retry_delay: float
    retry_on: list[str]
    disable_after: int | None
    failure_count: int
    disabled: bool
    on_failure: bool

    @property
    def gives_up(self) -> bool:
        """Whether the job has now failed too often in a row."""
        return self.disable_after is not None and self.failure_count >= self.disable_after

    def retry_after(self, state: RunState, sqlstate: str, attempt: int, chance: float) -> float | None:
        """In how many seconds after this failed attempt the next one starts, if there is one.

        The delay doubles with each attempt up to its limit; `chance`, between 0 and 1, spreads it by
        a quarter to both sides, so that what failed together does not come back together.

        >>> policy = Policy(1, True, 3, 60.0, 200.0, ["connection"], None, 1, False, False)
        >>> [policy.retry_after(RunState.FAILED, "08006", attempt, 0.5) for attempt in (1, 2, 3, 4)]
        [60.0, 120.0, 200.0, None]
        >>> policy.retry_after(RunState.FAILED, "08006", 1, 0.0), policy.retry_after(RunState.FAILED, "08006", 3, 1.0)
        (45.0, 200.0)
        >>> policy.retry_after(RunState.FAILED, "23505", 1, 0.5)
        """
        if (
            not self.enabled
            or self.disabled
            or attempt > self.max_retries
            or kind(state, sqlstate) not in self.retry_on
        ):
            return None
        delay: float = self.retry_delay * 2 ** (attempt - 1) * (0.75 + chance / 2)
        return max(LEAST_DELAY, min(delay, self.max_retry_delay))


def kind(state: RunState, sqlstate: str) -> str | None:
    """The word that retry_on has for a failure; None if the run did not fail.

    >>> kind(RunState.FAILED, "40001"), kind(RunState.FAILED, "22012"), kind(RunState.TIMED_OUT, "57014")
    ('serialization', 'error', 'timeout')
    >>> kind(RunState.CANCELLED, "57014")
    """
    if state is not RunState.FAILED:
        return {RunState.TIMED_OUT: "timeout", RunState.LOST: "lost"}.get(state)
    if sqlstate in SERIALIZATION:
        return "serialization"
    return "connection" if sqlstate in CONNECTION or sqlstate.startswith("08") else "error"
