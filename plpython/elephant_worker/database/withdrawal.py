"""The table withdrawal: up to which request the requests to run a job have been cancelled with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..jobs.number_ranges import Range
from .spi import Spi, Statement, lookup

# Whether a request `i` of a user, as a statement reads it, has been cancelled with its job. What is committed later was
# asked for later, whatever its number is.
WITHDRAWN = """(i.cause = 'request' AND EXISTS (
           SELECT FROM @internal@.withdrawal w
           WHERE (w.job_id, w.request_id) > (i.job_id, i.request_id)
               AND (w.job_id, w.request_id) <= (i.job_id, 9223372036854775807)
               AND pg_visible_in_snapshot(i.transaction_id, w.visible) OFFSET 0))"""

# What is withdrawn by a row is withdrawn by a later one with a higher number, too. One with a lower number was sent
# before, by a transaction that has been committed after that: it is about what has been committed meanwhile.
REPLACE = Statement(
    """DELETE FROM @internal@.withdrawal w
       USING unnest($1, $2) c (job_id, request_id) CROSS JOIN LATERAL (
           SELECT o.ctid FROM @internal@.withdrawal o
           WHERE (o.job_id, o.request_id) >= (c.job_id, 0) AND (o.job_id, o.request_id) <= (c.job_id, c.request_id)
           ORDER BY o.job_id, o.request_id OFFSET 0) o
       WHERE w.ctid = o.ctid RETURNING w.job_id, w.request_id""",
    *("int8[]", "int8[]"),
)
# A job that is gone does not run anyway.
ADD = Statement(
    f"""INSERT INTO @internal@.withdrawal (job_id, request_id, visible)
       SELECT c.job_id, c.request_id, pg_current_snapshot() FROM unnest($1, $2) c (job_id, request_id)
       CROSS JOIN {lookup("@extschema@.job", "c.job_id")} j""",  # noqa: S608 - names in this package
    *("int8[]", "int8[]"),
)


def add(spi: Spi, cancelled: Mapping[int, int]) -> dict[int, Range]:
    """Have the requests of users to run these jobs that came before these requests end as cancelled: all that have been
    committed. Returns where those are that have not been cancelled before."""
    columns = list(cancelled), list(cancelled.values())
    before = {row["job_id"]: row["request_id"] for row in spi.execute(REPLACE, *columns)}
    spi.execute(ADD, *columns)
    spi.count_writes("withdrawal", 2 * len(cancelled))
    return {job_id: (before.get(job_id, 0) + 1, number) for job_id, number in cancelled.items()}


ALL = Statement("SELECT w.job_id, max(w.request_id) AS request_id FROM @internal@.withdrawal w GROUP BY w.job_id")


def read(spi: Spi) -> dict[int, Range]:
    """Of the jobs that have been cancelled, where the requests are that have been so too."""
    return {row["job_id"]: (0, row["request_id"]) for row in spi.execute(ALL)}


FORGET = Statement(
    """DELETE FROM @internal@.withdrawal w
       WHERE w.job_id = ANY ($1) AND NOT EXISTS (SELECT FROM @extschema@.job j WHERE j.job_id = w.job_id OFFSET 0)""",
    "int8[]",
)


def forget(spi: Spi, job_ids: Sequence[int]) -> None:
    """Delete what has been withdrawn of those of the jobs that are gone."""
    spi.execute(FORGET, job_ids)


FORGET_STARTED = Statement(
    """DELETE FROM @internal@.withdrawal w
       WHERE NOT EXISTS (
           SELECT FROM @extschema@.worker_request i
           WHERE i.kind = 'run' AND (i.job_id, i.request_id) >= (w.job_id, 0)
               AND (i.job_id, i.request_id) < (w.job_id, w.request_id) OFFSET 0)"""
)


def forget_started(spi: Spi) -> None:
    """Delete what is about requests of which none waits."""
    spi.execute(FORGET_STARTED)
