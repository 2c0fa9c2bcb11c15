"""A schedule in plain English."""

from __future__ import annotations

from ..datetimes import datetime, timedelta, tzinfo
from ..errors import UserError
from .due_times import LONGEST_GAP, LONGEST_REPETITION, Schedule, Timing, dst_policy
from .entries import After, Calendar, Interval, Once, Reboot
from .functions import check_arguments
from .parser import bare_line, entry_texts, parse, read_entry
from .slots import slots_in_words
from .time_zones import UTC, clock_changes, time_zone
from .times_of_day import joined, ranges_in_words, times_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .entries import Entry

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", "l": "last"}
YEAR = timedelta(days=366)


def schedule_in_words(schedule: str, timezone: str, dst: str, now: float, seed: str) -> dict[str, Any]:
    """The function `schedule_in_words`."""
    try:
        check_arguments((schedule, timezone, dst, now), (now,))
        return {"words": describe(schedule, timezone, dst, now, seed or ""), "user_error": None}
    except UserError as user_error:
        return {"words": None, "user_error": user_error.as_row()}


def describe(text: str, zone: str, dst: str, now: float, seed: str = "") -> str:
    """The schedule, when it is due next, and the exceptions that changes of the clock make within a
    year. Without a seed (a job) the slots of `H` are not known, nor what follows from them. Raises
    UserError (22023)."""
    entries = parse(text, seed)
    tz = time_zone(zone)
    policy = dst_policy(dst)
    slots = [None if seed else slots_in_words(bare_line(entry)) for entry in entry_texts(text)]
    words = "; and ".join(own or _entry(entry) for own, entry in zip(slots, entries))
    sentences = [f"{words}, {zone}" if any(isinstance(e, (Calendar, Once)) for e in entries) else words]
    if any(slots):
        return "; ".join([*sentences, "next_run_at of a job shows when it is due"])
    timing = Timing(Schedule(entries, tz, dst), now)
    following = next(timing.preview(now), None)
    if following is not None:
        sentences.append(f"next {_moment(datetime.fromtimestamp(following, tz))}")
    elif not timing.schedule.at_reboot:
        sentences.append("never due")
    for entry in entries:
        if isinstance(entry, Calendar) and not entry.wildcard:
            sentences += _exceptions(entry, tz, policy, now)
        elif isinstance(entry, Once) and entry.moment.tzinfo is None:
            sentences += _exceptions(entry, tz, dst_policy("cron"), now)
    return "; ".join(sentences)


def entry_in_words(text: str) -> str:
    """One entry, with nothing about when it is due next. Raises Mistake."""
    return slots_in_words(bare_line(text)) or _entry(read_entry(text))


def _entry(entry: Entry) -> str:
    if isinstance(entry, Calendar):
        return _calendar(entry)
    if isinstance(entry, Interval):
        period = _period(entry.seconds)
        return f"every {period.removeprefix('1 ') if period.count(' ') == 1 else period}"
    if isinstance(entry, After):
        return f"{_period(entry.seconds)} after each run has ended"
    if isinstance(entry, Once):
        return f"once, {_moment(entry.moment)}{entry.moment.strftime(' %z').rstrip()}"
    assert isinstance(entry, Reboot)
    return "when the server has been started"


def _period(seconds: int) -> str:
    from .periods import in_words

    return in_words(seconds)


def _moment(moment: datetime) -> str:
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"on {_date(moment)} at {clock}"


def _date(moment: datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


# --- calendar entries -----------------------------------------------------------------------


def _calendar(entry: Calendar) -> str:
    words = [times_in_words(entry.seconds, entry.minutes, entry.hours)]
    if days := _days(entry):
        words.append(days)
    elif len(entry.hours) < 24 and len(entry.months) == 12:
        words.append("every day")
    if len(entry.months) < 12:
        words.append("in " + ranges_in_words(entry.months, lambda month: MONTHS[month - 1]))
    return " ".join(words)


def _days(entry: Calendar) -> str:
    days = ""
    if len(entry.days) < 31:
        parts = ["the last day of the month"] * entry.last_day
        if entry.days:
            parts.insert(0, f"day {ranges_in_words(entry.days)} of the month")
        days = "on " + joined(parts)
    weekdays = ""
    if len(entry.weekdays) < 7:
        # The week begins with Monday, so that a weekend is a range.
        order = sorted((day - 1) % 7 for day in entry.weekdays)
        parts = [ranges_in_words(order, lambda day: WEEKDAYS[(day + 1) % 7])] if order else []
        parts += [f"the {ORDINALS[nth]} {WEEKDAYS[day]} of the month" for day, nth in entry.nth_weekdays]
        weekdays = "on " + joined(parts)
    if entry.both_days:
        return f"{weekdays}, if it is {days.removeprefix('on ')}" if days and weekdays else days or weekdays
    # Either will do, and so every day where one of the fields allows all.
    return f"{days} and also {weekdays}" if days and weekdays else ""


# --- changes of the clock -------------------------------------------------------------------


def _exceptions(entry: Calendar | Once, zone: tzinfo, policy: tuple[bool, bool], now: float) -> list[str]:
    """What becomes of the times that the changes of the clock within a year skip or repeat."""
    make_up, repeat = policy
    found = []
    start = datetime.fromtimestamp(now, UTC)
    for change in clock_changes(start, start + YEAR, zone):
        skipped = change.after > change.before
        begin, end = sorted((change.before, change.after))
        if end - begin >= LONGEST_GAP if skipped else end - begin > LONGEST_REPETITION:
            continue
        times = _due_between(entry, begin, end)
        if not times:
            continue
        date, clocks = _date(begin), joined([f"{time:%H:%M}" for time in times[:3]] + ["..."] * (len(times) > 3))
        exist, come = ("do not exist", "come twice") if len(times) > 1 else ("does not exist", "comes twice")
        if skipped:
            made_up = f"on {date} at {end:%H:%M} because {clocks} {exist}"
            found.append(made_up if make_up else f"not on {date} because {clocks} {exist}")
        else:
            found.append(f"on {date} {'twice because' if repeat else 'once though'} {clocks} {come}")
    return found


def _due_between(entry: Calendar | Once, begin: datetime, end: datetime) -> list[datetime]:
    """The matching wall times from `begin` to before `end`, whether a clock shows them or not."""
    times = []
    for due in Timing(Schedule((entry,), UTC, "wall")).following(begin.replace(tzinfo=UTC).timestamp() - 1):
        moment = datetime.fromtimestamp(due, UTC).replace(tzinfo=None)
        if moment >= end:
            break
        times.append(moment)
    return times
