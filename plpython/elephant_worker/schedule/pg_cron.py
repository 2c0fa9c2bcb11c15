"""Schedules as pg_cron 1.6 reads them.

Its parser is that of Vixie's cron, which passes over what it does not understand: `1.5 * * * *` is minute 1, and what
follows the fifth field does not count. So a schedule may have a reading there that nobody else would give it.

>>> read("0 2 * * * *")
Reading(schedule='0 2 * * *', never='', doubt='')
>>> read(" 30 Seconds").schedule
'30 seconds'
>>> read("0 25 * * *") is None
True
>>> read("0 0 1-7 * mon", both_days=True).schedule
'0 0 * * 1#1'
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import UserError
from .entries import DAY, FIVE, Field
from .ranges import in_ranges

MAX_TEXT = 1000  # bytes: pg_cron takes fewer
NICKNAMES = {
    "yearly": "@yearly",
    "annually": "@yearly",
    "monthly": "@monthly",
    "weekly": "@weekly",
    "daily": "@daily",
    "midnight": "@daily",
    "hourly": "@hourly",
    "reboot": "@reboot",
    "restart": "@reboot",
}
NOT_BOTH_DAYS = (
    "With cron.match_dom_and_dow both the day of month and the weekday must match, which no schedule here can say."
)
NEVER_RUN = ("yearly", "annually")
MEMBER = re.compile(r"(\*)|([A-Za-z0-9]+)(?:(-)([A-Za-z0-9]*))?")
STEP = re.compile(r"/([A-Za-z0-9]*)")
INTERVAL = re.compile(r"\s*([+-]?)([0-9]+)\s*second(?:s\s*)?")
BEFORE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*")
REST_OF_FIELD = re.compile(r"[^ \t\n]*")
BLANKS = re.compile(r"[ \t]*")


class Reading(NamedTuple):
    """The schedule here that is due when pg_cron runs the job.

    `never`: why pg_cron does not run it at all, as the end of a sentence. `doubt`: where its versions differ. A
    schedule of None can be due there, and not be said here.
    """

    schedule: str | None
    never: str = ""
    doubt: str = ""


class _Refused(Exception):
    pass


class _Field(NamedTuple):
    text: str
    values: frozenset[int]
    doubt: str

    @property
    def is_star(self) -> bool:
        return self.text[0] == "*"


def read(text: str, both_days: bool = False, large_steps: bool = False) -> Reading | None:
    """What pg_cron makes of a schedule; None: it refuses it.

    `both_days` is its setting cron.match_dom_and_dow. `large_steps`, such as */60, are refused since its version 1.6.7.
    """
    try:
        if len(text.encode()) >= MAX_TEXT:
            raise _Refused
        return _read_line(text, both_days, large_steps)
    except _Refused:
        return _read_interval(text)


def as_entry(text: str | None, both_days: bool | None) -> dict[str, object]:
    """The function `read_pg_cron_schedule`."""
    hint = "Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'"
    reading = read(text or "", bool(both_days))
    if reading is None:
        error = UserError(f"invalid schedule: {text}", "pg_cron refuses it as well.", hint)
    elif reading.schedule is None:
        detail = f"pg_cron never runs such a job: {reading.never}." if reading.never else NOT_BOTH_DAYS
        error = UserError(f"invalid schedule: {text}", detail, hint)
    else:
        return {"entry": reading.schedule, "user_error": None}
    return {"entry": None, "user_error": error.as_row()}


def _read_interval(text: str) -> Reading | None:
    match = INTERVAL.fullmatch(text.lower())
    if match is None or not text.isascii():
        return None
    # As strtoul() and an unsigned int.
    number = min(int(match[2][:30]), 2**64 - 1)
    seconds = (-number if match[1] == "-" and number < 2**64 - 1 else number) % 2**32
    if not 0 < seconds < 60:
        return None
    return Reading(f"{seconds} second{'s' * (seconds > 1)}")


def _read_line(text: str, both_days: bool, large_steps: bool) -> Reading:
    before = BEFORE.match(text)
    at = before.end() if before else 0
    if text[at : at + 1] == "@":
        word = re.split(r"[ \t\n]", text[at + 1 :], maxsplit=1)[0]
        if word not in NICKNAMES:
            raise _Refused
        return Reading(NICKNAMES[word], f"its @{word} is in no month" if word in NEVER_RUN else "")
    fields = []
    for field in FIVE:
        read_field, at = _read_field(field, text, at, large_steps)
        fields.append(read_field)
    return _reading(fields, both_days)


def _read_field(field: Field, text: str, at: int, large_steps: bool) -> tuple[_Field, int]:
    is_star = text[at : at + 1] == "*"
    members: list[str] = []
    values: set[int] = set()
    doubts: list[str] = []
    if field is DAY and text[at : at + 1] == "$":
        if text[at + 1 : at + 2] not in (" ", "\t"):
            raise _Refused
        return _Field("$", frozenset(), ""), BLANKS.match(text, at + 1).end()  # type: ignore[union-attr]
    while True:
        match = MEMBER.match(text, at)
        if match is None:
            raise _Refused
        at = match.end()
        star, first, dash, last = match.groups()
        if star:
            low, high = field.low, field.high
        else:
            low = _number(field, first)
            high = _number(field, last) if dash else low
        step_match = STEP.match(text, at)
        if step_match is not None and not (star or dash):
            raise _Refused
        step = 1
        if step_match is not None:
            at = step_match.end()
            step = _digits(step_match[1])
            if step <= 0 or (step > field.high and not large_steps):
                raise _Refused
            if step > field.high:
                doubts.append(f"since 1.6.7 it refuses a step of {step}")
        if not field.low <= low <= field.high or not field.low <= high <= field.high:
            raise _Refused
        if low <= high:
            found = set(range(low, high + 1, step))
            span = "*" if star else f"{first}-{last}" if dash else first
            members.append(f"{span}/{step}" if step_match is not None else span)
            if first is not None and (_is_wide(first) or _is_wide(last or "")):
                members[-1] = in_ranges(found, shortest=2)
        else:
            found = _backwards(field, low, high) if step == 1 else set()
            members.append(in_ranges(found, shortest=2))
            doubts.append(f"it reads the range {low}-{high}, which runs backwards, as {members[-1] or 'empty'}")
        values |= found
        if text[at : at + 1] != ",":
            break
        at += 1
    at = REST_OF_FIELD.match(text, at).end()  # type: ignore[union-attr]
    at = BLANKS.match(text, at).end()  # type: ignore[union-attr]
    said = ",".join(filter(None, members)) or "-"
    if said[0] == "*" and not is_star:  # what stood before it is empty
        said = in_ranges(values, shortest=2)
    return _Field(said, frozenset(values), "; ".join(doubts)), at


def _number(field: Field, text: str) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.low
    return _digits(text)


def _digits(text: str) -> int:
    """As atoi() has it, which strtol() and an int make of it."""
    if not text.isdigit():
        raise _Refused
    number = min(int(text[:1000]), 2**63 - 1)
    return (number + 2**31) % 2**32 - 2**31


def _is_wide(text: str) -> bool:
    return text.isdigit() and len(text) > 4


def _backwards(field: Field, low: int, high: int) -> set[int]:
    """What a range that runs backwards sets in an array of bytes."""
    first, last = low - field.low, high - field.low
    if first // 8 == last // 8:
        return set()
    bits = {*range(first, (first // 8 + 1) * 8), *range(last // 8 * 8, last + 1)}
    return {bit + field.low for bit in bits if bit + field.low <= field.high}


def _reading(fields: list[_Field], both_days: bool) -> Reading:
    minutes, hours, days, months, weekdays = fields
    doubt = "; ".join(field.doubt for field in fields if field.doubt)
    both = both_days or days.is_star or weekdays.is_star
    has_days, has_weekdays = bool(days.values) or days.text == "$", bool(weekdays.values)
    is_due = has_days and has_weekdays if both else has_days or has_weekdays
    if not (minutes.values and hours.values and months.values and is_due):
        return Reading(None, doubt or "nothing matches it", doubt)
    day, weekday = days.text, weekdays.text
    if not both:
        # Of two fields of which one is empty, the other one counts.
        day = day if has_days else "*"
        weekday = weekday if has_weekdays else "*"
    elif not (days.is_star or weekdays.is_star):
        said = _both(days, weekdays)
        if said is None:
            return Reading(None, "", doubt)
        day, weekday = said
    return Reading(" ".join((minutes.text, hours.text, day, months.text, weekday)), "", doubt)


def _both(days: _Field, weekdays: _Field) -> tuple[str, str] | None:
    """Two day fields that must both match, as a crontab line can have them."""
    numbers = {number % 7 for number in weekdays.values}
    if len(numbers) == 7:
        return days.text, "*"
    if len(days.values) == 31:
        return "*", weekdays.text
    for step in range(2, 32):
        if days.values == set(range(1, 32, step)):
            return f"*/{step}", weekdays.text
    for step in range(2, 8):
        if numbers == {number % 7 for number in range(0, 8, step)} and days.text != "$":
            return days.text, f"*/{step}"
    weeks = [week for week in range(1, 6) if days.values & _week(week)]
    if days.values and all(_week(week) <= days.values for week in weeks):
        return "*", ",".join(f"{number}#{week}" for number in sorted(numbers) for week in weeks)
    return None


def _week(number: int) -> set[int]:
    """The days of a month on which a weekday is there for the nth time."""
    return set(range(7 * number - 6, min(7 * number, 31) + 1))
