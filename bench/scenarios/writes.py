"""What a run writes: WAL, rows inserted and updated by table, and how tables have grown after many."""

from __future__ import annotations

import time
from typing import Any

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context

TABLES = ("job_log", "job_state", "worker_inbox", "worker_state")
# Jobs that are all done in time, so that no backlog distorts the picture.
JOBS = 200


def measure(context: Context) -> None:
    runs = 3_000 if context.quick else 100_000
    with context.elephant_worker() as ours:
        before, wal = _counts(ours), ours.server.wal_bytes()
        ours.every_second(JOBS if context.quick else JOBS * 10, "SELECT 1")
        ours.server.until(lambda: ours.logged() >= runs, 600)
        ours.clear()
        # The statistics of the worker's backend come when it ends.
        ours.server.admin.execute("SELECT stop_worker()")
        ours.server.until(lambda: not ours.server.value("SELECT running FROM worker_status"))
        time.sleep(2)
        done = ours.logged()
        wal = ours.server.wal_bytes() - wal
        context.record("runs", ours.name, "", "", [done])
        context.record("WAL per run", ours.name, "", "bytes", [wal / done])
        after = _counts(ours)
        for table in TABLES:
            for number, what in enumerate(("inserts", "updates", "HOT updates", "deletes")):
                value = (after[table][number] - before[table][number]) / done
                context.record(f"{what} per run", ours.name, table, "", [value])
            size = ours.server.value("SELECT pg_total_relation_size(%s::regclass)", table)
            context.record("size", ours.name, table, "MB", [size / 2**20])
        context.record(
            "size per run",
            ours.name,
            "job_log",
            "bytes",
            [ours.server.value("SELECT pg_total_relation_size('job_log')") / done],
        )


def _counts(ours: ElephantWorker) -> dict[str, list[int]]:
    rows: list[Any] = ours.server.admin.execute(
        """SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del FROM pg_stat_user_tables
           WHERE schemaname = 'scheduler'"""
    ).fetchall()
    return {row[0]: list(row[1:]) for row in rows}
