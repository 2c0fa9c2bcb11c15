"""A schedule in plain English.

cron-descriptor puts times of day into words. The days are ours: it reads two day fields together
as one or the other, whatever they begin with, and an uneven step as a rhythm.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from cron_descriptor import CasingTypeEnum, ExpressionDescriptor, Options

from ..errors import UserError
from .due_times import LONGEST_GAP, LONGEST_REPETITION, Schedule, Timing, dst_policy
from .entries import After, Calendar, Entry, Interval, Once, Reboot
from .functions import check_arguments
from .parser import bare_line, entry_texts, parse, read_entry
from .periods import in_words
from .ranges import in_ranges, ranges
from .slots import slots_in_words
from .time_zones import UTC, clock_changes, time_zone

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
        period = in_words(entry.seconds)
        return f"every {period.removeprefix('1 ') if period.count(' ') == 1 else period}"
    if isinstance(entry, After):
        return f"{in_words(entry.seconds)} after each run has ended"
    if isinstance(entry, Once):
        return f"once, {_moment(entry.moment)}{entry.moment.strftime(' %z').rstrip()}"
    assert isinstance(entry, Reboot)
    return "when the server has been started"


def _moment(moment: datetime) -> str:
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"on {_date(moment)} at {clock}"


def _date(moment: datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


# --- calendar entries -----------------------------------------------------------------------


def _calendar(entry: Calendar) -> str:
    words = [_times(entry)]
    if days := _days(entry):
        words.append(days)
    elif len(entry.hours) < 24 and len(entry.months) == 12:
        words.append("every day")
    if len(entry.months) < 12:
        words.append("in " + _listed([MONTHS[month - 1] for month in entry.months], entry.months, "and"))
    return " ".join(words)


@lru_cache(maxsize=100)
def _options() -> Options:
    return Options(casing_type=CasingTypeEnum.Sentence, use_24hour_time_format=True, locale_code="en_GB")


def _times(entry: Calendar) -> str:
    hours = ",".join(map(str, entry.hours)) if len(entry.minutes) == 1 and len(entry.hours) < 9 else None
    fields = [_field(entry.seconds, 60), _field(entry.minutes, 60), hours or _field(entry.hours, 24)]
    if fields[0] == "0":
        del fields[0]
    words: str = ExpressionDescriptor(" ".join([*fields, "*", "*", "*"]), _options()).get_description()
    return words[0].lower() + words[1:]


def _field(values: tuple[int, ...], size: int) -> str:
    """The numbers as a field that cron-descriptor reads well."""
    if len(values) == size:
        return "*"
    step = size // len(values)
    if len(values) > 1 and values == tuple(range(0, size, step)) and size % step == 0:
        return f"*/{step}"
    return in_ranges(values)


def _listed(names: list[str], values: tuple[int, ...], joint: str) -> str:
    by_value = dict(zip(values, names))
    return _join(
        [
            by_value[first] if first == last else f"{by_value[first]} through {by_value[last]}"
            for first, last in ranges(values)
        ],
        joint,
    )


def _join(parts: list[str], joint: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {joint} {parts[-1]}"


def _days(entry: Calendar) -> str:
    days = ""
    if len(entry.days) < 31:
        parts = ["the last day of the month"] * entry.last_day
        if entry.days:
            parts.insert(0, "day " + _listed(list(map(str, entry.days)), entry.days, "and") + " of the month")
        days = "on " + _join(parts, "and")
    weekdays = ""
    if len(entry.weekdays) < 7:
        # The week begins with Monday, so that a weekend is a range.
        order = sorted((day - 1) % 7 for day in entry.weekdays)
        parts = [_listed([WEEKDAYS[(day + 1) % 7] for day in order], tuple(order), "and")] if order else []
        parts += [f"the {ORDINALS[nth]} {WEEKDAYS[day]} of the month" for day, nth in entry.nth_weekdays]
        weekdays = "on " + _join(parts, "and")
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
        date, clocks = _date(begin), _join([f"{time:%H:%M}" for time in times[:3]] + ["…"] * (len(times) > 3), "and")
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
