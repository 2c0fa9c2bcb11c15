"""The table alert: what has been told, or should have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from ..jobs.alerts import FAILING, Alert, AlertEvent, Episode, Episodes
from . import worker_request
from .spi import Spi, Statement, columns_of, lookup, numbered

# The types of the columns that the fields of an Alert go to, in their order.
TYPES = ("text", "float8", "int8", "text", "int8") + ("name",) * 3 + ("text", "int4", "bool", "int4") + ("float8",) * 2
NAMES = [field.name for field in fields(Alert)]
FIELDS = ", ".join(NAMES)
# astuple() of dataclasses copies each value, which takes longer than all the rest.
values_of = attrgetter(*NAMES)
ADD = Statement(
    f"""INSERT INTO @extschema@.alert
           (alert_id, event, raised_at, job_id, job_name, jl_id, rolname, datname, server, sqlstate, attempt, retry,
            explanation, repetition, since, told_at)
       SELECT nextval('@extschema@.worker_inbox_request_id_seq'), n.event, to_timestamp(n.at), n.job_id, n.job_name,
              n.jl_id, n.rolname, n.datname, n.server, n.sqlstate, n.attempt, n.retry,
              n.explanation, n.repetition, to_timestamp(n.since), to_timestamp(n.told)
       FROM (SELECT a.event, a.at, a.job_id, j.job_name, a.jl_id, a.sqlstate, a.attempt, a.retry, a.explanation,
                    a.repetition, a.since, a.told,
                    coalesce(a.rolname, j.rolname) AS rolname, coalesce(a.datname, j.datname) AS datname,
                    CASE WHEN a.rolname IS NULL THEN j.server ELSE a.server END AS server
             FROM unnest({", ".join(f"${number}" for number in range(1, len(TYPES) + 1))})
                      WITH ORDINALITY a ({FIELDS}, ordinality)
             LEFT JOIN {lookup("ONLY @extschema@.job", "a.job_id")} j ON true
             ORDER BY a.ordinality) n""",  # noqa: S608 - names of columns
    *(f"{name}[]" for name in TYPES),
)


def add(spi: Spi, alerts: Sequence[Alert]) -> None:
    """Write alerts; a job that they are about without a role or database says which."""
    columns = columns_of(map(values_of, alerts))
    try:
        spi.execute(ADD, *columns)
    except spi.exceptions.UniqueViolation:
        # That is not undone by the rollback: the next transaction has new numbers.
        worker_request.advance_sequences(spi)
        raise
    spi.count_writes("alert", len(alerts))


EPISODES = Statement(
    f"""SELECT n.job_id, k.kind, date_part('epoch', a.since) AS since, date_part('epoch', a.told_at) AS told,
           a.repetition
       FROM unnest($1) n (job_id)
       LEFT JOIN {numbered("@extschema@.job_statistic", "job_id", "n.job_id")} t ON true
       CROSS JOIN unnest($2) k (kind)
       CROSS JOIN LATERAL (
           SELECT l.since, l.told_at, l.repetition FROM @extschema@.alert l
           WHERE (l.job_id, l.alert_id) >= (n.job_id, 0) AND (l.job_id, l.alert_id) <= (n.job_id, 9223372036854775807)
               AND l.raised_at > coalesce(t.last_success, '-infinity')
               AND CASE WHEN l.event = ANY ($3) THEN $4 ELSE l.event END = k.kind
           ORDER BY l.job_id DESC, l.alert_id DESC LIMIT 1) a""",  # noqa: S608 - names in this package
    *("int8[]", "text[]", "text[]", "text"),
)
# Alerts that repeat while something lasts.
KINDS = [AlertEvent.FAILED, AlertEvent.MISSED, AlertEvent.OVERDUE, AlertEvent.OVERRUN, AlertEvent.QUARANTINED]


def episodes(spi: Spi, job_ids: Sequence[int]) -> dict[int, Episodes]:
    """What has been told of these jobs since their last success."""
    found: dict[int, Episodes] = {job_id: {} for job_id in job_ids}
    for row in spi.execute(EPISODES, job_ids, KINDS, list(FAILING), AlertEvent.FAILED):
        found[row["job_id"]][AlertEvent(row["kind"])] = Episode(row["since"], row["told"], row["repetition"])
    return found


PRUNE_BY_AGE = Statement(
    # What a session that marks alerts holds is passed over, and found again when the worker next begins.
    """WITH oldest AS MATERIALIZED (
           SELECT a.alert_id, a.ctid, a.raised_at < to_timestamp($2) AS old FROM @extschema@.alert a
           WHERE a.alert_id >= $1 ORDER BY a.alert_id LIMIT $3),
       free AS MATERIALIZED (
           SELECT a.ctid FROM @extschema@.alert a
           WHERE a.ctid = ANY (ARRAY(SELECT o.ctid FROM oldest o WHERE o.old)) FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM @extschema@.alert a WHERE a.ctid = ANY (ARRAY(SELECT f.ctid FROM free f)))
       SELECT count(*) FILTER (WHERE o.old) AS gone,
           coalesce(min(o.alert_id) FILTER (WHERE NOT o.old), max(o.alert_id) + 1, $1) AS lowest
       FROM oldest o""",
    *("int8", "float8", "int4"),
)


def prune_by_age(spi: Spi, lowest: int, before: float, limit: int) -> tuple[int, int]:
    """Delete the oldest alerts that were raised before this moment, from this number on; returns how many, and from
    which number on the next ones are."""
    row = spi.execute(PRUNE_BY_AGE, lowest, before, limit)[0]
    spi.count_writes("alert", row["gone"])
    return row["gone"], row["lowest"]


PRUNE_BY_COUNT = Statement(
    """WITH surplus AS MATERIALIZED (
           SELECT o.alert_id, o.ctid FROM @extschema@.alert o
           WHERE (o.job_id, o.alert_id) >= ($1, $4) AND (o.job_id, o.alert_id) <= ($1, (
               SELECT a.alert_id FROM @extschema@.alert a
               WHERE (a.job_id, a.alert_id) >= ($1, $4) AND (a.job_id, a.alert_id) <= ($1, 9223372036854775807)
               ORDER BY a.job_id DESC, a.alert_id DESC OFFSET $2 LIMIT 1))
           ORDER BY o.job_id, o.alert_id LIMIT $3 FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM @extschema@.alert a WHERE a.ctid = ANY (ARRAY(SELECT o.ctid FROM surplus o)))
       SELECT count(*) AS gone, coalesce(max(s.alert_id) + 1, $4) AS lowest FROM surplus s""",
    *("int8", "int4", "int4", "int8"),
)


def prune_by_count(spi: Spi, job_id: int, kept: int, limit: int, lowest: int) -> tuple[int, int]:
    """Delete the oldest alerts about a job beyond the number to keep, up to a limit, from this number on; returns how
    many, and from which number on the next ones are. What a session that marks alerts holds is passed over, and found
    again when the worker next begins."""
    row = spi.execute(PRUNE_BY_COUNT, job_id, kept, limit, lowest)[0]
    spi.count_writes("alert", row["gone"])
    return row["gone"], row["lowest"]
