"""A past that has not been: jobs with a log, for pictures and benchmarks of what shows it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import psycopg


@dataclass(frozen=True)
class Past:
    """A job, and how its runs went."""

    name: str
    schedule: str
    # Seconds from one due time to the next, in the log.
    every: float
    # Seconds that a run takes, and by how many times that has grown at the end.
    takes: float
    growth: float = 1.0
    # Which share of its runs ended otherwise, how, and with what message ({} is a number).
    trouble: float = 0.0
    state: str = "failed"
    sqlstate: str = "22012"
    message: str = "division by zero"
    # Seconds late, on average.
    late: float = 0.004
    timezone: str = "Europe/Berlin"
    rolname: str = "postgres"
    datname: str = "postgres"
    enabled: bool = True


COLUMNS = (
    "jl_id", "job_id", "rolname", "datname", "cause", "scheduled_at", "job_started", "job_finished", "state",
    "job_command", "job_sqlstate", "exception_message", "missed_count", "missed_until", "job_name",
)  # fmt: skip


def live_through(admin: psycopg.Connection[Any], jobs: Iterable[Past], seconds: float, seed: int = 1) -> int:
    """Define the jobs and write what has run in the last seconds; returns the number of runs. No worker runs."""
    chance = random.Random(seed)
    numbered = [(_define(admin, job), job) for job in jobs]
    now = admin.execute("SELECT extract(epoch FROM now())::float8").fetchone()[0]  # type: ignore[index]
    rows = sorted(
        (row for number, job in numbered for row in _runs(chance, number, job, now, seconds)), key=lambda row: row[4]
    )
    admin.execute("CREATE TEMP TABLE past (LIKE job_log INCLUDING DEFAULTS)")
    with admin.cursor() as cursor, cursor.copy(f"COPY past ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for jl_id, row in enumerate(rows, 1):
            copy.write_row((jl_id, *row))
    with admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("INSERT INTO job_log SELECT * FROM past")
        admin.execute(
            """INSERT INTO job_state (job_id, schedule_set_at, next_run_at)
               SELECT job_id, schedule_set_at, first_run_at FROM job"""
        )
        admin.execute(
            """INSERT INTO job_statistic (job_id, last_executed, failure_count, last_states)
               SELECT job_id, max(job_started),
                   count(*) FILTER (WHERE state <> 'succeeded' AND jl_id > coalesce(g.success, 0)),
                   (array_agg(state ORDER BY jl_id DESC))[1:10]
               FROM past
               LEFT JOIN (SELECT job_id, max(jl_id) AS success FROM past WHERE state = 'succeeded' GROUP BY 1) g
                   USING (job_id)
               WHERE state NOT IN ('missed', 'skipped', 'running') GROUP BY 1"""
        )
    admin.execute("SELECT setval('worker_inbox_request_id_seq', %s)", (len(rows) + 1,))
    admin.execute("DROP TABLE past")
    admin.execute("VACUUM ANALYZE job_log, job_statistic, job_state")
    return len(rows)


def _define(admin: psycopg.Connection[Any], job: Past) -> int:
    row = admin.execute(
        """INSERT INTO member_job (job_command, schedule, job_name, timezone, rolname, datname, enabled)
           VALUES ('SELECT 1', %s, %s, %s, %s, %s, %s) RETURNING job_id""",
        (job.schedule, job.name, job.timezone, job.rolname, job.datname, job.enabled),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _runs(chance: random.Random, number: int, job: Past, now: float, seconds: float) -> Iterator[tuple[Any, ...]]:
    due = now - seconds + job.every - (now - seconds) % min(job.every, 3600)
    while due < now:
        share = 1 - (now - due) / seconds
        late = chance.expovariate(1 / job.late)
        takes = job.takes * (1 + (job.growth - 1) * share) * chance.lognormvariate(0, 0.2)
        state, sqlstate, message = "succeeded", "00000", None
        if chance.random() < job.trouble:
            state, sqlstate, message = job.state, job.sqlstate, job.message.format(chance.randrange(10_000, 99_999))
        started = _moment(due + late) if state not in ("missed", "skipped") else None
        ended = due + late + (takes if started else 0)
        if ended > now:
            return
        missed = (1, _moment(due)) if state == "missed" else (None, None)
        yield (
            number, job.rolname, job.datname, "schedule", _moment(due), started,
            _moment(ended), state, "SELECT 1", sqlstate, message, *missed, job.name,
        )  # fmt: skip
        due += job.every


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
