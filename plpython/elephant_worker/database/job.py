"""The table job: what the worker asks of definitions while it works."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..jobs.job import COLUMNS, Job
from ..jobs.retry import Policy
from .spi import Spi, Statement, numbered

# Column by column, never `w.*`: a column that an update adds must not reach a worker that does not know it.
DEFINITION = ", ".join(f"w.{column}" for column in COLUMNS)


def read_jobs(rows: Iterable[dict[str, Any]], **same: Any) -> list[Job]:
    """Jobs, from rows that have the columns of DEFINITION and those of why the job is looked at."""
    return [Job(**same, **row) for row in rows]


POLICIES = Statement(
    f"""SELECT j.job_id, j.enabled, j.max_retries, date_part('epoch', j.retry_delay) AS retry_delay,
           date_part('epoch', j.max_retry_delay) AS max_retry_delay, j.retry_on, j.disable_after,
           coalesce(t.failure_count, 0) AS failure_count, s.disabled_at IS NOT NULL AS disabled,
           j.on_failure_command IS NOT NULL AS on_failure
       FROM ONLY @extschema@.job j
       CROSS JOIN {numbered("@extschema@.job_state", "job_id", "j.job_id")} s
       LEFT JOIN {numbered("@extschema@.job_statistic", "job_id", "j.job_id")} t ON true
       WHERE j.job_id = ANY ($1)""",  # noqa: S608 - names in this package
    "int8[]",
)


def policies(spi: Spi, job_ids: Sequence[int]) -> dict[int, Policy]:
    """What is to be done about failures, by job; jobs that are gone have no policy."""
    return {row["job_id"]: Policy(**row) for row in spi.execute(POLICIES, job_ids)}


DISABLED = Statement(
    """SELECT n.job_id FROM unnest($1) n (job_id)
       WHERE NOT EXISTS (SELECT FROM @extschema@.job j WHERE j.job_id = n.job_id AND j.enabled OFFSET 0)""",
    "int8[]",
)


def disabled(spi: Spi, job_ids: Sequence[int]) -> list[int]:
    """Those of the jobs that are disabled or gone."""
    return [row["job_id"] for row in spi.execute(DISABLED, job_ids)]


EXPECT_SUCCESS = f"""SELECT j.job_id, date_part('epoch', j.expect_success_within) AS within,
           date_part('epoch', greatest(t.last_success, j.schedule_set_at)) AS since,
           date_part('epoch', s.overdue_told_at) AS told
       FROM ONLY @extschema@.job j
       LEFT JOIN {numbered("@extschema@.job_statistic", "job_id", "j.job_id")} t ON true
       -- Those whose definition has been followed.
       CROSS JOIN {numbered("@extschema@.job_state", "job_id", "j.job_id")} s
       WHERE j.expect_success_within IS NOT NULL AND j.enabled"""  # noqa: S608 - names in this package
SUCCESS_DEADLINES = Statement(EXPECT_SUCCESS)
SUCCESS_DEADLINES_OF = Statement(f"{EXPECT_SUCCESS} AND j.job_id = ANY ($1)", "int8[]")


def success_deadlines(spi: Spi, job_ids: Sequence[int] | None = None) -> Any:
    """Jobs that are expected to succeed: job_id, within how many seconds, since when, and when it was
    last told that they had not; of all jobs, or of some."""
    return spi.execute(SUCCESS_DEADLINES) if job_ids is None else spi.execute(SUCCESS_DEADLINES_OF, job_ids)
