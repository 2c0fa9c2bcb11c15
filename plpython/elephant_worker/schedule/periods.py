"""Lengths of time, as intervals and @after have them.

Read are numbers with units as people, PostgreSQL and Go write them, and ISO 8601 durations.

>>> read_period("1 hour 30 minutes"), read_period("1h30m"), read_period("1.5 hours"), read_period("PT1H30M")
(5400, 5400, 5400, 5400)
"""

from __future__ import annotations

import re

from .entries import Mistake, did_you_mean, shown

LONGEST = 400 * 86_400  # seconds

# The names of a unit, the shown one first, and its seconds.
_UNITS = (
    (("seconds", "second", "secs", "sec", "s"), 1),
    (("minutes", "minute", "mins", "min", "m"), 60),
    (("hours", "hour", "hrs", "hr", "h"), 3_600),
    (("days", "day", "d"), 86_400),
    (("weeks", "week", "w"), 604_800),
)
UNITS = {name: seconds * 1_000_000 for names, seconds in _UNITS for name in names}
# Drivers write these, as a rest of none.
UNITS |= {"milliseconds": 1_000, "millisecond": 1_000, "ms": 1_000, "microseconds": 1, "microsecond": 1, "us": 1}
# Units that are no fixed number of seconds, and the schedule that is meant instead.
_CALENDAR_UNITS = {"mon": "@monthly", "month": "@monthly", "year": "@yearly", "yr": "@yearly", "y": "@yearly"}

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}"
_PART = re.compile(rf"({_NUMBER})[ \t]*([^\W\d_]+)[ \t]*", re.ASCII)
# As interval shows it in the session's IntervalStyle: 1 day 02:03:04, @ 1 day 2 hours, P1DT2H.
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d)(?::([0-5]\d(?:\.\d{1,9})?))?", re.ASCII)
_ISO = re.compile(
    rf"P(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?", re.ASCII
)
_ISO_UNITS = (UNITS["w"], UNITS["d"], UNITS["h"], UNITS["m"], UNITS["s"])


def read_period(text: str) -> int:
    """The seconds of a length of time, 1 second to 400 days. Raises Mistake."""
    if match := _ISO.fullmatch(text):
        microseconds = sum(_microseconds(number, unit) for number, unit in zip(match.groups(), _ISO_UNITS) if number)
    else:
        microseconds = _in_words(text)
    return _whole_seconds(text, microseconds)


def _in_words(text: str) -> int:
    rest = text.removeprefix("@").strip()
    total = 0
    position = 0
    while match := _PART.match(rest, position):
        number, unit = match.groups()
        # M is a month to ISO 8601 and systemd, a minute to PostgreSQL.
        length = None if unit == "M" else UNITS.get(unit.lower())
        if length is None:
            raise Mistake(f'"{shown(unit)}" is not a unit of an interval.', _unit_hint(number, unit))
        total += _microseconds(number, length)
        position = match.end()
    if match := _CLOCK.fullmatch(rest, position):
        total += sum(_microseconds(number or "0", unit) for number, unit in zip(match.groups(), _ISO_UNITS[2:]))
        position = match.end()
    if not rest or position != len(rest):
        raise Mistake(
            f'"{shown(text)}" is not an interval.',
            "Write numbers and units, as in 30 seconds, @every 90 minutes or @after 1 hour 30 minutes.",
        )
    return total


def _microseconds(number: str, length: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole or 0) * length + int(fraction.ljust(9, "0")) * length // 1_000_000_000


def _whole_seconds(text: str, microseconds: int) -> int:
    seconds, rest = divmod(microseconds, 1_000_000)
    if microseconds == 0:
        raise Mistake(f'"{shown(text)}" is no time at all.', "The shortest interval is 1 second.")
    if rest:
        raise Mistake(f'"{shown(text)}" is no whole number of seconds.', "The shortest interval is 1 second.")
    if seconds > LONGEST:
        raise Mistake(f'"{shown(text)}" is longer than 400 days.', "Use a crontab line, as in 0 0 1 1 *.")
    return seconds


def in_words(seconds: int) -> str:
    """A number of seconds as an interval is written.

    >>> in_words(5400)
    '1 hour 30 minutes'
    """
    parts = []
    for names, length in reversed(_UNITS[:-1]):
        number, seconds = divmod(seconds, length)
        if number:
            parts.append(f"{number} {names[0] if number > 1 else names[1]}")
    return " ".join(parts)


def _unit_hint(number: str, unit: str) -> str:
    import difflib

    name = unit.lower().removesuffix("s")
    if unit == "M":
        return f"Did you mean {number} minutes, or @monthly? M is a minute to some and a month to others."
    if name in _CALENDAR_UNITS:
        meant = _CALENDAR_UNITS[name]
        advice = did_you_mean(meant) if number == "1" else "Write a crontab line with the months, as 0 0 1 */3 *. "
        return f"{advice}Months and years differ in length."
    near = difflib.get_close_matches(unit.lower(), [names[0] for names, _ in _UNITS], n=1)
    return f"{did_you_mean(*near)}Units are seconds, minutes, hours, days and weeks."
