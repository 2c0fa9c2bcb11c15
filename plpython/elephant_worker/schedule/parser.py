"""The text of a schedule, read into entries.

The meaning of the five fields is crontab(5)'s as Debian's cron implements it. Where that
implementation lets a mistake pass (text after a value, a range that runs backwards, numbers
too large for an int), it is refused here.

>>> parse("30 4 1,15 * 5")[0].minutes
(30,)
>>> parse('{"0 9 * * 1-5", "@every 90 minutes"}')[1]
Interval(seconds=5400)
>>> parse("0 25 * * *")
Traceback (most recent call last):
elephant_worker.errors.UserError: invalid schedule "0 25 * * *"
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NoReturn

from ..errors import UserError

MAX_TEXT = 10_000
MAX_ENTRY = 1_000
MAX_ENTRIES = 100
LONGEST_INTERVAL = 400 * 86_400

BLANKS = " \t"


@dataclass(frozen=True)
class Calendar:
    """Five or six fields: the wall-clock times that they name.

    `weekdays` are 0 (Sunday) to 6; `nth_weekdays` pairs of weekday and its number in the month
    (1 to 5, or "l" for the last). `last_day` is the last day of the month. `both_days` is
    cron's rule: the day must match both day fields where either begins with `*`, and either of
    them otherwise. `wildcard` entries (second, minute or hour begins with `*`) follow the
    clock through a change of the UTC offset, the others are "fixed-time jobs" of cron(8).
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    last_day: bool
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    nth_weekdays: tuple[tuple[int, int | str], ...]
    both_days: bool
    wildcard: bool


@dataclass(frozen=True)
class Interval:
    """Every so many seconds from start to start, on a grid that begins when the job is defined."""

    seconds: int


@dataclass(frozen=True)
class After:
    """So many seconds from the end of a run to the start of the next."""

    seconds: int


@dataclass(frozen=True)
class Once:
    """One moment; `moment` is naive where the text has no offset: the job's time zone holds."""

    moment: datetime


@dataclass(frozen=True)
class Reboot:
    """Once after each start of the server."""


Entry = Calendar | Interval | After | Once | Reboot

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
KEYWORDS = (*NICKNAMES, "@reboot", "@every", "@after")

UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}

MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class Field:
    """What one field of a crontab line may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    extras: str = ""

    @property
    def allowed(self) -> str:
        numbers = f"{self.low}-{self.high}"
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        forms = f"*, ranges (a-b), steps (*/n, a-b/n), H{self.extras} and lists of these"
        return f"{self.name.capitalize()} is {numbers}{names}, {forms}."


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of month", 1, 31, extras=", L or $ (last day)")
MONTH = Field("month", 1, 12, MONTH_NAMES)
WEEKDAY = Field("day of week", 0, 7, DAY_NAMES, extras=", 5#2 (second Friday), 5L (last Friday)")

FIVE = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)
SIX = (SECOND, *FIVE)


class _Mistake(Exception):
    """A part of an entry that is wrong; `hint` says what would be right."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


def parse(text: str, seed: str = "") -> tuple[Entry, ...]:
    """Read a schedule; `seed` (the job) chooses the slots of `H`. Raises UserError (22023)."""
    if len(text) > MAX_TEXT:
        _refuse(text, f"It has {len(text)} characters.", f"A schedule has at most {MAX_TEXT}.")
    entries = _array(text) if text.strip(BLANKS).startswith("{") else [text]
    if not entries:
        _refuse(text, "It has no entry.", 'Write at least one, as in {"@daily"}, or use NULL for none.')
    if len(entries) > MAX_ENTRIES:
        _refuse(text, f"It has {len(entries)} entries.", f"A schedule has at most {MAX_ENTRIES}.")
    parsed = []
    for number, entry in enumerate(entries, 1):
        try:
            parsed.append(_entry(entry.strip(BLANKS), seed))
        except _Mistake as mistake:
            where = f'Entry {number}, "{_shown(entry)}": ' if len(entries) > 1 else ""
            _refuse(text, where + mistake.detail, mistake.hint)
    return tuple(parsed)


def _refuse(text: str, detail: str, hint: str) -> NoReturn:
    raise UserError(f'invalid schedule "{_shown(text)}"', detail, hint)


def _shown(text: str, length: int = 60) -> str:
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:length])
    return printable + ("…" if len(text) > length else "")


