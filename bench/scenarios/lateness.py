"""How late jobs start, as they record themselves: one that is due alone, and a hundred at once, in
sessions that are kept and in new ones; and whether a hundred start in the order of their due times."""

from __future__ import annotations

import itertools
import time
from datetime import datetime, timedelta

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context
from bench.server import record

TOGETHER = 100


def measure(context: Context) -> None:
    with context.elephant_worker() as ours:
        for kept, idle_time in (("kept sessions", "3 seconds"), ("new sessions", "0")):
            ours.server.admin.execute("UPDATE worker_setting SET session_idle_time = %s", (idle_time,))
            values = _alone(ours, 100 if context.quick else 500)
            context.record("lateness", ours.name, f"1 job due, {kept}", "ms", values)
        ours.server.admin.execute("UPDATE worker_setting SET session_idle_time = '3 seconds'")
        for _ in range(2 if context.quick else 10):
            time.sleep(4)  # until no session is left
            due = _in(ours, 1.0)
            for number, case in enumerate(("new sessions", "kept sessions")):
                values = _together(ours, due + timedelta(seconds=1.5 * number))
                context.record("lateness", ours.name, f"{TOGETHER} jobs due, {case}", "ms", values)
        inversions = _order(ours)
        context.record(
            "started out of order", ours.name, f"{TOGETHER} jobs, 1 ms apart", "pairs of neighbours", [inversions]
        )


def _in(ours: ElephantWorker, seconds: float) -> datetime:
    moment: datetime = ours.server.value("SELECT clock_timestamp()")
    return moment + timedelta(seconds=seconds)


def _milliseconds(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds() * 1000


def _alone(ours: ElephantWorker, count: int) -> list[float]:
    """One job every 40 ms."""
    first = _in(ours, 1.0 + count * 0.002)
    due = {f"alone {number}": first + timedelta(milliseconds=40 * number) for number in range(count)}
    return _lateness(ours, due)


def _order(ours: ElephantWorker) -> int:
    first = _in(ours, 1.5)
    due = {f"order {number:03}": first + timedelta(milliseconds=number) for number in range(TOGETHER)}
    _lateness(ours, due, clear=False)
    tags = [row[0] for row in ours.server.admin.execute("SELECT tag FROM public.witness ORDER BY began")]
    ours.server.admin.execute("TRUNCATE public.witness")
    return sum(first > second for first, second in itertools.pairwise(tags))


def _lateness(ours: ElephantWorker, due: dict[str, datetime], clear: bool = True) -> list[float]:
    """Define jobs that are due once each; milliseconds by which each started late."""
    with ours.server.admin.transaction():
        for tag, moment in due.items():
            ours.due_at_instant(moment, 1, record(tag))
    ours.server.until(lambda: ours.server.value("SELECT count(*) FROM public.witness") >= len(due))
    rows = ours.server.admin.execute("SELECT tag, began FROM public.witness").fetchall()
    ours.clear()
    if clear:
        ours.server.admin.execute("TRUNCATE public.witness")
    return [_milliseconds(began, due[tag]) for tag, began in rows]


def _together(ours: ElephantWorker, due: datetime) -> list[float]:
    ours.due_at_instant(due, TOGETHER, record("together"))
    ours.server.until(lambda: ours.server.count("together") >= TOGETHER)
    began = ours.server.witnessed("together")
    ours.server.admin.execute("TRUNCATE public.witness")
    ours.clear()
    return [_milliseconds(moment, due) for moment in began]
