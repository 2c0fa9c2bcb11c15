"""The table job_state: when each job is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..jobs.job import Job
from ..jobs.run import Run, Target
from ..jobs.run_queue import Held, QueuedRun
from .job import DEFINITION, read_jobs
from .spi import Spi, Statement, columns_of, lookup, numbered

# A due time and a job: from there on the index is read.
Position = tuple[float, int]

DUE = Statement(
    # A job that is gone has no role; when it is claimed it is found to be gone.
    f"""SELECT s.job_id, date_part('epoch', s.next_run_at) AS due,
           coalesce(j.rolname, '') AS rolname, coalesce(j.datname, '') AS datname, j.server
       FROM @extschema@.job_state s LEFT JOIN {lookup("ONLY @extschema@.job", "s.job_id")} j ON true
       WHERE s.next_run_at <= to_timestamp($1) AND (s.next_run_at, s.job_id) >= (to_timestamp($3), $4)
           AND s.rolname <> ALL ($5)
           AND (j.server IS NOT NULL OR coalesce(j.datname, '') <> ALL ($6) AND coalesce(j.rolname, '') <> ALL ($7))
       ORDER BY s.next_run_at, s.job_id LIMIT $2""",  # noqa: S608 - a part of this module
    *("float8", "int4", "float8", "int8", "name[]", "name[]", "name[]"),
)
# From role to role. Rows are compared as the index of these columns has them, so that no other will do.
FIRST_OF_ROLES = Statement(
    """WITH RECURSIVE first AS (
           (SELECT s.rolname, s.next_run_at, s.job_id FROM @extschema@.job_state s
            WHERE s.next_run_at IS NOT NULL AND (s.rolname, s.next_run_at, s.job_id) >= ('', '-infinity', 0)
            ORDER BY s.rolname, s.next_run_at, s.job_id LIMIT 1)
           UNION ALL
           SELECT n.* FROM first f CROSS JOIN LATERAL (
               SELECT s.rolname, s.next_run_at, s.job_id FROM @extschema@.job_state s
               WHERE s.next_run_at IS NOT NULL
                   AND (s.rolname, s.next_run_at, s.job_id) > (f.rolname, 'infinity', 9223372036854775807)
               ORDER BY s.rolname, s.next_run_at, s.job_id LIMIT 1) n)
       SELECT f.rolname, date_part('epoch', f.next_run_at) AS due, f.job_id FROM first f"""
)
FIRST_DUE = Statement(
    """SELECT r.rolname, date_part('epoch', f.next_run_at) AS due, f.job_id
       FROM unnest($1, $2, $3) r (rolname, due, job_id) CROSS JOIN LATERAL (
           SELECT s.next_run_at, s.job_id FROM @extschema@.job_state s
           WHERE s.next_run_at IS NOT NULL
               AND (s.rolname, s.next_run_at, s.job_id) >= (r.rolname, to_timestamp(r.due), r.job_id)
               AND (s.rolname, s.next_run_at) <= (r.rolname, 'infinity')
           ORDER BY s.rolname, s.next_run_at, s.job_id LIMIT 1) f""",
    *("name[]", "float8[]", "int8[]"),
)
DUE_BY_ROLE = Statement(
    f"""SELECT q.* FROM unnest($3, $4, $5) r (rolname, due, job_id) CROSS JOIN LATERAL (
           SELECT s.job_id, date_part('epoch', s.next_run_at) AS due,
               coalesce(j.rolname, '') AS rolname, coalesce(j.datname, '') AS datname, j.server
           FROM @extschema@.job_state s LEFT JOIN {lookup("ONLY @extschema@.job", "s.job_id")} j ON true
           WHERE s.next_run_at IS NOT NULL
               AND (s.rolname, s.next_run_at, s.job_id) >= (r.rolname, to_timestamp(r.due), r.job_id)
               AND (s.rolname, s.next_run_at) <= (r.rolname, to_timestamp($1))
               AND (j.server IS NOT NULL OR coalesce(j.datname, '') <> ALL ($6) AND coalesce(j.rolname, '') <> ALL ($7))
           ORDER BY s.rolname, s.next_run_at, s.job_id LIMIT $2) q""",  # noqa: S608 - a part of this module
    *("float8", "int4", "name[]", "float8[]", "int8[]", "name[]", "name[]"),
)
# Of each role, from where on.
Positions = dict[str, Position]
# A role, and when a job of it is due.
DueTime = tuple[str, "float | None"]


def due(spi: Spi, until: float, limit: int, first: Position, held: Held) -> list[QueuedRun]:
    """What is due by then, in order, except for what is held."""
    return [QueuedRun(**row) for row in spi.execute(DUE, until, limit, *first, *held.names())]


def due_by_role(spi: Spi, until: float, limit: int, first: Positions, held: Held) -> list[QueuedRun]:
    """Of each of these roles so much of what is due by then, except for what is held."""
    if not first:
        return []
    rows = spi.execute(DUE_BY_ROLE, until, limit, *_columns(first), *held.names()[1:])
    return [QueuedRun(**row) for row in rows]


def first_of_roles(spi: Spi) -> Positions:
    """All roles that have jobs which are due at some time, and when the first one is."""
    return _positions(spi.execute(FIRST_OF_ROLES))


def first_due(spi: Spi, first: Positions) -> Positions:
    """When the first job of each of these roles is due, from somewhere on; without the roles that have none."""
    return _positions(spi.execute(FIRST_DUE, *_columns(first))) if first else {}


def _positions(rows: Any) -> Positions:
    return {row["rolname"]: (row["due"], row["job_id"]) for row in rows}


def _columns(first: Positions) -> list[list[Any]]:
    return columns_of((rolname, *position) for rolname, position in first.items())


PAGES = Statement(
    """SELECT (pg_relation_size('@extschema@.job_state') / current_setting('block_size')::int8)::int4 AS pages"""
)
# Rows are where they are, whoever has written them, and of each only what can be seen is read. No index will do:
# coalesce() hides the condition of those of due times.
FIRST_DUE_IN_PAGES = Statement(
    """SELECT s.rolname, min(date_part('epoch', s.next_run_at)) AS due FROM @extschema@.job_state s
       WHERE s.ctid >= $1 AND s.ctid < $2 AND coalesce(s.next_run_at, 'infinity') < 'infinity' GROUP BY s.rolname""",
    *("tid", "tid"),
)


def pages(spi: Spi) -> int:
    """How many pages the table has."""
    return int(spi.execute(PAGES)[0]["pages"])


def first_due_in_pages(spi: Spi, first: int, end: int) -> list[DueTime]:
    """Of each role that has jobs in these pages, when the first of them is due."""
    rows = spi.execute(FIRST_DUE_IN_PAGES, f"({first},0)", f"({end},0)")
    return [(row["rolname"], row["due"]) for row in rows]


TARGETS_DUE = Statement(
    f"""SELECT r.oid AS role_oid, j.rolname, j.datname, j.server
       FROM (SELECT s.job_id FROM @extschema@.job_state s
             WHERE s.next_run_at <= to_timestamp($1) AND (s.next_run_at, s.job_id) >= (to_timestamp($3), $4)
             ORDER BY s.next_run_at, s.job_id LIMIT $2) s
       CROSS JOIN {lookup("ONLY @extschema@.job", "s.job_id")} j
       CROSS JOIN LATERAL (SELECT a.oid FROM pg_roles a WHERE a.rolname = j.rolname OFFSET 0) r
       WHERE j.server IS NOT NULL OR EXISTS (SELECT FROM pg_database d WHERE d.datname = j.datname OFFSET 0)""",  # noqa: S608 - a part of this module
    *("float8", "int4", "float8", "int8"),
)


def targets_due(spi: Spi, until: float, limit: int, first: Position) -> list[Target]:
    """The targets of the jobs that are due by then."""
    return [Target(**row) for row in spi.execute(TARGETS_DUE, until, limit, *first)]


NEXT_DUE = Statement(
    """SELECT date_part('epoch', s.next_run_at) AS due, s.job_id FROM @extschema@.job_state s
       WHERE s.next_run_at IS NOT NULL AND (s.next_run_at, s.job_id) >= (to_timestamp($1), $2)
       ORDER BY s.next_run_at, s.job_id LIMIT 1""",
    *("float8", "int8"),
)
NEXT_DUE_BY_ROLE = Statement(
    f"""SELECT q.* FROM unnest($1, $2, $3) r (rolname, due, job_id) CROSS JOIN LATERAL (
           SELECT date_part('epoch', s.next_run_at) AS due, s.job_id
           FROM @extschema@.job_state s LEFT JOIN {lookup("ONLY @extschema@.job", "s.job_id")} j ON true
           WHERE s.next_run_at IS NOT NULL
               AND (s.rolname, s.next_run_at, s.job_id) >= (r.rolname, to_timestamp(r.due), r.job_id)
               AND (s.rolname, s.next_run_at) <= (r.rolname, 'infinity')
               AND (j.server IS NOT NULL OR coalesce(j.datname, '') <> ALL ($4) AND coalesce(j.rolname, '') <> ALL ($5))
           ORDER BY s.rolname, s.next_run_at, s.job_id LIMIT 1) q
       ORDER BY q.due, q.job_id LIMIT 1""",  # noqa: S608 - a part of this module
    *("name[]", "float8[]", "int8[]", "name[]", "name[]"),
)


def next_due(spi: Spi, first: Position) -> Position | None:
    """The job that is due first."""
    rows = spi.execute(NEXT_DUE, *first)
    return (rows[0]["due"], rows[0]["job_id"]) if rows else None


def next_due_by_role(spi: Spi, first: Positions, held: Held) -> Position | None:
    """The job of these roles that is due first, except for what is held."""
    if not first:
        return None
    rows = spi.execute(NEXT_DUE_BY_ROLE, *_columns(first), *held.names()[1:])
    return (rows[0]["due"], rows[0]["job_id"]) if rows else None


CLAIM = Statement(
    f"""SELECT {DEFINITION}, s.job_id, nextval('@extschema@.worker_inbox_request_id_seq') AS jl_id,
           date_part('epoch', s.next_run_at) AS scheduled_at,
           date_part('epoch', s.schedule_set_at) AS state_set_at, s.quarantined_reason,
           coalesce(w.row_version, '0') AS row_version
       FROM unnest($1) n (job_id)
       CROSS JOIN {numbered("@extschema@.job_state", "job_id", "n.job_id")} s
       LEFT JOIN {lookup("@internal@.job_for_worker", "n.job_id")} w ON true
       WHERE s.next_run_at <= to_timestamp($2)""",  # noqa: S608 - names of columns
    *("int8[]", "float8"),
)


def claim(spi: Spi, job_ids: Sequence[int], now: float) -> list[Job]:
    """Those of the jobs that are still due, with numbers for their runs; also jobs that are gone."""
    return read_jobs(spi.execute(CLAIM, list(dict.fromkeys(job_ids)), now), cause="schedule")


SCHEDULED = Statement(
    f"""SELECT {DEFINITION}, s.job_id, 0 AS jl_id, coalesce(date_part('epoch', s.next_run_at), 0) AS scheduled_at
       FROM @extschema@.job_state s
       CROSS JOIN {lookup("@internal@.job_for_worker", "s.job_id")} w
       WHERE s.disabled_at IS NULL AND w.enabled AND w.schedule IS NOT NULL
           AND (NOT $1 OR (w.schedule LIKE '%@after%' AND s.next_run_at IS NOT NULL))""",  # noqa: S608 - names of columns
    "bool",
)


def scheduled(spi: Spi, after_only: bool) -> list[Job]:
    """All jobs that have a schedule, or only those that wait as @after says."""
    return read_jobs(spi.execute(SCHEDULED, after_only), cause="schedule")


AT_REBOOT = Statement(
    # Some only seem to be: a comment may say so.
    f"""SELECT {DEFINITION}, w.job_id FROM @internal@.job_for_worker w
       WHERE w.schedule LIKE '%@reboot%' AND w.enabled
           AND NOT EXISTS (SELECT FROM @extschema@.job_state s
                           WHERE s.job_id = w.job_id AND s.disabled_at IS NOT NULL OFFSET 0)"""  # noqa: S608 - names of columns
)


def at_reboot(spi: Spi) -> list[Job]:
    """All jobs that may run when the server is started."""
    return read_jobs(spi.execute(AT_REBOOT), cause="reboot")


DEFINE = Statement(
    """INSERT INTO @extschema@.job_state
           (job_id, schedule_set_at, next_run_at, schedule, timezone, dst, starts_at, ends_at, rolname)
       SELECT j.job_id, j.schedule_set_at, j.first_run_at, j.schedule, j.timezone, j.dst, j.starts_at, j.ends_at,
              j.rolname
       FROM @extschema@.job j WHERE j.job_id = ANY ($1)
       ON CONFLICT (job_id) DO UPDATE
           SET schedule_set_at = excluded.schedule_set_at, next_run_at = excluded.next_run_at, resume_at = NULL,
               disabled_at = NULL,
               schedule = excluded.schedule, timezone = excluded.timezone, dst = excluded.dst,
               starts_at = excluded.starts_at, ends_at = excluded.ends_at
           WHERE job_state.schedule_set_at <> excluded.schedule_set_at
       RETURNING job_id, rolname, date_part('epoch', next_run_at) AS due""",
    "int8[]",
)
# The job as it is now, with the schedule that has been followed until now. Each job is looked up for itself: a join
# would read all jobs, and what is in their way, for each of those that have been defined.
REPLACED = Statement(
    f"""SELECT {DEFINITION}, s.job_id, 0 AS jl_id, 'schedule' AS cause,
           date_part('epoch', coalesce(s.next_run_at, s.resume_at)) AS scheduled_at,
           s.schedule AS old_schedule, s.timezone AS old_timezone, s.dst AS old_dst,
           date_part('epoch', s.starts_at) AS old_starts_at, date_part('epoch', s.ends_at) AS old_ends_at,
           date_part('epoch', s.schedule_set_at) AS old_schedule_set_at,
           greatest(w.schedule_set_at, c.moment) AS replaced_at
       FROM unnest($1, $2) c (job_id, moment)
       CROSS JOIN LATERAL (
           SELECT s.* FROM @extschema@.job_state s JOIN @extschema@.job j ON j.job_id = s.job_id
           WHERE s.job_id = c.job_id AND j.schedule_set_at <> s.schedule_set_at OFFSET 0) s
       CROSS JOIN {lookup("@internal@.job_for_worker", "s.job_id")} w
       WHERE coalesce(s.next_run_at, s.resume_at) < to_timestamp(greatest(w.schedule_set_at, c.moment))""",  # noqa: S608 - names of columns
    *("int8[]", "float8[]"),
)
QUARANTINED = Statement(
    f"""SELECT {DEFINITION}, s.job_id, 0 AS jl_id, 'schedule' AS cause, 0 AS scheduled_at, s.quarantined_reason
       FROM @extschema@.job_state s
       CROSS JOIN {lookup("@internal@.job_for_worker", "s.job_id")} w
       WHERE s.job_id = ANY ($1) AND s.quarantined_reason IS NOT NULL""",  # noqa: S608 - names of columns
    "int8[]",
)
DEFINED = Statement(
    f"""SELECT {DEFINITION}, s.job_id, 0 AS jl_id, 'schedule' AS cause,
           date_part('epoch', s.next_run_at) AS scheduled_at
       FROM @extschema@.job_state s
       CROSS JOIN {lookup("@internal@.job_for_worker", "s.job_id")} w
       WHERE s.job_id = ANY ($1)""",  # noqa: S608 - names of columns
    "int8[]",
)
WAITING = Statement(
    f"""SELECT {DEFINITION}, s.job_id, 0 AS jl_id, 'schedule' AS cause,
           date_part('epoch', coalesce(s.next_run_at, s.resume_at)) AS scheduled_at
       FROM @extschema@.job_state s
       CROSS JOIN {lookup("@internal@.job_for_worker", "s.job_id")} w
       WHERE s.job_id = ANY ($1) AND s.disabled_at IS NULL
           AND coalesce(s.next_run_at, s.resume_at) < to_timestamp($2)""",  # noqa: S608 - names of columns
    *("int8[]", "float8"),
)
FORGET = Statement(
    """WITH forgotten AS (
           DELETE FROM @extschema@.job_state s
           WHERE s.job_id = ANY ($1) AND NOT EXISTS (SELECT FROM @extschema@.job j WHERE j.job_id = s.job_id OFFSET 0)
           RETURNING s.job_id)
       DELETE FROM @extschema@.job_statistic s WHERE s.job_id = ANY (ARRAY(SELECT f.job_id FROM forgotten f))""",
    "int8[]",
)


def define(spi: Spi, job_ids: Sequence[int]) -> dict[int, DueTime]:
    """Follow the definition of jobs that are new, or have another schedule; returns when these are due."""
    due_times = _due_times(spi.execute(DEFINE, job_ids))
    spi.count_writes("job_state", len(due_times))
    return due_times


def _due_times(rows: Any) -> dict[int, DueTime]:
    return {row["job_id"]: (row["rolname"], row["due"]) for row in rows}


def replaced(spi: Spi, committed: Mapping[int, float]) -> list[tuple[Job, float]]:
    """Those of the jobs that were due when they were given another schedule: with the old one, and when that was, which
    is not before these moments."""
    old = ("schedule", "timezone", "dst", "starts_at", "ends_at", "schedule_set_at")
    rows = [{**row} for row in spi.execute(REPLACED, list(committed), list(committed.values()))]
    for row in rows:
        row.update({name: row.pop(f"old_{name}") for name in old})
    moments = [row.pop("replaced_at") for row in rows]
    return [*zip(read_jobs(rows), moments)]


def waiting(spi: Spi, job_ids: Sequence[int], now: float) -> list[Job]:
    """Those of the jobs that have been due and not started."""
    return read_jobs(spi.execute(WAITING, job_ids, now))


def quarantined(spi: Spi, job_ids: Sequence[int]) -> list[Job]:
    """Those of the jobs that are in quarantine."""
    return read_jobs(spi.execute(QUARANTINED, job_ids))


def defined(spi: Spi, job_ids: Sequence[int]) -> list[Job]:
    """These jobs, and when they are due."""
    return read_jobs(spi.execute(DEFINED, job_ids))


NOTE_OVERDUE = Statement(
    "UPDATE @extschema@.job_state s SET overdue_told_at = to_timestamp($2) WHERE s.job_id = ANY ($1)",
    *("int8[]", "float8"),
)


FOLLOW_ROLES = Statement(
    """UPDATE @extschema@.job_state s
       SET rolname = (SELECT j.rolname FROM ONLY @extschema@.job j WHERE j.job_id = s.job_id)
       WHERE s.job_id = ANY ($1)
           AND s.rolname <> (SELECT j.rolname FROM ONLY @extschema@.job j WHERE j.job_id = s.job_id)
       RETURNING s.job_id, s.rolname, date_part('epoch', s.next_run_at) AS due""",
    "int8[]",
)
LEARN_ROLES = Statement(
    """UPDATE @extschema@.job_state s
       SET rolname = (SELECT j.rolname FROM ONLY @extschema@.job j WHERE j.job_id = s.job_id)
       WHERE s.rolname = '' AND EXISTS (SELECT FROM ONLY @extschema@.job j WHERE j.job_id = s.job_id OFFSET 0)"""
)


def follow_roles(spi: Spi, job_ids: Sequence[int]) -> dict[int, DueTime]:
    """Note to which roles these jobs have been given; returns those that have been, and when they are due."""
    return _due_times(spi.execute(FOLLOW_ROLES, job_ids))


def learn_roles(spi: Spi) -> None:
    """Note the roles of the jobs whose state comes from where it had none."""
    spi.execute(LEARN_ROLES)


def note_overdue(spi: Spi, job_ids: Sequence[int], now: float) -> None:
    """Note that an alert has said of these jobs that they are overdue."""
    spi.execute(NOTE_OVERDUE, job_ids, now)


def forget(spi: Spi, job_ids: Sequence[int]) -> None:
    """Delete what is known of those of the jobs that are gone, their statistics included."""
    spi.execute(FORGET, job_ids)


ADVANCE = Statement(
    f"""UPDATE @extschema@.job_state s SET next_run_at = to_timestamp(n.due), resume_at = NULL
       FROM unnest($1, $2) n (job_id, due) CROSS JOIN {numbered("@extschema@.job_state", "job_id", "n.job_id")} t
       WHERE s.ctid = t.ctid
       RETURNING s.job_id, s.rolname, date_part('epoch', s.next_run_at) AS due""",  # noqa: S608 - names in this package
    *("int8[]", "float8[]"),
)


def advance(spi: Spi, next_run_at: dict[int, float | None]) -> dict[int, DueTime]:
    """Have jobs be due at other times."""
    due_times = _due_times(spi.execute(ADVANCE, list(next_run_at), list(next_run_at.values())))
    spi.count_writes("job_state", len(next_run_at))
    return due_times


WAIT_FOR_RUN = Statement(
    f"""UPDATE @extschema@.job_state s SET next_run_at = NULL, resume_at = to_timestamp(n.due)
       FROM unnest($1, $2) n (job_id, due) CROSS JOIN {numbered("@extschema@.job_state", "job_id", "n.job_id")} t
       WHERE s.ctid = t.ctid""",  # noqa: S608 - names in this package
    *("int8[]", "float8[]"),
)


def wait_for_run(spi: Spi, due_after_run: dict[int, float]) -> None:
    """Have jobs be due when their active runs have ended, for these due times."""
    spi.execute(WAIT_FOR_RUN, list(due_after_run), list(due_after_run.values()))
    spi.count_writes("job_state", len(due_after_run))


RESUME = Statement(
    "UPDATE @extschema@.job_state s SET next_run_at = s.resume_at, resume_at = NULL WHERE s.resume_at IS NOT NULL"
)


def resume(spi: Spi) -> None:
    """Have all jobs be due that waited for a run: none is active."""
    spi.execute(RESUME)


RUN_AGAIN = Statement(
    # A job also waits for a run that began under an earlier schedule, which says nothing of when it is due.
    f"""UPDATE @extschema@.job_state s
       SET next_run_at = least(s.next_run_at, s.resume_at,
                               CASE WHEN s.schedule_set_at = to_timestamp(r.schedule_set_at)
                                    THEN to_timestamp(r.due) END),
           resume_at = NULL
       FROM unnest($1, $2, $3) r (job_id, due, schedule_set_at)
       CROSS JOIN {numbered("@extschema@.job_state", "job_id", "r.job_id")} t
       WHERE s.ctid = t.ctid AND t.disabled_at IS NULL
       RETURNING s.job_id, s.rolname, date_part('epoch', s.next_run_at) AS due""",  # noqa: S608 - names in this package
    *("int8[]", "float8[]", "float8[]"),
)


def run_again(spi: Spi, runs: Sequence[Run]) -> dict[int, DueTime]:
    """Have jobs be due that waited for these runs to end; each of the runs says when."""
    columns = [run.job_id for run in runs], [run.again_at for run in runs], [run.schedule_set_at for run in runs]
    spi.count_writes("job_state", len(runs))
    return _due_times(spi.execute(RUN_AGAIN, *columns))


QUARANTINE = Statement(
    f"""UPDATE @extschema@.job_state s
       SET quarantined_reason = q.reason,
           quarantined_since = CASE WHEN q.reason IS NOT NULL THEN coalesce(s.quarantined_since, now()) END
       FROM unnest($1, $2) q (job_id, reason) CROSS JOIN {numbered("@extschema@.job_state", "job_id", "q.job_id")} t
       WHERE s.ctid = t.ctid""",  # noqa: S608 - names in this package
    *("int8[]", "text[]"),
)


def quarantine(spi: Spi, reasons: Mapping[int, str | None]) -> None:
    """Note what keeps jobs from running; None: nothing does now."""
    spi.execute(QUARANTINE, list(reasons), list(reasons.values()))


# Reads nothing of the job, whose definition may be what fails.
SET_ASIDE = Statement(
    """UPDATE @extschema@.job_state s
       SET next_run_at = clock_timestamp() + make_interval(secs => $2), resume_at = NULL,
           quarantined_reason = left($3, 1000), quarantined_since = clock_timestamp()
       WHERE s.job_id = $1""",
    *("int8", "float8", "text"),
)


def set_aside(spi: Spi, job_id: int, seconds: float, reason: str) -> None:
    """Look at a job again only after so many seconds, and say why."""
    spi.execute(SET_ASIDE, job_id, seconds, reason)


DISABLE = Statement(
    """UPDATE @extschema@.job_state s SET disabled_at = clock_timestamp(), next_run_at = NULL, resume_at = NULL
       WHERE s.job_id = ANY ($1) AND s.disabled_at IS NULL RETURNING s.job_id""",
    "int8[]",
)


def disable(spi: Spi, job_ids: Sequence[int]) -> list[int]:
    """Have jobs be due no more until they are changed; returns those that were not disabled before."""
    return [row["job_id"] for row in spi.execute(DISABLE, job_ids)]
