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
        context.record("ahead of one due earlier", ours.name, f"{TOGETHER} jobs, 1 ms apart", "ms", [_order(ours)])


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


def _order(ours: ElephantWorker) -> float:
    """By how many milliseconds at the most a job began before one that was due earlier."""
    first = _in(ours, 1.5)
    due = {f"order {number:03}": first + timedelta(milliseconds=number) for number in range(TOGETHER)}
    began = [first + timedelta(milliseconds=number + late) for number, late in enumerate(_lateness(ours, due))]
    return max(_milliseconds(latest, one) for latest, one in zip(itertools.accumulate(began, max), began))


def _lateness(ours: ElephantWorker, due: dict[str, datetime]) -> list[float]:
    """Define jobs that are due once each; milliseconds by which each started late, in the order given."""
    with ours.server.admin.transaction():
        for tag, moment in due.items():
            ours.due_at_instant(moment, 1, record(tag))
    ours.server.until(lambda: ours.server.value("SELECT count(*) FROM public.witness") >= len(due))
    began = dict(ours.server.admin.execute("SELECT tag, began FROM public.witness").fetchall())
    ours.clear()
    ours.server.admin.execute("TRUNCATE public.witness")
    return [_milliseconds(began[tag], moment) for tag, moment in due.items()]


def _together(ours: ElephantWorker, due: datetime) -> list[float]:
    ours.due_at_instant(due, TOGETHER, record("together"))
    ours.server.until(lambda: ours.server.count("together") >= TOGETHER)
    began = ours.server.witnessed("together")
    ours.server.admin.execute("TRUNCATE public.witness")
    ours.clear()
    return [_milliseconds(moment, due) for moment in began]
