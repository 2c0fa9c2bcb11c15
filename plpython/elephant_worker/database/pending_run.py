"""The table pending_run: the retries to come."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import NamedTuple

from .spi import Spi, Statement, columns_of, numbered


class PendingRun(NamedTuple):
    """A retry: of which job, when, and of which run. Moments are seconds since 1970."""

    job_id: int
    due_at: float
    scheduled_at: float
    attempt: int
    caused_by: int


PENDING = Statement("SELECT p.job_id FROM @extschema@.pending_run p")
# When it is due, a retry is put into the inbox.
REQUESTED = Statement("SELECT i.job_id FROM @extschema@.worker_request i WHERE i.kind = 'run' AND i.cause = 'retry'")


def job_ids(spi: Spi) -> tuple[set[int], set[int]]:
    """The jobs that have retries to come, and those whose retries are in the inbox."""
    pending, requested = spi.execute(PENDING), spi.execute(REQUESTED)
    return {row["job_id"] for row in pending}, {row["job_id"] for row in requested}


ADD = Statement(
    """INSERT INTO @extschema@.pending_run (job_id, due_at, scheduled_at, attempt, caused_by)
       SELECT r.job_id, to_timestamp(r.due), to_timestamp(r.scheduled), r.attempt, r.caused_by
       FROM unnest($1, $2, $3, $4, $5, $6) r (job_id, due, scheduled, attempt, caused_by, may_be_requested)
       WHERE CASE WHEN r.may_be_requested
                  THEN NOT EXISTS (SELECT FROM @extschema@.worker_request i
                                   WHERE i.job_id = r.job_id AND i.cause = 'retry' AND i.kind = 'run')
                  ELSE true END
       ON CONFLICT (job_id) DO NOTHING
       RETURNING job_id, caused_by""",
    *("int8[]", "float8[]", "float8[]", "int4[]", "int8[]", "bool[]"),
)


def add(spi: Spi, retries: Sequence[PendingRun], requested: Set[int]) -> dict[int, int]:
    """Have runs tried again, one of each job at a time, also of those whose retries may be in the inbox; returns the
    jl_id of those that are, by job."""
    may_be_requested = [retry.job_id in requested for retry in retries]
    return {row["job_id"]: row["caused_by"] for row in spi.execute(ADD, *columns_of(retries), may_be_requested)}


DROP = Statement(
    f"""WITH pending AS (DELETE FROM @extschema@.pending_run p
                         USING unnest($1) n (job_id)
                         CROSS JOIN {numbered("@extschema@.pending_run", "job_id", "n.job_id")} t
                         WHERE p.ctid = t.ctid RETURNING p.caused_by),
           requested AS (DELETE FROM @extschema@.worker_request i
                         WHERE i.kind = 'run' AND i.cause = 'retry' AND i.job_id = ANY ($2) RETURNING i.caused_by)
       SELECT caused_by FROM pending UNION ALL SELECT caused_by FROM requested""",  # noqa: S608 - names in this package
    *("int8[]", "int8[]"),
)


def drop(spi: Spi, pending: Collection[int], requested: Collection[int]) -> list[int]:
    """Forget the retries to come of some jobs, and those of others that are in the inbox; returns the jl_id of the runs
    that are not tried again now."""
    return [row["caused_by"] for row in spi.execute(DROP, list(pending), list(requested))]


DUE = Statement(
    """SELECT p.job_id FROM @extschema@.pending_run p
       WHERE p.due_at >= to_timestamp($3) AND p.due_at <= to_timestamp($1) ORDER BY p.due_at LIMIT $2""",
    *("float8", "int4", "float8"),
)


def due(spi: Spi, now: float, limit: int, first: float) -> list[int]:
    """The jobs whose retries are due, those first that have been so for the longest; none is due before `first`."""
    return [row["job_id"] for row in spi.execute(DUE, now, limit, first)]


ENQUEUE = Statement(
    f"""WITH due AS (DELETE FROM @extschema@.pending_run p
                     USING unnest($1) n (job_id)
                     CROSS JOIN {numbered("@extschema@.pending_run", "job_id", "n.job_id")} t
                     WHERE p.ctid = t.ctid RETURNING p.*)
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, scheduled_at, attempt, caused_by)
       SELECT 'run', 'retry', d.job_id, d.scheduled_at, d.attempt, d.caused_by FROM due d ORDER BY d.due_at""",  # noqa: S608 - names in this package
    "int8[]",
)


def enqueue(spi: Spi, job_ids: Sequence[int]) -> None:
    """Put the retries of these jobs into the inbox."""
    spi.execute(ENQUEUE, job_ids)


PUT_OFF = Statement(
    """UPDATE @extschema@.pending_run p SET due_at = clock_timestamp() + make_interval(secs => $2)
       WHERE p.job_id = ANY ($1)""",
    *("int8[]", "float8"),
)


def put_off(spi: Spi, job_ids: Sequence[int], seconds: float) -> None:
    """Have the retries of these jobs be due so much later than now."""
    spi.execute(PUT_OFF, job_ids, seconds)


NEXT_DUE = Statement(
    """SELECT date_part('epoch', p.due_at) AS due FROM @extschema@.pending_run p
       WHERE p.due_at >= to_timestamp($1) ORDER BY p.due_at LIMIT 1""",
    "float8",
)


def next_due(spi: Spi, first: float) -> float | None:
    """When the first retry is due; none is before `first`."""
    rows = spi.execute(NEXT_DUE, first)
    return rows[0]["due"] if rows else None


SHIFT = Statement("UPDATE @extschema@.pending_run p SET due_at = p.due_at - make_interval(secs => $1)", "float8")


def shift(spi: Spi, seconds: float) -> None:
    """Have all retries be due so much earlier."""
    spi.execute(SHIFT, seconds)
