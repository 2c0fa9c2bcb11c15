"""The text of a schedule, read into entries.

The meaning of the five fields is crontab(5)'s as Debian's cron implements it. Where that
implementation lets a mistake pass (text after a value, a range that runs backwards, numbers
too large for an int), it is refused here.

What most schedules need is read without regular expressions, whose module is not yet there in a
new session; other forms, and what is said of mistakes, are in modules that are imported for them.

>>> parse("30 4 1,15 * 5")[0].minutes
(30,)
>>> parse('{"0 9 * * 1-5", "@every 90 minutes"}')[1]
Interval(seconds=5400)
>>> parse("0 25 * * *")
Traceback (most recent call last):
elephant_worker.errors.UserError: invalid schedule "0 25 * * *"
"""

from __future__ import annotations

from ..errors import UserError
from .entries import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    SIX,
    WEEKDAY,
    After,
    Calendar,
    Field,
    Interval,
    Mistake,
    Reboot,
    did_you_mean,
    shown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NoReturn, Union

    from .entries import Entry

    Value = Union[int, str, tuple[int, Union[int, str]]]

MAX_TEXT = 10_000  # characters
MAX_ENTRY = 1_000  # characters
MAX_ENTRIES = 100  # entries

BLANKS = " \t\r\n"

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

FORMS = "Write a crontab line (30 4 * * *), a nickname (@daily), an interval (30 seconds) or a timestamp."
FIELDS = (
    "A crontab line has five: minute, hour, day of month, month, day of week; six with seconds first. "
    "@daily and 30 seconds are other forms."
)


def parse(text: str, seed: str = "") -> tuple[Entry, ...]:
    """Read a schedule; `seed` (the job) chooses the slots of `H`. Raises UserError (22023)."""
    entries = entry_texts(text)
    parsed = []
    for number, entry in enumerate(entries, 1):
        try:
            parsed.append(read_entry(entry, seed))
        except Mistake as first:
            from .rewording import better

            mistake = better(entry, first)
            where = f'Entry {number}, "{shown(entry)}": ' if len(entries) > 1 else ""
            _refuse(text, where + mistake.detail, mistake.hint)
    return tuple(parsed)


def entry_texts(text: str) -> list[str]:
    """The texts of the entries of a schedule. Raises UserError (22023) where it has none or too many."""
    if len(text) > MAX_TEXT:
        _refuse(text, f"It has {len(text)} characters.", f"A schedule has at most {MAX_TEXT}.")
    entries = _array(text) if text.strip(BLANKS).startswith("{") else [text]
    if not entries:
        _refuse(text, "It has no entry.", 'Write at least one, as in {"@daily"}, or use NULL for none.')
    if len(entries) > MAX_ENTRIES:
        _refuse(text, f"It has {len(entries)} entries.", f"A schedule has at most {MAX_ENTRIES}.")
    return entries


def _refuse(text: str, detail: str, hint: str) -> NoReturn:
    raise UserError(f'invalid schedule "{shown(text)}"', detail, hint)


# --- arrays ---------------------------------------------------------------------------------


def _array(text: str) -> list[str]:
    """The elements of a one-dimensional array literal (PostgreSQL, Array Input and Output Syntax)."""
    import re

    body = text.strip(BLANKS)
    if re.fullmatch(r"\{\s*\}", body):
        return []
    element_of = re.compile(r'[ \t\r\n]*(?:"((?:[^"\\]|\\.)*)"|([^{}",\\]*))[ \t\r\n]*([,}])', re.DOTALL)
    elements = []
    position = 1
    while True:
        match = element_of.match(body, position)
        if match is None:
            _refuse(
                text,
                f'The array is malformed at "{shown(body[position:], 20)}".',
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
            f'Text follows the array: "{shown(body[position:], 20)}".',
            "Put all entries between one pair of braces.",
        )
    return elements


# --- entries --------------------------------------------------------------------------------


def read_entry(text: str, seed: str = "") -> Entry:
    """Read one entry. Raises Mistake."""
    if len(text) > MAX_ENTRY:
        raise Mistake(f"The entry has {len(text)} characters.", f"An entry has at most {MAX_ENTRY}.")
    line = bare_line(text)
    if not line:
        raise Mistake("The entry is empty.", "Write five fields, as in 30 4 * * *, or @daily.")
    if line[0] == "@" and not line[1:2].isspace():
        return _keyword(line, seed)
    if line[:4].isdigit() and line[4:5] == "-":
        from .moments import read_moment

        return read_moment(line)
    if _looks_like_a_period(line):
        from .periods import read_period

        return Interval(read_period(line))
    return _calendar(line, seed)


