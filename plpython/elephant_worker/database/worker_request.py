"""The table worker_request: the inbox of the worker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from ..jobs.job import Job
from ..jobs.number_ranges import LAST_NUMBER, Range
from ..jobs.run_queue import QueuedRun
from ..snapshot import Snapshot
from . import withdrawal
from .job import DEFINITION, read_jobs
from .spi import Spi, Statement, columns_of, lookup, numbered
from .withdrawal import WITHDRAWN

# Kinds of messages that keep runs from starting; of those of a transaction, they are found before its runs.
CANCELS = ("cancel", "cancel run")


class Batch(NamedTuple):
    """What one transaction has put in, of one kind and by one role: for runs, the role that they are for."""

    transaction: int
    kind: str
    rolname: str


class Unread(NamedTuple):
    """Transactions whose batches have not been read; of the first one those after a kind and role."""

    first: int
    last: int
    kind: str = ""
    rolname: str = ""

    def after(self, batch: Batch) -> Unread:
        """What is unread when this batch of them has been read."""
        return Unread(batch.transaction, self.last, batch.kind, batch.rolname)

    def until(self, last: int) -> Unread:
        """What is unread of it up to a transaction."""
        return self._replace(last=min(self.last, last))

    def may_cancel(self, transaction: int) -> bool:
        """Whether batches of cancellations of this transaction may be among it."""
        return self.first <= transaction <= self.last and (transaction != self.first or self.kind <= CANCELS[-1])


class Message(NamedTuple):
    """The last of its kind about a job or run: its number, and when it was sent, shortly before its transaction
    committed in case of a definition that took long."""

    request_id: int
    sent_at: float


# Comes after all that there is.
LAST = Message(LAST_NUMBER, math.inf)
# By kind of message: the jobs or runs it is about.
Messages = dict[str, dict[int, Message]]

SNAPSHOT = Statement("SELECT pg_current_snapshot()::text AS snapshot, pg_current_xact_id_if_assigned()::text AS own")


def snapshot(spi: Spi) -> tuple[Snapshot, int | None]:
    """Which transactions have ended, and which is the own one, if it has written."""
    row = spi.execute(SNAPSHOT)[0]
    return Snapshot.parse(row["snapshot"]), None if row["own"] is None else int(row["own"])


BATCHES = Statement(
    """SELECT u.place, b.transaction_id::text AS transaction_id, b.kind, b.rolname, b.request_id,
           CASE WHEN b.kind = 'run' THEN (
               SELECT m.request_id FROM @extschema@.worker_request m
               WHERE m.transaction_id = b.transaction_id AND m.kind = b.kind AND m.rolname = b.rolname
               ORDER BY abs(m.request_id) DESC LIMIT 1) END AS last
       FROM unnest($1, $2, $3, $4) WITH ORDINALITY u (first, last, kind, rolname, place)
       CROSS JOIN LATERAL (
           WITH RECURSIVE batch AS (
               SELECT u.first AS transaction_id, u.kind, u.rolname, NULL::bigint AS request_id
               UNION ALL
               SELECT n.* FROM batch p CROSS JOIN LATERAL (
                   SELECT m.transaction_id, m.kind, m.rolname, m.request_id FROM @extschema@.worker_request m
                   WHERE (m.transaction_id, m.kind, m.rolname, abs(m.request_id))
                           > (p.transaction_id, p.kind, p.rolname, 9223372036854775807)
                       AND m.transaction_id <= u.last
                   ORDER BY m.transaction_id, m.kind, m.rolname, abs(m.request_id) LIMIT 1) n)
           SELECT * FROM batch WHERE request_id IS NOT NULL) b
       -- What was rolled back is still in the index.
       WHERE CASE WHEN u.first = u.last AND u.kind = '' THEN pg_xact_status(u.first) IS DISTINCT FROM 'aborted'
                  ELSE true END
       LIMIT $5""",
    *("xid8[]", "xid8[]", "text[]", "name[]", "int4"),
)


class FoundBatch(NamedTuple):
    """Where in what was unread a batch was found, and the numbers of its requests: the first, and of runs the last."""

    place: int
    batch: Batch
    first: int
    last: int | None


def batches(spi: Spi, unread: Sequence[Unread], limit: int) -> list[FoundBatch]:
    """So many of what is unread, in its order."""
    return [
        FoundBatch(
            row["place"] - 1,
            Batch(int(row["transaction_id"]), row["kind"], row["rolname"]),
            row["request_id"],
            row["last"],
        )
        for row in spi.execute(BATCHES, *columns_of(unread), limit)
    ]


TAKE_MESSAGES = Statement(
    # A worker that has been replaced but has not noticed leaves the messages to its successor.
    """DELETE FROM @extschema@.worker_request i
       WHERE i.ctid = ANY (ARRAY(
               SELECT t.ctid FROM unnest($1, $2, $3, $4) b (transaction_id, kind, rolname, request_id)
               CROSS JOIN LATERAL (
                   SELECT m.ctid FROM @extschema@.worker_request m
                   WHERE m.transaction_id = b.transaction_id AND m.kind = b.kind AND m.rolname = b.rolname
                       AND abs(m.request_id) >= b.request_id
                   ORDER BY abs(m.request_id) LIMIT $5) t))
           AND EXISTS (SELECT FROM @extschema@.worker_state w WHERE w.pid = pg_backend_pid())
       RETURNING i.transaction_id::text AS transaction_id, i.kind, i.rolname, coalesce(i.jl_id, i.job_id) AS number,
           i.request_id, date_part('epoch', i.requested_at) AS sent_at""",
    *("xid8[]", "text[]", "name[]", "int8[]", "int4"),
)


def take_messages(spi: Spi, first: Mapping[Batch, int], each: int) -> list[tuple[Batch, int, Message]]:
    """Take so many messages of each of these batches, from a number on: the batch, the job or run that the message is
    about, and the message, in the order of their numbers. A run with a lower number than a message came before it."""
    rows = spi.execute(TAKE_MESSAGES, *columns_of((*batch, number) for batch, number in first.items()), each)
    spi.count_writes("worker_request", len(rows))
    return [
        (
            Batch(int(row["transaction_id"]), row["kind"], row["rolname"]),
            row["number"],
            Message(row["request_id"], row["sent_at"]),
        )
        for row in sorted(rows, key=itemgetter("request_id"))
    ]


# What the worker itself has asked for to run each of the jobs, for one of these causes: few of each, however many
# requests of users there are. Rows are compared and ordered as the index of causes has them, so that no other will do.
OF_JOB = """LATERAL (SELECT x.*, x.ctid FROM @extschema@.worker_request x
                    WHERE (x.cause, x.job_id) >= (c.cause, n.job_id) AND (x.cause, x.job_id) <= (c.cause, n.job_id)
                        AND x.cause IN ('retry', 'dependency', 'reboot') AND x.kind = 'run'
                    ORDER BY x.cause, x.job_id OFFSET 0)"""
DEFINITIONS = Statement(
    # The last one is at the end of the index; before it may be many that have been taken.
    """SELECT n.job_id, date_part('epoch', m.requested_at) AS sent_at
       FROM unnest($1) n (job_id)
       CROSS JOIN LATERAL (
           SELECT x.requested_at FROM @extschema@.worker_request x
           WHERE (x.job_id, x.request_id) >= (n.job_id, 0)
               AND (x.job_id, x.request_id) <= (n.job_id, 9223372036854775807)
               AND x.kind = 'define' ORDER BY x.job_id DESC, x.request_id DESC LIMIT 1) m""",
    "int8[]",
)


def definitions(spi: Spi, job_ids: Sequence[int]) -> dict[int, float]:
    """When the messages about the definitions of these jobs were sent that have not been taken; 0: there is none."""
    sent_at = {row["job_id"]: row["sent_at"] for row in spi.execute(DEFINITIONS, job_ids)}
    return {job_id: sent_at.get(job_id, 0.0) for job_id in job_ids}


DROP = Statement(
    f"""DELETE FROM @extschema@.worker_request i
       USING unnest($1) n (request_id)
       CROSS JOIN {numbered("@extschema@.worker_request", "request_id", "n.request_id")} m
       WHERE i.ctid = m.ctid""",  # noqa: S608 - names in this package
    "int8[]",
)


def drop(spi: Spi, request_ids: Sequence[int]) -> None:
    """Delete these messages."""
    spi.execute(DROP, request_ids)


FORGET_STOP = Statement("DELETE FROM @extschema@.worker_request i WHERE i.kind = 'stop'")


def forget_stop(spi: Spi) -> None:
    """Delete what was meant for an earlier worker."""
    spi.execute(FORGET_STOP)


class FoundRun(NamedTuple):
    """Where it was found; which transaction has put in what a user asked for, None for other requests; and the run."""

    place: int
    transaction: int | None
    run: QueuedRun


QUEUED_RUNS = Statement(
    # A job may have been given to another role since. Whatever can be seen is of a transaction that the snapshot knows,
    # unless a replica has it from another server.
    f"""SELECT p.place - 1 AS place, q.* FROM unnest($1, $2, $3) WITH ORDINALITY p (rolname, first, last, place)
       CROSS JOIN LATERAL (
           SELECT i.request_id, i.job_id, date_part('epoch', i.requested_at) AS due,
               coalesce(j.rolname, '') AS rolname, coalesce(j.datname, '') AS datname, j.server,
               CASE WHEN i.cause IN ('request', 'once')
                         AND i.transaction_id < (SELECT pg_snapshot_xmax(pg_current_snapshot()))
                   THEN i.transaction_id::text END AS transaction_id
           FROM @extschema@.worker_request i
           LEFT JOIN {lookup("@extschema@.job", "i.job_id")} j ON true
           WHERE i.kind = 'run' AND i.rolname = p.rolname AND abs(i.request_id) >= p.first
               AND abs(i.request_id) <= p.last
           ORDER BY abs(i.request_id) LIMIT $4) q
       ORDER BY q.request_id LIMIT $5""",  # noqa: S608 - names in this package
    *("name[]", "int8[]", "int8[]", "int4", "int4"),
)


def queued_runs(spi: Spi, places: Sequence[tuple[str, int, int]], limit: int, by_role: bool) -> list[FoundRun]:
    """So many of the requests to run in these places: for a role, from one number to another; or so many of each place.
    They come in the order of their numbers."""
    rows = spi.execute(QUEUED_RUNS, *columns_of(places), limit, None if by_role else limit)
    found = []
    for row in rows:
        place, transaction = row.pop("place"), row.pop("transaction_id")
        found.append(FoundRun(place, None if transaction is None else int(transaction), QueuedRun(**row)))
    return found


class Followed(NamedTuple):
    """What has been followed of the requests to run a job: of how many, up to which, and which is the first that has
    become that of another role; None: none has."""

    job_id: int
    rolname: str
    looked_at: int
    last: int
    first: int | None


# Requests to run each of some jobs, from one number to another; no more are read than the limit is, job by job.
PLACES = "unnest($1, $2, $3) WITH ORDINALITY n (job_id, first, last, place)"
IN_PLACE = """LATERAL (SELECT x.*, x.ctid FROM @extschema@.worker_request x
                    WHERE (x.job_id, x.request_id) >= (n.job_id, n.first)
                        AND (x.job_id, x.request_id) <= (n.job_id, n.last)
                        AND x.kind = 'run' ORDER BY x.job_id, x.request_id LIMIT $4)"""
FOLLOW_ROLES = Statement(
    f"""WITH looked_at AS MATERIALIZED (
           SELECT n.place, n.job_id, i.request_id, i.ctid, j.rolname, i.rolname <> j.rolname AS is_given
           FROM {PLACES} CROSS JOIN {lookup("ONLY @extschema@.job", "n.job_id")} j CROSS JOIN {IN_PLACE} i LIMIT $4),
       given AS (
           UPDATE @extschema@.worker_request i SET rolname = l.rolname
           FROM looked_at l WHERE i.ctid = l.ctid AND l.is_given)
       SELECT l.job_id, l.rolname, count(*) AS looked_at, max(l.request_id) AS last,
           min(l.request_id) FILTER (WHERE l.is_given) AS first
       FROM looked_at l GROUP BY l.place, l.job_id, l.rolname ORDER BY l.place""",  # noqa: S608 - names in this package
    *("int8[]", "int8[]", "int8[]", "int4"),
)


def follow_roles(spi: Spi, places: Mapping[int, Range], limit: int) -> list[Followed]:
    """Have what was asked for be the roles' to which these jobs have been given: of each job from one number to
    another, in all so many. The jobs of which there was something to look at; if it was all that the limit allows, the
    last may have more."""
    followed = [Followed(**row) for row in spi.execute(FOLLOW_ROLES, *_columns_of(places), limit)]
    spi.count_writes("worker_request", sum(job.looked_at for job in followed if job.first is not None))
    return followed


GIVEN_AWAY = Statement(
    f"""SELECT DISTINCT i.job_id FROM @extschema@.worker_request i
       CROSS JOIN {lookup("ONLY @extschema@.job", "i.job_id")} j
       WHERE i.kind = 'run' AND i.rolname <> j.rolname"""  # noqa: S608 - names in this package
)


def given_away(spi: Spi) -> list[int]:
    """The jobs that have been given away, and of which requests are yet to follow."""
    return [row["job_id"] for row in spi.execute(GIVEN_AWAY)]


CLAIM = Statement(
    f"""SELECT {DEFINITION}, i.job_id, i.request_id AS jl_id, i.cause, i.attempt, i.caused_by,
           i.withdrawn OR {WITHDRAWN} AS withdrawn,
           date_part('epoch', coalesce(i.scheduled_at, i.requested_at)) AS scheduled_at,
           s.job_id IS NOT NULL AS has_state, i.disabled OR s.disabled_at IS NOT NULL AS disabled, s.quarantined_reason
       FROM unnest($1) n (request_id)
       CROSS JOIN {numbered("@extschema@.worker_request", "request_id", "n.request_id")} i
       LEFT JOIN {lookup("@internal@.job_for_worker", "i.job_id")} w ON true
       LEFT JOIN {numbered("@extschema@.job_state", "job_id", "i.job_id")} s ON true""",  # noqa: S608 - names of columns
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
       FROM unnest($1, $2) n (job_id, request_id) CROSS JOIN unnest(ARRAY['dependency', 'reboot']) c (cause)
       CROSS JOIN {OF_JOB} m
       WHERE i.ctid = m.ctid AND NOT m.withdrawn
           AND (m.request_id < n.request_id OR m.requested_at < to_timestamp($3))
       RETURNING i.request_id""",  # noqa: S608 - a part of this module
    *("int8[]", "int8[]", "float8"),
)


