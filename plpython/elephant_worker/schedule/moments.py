"""Entries that name one moment.

>>> read_moment("2027-03-28 12:00:30+05:30").moment.isoformat()
'2027-03-28T12:00:30+05:30'
"""

from __future__ import annotations

import re

from ..datetimes import datetime, timedelta, timezone
from .entries import Mistake, Once, shown

_OFFSET = r"Z|z|UTC|[+-]\d{2}(?::?\d{2})?"
# A day with an offset is what setDate() of pgjdbc sends.
_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    rf"(?:[ Tt]((?:[01]\d|2[0-3]):\d{{2}})(:\d{{2}}(?:\.\d{{1,9}})?)?[ ]?({_OFFSET})?|[ ]({_OFFSET}))?",
    re.ASCII,
)


def read_moment(text: str) -> Once:
    """Read a timestamp; fractions of a second are rounded to microseconds. Raises Mistake."""
    match = _TIMESTAMP.fullmatch(text)
    advice = "Write 2027-03-28 02:30, with seconds and an offset (+02:00) if you like."
    if match is None:
        raise Mistake(f'"{shown(text)}" is not a timestamp.', advice)
    date, clock, seconds, *offsets = match.groups()
    offset = offsets[0] or offsets[1]
    whole, _, fraction = (seconds or ":00").partition(".")
    try:
        moment = datetime.fromisoformat(f"{date}T{clock or '00:00'}{whole}")
        moment += timedelta(microseconds=(int(fraction.ljust(9, "0")) + 500) // 1000)
        if offset:
            moment = moment.replace(tzinfo=_offset(offset))
    except (ValueError, OverflowError):
        raise Mistake(f'"{shown(text)}" names a moment that does not exist.', advice) from None
    if not 1970 <= moment.year <= 9000:
        raise Mistake(f"The year {moment.year} is out of range.", "Years are 1970 to 9000.")
    return Once(moment)


def _offset(text: str) -> timezone:
    if text in ("Z", "z", "UTC"):
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 15 or minutes > 59:
        raise ValueError(text)
    return timezone((1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))