def bare_line(text: str) -> str:
    """The text without lines of comment, a comment at its end, and blanks around it."""
    lines = [line.strip(BLANKS) for line in text.replace("\r", "\n").split("\n")]
    lines = [line for line in lines if line and line[0] != "#"]
    if len(lines) > 1:
        raise Mistake(
            f"It has {len(lines)} lines.", 'Write several entries as an array, as in {"0 9 * * 1-5","0 12 * * 6"}.'
        )
    line = lines[0] if lines else ""
    for at, character in enumerate(line):
        # "5 #2" is no comment, but a slip of "5#2".
        if character == "#" and line[at - 1] in BLANKS and not line[at + 1 : at + 2].isdigit():
            return line[:at].rstrip(BLANKS)
    return line


def _looks_like_a_period(line: str) -> bool:
    """Whether it is meant as an interval, as 5 minutes, 1h30m, PT5M or @ 5 mins (as PostgreSQL may show one)."""
    if line[0] == "@":
        return True
    if line[0] == "P" and (line[1:2].isdigit() or line[1:2] == "T"):
        return True
    if not (line[0].isdigit() or line[0] == ".") or "*" in line:
        return False
    first, *others = line.split(maxsplit=2)
    second = others[0] if others else ""
    return (any(character.isalpha() for character in first) and "/" not in first and "-" not in first) or (
        second[:1].isalpha() and second[0] != "H"
    )


def _keyword(text: str, seed: str) -> Entry:
    word, _, rest = text.replace("\t", " ").partition(" ")
    rest = rest.strip(BLANKS)
    if word in ("@every", "@after"):
        from .periods import read_period

        seconds = read_period(rest)
        return Interval(seconds) if word == "@every" else After(seconds)
    if word not in KEYWORDS:
        raise Mistake(f'"{shown(word)}" is not a nickname.', f"There are {', '.join(KEYWORDS)}.")
    if rest:
        raise Mistake(f'"{shown(rest)}" follows {word}.', f"Write {word} alone.")
    return Reboot() if word == "@reboot" else _calendar(NICKNAMES[word], seed)


# --- five or six fields ---------------------------------------------------------------------


def _calendar(text: str, seed: str) -> Calendar:
    parts = text.split() if text.isascii() else text.replace("\t", " ").split(" ")
    if len(parts) == 1 and not (text[0].isdigit() or text[0] == "*"):
        raise Mistake(f'"{shown(text)}" is not a schedule.', FORMS)
    if len(parts) not in (5, 6):
        raise Mistake(f"It has {len(parts)} field{'s' * (len(parts) != 1)}.", FIELDS)
    if len(parts) == 5:
        parts.insert(0, "0")
    wildcard = any(part[0] == "*" or _is_hash_with_step(part) for part in parts[:3])
    both_days = parts[3][0] == "*" or parts[5][0] == "*"
    sets = [set(field_values(field, part, seed)) for field, part in zip(SIX, parts)]
    seconds, minutes, hours, days, months, weekdays = sets
    nth = sorted((day for day in weekdays if isinstance(day, tuple)), key=repr)
    return Calendar(
        seconds=_numbers(seconds),
        minutes=_numbers(minutes),
        hours=_numbers(hours),
        days=_numbers(days),
        last_day="l" in days,
        months=_numbers(months),
        weekdays=_numbers({day % 7 for day in weekdays if isinstance(day, int)}),
        nth_weekdays=tuple(nth),
        both_days=both_days,
        wildcard=wildcard,
    )


def _numbers(values: Iterable[Value]) -> tuple[int, ...]:
    return tuple(sorted(value for value in values if isinstance(value, int)))


def field_values(field: Field, text: str, seed: str = "") -> Iterator[Value]:
    """The values of a field. Raises Mistake."""
    for part in text.split(","):
        yield from _part(field, part, seed)


