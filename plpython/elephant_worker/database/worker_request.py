"""The table worker_request: the inbox of the worker."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..jobs.job import Job
from ..jobs.run_queue import Held, QueuedRun
from ..records import record
from .job import DEFINITION, read_jobs
from .spi import Spi, Statement, lookup, numbered


@record(frozen=True)
class Message:
    """The last of its kind about a job or run: its number, and when it was sent, shortly before its transaction
    committed in case of a definition that took long."""

    request_id: int
    sent_at: float


# Comes after all that there is.
LAST = Message(2**63 - 1, math.inf)
# By kind of message: the jobs or runs it is about.
Messages = dict[str, dict[int, Message]]

TAKE_MESSAGES = Statement(
    # Of each kind and role in turn, so that none waits for all that others have to say; see QUEUED_RUNS. What is not
    # committed is in the index too, and is walked over: of one kind at most.
    # A worker that has been replaced but has not noticed leaves the messages to its successor.
    """DELETE FROM @extschema@.worker_request i
       WHERE i.ctid = ANY (ARRAY(
               WITH RECURSIVE sender AS (
                   SELECT k.kind, (SELECT m.rolname FROM @extschema@.worker_request m
                                   WHERE (m.kind, m.rolname, m.request_id) > (k.kind, '', 0) AND m.kind <= k.kind
                                   ORDER BY m.kind, m.rolname, m.request_id LIMIT 1) AS rolname
                   FROM unnest('{cancel,cancel run,define,disable,set,stop}'::text[]) k (kind)
                   UNION ALL
                   SELECT s.kind, (SELECT m.rolname FROM @extschema@.worker_request m
                                   WHERE (m.kind, m.rolname, m.request_id) > (s.kind, s.rolname, 9223372036854775807)
                                       AND m.kind <= s.kind
                                   ORDER BY m.kind, m.rolname, m.request_id LIMIT 1)
                   FROM sender s WHERE s.rolname IS NOT NULL)
               SELECT t.ctid FROM sender s CROSS JOIN LATERAL (
                   SELECT m.request_id, m.ctid, row_number() OVER (ORDER BY m.kind, m.rolname, m.request_id) AS turn
                   FROM @extschema@.worker_request m
                   WHERE (m.kind, m.rolname, m.request_id) > (s.kind, s.rolname, 0)
                       AND (m.kind, m.rolname, m.request_id) < (s.kind, s.rolname, 9223372036854775807)
                   ORDER BY m.kind, m.rolname, m.request_id LIMIT $1) t
               WHERE s.rolname IS NOT NULL ORDER BY t.turn, t.request_id LIMIT $1))
           AND EXISTS (SELECT FROM @extschema@.worker_state w WHERE w.pid = pg_backend_pid())
       RETURNING i.kind, coalesce(i.jl_id, i.job_id) AS number, i.request_id,
           date_part('epoch', i.requested_at) AS sent_at""",
    "int4",
)


def take_messages(spi: Spi, limit: int) -> tuple[Messages, bool]:
    """Take what is in the inbox, except for requests to run; and whether there may be more than the limit. A run
    with a lower number than a message came before it."""
    messages: Messages = defaultdict(dict)
    rows = spi.execute(TAKE_MESSAGES, limit)
    for row in sorted(rows, key=lambda row: row["request_id"]):
        messages[row["kind"]][row["number"]] = Message(row["request_id"], row["sent_at"])
    spi.count_writes("worker_request", len(rows))
    return messages, len(rows) == limit


# Rows are compared and ordered as the index of jobs has them, so that none of all requests will do.
OF_JOB = """LATERAL (SELECT x.*, x.ctid FROM @extschema@.worker_request x
                    WHERE (x.job_id, x.request_id) >= (n.job_id, 0)
                        AND (x.job_id, x.request_id) <= (n.job_id, 9223372036854775807)
                        AND x.kind IN ('run', 'define') ORDER BY x.job_id, x.request_id OFFSET 0)"""
DEFINITIONS = Statement(
    f"""SELECT n.job_id, max(date_part('epoch', m.requested_at)) AS sent_at
       FROM unnest($1) n (job_id) CROSS JOIN {OF_JOB} m
       WHERE m.kind = 'define' GROUP BY n.job_id""",  # noqa: S608 - a part of this module
    "int8[]",
)


def definitions(spi: Spi, job_ids: Sequence[int]) -> dict[int, float]:
    """When the messages about the definitions of these jobs were sent that have not been taken; 0: there is none."""
    sent_at = {row["job_id"]: row["sent_at"] for row in spi.execute(DEFINITIONS, job_ids)}
    return {job_id: sent_at.get(job_id, 0.0) for job_id in job_ids}


DROP_FIRST_MESSAGE = Statement(
    """DELETE FROM @extschema@.worker_request i
       WHERE i.ctid = (SELECT m.ctid FROM @extschema@.worker_request m WHERE m.kind <> 'run'
                       ORDER BY m.request_id LIMIT 1)"""
)


def drop_first_message(spi: Spi) -> None:
    """Delete the message that would be taken next."""
    spi.execute(DROP_FIRST_MESSAGE)


FORGET_STOP = Statement("DELETE FROM @extschema@.worker_request i WHERE i.kind = 'stop'")


def forget_stop(spi: Spi) -> None:
    """Delete what was meant for an earlier worker."""
    spi.execute(FORGET_STOP)


QUEUED_RUNS = Statement(
    # From role to role: what full roles have asked for is not even looked at. Rows are compared as the index of
    # these columns has them, so that no other will do. A job may have been given to another role since.
    f"""WITH RECURSIVE role AS (
           SELECT (SELECT i.rolname FROM @extschema@.worker_request i
                   WHERE (i.kind, i.rolname, i.request_id) > ('run', '', 0) AND i.kind <= 'run'
                   ORDER BY i.kind, i.rolname, i.request_id LIMIT 1) AS rolname
           UNION ALL
           SELECT (SELECT i.rolname FROM @extschema@.worker_request i
                   WHERE (i.kind, i.rolname, i.request_id) > ('run', r.rolname, 9223372036854775807) AND i.kind <= 'run'
                   ORDER BY i.kind, i.rolname, i.request_id LIMIT 1)
           FROM role r WHERE r.rolname IS NOT NULL)
       SELECT q.* FROM role r CROSS JOIN LATERAL (
           SELECT i.request_id, i.job_id, date_part('epoch', i.requested_at) AS due,
               coalesce(j.rolname, '') AS rolname, coalesce(j.datname, '') AS datname, j.server
           FROM @extschema@.worker_request i
           LEFT JOIN {lookup("@extschema@.job", "i.job_id")} j ON true
           WHERE (i.kind, i.rolname, i.request_id) > ('run', r.rolname, $1)
               AND (i.kind, i.rolname, i.request_id) < ('run', r.rolname, 9223372036854775807)
               AND coalesce(j.rolname, '') <> ALL ($3)
               AND (j.server IS NOT NULL OR coalesce(j.datname, '') <> ALL ($4) AND coalesce(j.rolname, '') <> ALL ($5))
           ORDER BY i.kind, i.rolname, i.request_id LIMIT $2) q
       WHERE r.rolname <> ALL ($3) ORDER BY q.request_id LIMIT $6""",  # noqa: S608 - names in this package
    *("int8", "int4", "name[]", "name[]", "name[]", "int4"),
)


def queued_runs(spi: Spi, after: int, limit: int, held: Held, by_role: bool = False) -> list[QueuedRun]:
    """The requests to run after this one, except for what is held; or so many of each role."""
    in_all = None if by_role else limit
    rows = spi.execute(QUEUED_RUNS, after, limit, *held.names(), in_all)
    return [QueuedRun(**row) for row in rows]


FOLLOW_ROLES = Statement(
    f"""UPDATE @extschema@.worker_request i SET rolname = j.rolname
       FROM unnest($1) n (job_id)
       CROSS JOIN {lookup("ONLY @extschema@.job", "n.job_id")} j
       CROSS JOIN {OF_JOB} m
       WHERE i.ctid = m.ctid AND m.kind = 'run' AND m.rolname <> j.rolname""",  # noqa: S608 - names in this package
    "int8[]",
)


def follow_roles(spi: Spi, job_ids: Sequence[int]) -> None:
    """Have what was asked for be the roles' to which these jobs have been given."""
    spi.execute(FOLLOW_ROLES, job_ids)


