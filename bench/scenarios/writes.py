"""What a run writes: WAL, rows inserted and updated by table, and how tables have grown after a million
runs, or as many as there were in three and a half minutes."""

from __future__ import annotations

import time
from typing import Any

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context

# Enough that the worker is never idle.
JOBS = 10_000
COUNTED = "SELECT coalesce(sum(success_count), 0)::int8 FROM job_statistic"
UPDATES = ("updates", "HOT updates")
KINDS = {"job_log": ("inserts", *UPDATES), "job_state": UPDATES, "job_statistic": UPDATES}


def measure(context: Context) -> None:
    runs, patience = (20_000, 20) if context.quick else (1_000_000, 210)
    with context.elephant_worker() as ours:
        before = _counts(ours)
        ours.every_second(JOBS, "SELECT 1")
        ours.server.until(lambda: not ours.server.value("SELECT count(*) FROM worker_request"))
        wal, known = ours.server.wal_bytes(), ours.server.value(COUNTED)
        ours.server.until(lambda: ours.server.value(COUNTED) >= runs, patience)
        wal, known = ours.server.wal_bytes() - wal, ours.server.value(COUNTED) - known
        context.record("WAL per run", ours.name, "", "bytes", [wal / known])
        # The statistics of the worker's backend come when it ends.
        ours.stop_worker()
        time.sleep(2)
        done = ours.server.value("SELECT count(*) FROM job_log")
        context.record("runs", ours.name, "", "", [done])
        after = _counts(ours)
        for table, kinds in KINDS.items():
            changes = [new - old for old, new in zip(before[table], after[table])]
            for kind in kinds:
                number = changes[("inserts", "updates", "HOT updates").index(kind)]
                context.record(f"{kind} per run", ours.name, table, "", [number / done])
            size = ours.server.value("SELECT pg_total_relation_size(%s::regclass)", table)
            context.record("size", ours.name, table, "MB", [size / 2**20])
        size = ours.server.value("SELECT pg_total_relation_size('job_log')")
        context.record("size per run", ours.name, "job_log", "bytes", [size / done])


def _counts(ours: ElephantWorker) -> dict[str, list[int]]:
    rows: list[Any] = ours.server.admin.execute(
        """SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
           WHERE schemaname = 'scheduler'"""
    ).fetchall()
    return {row[0]: list(row[1:]) for row in rows}