def _part(field: Field, part: str, seed: str) -> Iterable[Value]:
    """The values of one member of a list."""
    if not part:
        raise _wrong(field, part, "a value is missing beside a comma")
    if field is DAY and part in ("L", "l", "$"):
        return ["l"]
    span, slash, step = part.partition("/")
    if slash and not _is_number(step):
        raise _unreadable(field, part)
    if span[:1] == "H":
        return _hashed(field, part, span[1:], step, seed)
    if field is WEEKDAY and not slash and (nth := _nth(field, part)):
        return [nth]
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = field.low, field.high
    elif not _is_value(first) or (dash and not _is_value(last)):
        raise _unreadable(field, part)
    else:
        low = _number(field, part, first)
        if slash and not dash:
            raise _wrong(field, part, "a step needs a range", _stepped(field, low, first, step))
        high = _number(field, part, last) if dash else low
    if low > high:
        raise _wrong(field, part, "the range runs backwards", _forwards(field, low, high))
    return range(low, high + 1, _step(field, part, step))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _is_value(text: str) -> bool:
    return _is_number(text) or (len(text) == 3 and text.isascii() and text.isalpha())


def _is_hash_with_step(part: str) -> bool:
    return part[0] == "H" and (part[1:2] == "/" or ")/" in part)


def _nth(field: Field, part: str) -> tuple[int, int | str] | None:
    """A weekday and which of the month it is: 5#2, 5L, friL."""
    weekday, hash_sign, number = part.partition("#")
    if hash_sign:
        if number in ("1", "2", "3", "4", "5") and _is_value(weekday):
            return _number(field, part, weekday) % 7, int(number)
    elif part[-1] in "Ll" and _is_value(part[:-1]):
        return _number(field, part, part[:-1]) % 7, "l"
    return None


def _number(field: Field, part: str, text: str) -> int:
    if text.isdigit():
        value = int(text)
    elif text.lower() in field.names:
        value = field.names.index(text.lower()) + field.low
    else:
        import difflib

        near = difflib.get_close_matches(text.lower(), field.names, n=1, cutoff=0.5)
        raise _wrong(field, part, f'"{text}" is not a name', near[0] if near else "")
    if not field.low <= value <= field.high:
        is_clock = field in (SECOND, MINUTE, HOUR) and value == field.high + 1
        nearest = 0 if is_clock else min(max(value, field.low), field.high)
        raise _wrong(field, part, f"{value} is out of range", str(nearest))
    return value


def _step(field: Field, part: str, step: str) -> int:
    if step and int(step) == 0:
        raise _wrong(field, part, "a step is at least 1", part.rpartition("/")[0])
    return int(step or 1)


def _hashed(field: Field, part: str, span: str, step: str, seed: str) -> Iterable[Value]:
    """A stable slot for the seed within the range (days stop at 28, so that each month has them)."""
    import hashlib

    highest = {DAY: 28, WEEKDAY: 6}.get(field, field.high)
    low, high = field.low, highest
    if span:
        first, _, last = span[1:-1].partition("-")
        if span[0] != "(" or span[-1] != ")" or not _is_number(first) or not _is_number(last):
            raise _unreadable(field, part)
        low, high = _number(field, part, first), _number(field, part, last)
    if low > high:
        raise _wrong(field, part, "the range runs backwards", f"H({high}-{low})")
    width = high - low + 1
    every = min(_step(field, part, step), width) if step else width
    digest = hashlib.sha256(f"{field.name} {seed}".encode()).digest()
    return range(low + int.from_bytes(digest[:8], "big") % every, high + 1, every)


def _stepped(field: Field, low: int, first: str, step: str) -> str:
    """A start and a step as Quartz writes them, with the range that is meant; one value needs no step."""
    return f"{first}-{field.high}/{step}" if low + int(step) <= field.high and int(step) > 0 else first


def _forwards(field: Field, low: int, high: int) -> str:
    if field is WEEKDAY and high == 0:
        return f"{low}-7"
    after = f"{field.low}-{high}" if high > field.low else str(high)
    before = f"{low}-{6 if field is WEEKDAY else field.high}" if low < field.high else str(low)
    return f"{before},{after}"


def _unreadable(field: Field, part: str) -> Mistake:
    from .rewording import part_meant

    return _wrong(field, part, "it cannot be read", part_meant(field, part))


def _wrong(field: Field, part: str, why: str, suggestion: str = "") -> Mistake:
    return Mistake(f'Field {field.name}, "{shown(part)}": {why}.', did_you_mean(suggestion) + field.allowed)