CLAIM = Statement(
    f"""SELECT {DEFINITION}, i.job_id, i.request_id AS jl_id, i.cause, i.attempt, i.caused_by, i.withdrawn,
           date_part('epoch', coalesce(i.scheduled_at, i.requested_at)) AS scheduled_at,
           s.job_id IS NOT NULL AS has_state, i.disabled OR s.disabled_at IS NOT NULL AS disabled, s.quarantined_reason
       FROM unnest($1) n (request_id)
       CROSS JOIN {numbered("@extschema@.worker_request", "request_id", "n.request_id")} i
       LEFT JOIN {lookup("@internal@.job_for_worker", "i.job_id")} w ON true
       LEFT JOIN {lookup("@extschema@.job_state", "i.job_id")} s ON true""",  # noqa: S608 - names of columns
    "int8[]",
)
TAKE = Statement(
    f"""WITH taken AS (
           DELETE FROM @extschema@.worker_request i
           USING unnest($1) n (request_id)
           CROSS JOIN {numbered("@extschema@.worker_request", "request_id", "n.request_id")} m
           WHERE i.ctid = m.ctid RETURNING i.job_id)
       DELETE FROM @extschema@.once_job o WHERE o.job_id = ANY (ARRAY(SELECT t.job_id FROM taken t))""",  # noqa: S608 - names in this package
    "int8[]",
)