def withdraw_of_jobs(spi: Spi, cancels: Mapping[int, Message], begun: float) -> tuple[list[int], dict[int, Range]]:
    """Have the requests to run these jobs that came before their cancellation end as cancelled; so do those that the
    worker itself made, before this moment, while the caller's transaction was open. Those of users are only noted, once
    for all, and retries are dropped by pending_run.drop(). Returns which the others are, and where those of users are,
    by job."""
    numbers = {job_id: cancel.request_id for job_id, cancel in cancels.items()}
    places = withdrawal.add(spi, numbers)
    rows = spi.execute(WITHDRAW_OF_JOBS, list(numbers), list(numbers.values()), begun)
    return [row["request_id"] for row in rows], places


NOTE_DISABLED = Statement(
    f"""UPDATE @extschema@.worker_request i SET disabled = true
       FROM unnest($1, $2) n (job_id, request_id) CROSS JOIN unnest(ARRAY['retry', 'dependency', 'reboot']) c (cause)
       CROSS JOIN {OF_JOB} m
       WHERE i.ctid = m.ctid AND m.request_id < n.request_id AND NOT m.disabled
       RETURNING i.request_id""",  # noqa: S608 - a part of this module
    *("int8[]", "int8[]"),
)


def note_disabled(spi: Spi, disabled: Mapping[int, Message]) -> list[int]:
    """Note of what the worker itself has asked for that these jobs were disabled since, whether or not they are enabled
    again; returns its numbers. What users ask for runs all the same."""
    rows = spi.execute(NOTE_DISABLED, list(disabled), [message.request_id for message in disabled.values()])
    return [row["request_id"] for row in rows]


