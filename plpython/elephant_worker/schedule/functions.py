"""When schedules are due, for SQL: answers as rows, mistakes as values of the type `user_error`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice, takewhile
from typing import Any

from ..errors import UserError
from .due_times import Timing, dst_policy, time_zone
from .due_times import schedule as read_schedule

# As many due times as one call finds: nothing interrupts the search, not even a shutdown.
MOST = 10_001
# What the calendar is walked for, with room to walk: from the year 68 to 8941.
EARLIEST, LATEST = -6.0e10, 2.2e11


def check_arguments(needed: Iterable[object], moments: Iterable[float | None]) -> None:
    """Who calls the functions directly may give them anything. Raises UserError (22004, 22008)."""
    if any(value is None for value in needed):
        raise UserError(
            "an argument is missing",
            "Only schedule, starts_at, ends_at and until can be NULL.",
            "Give a value, or leave it out to use its default.",
            "22004",
        )
    if not all(EARLIEST <= moment <= LATEST for moment in moments if moment is not None):
        raise UserError(
            "a moment is out of range",
            "Schedules are followed from the year 68 to the year 8941.",
            "Choose another starts_at or after.",
            "22008",
        )


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
        check_arguments((timezone, dst, after, count), (starts_at, after))
        if schedule is None:
            time_zone(timezone)
            dst_policy(dst)
            return {"due": [], "never": None, "user_error": None}
        read = read_schedule(schedule, timezone, dst, seed or "")
    except UserError as user_error:
        return {"due": None, "never": None, "user_error": user_error.as_row()}
    impossible = read.never_due
    due = Timing(read, after, starts_at, ends_at).preview(after)
    if until is not None:
        due = takewhile(lambda instant: instant <= until, due)
    found = list(islice(due, min(max(count, 0), MOST)))
    never = None
    if impossible is not None:
        which = f"Entry {impossible}" if len(read.entries) > 1 else "It"
        never = f"{which} is for days that never come."
    elif not found and not read.at_reboot:
        never = "No such time lies in the future, or none in the window from starts_at to ends_at."
    return {"due": found, "never": never, "user_error": None}


def zone_offsets(name: str, moments: list[float]) -> list[float] | None:
    """The function `zone_offsets`."""
    try:
        check_arguments((name, moments), moments or ())
        zone = time_zone(name)
    except UserError:
        return None
    offsets = (datetime.fromtimestamp(moment, zone).utcoffset() for moment in moments)
    return [offset.total_seconds() for offset in offsets if offset is not None]
