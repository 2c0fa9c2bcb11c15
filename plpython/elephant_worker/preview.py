"""When schedules are due, for SQL: answers as rows, mistakes as values of the type `refusal`."""

from __future__ import annotations

from datetime import datetime
from itertools import islice, takewhile
from typing import Any

from .errors import Refusal
from .schedule import Timing, dst_policy, time_zone
from .schedule import schedule as read_schedule


def due_times(
    schedule: str | None,
    timezone: str,
    dst: str,
    starts_at: float | None,
    ends_at: float | None,
    after: float,
    until: float | None,
    count: int,
    seed: str | None,
) -> dict[str, Any]:
    """The function `due_times`."""
    try:
        if schedule is None:
            time_zone(timezone)
            dst_policy(dst)
            return {"due": [], "never": None, "refusal": None}
        read = read_schedule(schedule, timezone, dst, seed or "")
    except Refusal as refusal:
        return {"due": None, "never": None, "refusal": refusal.as_row()}
    impossible = read.never_due()
    due = Timing(read, after, starts_at, ends_at).preview(after)
    if until is not None:
        due = takewhile(lambda instant: instant <= until, due)
    found = list(islice(due, count))
    never = None
    if impossible is not None:
        which = f"Entry {impossible}" if len(read.entries) > 1 else "It"
        never = f"{which} is for days that never come."
    elif not found and not read.at_reboot:
        never = "No such time lies in the future, or none in the window from starts_at to ends_at."
    return {"due": found, "never": never, "refusal": None}


def zone_offsets(name: str, moments: list[float]) -> list[float] | None:
    """The function `zone_offsets`."""
    try:
        zone = time_zone(name)
    except Refusal:
        return None
    offsets = (datetime.fromtimestamp(moment, zone).utcoffset() for moment in moments)
    return [offset.total_seconds() for offset in offsets if offset is not None]
