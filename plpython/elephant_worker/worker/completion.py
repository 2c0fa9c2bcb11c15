"""What follows from runs that have ended, in the transaction that logs them: retries, disabled jobs, jobs that
run after them, what is to be run after a failure, and alerts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..database.store import Statement, Store
from ..jobs.alerts import TOLD, SuccessDeadlines, alert
from ..jobs.retry import Policy, kind
from ..jobs.run import Run

POLICIES: Statement = (
    """SELECT j.job_id, j.enabled, j.max_retries, date_part('epoch', j.retry_delay) AS retry_delay,
           date_part('epoch', j.max_retry_delay) AS max_retry_delay, j.retry_on, j.disable_after,
           coalesce(t.failure_count, 0) AS failure_count, s.disabled_at IS NOT NULL AS disabled,
           j.on_failure_command IS NOT NULL AS on_failure
       FROM ONLY @extschema@.job j
       JOIN @extschema@.job_state s ON s.job_id = j.job_id
       LEFT JOIN @extschema@.job_statistic t ON t.job_id = j.job_id
       WHERE j.job_id = ANY ($1)""",
    ["int8[]"],
)
DISABLE: Statement = (
    """UPDATE @extschema@.job_state s SET disabled_at = clock_timestamp(), next_run_at = NULL
       WHERE s.job_id = ANY ($1) AND s.disabled_at IS NULL RETURNING s.job_id""",
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
       DELETE FROM @extschema@.worker_request i WHERE i.kind = 'run' AND i.cause = 'retry' AND i.job_id = ANY ($1)""",
    ["int8[]"],
)
DISABLED: Statement = (
    """SELECT n.job_id FROM unnest($1) n (job_id)
       WHERE NOT EXISTS (SELECT FROM @extschema@.job j WHERE j.job_id = n.job_id AND j.enabled)""",
    ["int8[]"],
)
PROMOTE: Statement = (
    """WITH due AS (DELETE FROM @extschema@.pending_run p WHERE p.due_at <= to_timestamp($1) RETURNING p.*)
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, scheduled_at, attempt, caused_by)
       SELECT 'run', 'retry', d.job_id, d.scheduled_at, d.attempt, d.caused_by FROM due d ORDER BY d.due_at""",
    ["float8"],
)
NEXT: Statement = (
    """SELECT date_part('epoch', min(p.due_at)) AS due,
           EXISTS (SELECT FROM @extschema@.worker_request i WHERE i.kind = 'run' AND i.cause = 'retry') AS asked_for
       FROM @extschema@.pending_run p""",
    [],
)
SET_BACK: Statement = (
    "UPDATE @extschema@.pending_run p SET due_at = p.due_at - make_interval(secs => $1)",
    ["float8"],
)
LOST: Statement = (
    """SELECT l.jl_id, l.job_id, l.cause, l.attempt, date_part('epoch', l.scheduled_at) AS scheduled_at,
           l.rolname::text, l.datname::text, l.state, l.job_sqlstate AS sqlstate, l.exception_message AS message
       FROM @extschema@.job_log l
       WHERE l.state = 'lost' AND l.job_finished >= now()
         AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)""",
    [],
)