def claim(spi: Spi, request_ids: Sequence[int]) -> list[Job]:
    """The jobs of those of the requests that are still there."""
    return read_jobs(spi.execute(CLAIM, request_ids))


def take(spi: Spi, request_ids: Sequence[int]) -> None:
    """Take requests out of the inbox."""
    spi.execute(TAKE, request_ids)
    spi.count_writes("worker_request", len(request_ids))


WITHDRAW_OF_JOBS = Statement(
    f"""UPDATE @extschema@.worker_request i SET withdrawn = true
       FROM unnest($1, $2) n (job_id, request_id) CROSS JOIN {OF_JOB} m
       WHERE i.ctid = m.ctid AND m.kind = 'run' AND m.cause <> 'retry' AND NOT m.withdrawn
           AND (m.request_id < n.request_id
                OR m.cause <> 'request' AND m.requested_at < to_timestamp($3))""",  # noqa: S608 - a part of this module
    *("int8[]", "int8[]", "float8"),
)


def withdraw_of_jobs(spi: Spi, cancels: Mapping[int, Message], begun: float) -> None:
    """Have the requests to run these jobs that came before their cancellation end as cancelled; so do those that the
    worker itself made, before this moment, while the caller's transaction was open."""
    spi.execute(WITHDRAW_OF_JOBS, list(cancels), [cancel.request_id for cancel in cancels.values()], begun)


NOTE_DISABLED = Statement(
    f"""UPDATE @extschema@.worker_request i SET disabled = true
       FROM unnest($1, $2) n (job_id, request_id) CROSS JOIN {OF_JOB} m
       WHERE i.ctid = m.ctid AND m.kind = 'run' AND m.request_id < n.request_id AND NOT m.disabled""",  # noqa: S608 - a part of this module
    *("int8[]", "int8[]"),
)


def note_disabled(spi: Spi, disabled: Mapping[int, Message]) -> None:
    """Note of the requests to run these jobs that they were disabled since, whether or not they are enabled again."""
    spi.execute(NOTE_DISABLED, list(disabled), [message.request_id for message in disabled.values()])


WITHDRAW = Statement(
    f"""UPDATE @extschema@.worker_request i SET withdrawn = true
       FROM unnest($1) n (request_id)
       CROSS JOIN {numbered("@extschema@.worker_request", "request_id", "n.request_id")} m
       WHERE i.ctid = m.ctid AND m.kind = 'run'""",  # noqa: S608 - names in this package
    "int8[]",
)


def withdraw(spi: Spi, jl_ids: Sequence[int]) -> None:
    """Have requests to run end as cancelled when their turn comes."""
    spi.execute(WITHDRAW, jl_ids)


ADVANCE_SEQUENCES = Statement("SELECT @internal@.advance_sequences()")


def advance_sequences(spi: Spi) -> None:
    """Have new jobs and runs numbered after all that there are, also if logical replication or a partial restore has
    left the sequences behind; that is not undone by a rollback."""
    spi.execute(ADVANCE_SEQUENCES)


RENUMBER = Statement(
    f"""UPDATE @extschema@.worker_request i SET request_id = DEFAULT
       WHERE i.kind = 'run'
           AND EXISTS (SELECT FROM {numbered("@extschema@.job_log", "jl_id", "i.request_id")} l OFFSET 0)"""  # noqa: S608 - names in this package
)


def renumber(spi: Spi) -> None:
    """Give requests other numbers that have those of runs already."""
    spi.execute(RENUMBER)


NEW_ID = Statement("SELECT nextval('@extschema@.worker_inbox_request_id_seq') AS id")


def new_id(spi: Spi) -> int:
    """A number for a row of the log."""
    number: int = spi.execute(NEW_ID)[0]["id"]
    return number


NOTE_SERVER_START = Statement(
    """UPDATE @extschema@.worker_state w SET server_started = pg_postmaster_start_time()
       WHERE w.server_started IS DISTINCT FROM pg_postmaster_start_time() RETURNING w.only_row"""
)


def note_server_start(spi: Spi) -> bool:
    """Note that the server has been started; whether it has been since that was noted last."""
    return bool(len(spi.execute(NOTE_SERVER_START)))


ENQUEUE_REBOOT_JOBS = Statement(
    "INSERT INTO @extschema@.worker_request (kind, cause, job_id) SELECT 'run', 'reboot', n.* FROM unnest($1) n",
    "int8[]",
)


def enqueue_reboot_jobs(spi: Spi, job_ids: Sequence[int]) -> None:
    """Ask for a run of each of these jobs, because the server has been started."""
    spi.execute(ENQUEUE_REBOOT_JOBS, job_ids)
