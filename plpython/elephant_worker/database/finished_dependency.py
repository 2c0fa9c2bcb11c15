"""The table finished_dependency: how jobs have ended that others with run_after wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .. import records
from ..jobs.run import EndedRun
from .spi import Spi, Statement, columns_of, lookup, numbered

COUNT_WAITING = Statement(
    "SELECT FROM ONLY @extschema@.job j WHERE j.run_after && $1 AND j.enabled LIMIT $2", "int8[]", "int4"
)


def _is_not_disabled(job_id: str) -> str:
    """A condition of a statement: the job has not failed too often."""
    return f"""NOT EXISTS (SELECT FROM {numbered("@extschema@.job_state", "job_id", job_id)} s
                           WHERE s.disabled_at IS NOT NULL OFFSET 0)"""


# Of several runs of a job the last one counts. A job that is disabled waits for nothing.
RECORD = Statement(
    f"""WITH dependent AS MATERIALIZED (
           SELECT j.job_id, e.job_id AS after_job_id, e.jl_id, j.run_when, e.state, j.defined_by, e.rolname
           FROM (SELECT a.* FROM ONLY @extschema@.job a WHERE a.run_after && $1 AND a.enabled OFFSET 0) j
           CROSS JOIN LATERAL unnest($1, $2, $3, $4) e (job_id, jl_id, state, rolname)
           WHERE e.job_id = ANY (j.run_after)
               AND {_is_not_disabled("j.job_id")}),
       -- The right may have been taken away since run_after was set.
       permitted AS MATERIALIZED (
           SELECT p.defined_by, p.rolname FROM (SELECT DISTINCT d.defined_by, d.rolname FROM dependent d) p
           WHERE @internal@.may_follow(p.defined_by, p.rolname))
       INSERT INTO @extschema@.finished_dependency (job_id, after_job_id, jl_id, fulfilled, state)
       SELECT d.job_id, d.after_job_id, d.jl_id, @internal@.is_fulfilled(d.run_when, d.state), d.state
       FROM dependent d JOIN permitted p ON p.defined_by = d.defined_by AND p.rolname = d.rolname
       ON CONFLICT (job_id, after_job_id) DO UPDATE
           SET jl_id = excluded.jl_id, fulfilled = excluded.fulfilled, state = excluded.state
       RETURNING job_id""",  # noqa: S608 - names in this package
    *("int8[]", "int8[]", "text[]", "name[]"),
)

# An end of which too many jobs are to be told at once is a row by itself: its job_id is that of the last job that has
# been told, made negative.
MARK = Statement(
    """INSERT INTO @extschema@.finished_dependency (job_id, after_job_id, jl_id, fulfilled, state, unchecked)
       SELECT 0, e.job_id, e.jl_id, false, e.state, true
       FROM unnest($1, $2, $3) e (job_id, jl_id, state)
       WHERE (SELECT count(*) FROM (SELECT FROM ONLY @extschema@.job a
                                    WHERE a.run_after && ARRAY[e.job_id] AND a.enabled LIMIT $4 + 1) w) > $4
       ON CONFLICT (job_id, after_job_id) DO UPDATE SET jl_id = excluded.jl_id, state = excluded.state
       RETURNING after_job_id""",
    *("int8[]", "int8[]", "text[]", "int4"),
)

FORGET_MARKS = Statement(
    """DELETE FROM @extschema@.finished_dependency m
       WHERE m.unchecked AND m.job_id <= 0 AND m.after_job_id = ANY ($1)""",
    "int8[]",
)


def record(spi: Spi, runs: Sequence[EndedRun], at_once: int, has_marks: bool) -> tuple[list[int], bool]:
    """Note how runs, one of each job, have ended; returns the jobs that have been told of it, and whether others are
    still to be: where more than `at_once` wait for one. `has_marks`: whether that may be so of earlier ends."""
    ended = [(run.job_id, run.jl_id, run.state, run.rolname) for run in runs]
    # For most runs there is nothing to note, and to see that takes a fifth of the time.
    waiting = len(spi.execute(COUNT_WAITING, [run.job_id for run in runs], at_once + 1))
    if not waiting:
        return [], False
    if is_surplus := waiting > at_once:
        marked = {row["after_job_id"] for row in spi.execute(MARK, *columns_of(ended)[:3], at_once)}
        ended = [end for end in ended if end[0] not in marked]
    if not ended:
        return [], True
    rows = spi.execute(RECORD, *columns_of(ended))
    spi.count_writes("finished_dependency", len(rows))
    if has_marks:
        spi.execute(FORGET_MARKS, [job_id for job_id, *_ in ended])  # of these, all have been told of a later end
    return [row["job_id"] for row in rows], is_surplus


@records.record(frozen=True)
class Mark:
    """The end of a run of which not all jobs have been told that wait for it."""

    after_job_id: int
    jl_id: int
    state: str
    # The last job that has been told; 0: none.
    last: int
    # Those that are being told in this transaction.
    job_ids: tuple[int, ...] = ()
    is_all: bool = False


NEXT_MARK = Statement(
    """SELECT m.job_id, m.after_job_id, m.jl_id, m.state FROM @extschema@.finished_dependency m
       WHERE m.unchecked AND m.job_id <= 0
       ORDER BY m.after_job_id <= $1, m.after_job_id, m.job_id LIMIT 1""",
    "int8",
)


def next_mark(spi: Spi, after: int) -> Mark | None:
    """An end of which not all have been told, in turn: of the next job after this one; of one job the earlier end."""
    for row in spi.execute(NEXT_MARK, after):
        return Mark(row["after_job_id"], row["jl_id"], row["state"], -row["job_id"])
    return None


# The run, or else the job, tells whose end it is.
TELL = Statement(
    f"""WITH waiting AS MATERIALIZED (
           SELECT w.job_id, w.run_when, w.defined_by
           FROM (SELECT a.* FROM ONLY @extschema@.job a WHERE a.run_after && ARRAY[$1] AND a.enabled OFFSET 0) w
           WHERE w.job_id > $4 ORDER BY w.job_id LIMIT $5),
       ended AS MATERIALIZED (
           SELECT coalesce((SELECT l.rolname FROM {numbered("@extschema@.job_log", "jl_id", "$2")} l),
                           (SELECT j.rolname FROM ONLY @extschema@.job j WHERE j.job_id = $1)) AS rolname),
       permitted AS MATERIALIZED (
           SELECT p.defined_by FROM (SELECT DISTINCT w.defined_by FROM waiting w) p
           WHERE @internal@.may_follow(p.defined_by, (SELECT e.rolname FROM ended e))),
       told AS (
           INSERT INTO @extschema@.finished_dependency (job_id, after_job_id, jl_id, fulfilled, state)
           SELECT w.job_id, $1, $2, @internal@.is_fulfilled(w.run_when, $3), $3
           FROM waiting w JOIN permitted p ON p.defined_by = w.defined_by
           WHERE {_is_not_disabled("w.job_id")}
           ON CONFLICT (job_id, after_job_id) DO UPDATE
               SET jl_id = excluded.jl_id, fulfilled = excluded.fulfilled, state = excluded.state)
       SELECT w.job_id FROM waiting w ORDER BY w.job_id""",  # noqa: S608 - names in this package
    *("int8", "int8", "text", "int8", "int4"),
)


def tell(spi: Spi, mark: Mark, most: int) -> Mark:
    """Note that a run has ended for so many more of the jobs that wait for it; the mark with them."""
    rows = spi.execute(TELL, mark.after_job_id, mark.jl_id, mark.state, mark.last, most)
    spi.count_writes("finished_dependency", len(rows))
    return replace(mark, job_ids=tuple(row["job_id"] for row in rows), is_all=len(rows) < most)


MOVE_MARK = Statement(
    "UPDATE @extschema@.finished_dependency m SET job_id = $3 WHERE m.job_id = $1 AND m.after_job_id = $2",
    *("int8", "int8", "int8"),
)
REMOVE_MARK = Statement(
    "DELETE FROM @extschema@.finished_dependency m WHERE m.job_id = $1 AND m.after_job_id = $2", *("int8", "int8")
)


def move(spi: Spi, mark: Mark) -> None:
    """Go on after the jobs of the mark, next time; to be done if nothing else can be done for them, too."""
    if mark.is_all or not mark.job_ids:
        spi.execute(REMOVE_MARK, -mark.last, mark.after_job_id)
    else:
        spi.execute(MOVE_MARK, -mark.last, mark.after_job_id, -mark.job_ids[-1])


# A run that waits to be started follows what ends meanwhile, too: at most one waits for each job. What a job waits for
# is looked up as numbered() does.
ENQUEUE_READY = Statement(
    f"""WITH ready AS MATERIALIZED (
           SELECT j.job_id, n.last_request, d.jl_ids, d.places
           FROM unnest($1, $2) n (job_id, last_request)
           CROSS JOIN {lookup("ONLY @extschema@.job", "n.job_id")} j
           CROSS JOIN LATERAL (
               SELECT array_agg(f.jl_id) AS jl_ids, array_agg(f.ctid) AS places
               FROM unnest(j.run_after) a (job_id)
               CROSS JOIN LATERAL (
                   SELECT x.*, x.ctid FROM @extschema@.finished_dependency x
                   WHERE (x.job_id, x.after_job_id) >= (j.job_id, a.job_id)
                       AND (x.job_id, x.after_job_id) <= (j.job_id, a.job_id)
                   ORDER BY x.job_id DESC, x.after_job_id DESC LIMIT 1) f
               HAVING bool_and(coalesce(@internal@.is_fulfilled(j.run_when, f.state), f.fulfilled))
                   AND count(*) = cardinality(j.run_after)) d
           WHERE j.enabled
             AND {_is_not_disabled("j.job_id")}
             AND NOT EXISTS (SELECT FROM unnest(j.run_after) a (job_id)
                             WHERE NOT EXISTS (SELECT FROM ONLY @extschema@.job p WHERE p.job_id = a.job_id))),
       begun AS (DELETE FROM @extschema@.finished_dependency d
                 WHERE d.ctid = ANY (ARRAY(SELECT p.ctid FROM ready r CROSS JOIN LATERAL unnest(r.places) p (ctid))))
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, caused_by)
       SELECT 'run', 'dependency', r.job_id,
              coalesce((SELECT l.jl_id FROM unnest(r.jl_ids) n (jl_id)
                        CROSS JOIN {numbered("@extschema@.job_log", "jl_id", "n.jl_id")} l
                        ORDER BY l.job_finished DESC, l.jl_id DESC LIMIT 1),
                       r.jl_ids[1])
       FROM ready r
       WHERE NOT EXISTS (SELECT FROM @extschema@.worker_request i
                         WHERE (i.job_id, i.request_id) >= (r.job_id, r.last_request)
                             AND (i.job_id, i.request_id) <= (r.job_id, 9223372036854775807)
                             AND i.kind = 'run' AND i.cause = 'dependency'
                         ORDER BY i.job_id, i.request_id OFFSET 0)  -- as the index of jobs has them
       ORDER BY r.job_id
       RETURNING job_id, request_id""",  # noqa: S608 - names in this package
    *("int8[]", "int8[]"),
)


def enqueue_ready(spi: Spi, last_requests: Mapping[int, int]) -> dict[int, int]:
    """Ask for a run of those of the jobs for which all has ended as they want it, and of which none waits; of those the
    last request is given that was made for that, 0: not known. Returns the requests by job."""
    rows = spi.execute(ENQUEUE_READY, list(last_requests), list(last_requests.values()))
    return {row["job_id"]: row["request_id"] for row in rows}


FORGET_OTHERS = Statement(
    """DELETE FROM @extschema@.finished_dependency d
       WHERE d.job_id = ANY ($1)
         AND NOT EXISTS (SELECT FROM ONLY @extschema@.job j
                         WHERE j.job_id = d.job_id AND d.after_job_id = ANY (j.run_after) AND j.enabled OFFSET 0)""",
    "int8[]",
)


def forget_others(spi: Spi, job_ids: Sequence[int]) -> None:
    """Forget what these jobs no longer wait for; those that are disabled wait for nothing."""
    spi.execute(FORGET_OTHERS, job_ids)


FORGET_ENDED = Statement(
    f"""DELETE FROM @extschema@.finished_dependency d USING unnest($1, $2) b (job_id, moment)
       CROSS JOIN LATERAL (SELECT x.*, x.ctid FROM @extschema@.finished_dependency x
                           WHERE x.job_id = b.job_id ORDER BY x.job_id, x.after_job_id OFFSET 0) t
       WHERE d.ctid = t.ctid
         AND NOT EXISTS (SELECT FROM {numbered("@extschema@.job_log", "jl_id", "t.jl_id")} l
                         WHERE l.job_finished > to_timestamp(b.moment) OFFSET 0)""",  # noqa: S608 - names in this package
    *("int8[]", "float8[]"),
)


def forget_ended(spi: Spi, before: Mapping[int, float]) -> None:
    """Forget what has ended before these moments that these jobs waited for."""
    spi.execute(FORGET_ENDED, list(before), list(before.values()))