# Of several runs of a job the last one counts.
FINISH: Statement = (
    """INSERT INTO @extschema@.finished_dependency (job_id, after_job_id, jl_id, fulfilled)
       SELECT j.job_id, e.job_id, e.jl_id,
              CASE j.run_when WHEN 'always' THEN true WHEN 'on_success' THEN e.state = 'succeeded'
                              ELSE e.state IN ('failed', 'timed out', 'lost') END
       FROM unnest($1, $2, $3) e (job_id, jl_id, state)
       JOIN ONLY @extschema@.job j ON j.run_after @> ARRAY[e.job_id]
       ON CONFLICT (job_id, after_job_id) DO UPDATE SET jl_id = excluded.jl_id, fulfilled = excluded.fulfilled
       RETURNING job_id""",
    ["int8[]", "int8[]", "text[]"],
)
FOLLOW: Statement = (
    """WITH ready AS (
           SELECT j.job_id, max(d.jl_id) AS jl_id
           FROM ONLY @extschema@.job j
           JOIN @extschema@.finished_dependency d ON d.job_id = j.job_id AND d.after_job_id = ANY (j.run_after)
           WHERE j.job_id = ANY ($1) AND j.enabled
             AND NOT EXISTS (SELECT FROM @extschema@.job_state s
                             WHERE s.job_id = j.job_id AND s.disabled_at IS NOT NULL)
           GROUP BY j.job_id HAVING bool_and(d.fulfilled) AND count(*) = cardinality(j.run_after)),
       begun AS (DELETE FROM @extschema@.finished_dependency d USING ready r WHERE d.job_id = r.job_id)
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, caused_by)
       SELECT 'run', 'dependency', r.job_id, r.jl_id FROM ready r ORDER BY r.job_id
       RETURNING job_id""",
    ["int8[]"],
)
UNLINK: Statement = (
    """DELETE FROM @extschema@.finished_dependency d
       WHERE d.job_id = ANY ($1)
         AND NOT EXISTS (SELECT FROM ONLY @extschema@.job j
                         WHERE j.job_id = d.job_id AND d.after_job_id = ANY (j.run_after))""",
    ["int8[]"],
)
# It comes with schedule_set_at, since it has been checked with the job.
AFTER_FAILURE: Statement = (
    """WITH made AS (
           INSERT INTO @extschema@.once_job (datname, server, rolname, job_command, job_timeout, settings, defined_by,
                                             schedule_set_at)
           SELECT j.datname, j.server, j.rolname, j.on_failure_command, j.job_timeout,
                  coalesce(j.settings, '{}') || jsonb_build_object(
                      'elephant_worker.failed_job', j.job_id::text, 'elephant_worker.failed_run', $2::text,
                      'elephant_worker.failed_sqlstate', $3, 'elephant_worker.failed_message', left($4, 2000)),
                  j.defined_by, j.schedule_set_at
           FROM ONLY @extschema@.job j WHERE j.job_id = $1 RETURNING job_id)
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, caused_by)
       SELECT 'run', 'failure', m.job_id, $2 FROM made m""",
    ["int8", "int8", "text", "text"],
)
FAILING: Statement = ("SELECT t.job_id FROM @extschema@.job_statistic t WHERE t.failure_count > 0", [])
EXPECTATIONS: Statement = (
    """SELECT j.job_id, date_part('epoch', j.expect_success_within) AS within,
           date_part('epoch', greatest(t.last_success, j.schedule_set_at)) AS since
       FROM ONLY @extschema@.job j LEFT JOIN @extschema@.job_statistic t ON t.job_id = j.job_id
       WHERE j.expect_success_within IS NOT NULL AND j.enabled""",
    [],
)
EXPECTATIONS_OF: Statement = (EXPECTATIONS[0] + " AND j.job_id = ANY ($1)", ["int8[]"])
USUAL: Statement = (
    """SELECT t.job_id, u.p95
       FROM @extschema@.job_statistic t
       CROSS JOIN LATERAL (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY d) AS p95, count(*) AS samples
                           FROM unnest(t.durations) d) u
       WHERE t.job_id = ANY ($1) AND u.samples >= 20""",
    ["int8[]"],
)
NOTIFY: Statement = ("SELECT pg_notify('elephant_worker', n.payload) FROM unnest($1) n (payload)", ["text[]"])
# Runs that take less, in seconds, are never told to take long.
LONG = 1.0
# The states of runs that took place.
TOOK_PLACE = {"succeeded", "failed", "timed out", "lost", "cancelled"}


