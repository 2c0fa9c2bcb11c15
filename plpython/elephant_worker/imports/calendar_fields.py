"""Crontab lines for schedulers that keep sets of minutes, hours, days, months and weekdays, of which all must match.

>>> crontab_line(Sets(minutes={0, 30}, hours={9}, weekdays={1, 2, 3, 4, 5}))
'0,30 9 * * 1-5'
>>> crontab_line(Sets(minutes={0}, hours={4}, days=set(range(1, 8)), weekdays={1}))
'0 4 * * 1#1'
>>> crontab_line(Sets(minutes={0}, hours={4}, days={13}, weekdays={5})) is None
True
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Optional

from ..schedule.entries import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Field
from ..schedule.ranges import in_ranges

Values = Optional[Collection[int]]

# The days of the month that are the first, second ... of their weekday.
WEEKS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 31))


class Sets(NamedTuple):
    """When something is due; None stands for all. Sunday is 0."""

    minutes: Values = None
    hours: Values = None
    days: Values = None
    last_day: bool = False
    months: Values = None
    weekdays: Values = None


def crontab_line(sets: Sets) -> str | None:
    """Five fields that mean the same; None where cron has no way to say it: some days of the month that are also some
    days of the week. Only where a day field begins with `*`, or in the form 1#2, both of them count."""
    days, weekdays = _all_as_none(DAY, sets.days), _all_as_none(WEEKDAY, sets.weekdays)
    day = "*" if days is None else ",".join(filter(None, [in_ranges(days), "L" if sets.last_day else ""]))
    weekday = "*" if weekdays is None else in_ranges(weekdays)
    if day != "*" and weekday != "*":
        both = None if sets.last_day else _both(days or (), weekdays or ())
        if both is None:
            return None
        day, weekday = both
    return f"{_clock(MINUTE, sets.minutes)} {_clock(HOUR, sets.hours)} {day} {_clock(MONTH, sets.months)} {weekday}"


def both_days_obstacle(nearest: str | None, weekdays: Values) -> str:
    """What is said where there is no such line; `nearest` is the line without the days of the week."""
    listed = ", ".join(map(str, sorted({day % 7 for day in weekdays or ()})))
    return (
        "a day must match day of month and day of week, which no schedule can say: define it with the schedule "
        f"{nearest}, and let the command do nothing unless extract(dow FROM now()) IN ({listed})"
    )


def _both(days: Collection[int], weekdays: Collection[int]) -> tuple[str, str] | None:
    """The fields of days that must match both."""
    weeks = [number for number, (first, last) in enumerate(WEEKS, 1) if set(range(first, last + 1)) <= set(days)]
    if {day for number in weeks for day in range(WEEKS[number - 1][0], WEEKS[number - 1][1] + 1)} == set(days):
        return "*", ",".join(f"{weekday}#{number}" for number in weeks for weekday in sorted(weekdays))
    if step := _step({day % 7 for day in weekdays}, WEEKDAY, 7):
        return in_ranges(days), f"*/{step}"
    if step := _step(set(days), DAY):
        return f"*/{step}", in_ranges(weekdays)
    return None


def _all_as_none(field: Field, values: Values) -> Values:
    if values is not None and field is WEEKDAY:
        values = {value % 7 for value in values}
    whole = set(range(field.low, field.high + 1)) if field is not WEEKDAY else set(range(7))
    return None if values is None or set(values) == whole else values


def _clock(field: Field, values: Values) -> str:
    """A field that may be written with a step."""
    values = _all_as_none(field, values)
    if values is None:
        return "*"
    step = _step(set(values), field) if len(values) > 2 and field is not MONTH else None
    return f"*/{step}" if step and (field.high + 1) % step == 0 else in_ranges(values)


def _step(values: set[int], field: Field, modulo: int | None = None) -> int | None:
    """The step n by which `*/n` are these values."""
    for step in range(2, field.high + 1):
        reached = range(field.low, field.high + 1, step)
        if values == ({value % modulo for value in reached} if modulo else set(reached)):
            return step
    return None