WITHDRAW = Statement(
    f"""UPDATE @extschema@.worker_request i SET withdrawn = true
       FROM unnest($1) n (request_id)
       CROSS JOIN {numbered("@extschema@.worker_request", "request_id", "n.request_id")} m
       WHERE i.ctid = m.ctid AND m.kind = 'run' RETURNING i.request_id""",  # noqa: S608 - names in this package
    "int8[]",
)


def withdraw(spi: Spi, jl_ids: Sequence[int]) -> list[int]:
    """Have requests to run end as cancelled; returns which of them there are."""
    return [row["request_id"] for row in spi.execute(WITHDRAW, jl_ids)]


class Withdrawn(NamedTuple):
    """What has been found among the requests to run a job: how many have been looked at, the last of them, and those
    that have been cancelled with the job."""

    job_id: int
    looked_at: int
    last: int
    cancelled: list[int]


WITHDRAWN_OF_JOBS = Statement(
    f"""WITH looked_at AS MATERIALIZED (
           SELECT n.place, i.job_id, i.request_id, {WITHDRAWN} AS withdrawn
           FROM {PLACES} CROSS JOIN {IN_PLACE} i LIMIT $4)
       SELECT l.job_id, count(*) AS looked_at, max(l.request_id) AS last,
           coalesce(array_agg(l.request_id) FILTER (WHERE l.withdrawn), '{{}}') AS cancelled
       FROM looked_at l GROUP BY l.place, l.job_id ORDER BY l.place""",  # noqa: S608 - a part of withdrawal.py
    *("int8[]", "int8[]", "int8[]", "int4"),
)