@dataclass(slots=True)
class Ended:
    """A run that has ended, as far as something may follow from it."""

    jl_id: int
    job_id: int
    cause: str
    attempt: int
    scheduled_at: float
    rolname: str
    datname: str
    state: str
    sqlstate: str
    message: str | None

    @classmethod
    def of(cls, run: Run) -> Ended:
        assert run.outcome is not None
        return cls(
            run.jl_id,
            run.job_id,
            run.cause,
            run.attempt,
            run.scheduled_at,
            run.target.rolname,
            run.target.datname,
            run.outcome.state,
            run.outcome.sqlstate,
            run.outcome.message,
        )

    @property
    def failed(self) -> bool:
        return kind(self.state, self.sqlstate) is not None


class Completion:
    """Writes what follows; `chance` gives a random number between 0 and 1."""

    def __init__(self, store: Store, chance: Callable[[], float]) -> None:
        self._store = store
        self._chance = chance
        self._alerts: list[str] = []
        # Jobs whose last run failed: who succeeds next has recovered.
        self._failing: set[int] = set()
        self._expectations = SuccessDeadlines()
        # How long active runs usually take, in seconds, once they have been looked at.
        self._usual: dict[int, float] = {}
        self.forget()

    def forget(self) -> None:
        """Look again at what there is: a transaction has failed."""
        self._alerts.clear()
        # Whether something has been put into the inbox.
        self.wrote_inbox = True
        # Kept so that who has no retries has no cost: whether there may be some, when the first is due.
        self._retrying = True
        self._next_due: float | None = None

    def begin(self, now: float) -> None:
        """Take up what an earlier worker has left: the runs that this transaction has logged as lost."""
        self._failing = {row["job_id"] for row in self._store.execute(FAILING)}
        for row in self._store.execute(EXPECTATIONS):
            self._expectations.set(**row)
        self._of([Ended(**row) for row in self._store.execute(LOST)], now)

    def of_runs(self, runs: Iterable[Run], now: float) -> None:
        """Of runs whose end has just been logged and counted."""
        self._of([Ended.of(run) for run in runs], now)

    def _of(self, ended: Sequence[Ended], now: float) -> None:
        failed = [run for run in ended if run.failed]
        retries: dict[int, float] = {}
        if failed:
            policies = {
                row["job_id"]: Policy(**row) for row in self._store.execute(POLICIES, [run.job_id for run in failed])
            }
            self._disable([policy for policy in policies.values() if policy.gives_up], now)
            retries = self._retry([run for run in failed if run.job_id in policies], policies, now)
            for run in failed:
                if run.job_id in policies and policies[run.job_id].on_failure and run.jl_id not in retries:
                    self._store.execute(AFTER_FAILURE, run.job_id, run.jl_id, run.sqlstate, run.message or "")
                    self.wrote_inbox = True
        finished = {run.job_id: run for run in ended if run.state in TOOK_PLACE and run.jl_id not in retries}
        if finished:
            self._follow(list(finished.values()))
        self._tell(ended, retries, now)

    def _disable(self, policies: Sequence[Policy], now: float) -> None:
        if policies:
            disabled = [row["job_id"] for row in self._store.execute(DISABLE, [policy.job_id for policy in policies])]
            self.drop([policy.job_id for policy in policies])
            self._alerts += [alert("disabled", now, job_id) for job_id in disabled]

    def _retry(self, failed: Sequence[Ended], policies: dict[int, Policy], now: float) -> dict[int, float]:
        """Have runs tried again; when, for each of them."""
        due: dict[int, float] = {}
        retries = {}
        for run in failed:
            policy = policies[run.job_id]
            delay = policy.retry_after(run.state, run.sqlstate, run.attempt, self._chance())
            if delay is not None and not policy.gives_up:
                due[run.jl_id] = now + delay
                retries[run.job_id] = (now + delay, run.scheduled_at, run.attempt + 1, run.jl_id)
        if retries:
            columns = [list(column) for column in zip(*retries.values())]
            self._store.execute(RETRY, list(retries), *columns)
            self._retrying = True
        return due

    def _follow(self, finished: Sequence[Ended]) -> None:
        """Start the jobs that run after these, where all that they wait for has ended."""
        columns = [run.job_id for run in finished], [run.jl_id for run in finished], [run.state for run in finished]
        touched = [row["job_id"] for row in self._store.execute(FINISH, *columns)]
        if touched and len(self._store.execute(FOLLOW, touched)):
            self.wrote_inbox = True

    def _tell(self, ended: Sequence[Ended], retries: dict[int, float], now: float) -> None:
        for run in ended:
            if run.cause == "trial":
                continue
            event = run.state if run.state in TOLD else None
            if run.failed:
                if run.job_id > 0:  # else it is no job's, and does not come again
                    self._failing.add(run.job_id)
            elif run.state == "succeeded" and run.job_id in self._failing:
                self._failing.remove(run.job_id)
                event = "recovered"
            if event is not None:
                self._alerts.append(
                    alert(
                        event,
                        now,
                        run.job_id,
                        jl_id=run.jl_id,
                        rolname=run.rolname,
                        datname=run.datname,
                        sqlstate=run.sqlstate,
                        attempt=run.attempt,
                        retry=run.jl_id in retries,
                    )
                )
        self._expectations.succeeded([run.job_id for run in ended if run.state == "succeeded"], now)

    # --- alerts -----------------------------------------------------------------------------

    def _expect(self, job_ids: Sequence[int]) -> None:
        for job_id in job_ids:
            self._expectations.set(job_id, None)
        for row in self._store.execute(EXPECTATIONS_OF, job_ids):
            self._expectations.set(**row)

    def look_around(self, now: float, active: Iterable[Run], overrun_factor: float | None) -> None:
        """Tell of jobs that have not succeeded in time, and of runs that take longer than they used to."""
        self._alerts += [alert("overdue", now, job_id) for job_id in self._expectations.overdue(now)]
        if overrun_factor is not None:
            self._look_at([run for run in active if run.started is not None], overrun_factor, now)

    def _look_at(self, active: Sequence[Run], overrun_factor: float, now: float) -> None:
        long = [run for run in active if now - (run.started or now) >= LONG]
        self._usual = {run.jl_id: self._usual[run.jl_id] for run in long if run.jl_id in self._usual}
        unknown = [run for run in long if run.jl_id not in self._usual]
        if unknown:
            rows = self._store.execute(USUAL, [run.job_id for run in unknown])
            usual = {row["job_id"]: row["p95"] for row in rows}
            self._usual |= {run.jl_id: usual.get(run.job_id, math.inf) for run in unknown}
        for run in long:
            if now - (run.started or now) > self._usual[run.jl_id] * overrun_factor:
                self._usual[run.jl_id] = math.inf  # it is told once
                target = {"rolname": run.target.rolname, "datname": run.target.datname}
                self._alerts.append(alert("overrun", now, run.job_id, jl_id=run.jl_id, **target, attempt=run.attempt))

    def notify(self) -> bool:
        """Send the alerts, in a transaction of their own: it fails where the server's queue is full, for
        somebody listens and does not read. Whether there were any."""
        alerts, self._alerts = self._alerts, []
        if alerts:
            self._store.execute(NOTIFY, alerts)
        return bool(alerts)

    # --- what is pending --------------------------------------------------------------------

    def enqueue_due_retries(self, now: float) -> None:
        """Ask for the pending runs that are due."""
        if self._next_due is None or self._next_due > now:
            return
        self._store.execute(PROMOTE, now)
        self.wrote_inbox = True

    def shift_after_clock_step(self, by: float) -> None:
        """Have the pending runs wait as long as they would have, now that the clock has been set back."""
        self._store.execute(SET_BACK, by)
        self.forget()

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
        """Follow what has been defined, changed or deleted; jobs that are disabled or gone are not retried."""
        self._store.execute(UNLINK, job_ids)
        self._expect(job_ids)
        if not self._retrying:
            return
        gone = [row["job_id"] for row in self._store.execute(DISABLED, job_ids)]
        if gone:
            self.drop(gone)
