"""The table job_change: the history of the definitions, which a trigger writes."""

from __future__ import annotations

from .spi import Spi, Statement

# As many of the latest changes of a job are kept, however old they are.
ALWAYS_KEPT = 20  # changes

PRUNE = Statement(
    # Of a job that has been deleted, all goes that is old enough.
    """WITH surveyed AS MATERIALIZED (
           SELECT c.job_id, max(c.version) AS newest, bool_or(c.action = 'delete') AS deleted
           FROM (SELECT DISTINCT n.job_id FROM (
                     SELECT d.job_id FROM @extschema@.job_change d WHERE d.job_id > $1 ORDER BY d.job_id LIMIT $2) n) s
           JOIN @extschema@.job_change c ON c.job_id = s.job_id
           GROUP BY c.job_id),
       surplus AS MATERIALIZED (
           SELECT c.job_id, c.version, c.rolname FROM surveyed s JOIN @extschema@.job_change c ON c.job_id = s.job_id
           WHERE (c.changed_at < to_timestamp($3) OR c.version <= s.newest - $4)
             AND (s.deleted OR c.version <= s.newest - $5)
           ORDER BY c.job_id, c.version LIMIT $2),
       gone AS (
           DELETE FROM @extschema@.job_change c USING surplus p
           WHERE c.job_id = p.job_id AND c.version = p.version AND c.rolname = p.rolname RETURNING c.job_id)
       SELECT (SELECT count(*) FROM gone) AS gone, (SELECT max(s.job_id) FROM surveyed s) AS last""",
    *("int8", "int4", "float8", "int4", "int4"),
)


def prune(spi: Spi, after: int, before: float | None, kept: int | None, limit: int) -> int | None:
    """Look at the history of some jobs, those that follow this job_id: delete changes of before a moment, and those
    beyond the number to keep; returns the job_id to go on after, or None at the end."""
    row = spi.execute(PRUNE, after, limit, float("-inf") if before is None else before, kept, ALWAYS_KEPT)[0]
    spi.count_writes("job_change", row["gone"])
    if row["gone"] == limit:
        return after
    last: int | None = row["last"]
    return last
