"""When schedules are due, for SQL: answers as rows, mistakes as values of the type `user_error`."""

from __future__ import annotations

from itertools import islice, takewhile

from ..datetimes import datetime
from ..errors import UserError
from .due_times import Timing, dst_policy
from .due_times import schedule as read_schedule
from .time_zones import time_zone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

# As many due times as one call finds.
MOST = 10_001  # due times
# After so many the server is given a chance to end the search.
BETWEEN_INTERRUPTS = 20  # due times
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
    anchor: float | None = None,
    let_interrupt: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """The function `due_times`; `let_interrupt` raises an exception with an SQLSTATE where the search is to end."""
    try:
        check_arguments((timezone, dst, after, count), (starts_at, after, anchor))
        if schedule is None:
            dst_policy(dst)
            time_zone(timezone)
            return {"due": [], "never": None, "user_error": None}
        read = read_schedule(schedule, timezone, dst, seed or "")
        impossible = read.never_due
        due = Timing(read, after if anchor is None else anchor, starts_at, ends_at).preview(after)
        if until is not None:
            due = takewhile(lambda instant: instant <= until, due)
        found = list(islice(_interruptible(due, let_interrupt), min(max(count, 0), MOST)))
    except UserError as user_error:
        return {"due": None, "never": None, "user_error": user_error.as_row()}
    never = None
    if impossible is not None:
        which = f"Entry {impossible}" if len(read.entries) > 1 else "It"
        never = f"{which} is for days that never come."
    elif not found and (not read.at_reboot or (ends_at is not None and ends_at < after)):
        never = "No such time lies in the future, or none in the window from starts_at to ends_at."
    return {"due": found, "never": never, "user_error": None}


def _interruptible(moments: Iterator[float], let_interrupt: Callable[[], object]) -> Iterator[float]:
    for number, moment in enumerate(moments, 1):
        if number % BETWEEN_INTERRUPTS == 0:
            try:
                let_interrupt()
            except Exception as error:
                if not hasattr(error, "sqlstate"):
                    raise
                raise UserError(
                    str(error),
                    "The search for due times was interrupted.",
                    "Ask for fewer due times, or for a shorter time.",
                    error.sqlstate,
                ) from None
        yield moment


def doubt_schedule(schedule: str, notice: Callable[..., object]) -> None:
    """The function `doubt_schedule`."""
    from .doubts import doubt

    try:
        doubted = doubt(schedule)
    except UserError:
        return
    if doubted is not None:
        from ..vendor import vendored

        with vendored():
            from .description import entry_in_words

        words = entry_in_words(doubted.entry)
        notice(f'schedule "{doubted.entry}" means: {words}', detail=doubted.detail, hint=doubted.hint)


def doubt_time_zone(timezone: str, notice: Callable[..., object]) -> None:
    """The function `doubt_time_zone`."""
    from .posix_zones import doubt

    doubted = doubt(timezone)
    if doubted is not None:
        notice(f'time zone "{timezone}" is {doubted.meaning}', detail=doubted.detail, hint=doubted.hint)


def zone_offsets(name: str, moments: list[float]) -> list[float] | None:
    """The function `zone_offsets`."""
    try:
        check_arguments((name, moments), moments or ())
        zone = time_zone(name)
    except UserError:
        return None
    offsets = (datetime.fromtimestamp(moment, zone).utcoffset() for moment in moments)
    return [offset.total_seconds() for offset in offsets if offset is not None]