# --- arrays ---------------------------------------------------------------------------------

_ELEMENT = re.compile(r'[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^{}",\\]*))[ \t]*([,}])', re.DOTALL)


def _array(text: str) -> list[str]:
    """The elements of a one-dimensional array literal (PostgreSQL, Array Input and Output Syntax)."""
    body = text.strip(BLANKS)
    if re.fullmatch(r"\{[ \t]*\}", body):
        return []
    elements = []
    position = 1
    while True:
        match = _ELEMENT.match(body, position)
        if match is None:
            _refuse(
                text,
                f'The array is malformed at "{_shown(body[position:], 20)}".',
                'Write {"entry","entry"}: entries in double quotes, commas between them.',
            )
        quoted, bare, delimiter = match.groups()
        element = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else bare.strip(BLANKS)
        if quoted is None and element.upper() in ("", "NULL"):
            _refuse(text, "An entry of the array is empty.", "Leave it out, or write a schedule.")
        elements.append(element)
        position = match.end()
        if delimiter == "}":
            break
    if position != len(body):
        _refuse(
            text,
            f'Text follows the array: "{_shown(body[position:], 20)}".',
            "Put all entries between one pair of braces.",
        )
    return elements


# --- entries --------------------------------------------------------------------------------

_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[ T]((?:[01]\d|2[0-3]):\d{2})(:\d{2}(?:\.\d{1,6})?)?[ ]?(Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_PERIODS = re.compile(r"\d{1,9}[ \t]*[a-zA-Z]+(?:[ \t]+\d{1,9}[ \t]*[a-zA-Z]+)*", re.ASCII)


def _entry(text: str, seed: str) -> Entry:
    if not text:
        raise _Mistake("The entry is empty.", "Write five fields, as in 30 4 * * *, or @daily.")
    if len(text) > MAX_ENTRY:
        raise _Mistake(f"The entry has {len(text)} characters.", f"An entry has at most {MAX_ENTRY}.")
    if text.startswith("@"):
        return _keyword(text, seed)
    if re.match(r"\d{4}-", text, re.ASCII):
        return _once(text)
    if _PERIODS.fullmatch(text):
        return Interval(_period(text))
    return _calendar(text, seed)


def _keyword(text: str, seed: str) -> Entry:
    word, _, rest = text.replace("\t", " ").partition(" ")
    rest = rest.strip(BLANKS)
    if word in ("@every", "@after"):
        seconds = _period(rest)
        return Interval(seconds) if word == "@every" else After(seconds)
    if word not in KEYWORDS:
        near = difflib.get_close_matches(word[:20].lower(), KEYWORDS, n=1)
        advice = f"{_did_you_mean(*near)}There are {', '.join(KEYWORDS)}."
        raise _Mistake(f'"{_shown(word)}" is not a nickname.', advice)
    if rest:
        raise _Mistake(f'"{_shown(rest)}" follows {word}.', f"Write {word} alone.")
    return Reboot() if word == "@reboot" else _calendar(NICKNAMES[word], seed)


def _period(text: str) -> int:
    if not _PERIODS.fullmatch(text):
        raise _Mistake(
            f'"{_shown(text)}" is not an interval.',
            "Write numbers and units, as in 30 seconds, @every 90 minutes or @after 1 hour 30 minutes.",
        )
    total = 0
    for number, unit in re.findall(r"(\d+)[ \t]*([a-zA-Z]+)", text):
        singular = unit.lower().removesuffix("s") or unit
        if singular not in UNITS:
            raise _Mistake(f'"{_shown(unit)}" is not a unit of an interval.', _unit_hint(singular.lower()))
        total += int(number) * UNITS[singular]
    if total == 0:
        raise _Mistake(f'"{_shown(text)}" is no time at all.', "The shortest interval is 1 second.")
    if total > LONGEST_INTERVAL:
        raise _Mistake(f'"{_shown(text)}" is longer than 400 days.', "Use a crontab line, as in 0 0 1 1 *.")
    return total


def _unit_hint(unit: str) -> str:
    if unit in ("month", "year"):
        return f"A {unit} has no fixed length: use @{unit}ly or a crontab line."
    begin = [name for name in UNITS if name[0] == unit[:1]]
    near = difflib.get_close_matches(unit[:20], UNITS, n=1) or begin
    return f"{_did_you_mean(*(f'{name}s' for name in near[:1]))}There are {', '.join(f'{unit}s' for unit in UNITS)}."


def _once(text: str) -> Once:
    match = _TIMESTAMP.fullmatch(text)
    advice = "Write 2027-03-28 02:30, with seconds, an offset (+01:00) or Z where needed."
    if match is None:
        raise _Mistake(f'"{_shown(text)}" is not a timestamp.', advice)
    day, minutes, seconds, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day} {minutes or '00:00'}{_six_digits(seconds or ':00')}")
        if offset:
            moment = moment.replace(tzinfo=_offset(offset))
    except ValueError:
        raise _Mistake(f'"{_shown(text)}" names a moment that does not exist.', advice) from None
    if not 1970 <= moment.year <= 9000:
        raise _Mistake(f"The year {moment.year} is out of range.", "Years are 1970 to 9000.")
    return Once(moment)