def withdrawn_of_jobs(spi: Spi, places: Mapping[int, Range], limit: int) -> list[Withdrawn]:
    """Which requests of users have been cancelled with their jobs: of each job from one number to another, in all so
    many. If as many have been looked at as the limit allows, the last of these jobs may have more."""
    return [Withdrawn(**row) for row in spi.execute(WITHDRAWN_OF_JOBS, *_columns_of(places), limit)]


def _columns_of(places: Mapping[int, Range]) -> tuple[list[int], list[int], list[int]]:
    """The jobs, and from and up to which number."""
    return list(places), [first for first, _ in places.values()], [last for _, last in places.values()]


MARKED = Statement(
    "SELECT i.request_id FROM @extschema@.worker_request i WHERE i.kind = 'run' AND (i.withdrawn OR i.disabled)"
)


def marked(spi: Spi) -> list[int]:
    """The requests that have been cancelled by themselves, or with a job that was disabled."""
    return [row["request_id"] for row in spi.execute(MARKED)]


ADVANCE_SEQUENCES = Statement("SELECT @internal@.advance_sequences()")


def advance_sequences(spi: Spi) -> None:
    """Have new jobs and runs numbered after all that there are, also if logical replication or a partial restore has
    left the sequences behind; that is not undone by a rollback."""
    spi.execute(ADVANCE_SEQUENCES)


RENUMBER = Statement(
    f"""UPDATE @extschema@.worker_request i SET request_id = DEFAULT, withdrawn = i.withdrawn OR {WITHDRAWN}
       WHERE i.kind = 'run'
           AND EXISTS (SELECT FROM {numbered("@extschema@.job_log", "jl_id", "i.request_id")} l OFFSET 0)"""  # noqa: S608 - names in this package
)


def renumber(spi: Spi) -> None:
    """Give requests other numbers that have those of runs already; what has been withdrawn remains so."""
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
