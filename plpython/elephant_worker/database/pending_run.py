"""The table pending_run: the retries to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .spi import Spi, Statement, columns_of


class PendingRun(NamedTuple):
    """A retry: of which job, when, and of which run. Moments are seconds since 1970."""

    job_id: int
    due_at: float
    scheduled_at: float
    attempt: int
    caused_by: int


# A retry that is due may be in the inbox already.
ADD = Statement(
    """INSERT INTO @extschema@.pending_run (job_id, due_at, scheduled_at, attempt, caused_by)
       SELECT r.job_id, to_timestamp(r.due), to_timestamp(r.scheduled), r.attempt, r.caused_by
       FROM unnest($1, $2, $3, $4, $5) r (job_id, due, scheduled, attempt, caused_by)
       WHERE NOT EXISTS (SELECT FROM @extschema@.worker_request i
                         WHERE i.job_id = r.job_id AND i.cause = 'retry' AND i.kind = 'run')
       ON CONFLICT (job_id) DO NOTHING
       RETURNING caused_by""",
    *("int8[]", "float8[]", "float8[]", "int4[]", "int8[]"),
)


def add(spi: Spi, retries: Sequence[PendingRun]) -> set[int]:
    """Have runs tried again, one of each job at a time; returns the jl_id of those that are."""
    return {row["caused_by"] for row in spi.execute(ADD, *columns_of(retries))}


# A retry may be in the inbox already.
DROP = Statement(
    """WITH pending AS (DELETE FROM @extschema@.pending_run p WHERE p.job_id = ANY ($1) RETURNING p.caused_by),
           requested AS (DELETE FROM @extschema@.worker_request i
                         WHERE i.kind = 'run' AND i.cause = 'retry' AND i.job_id = ANY ($1) RETURNING i.caused_by)
       SELECT caused_by FROM pending UNION ALL SELECT caused_by FROM requested""",
    "int8[]",
)


def drop(spi: Spi, job_ids: Sequence[int]) -> list[int]:
    """Forget the retries of these jobs; returns the jl_id of the runs that are not tried again now."""
    return [row["caused_by"] for row in spi.execute(DROP, job_ids)]


DUE = Statement(
    "SELECT p.job_id FROM @extschema@.pending_run p WHERE p.due_at <= to_timestamp($1) ORDER BY p.due_at LIMIT $2",
    *("float8", "int4"),
)


def due(spi: Spi, now: float, limit: int) -> list[int]:
    """The jobs whose retries are due, those first that have been so for the longest."""
    return [row["job_id"] for row in spi.execute(DUE, now, limit)]


ENQUEUE = Statement(
    """WITH due AS (DELETE FROM @extschema@.pending_run p WHERE p.job_id = ANY ($1) RETURNING p.*)
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, scheduled_at, attempt, caused_by)
       SELECT 'run', 'retry', d.job_id, d.scheduled_at, d.attempt, d.caused_by FROM due d ORDER BY d.due_at""",
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
    """SELECT date_part('epoch', (SELECT p.due_at FROM @extschema@.pending_run p ORDER BY p.due_at LIMIT 1)) AS due,
           EXISTS (SELECT FROM @extschema@.worker_request i WHERE i.kind = 'run' AND i.cause = 'retry') AS requested"""
)


def next_due(spi: Spi) -> tuple[float | None, bool]:
    """When the first retry is due; and whether some are in the inbox already."""
    row = spi.execute(NEXT_DUE)[0]
    return row["due"], row["requested"]


SHIFT = Statement("UPDATE @extschema@.pending_run p SET due_at = p.due_at - make_interval(secs => $1)", "float8")


def shift(spi: Spi, seconds: float) -> None:
    """Have all retries be due so much earlier."""
    spi.execute(SHIFT, seconds)