def _six_digits(seconds: str) -> str:
    whole, dot, fraction = seconds.partition(".")
    return whole + dot + fraction.ljust(6, "0") if dot else whole


def _offset(text: str) -> timezone:
    if text == "Z":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 15 or minutes > 59:
        raise ValueError(text)
    return timezone((1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


# --- five or six fields ---------------------------------------------------------------------


def _calendar(text: str, seed: str) -> Calendar:
    parts = re.split(r"[ \t]+", text)
    if len(parts) == 1 and not re.match(r"[\d*]", text):
        raise _Mistake(f'"{_shown(text)}" is not a schedule.', _forms(text))
    if len(parts) not in (5, 6):
        raise _Mistake(
            f"It has {len(parts)} field{'s' * (len(parts) != 1)}.",
            f"{_did_you_mean(_keyword_like(parts))}"
            "A crontab line has five: minute, hour, day of month, month, day of week; "
            "six with seconds first. @daily and 30 seconds are other forms.",
        )
    if len(parts) == 5:
        parts = ["0", *parts]
    wildcard = any(part[0] == "*" or re.match(r"H(\(.*?\))?/", part) for part in parts[:3])
    both_days = parts[3][0] == "*" or parts[5][0] == "*"
    sets = [set(_values(field, part, seed)) for field, part in zip(SIX, parts)]
    seconds, minutes, hours, days, months, weekdays = sets
    last_day = "l" in days
    nth = sorted((day for day in weekdays if isinstance(day, tuple)), key=repr)
    return Calendar(
        seconds=_numbers(seconds),
        minutes=_numbers(minutes),
        hours=_numbers(hours),
        days=_numbers(days),
        last_day=last_day,
        months=_numbers(months),
        weekdays=_numbers({day % 7 for day in weekdays if isinstance(day, int)}),
        nth_weekdays=tuple(nth),
        both_days=both_days,
        wildcard=wildcard,
    )


Value = int | str | tuple[int, int | str]


def _numbers(values: Iterable[Value]) -> tuple[int, ...]:
    return tuple(sorted(value for value in values if isinstance(value, int)))


def _keyword_like(words: list[str]) -> str:
    """The nickname or interval that the words are meant to be, perhaps; it can be read."""
    near = difflib.get_close_matches("@" + words[0][:20].lower(), KEYWORDS, n=1)
    if near and near[0] in ("@every", "@after"):
        try:
            _period(" ".join(words[1:]))
        except _Mistake:
            return ""
        return " ".join([near[0], *words[1:]])
    return near[0] if near else ""


def _forms(text: str) -> str:
    advice = "Write a crontab line (30 4 * * *), a nickname (@daily), an interval (30 seconds) or a timestamp."
    return _did_you_mean(_keyword_like([text])) + advice


_NUMBER = r"(\d{1,4}|[A-Za-z]{3})"
_RANGE = re.compile(rf"(?:\*|{_NUMBER}(?:-{_NUMBER})?)(?:/(\d{{1,4}}))?", re.ASCII)
_HASH = re.compile(r"H(?:\((\d{1,4})-(\d{1,4})\))?(?:/(\d{1,4}))?", re.ASCII)
_NTH = re.compile(rf"{_NUMBER}(?:#([1-5])|([Ll]))", re.ASCII)


def _values(field: Field, text: str, seed: str) -> Iterator[Value]:
    for part in text.split(","):
        yield from _part(field, part, seed)


def _part(field: Field, part: str, seed: str) -> Iterable[Value]:
    """The values of one member of a list."""
    if not part:
        raise _wrong(field, part, "a value is missing beside a comma")
    if field is DAY and part in ("L", "l", "$"):
        return ["l"]
    if field is WEEKDAY and (match := _NTH.fullmatch(part)):
        weekday, number, _ = match.groups()
        return [(_number(field, part, weekday) % 7, int(number) if number else "l")]
    if match := _HASH.fullmatch(part):
        return _hashed(field, part, match, seed)
    match = _RANGE.fullmatch(part)
    if match is None:
        raise _unreadable(field, part)
    first, last, step = match.groups()
    if part[0] == "*":
        low, high = field.low, field.high
    else:
        low = _number(field, part, first)
        if step and not last:
            raise _wrong(field, part, "a step needs a range", f"{first}-{field.high}/{step}")
        high = _number(field, part, last) if last else low
    if low > high:
        raise _wrong(field, part, "the range runs backwards", _forwards(field, low, high))
    return range(low, high + 1, _step(field, part, step))


def _number(field: Field, part: str, text: str) -> int:
    if text.isdigit():
        value = int(text)
    elif text.lower() in field.names:
        value = field.names.index(text.lower()) + field.low
    else:
        near = difflib.get_close_matches(text.lower(), field.names, n=1, cutoff=0.5)
        raise _wrong(field, part, f'"{text}" is not a name', near[0] if near else "")
    if not field.low <= value <= field.high:
        is_clock = field in (SECOND, MINUTE, HOUR) and value == field.high + 1
        nearest = 0 if is_clock else min(max(value, field.low), field.high)
        raise _wrong(field, part, f"{value} is out of range", str(nearest))
    return value


def _step(field: Field, part: str, step: str | None) -> int:
    if step is not None and int(step) == 0:
        raise _wrong(field, part, "a step is at least 1", part.rpartition("/")[0])
    return int(step or 1)


def _hashed(field: Field, part: str, match: re.Match[str], seed: str) -> Iterable[Value]:
    """A stable slot for the seed within the range (days stop at 28, so that each month has them)."""
    highest = {DAY: 28, WEEKDAY: 6}.get(field, field.high)
    low = _number(field, part, match[1]) if match[1] else field.low
    high = _number(field, part, match[2]) if match[2] else highest
    if low > high:
        raise _wrong(field, part, "the range runs backwards", f"H({high}-{low})")
    span = high - low + 1
    step = min(_step(field, part, match[3]), span) if match[3] else span
    digest = hashlib.sha256(f"{field.name} {seed}".encode()).digest()
    return range(low + int.from_bytes(digest[:8], "big") % step, high + 1, step)


def _forwards(field: Field, low: int, high: int) -> str:
    if field is WEEKDAY and high == 0:
        return f"{low}-7"
    after = f"{field.low}-{high}" if high > field.low else str(high)
    before = f"{low}-{6 if field is WEEKDAY else field.high}" if low < field.high else str(low)
    return f"{before},{after}"


def _unreadable(field: Field, part: str) -> _Mistake:
    simple: list[tuple[str, Callable[[re.Match[str]], str]]] = [
        (r"\?", lambda match: "*"),
        (r"[lL](\d)", lambda match: f"{match[1]}L"),
        (r"h.*", lambda match: match[0].upper()),
        (r"[A-Za-z]{4,}(?:-[A-Za-z]{3,})?|[A-Za-z]{3}-[A-Za-z]{4,}", lambda match: _three_letters(field, match[0])),
    ]
    for pattern, suggestion in simple:
        if match := re.fullmatch(pattern, part):
            return _wrong(field, part, "it cannot be read", suggestion(match))
    return _wrong(field, part, "it cannot be read")


def _wrong(field: Field, part: str, why: str, suggestion: str = "") -> _Mistake:
    return _Mistake(f'Field {field.name}, "{_shown(part)}": {why}.', _did_you_mean(suggestion) + field.allowed)


def _three_letters(field: Field, words: str) -> str:
    short = [word[:3].lower() for word in words.split("-")]
    return "-".join(short) if set(short) <= set(field.names) else ""


def _did_you_mean(suggestion: str = "") -> str:
    return f"Did you mean {suggestion}? " if suggestion else ""
