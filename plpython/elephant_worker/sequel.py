"""What follows from runs that have ended, in the transaction that logs them: retries, disabled jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .retry import Policy, kind
from .run import Run
from .store import Statement, Store

POLICIES: Statement = (
    """SELECT j.job_id, j.enabled, j.max_retries, date_part('epoch', j.retry_delay) AS retry_delay,
           date_part('epoch', j.max_retry_delay) AS max_retry_delay, j.retry_on, j.disable_after,
           coalesce(t.failure_count, 0) AS failure_count, s.disabled_at IS NOT NULL AS disabled
       FROM ONLY @extschema@.job j
       JOIN @extschema@.job_state s ON s.job_id = j.job_id
       LEFT JOIN @extschema@.job_statistic t ON t.job_id = j.job_id
       WHERE j.job_id = ANY ($1)""",
    ["int8[]"],
)
DISABLE: Statement = (
    """UPDATE @extschema@.job_state s SET disabled_at = clock_timestamp(), next_run_at = NULL
       WHERE s.job_id = ANY ($1) AND s.disabled_at IS NULL""",
    ["int8[]"],
)
RETRY: Statement = (
    """INSERT INTO @extschema@.pending_run (job_id, due_at, scheduled_at, attempt, caused_by)
       SELECT r.job_id, to_timestamp(r.due), to_timestamp(r.scheduled), r.attempt, r.caused_by
       FROM unnest($1, $2, $3, $4, $5) r (job_id, due, scheduled, attempt, caused_by)
       ON CONFLICT (job_id) DO UPDATE
           SET due_at = excluded.due_at, scheduled_at = excluded.scheduled_at,
               attempt = excluded.attempt, caused_by = excluded.caused_by""",
    ["int8[]", "float8[]", "float8[]", "int4[]", "int8[]"],
)
# A retry may be on its way already.
DROP: Statement = (
    """WITH dropped AS (DELETE FROM @extschema@.pending_run p WHERE p.job_id = ANY ($1))
       DELETE FROM @extschema@.worker_inbox i WHERE i.kind = 'run' AND i.cause = 'retry' AND i.job_id = ANY ($1)""",
    ["int8[]"],
)
DISABLED: Statement = (
    """SELECT n.job_id FROM unnest($1) n (job_id)
       WHERE NOT EXISTS (SELECT FROM @extschema@.job j WHERE j.job_id = n.job_id AND j.enabled)""",
    ["int8[]"],
)
PROMOTE: Statement = (
    """WITH due AS (DELETE FROM @extschema@.pending_run p WHERE p.due_at <= to_timestamp($1) RETURNING p.*)
       INSERT INTO @extschema@.worker_inbox (kind, cause, job_id, scheduled_at, attempt, caused_by)
       SELECT 'run', 'retry', d.job_id, d.scheduled_at, d.attempt, d.caused_by FROM due d ORDER BY d.due_at""",
    ["float8"],
)
NEXT: Statement = (
    """SELECT date_part('epoch', min(p.due_at)) AS due,
           EXISTS (SELECT FROM @extschema@.worker_inbox i WHERE i.kind = 'run' AND i.cause = 'retry') AS asked_for
       FROM @extschema@.pending_run p""",
    [],
)
LOST: Statement = (
    """SELECT l.jl_id, l.job_id, l.attempt, date_part('epoch', l.scheduled_at) AS scheduled_at, l.state,
           l.job_sqlstate AS sqlstate
       FROM @extschema@.job_log l
       WHERE l.state = 'lost' AND l.job_finished >= now()
         AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)""",
    [],
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended, as far as something may follow from it."""

    jl_id: int
    job_id: int
    attempt: int
    scheduled_at: float
    state: str
    sqlstate: str

    @classmethod
    def of(cls, run: Run) -> Ended:
        assert run.outcome is not None
        return cls(run.jl_id, run.job_id, run.attempt, run.scheduled_at, run.outcome.state, run.outcome.sqlstate)


class Sequel:
    """Writes what follows; `chance` gives a random number between 0 and 1."""

    def __init__(self, store: Store, chance: Callable[[], float]) -> None:
        self._store = store
        self._chance = chance
        self.forget()

    def forget(self) -> None:
        """Look again whether there are retries: a transaction has failed."""
        # Kept so that who has no retries has no cost: whether there may be some, when the first is due.
        self._retrying = True
        self._next_due: float | None = None

    def of_runs(self, runs: Iterable[Run], now: float) -> None:
        """Of runs whose end has just been logged and counted."""
        self._of([Ended.of(run) for run in runs], now)

    def of_lost(self, now: float) -> None:
        """Of the runs that this transaction has logged as lost."""
        self._of([Ended(**row) for row in self._store.execute(LOST)], now)

    def _of(self, ended: Sequence[Ended], now: float) -> None:
        failed = [run for run in ended if kind(run.state, run.sqlstate) is not None]
        if not failed:
            return
        policies = {
            row["job_id"]: Policy(**row) for row in self._store.execute(POLICIES, [run.job_id for run in failed])
        }
        self._disable([policy for policy in policies.values() if policy.gives_up])
        self._retry(
            [run for run in failed if run.job_id in policies and not policies[run.job_id].gives_up], policies, now
        )

    def _disable(self, policies: Sequence[Policy]) -> None:
        if policies:
            job_ids = [policy.job_id for policy in policies]
            self._store.execute(DISABLE, job_ids)
            self.drop(job_ids)

    def _retry(self, failed: Sequence[Ended], policies: dict[int, Policy], now: float) -> None:
        retries = {}
        for run in failed:
            delay = policies[run.job_id].retry_after(run.state, run.sqlstate, run.attempt, self._chance())
            if delay is not None:
                retries[run.job_id] = (now + delay, run.scheduled_at, run.attempt + 1, run.jl_id)
        if retries:
            columns = [list(column) for column in zip(*retries.values())]
            self._store.execute(RETRY, list(retries), *columns)
            self._retrying = True

    # --- what is pending --------------------------------------------------------------------

    def promote(self, now: float) -> bool:
        """Ask for the pending runs that are due; whether there may be any."""
        if self._next_due is None or self._next_due > now:
            return False
        self._store.execute(PROMOTE, now)
        return True

    def next_due(self) -> float | None:
        """When the next pending run is due."""
        if self._retrying:
            row = self._store.execute(NEXT)[0]
            self._next_due = row["due"]
            self._retrying = row["due"] is not None or row["asked_for"]
        return self._next_due

    def drop(self, job_ids: Sequence[int]) -> None:
        """Forget the retries of these jobs: the next run has begun, or nobody wants them any more."""
        if self._retrying:
            self._store.execute(DROP, job_ids)

    def define(self, job_ids: Sequence[int]) -> None:
        """Forget the retries of those of these jobs that are disabled or gone."""
        if not self._retrying:
            return
        gone = [row["job_id"] for row in self._store.execute(DISABLED, job_ids)]
        if gone:
            self.drop(gone)
