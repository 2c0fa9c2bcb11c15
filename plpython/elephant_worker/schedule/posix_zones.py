"""Time zones in POSIX forms, which SET TIME ZONE 2, drivers and containers give a session.

PostgreSQL knows them too. Their sign is not what it seems to be: UTC+2 is two hours *behind* UTC.

>>> doubt("UTC+2").hint
'For 2 hours ahead of UTC write Etc/GMT-2, or a region that has it as its standard time, such as Europe/Athens.'
>>> doubt("<+02>-02") is None
True
"""

from __future__ import annotations

import re
from io import BytesIO
from struct import pack

from ..datetimes import ZoneInfo, datetime, timedelta, timezone, tzinfo
from .periods import in_words

# Where many live who use the abbreviation of their zone; others have the first name of those that use it, too.
WELL_KNOWN = (
    *("Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Moscow", "America/New_York", "America/Chicago"),
    *("America/Denver", "America/Los_Angeles", "America/Anchorage", "Asia/Kolkata", "Asia/Tokyo"),
    *("Australia/Sydney", "Australia/Adelaide", "Africa/Lagos"),
)

_NAME = r"[A-Za-z]{3,}|<[^>]+>"
_FORM = re.compile(
    rf"(?P<name>{_NAME})(?P<sign>[+-]?)(?P<hours>\d{{1,2}})(?::(?P<minutes>\d\d))?(?P<summer>[A-Za-z<].*)?", re.ASCII
)
_ANY_NAME = r"(?:[A-Za-z]+|<[^>]+>)"
_HOURS = re.compile(rf"{_ANY_NAME}[+-]?(\d+)[\d:]*(?:{_ANY_NAME}[+-]?(\d+))?", re.ASCII)
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>0?\d|1[0-5])(?::?(?P<minutes>[0-5]\d))?", re.ASCII)
_HOUR = timedelta(hours=1)


def posix_zone(name: str) -> tzinfo:
    """The time zone. Raises ValueError.

    It is read as the last line of a file of the time zone database, which holds such a form.
    """
    if not re.fullmatch(r"[A-Za-z<][A-Za-z0-9<>+:,./-]{0,99}", name, re.ASCII):
        raise ValueError
    # Python reads an offset of a day, and fails when somebody asks for it; by default summer adds an hour.
    hours = _HOURS.match(name)
    if hours is None or any(int(number) >= 23 for number in hours.groups("0")):
        raise ValueError
    if re.fullmatch(rf"(?:{_NAME})[+-]?\d[\d:]*(?:{_NAME})", name):
        name += ",M3.2.0,M11.1.0"  # PostgreSQL's default: the rules of the United States
    # PostgreSQL has colons in names, as in <+05:30>-05:30; Python does not, and nobody is shown the name.
    name = re.sub(r"<[^>]+>", "<zone>", name)
    # Python reads 60 minutes and more, and a name without a letter, which PostgreSQL refuses; and takes days that are
    # counted from 0 for those before them.
    if re.search(r":(?![0-5]\d)|<>|,\d", name, re.ASCII):
        raise ValueError
    header = b"TZif2" + bytes(15)
    counts = pack(">6l", 0, 0, 0, 0, 1, 4)
    utc = pack(">lbb", 0, 0, 0) + b"UTC\0"
    body = header + counts + utc
    zone = ZoneInfo.from_file(BytesIO(body + body + b"\n" + name.encode() + b"\n"))
    # What PostgreSQL looks at to tell those that count leap seconds, which it refuses.
    if datetime(2000, 1, 1, tzinfo=timezone.utc).astimezone(zone).second:
        raise ValueError
    return zone


class Doubt:
    """What a time zone is, though its name reads like one on the other side of UTC, and what to write for that."""

    def __init__(self, meaning: str, detail: str, hint: str) -> None:
        self.meaning = meaning
        self.detail = detail
        self.hint = hint


def doubt(name: str) -> Doubt | None:
    """The doubt about a time zone that can be read: a POSIX form that seems to be on the other side of UTC."""
    form = _FORM.fullmatch(name)
    if form is None:
        return None
    written = _written(form)
    if not written or _seeming(form["name"], written) != written:
        return None
    standard = " in standard time" if form["summer"] else ""
    return Doubt(
        words(-written) + standard,
        "In this form of POSIX, which PostgreSQL reads too, + or no sign is west of Greenwich, and - is east.",
        f"For {words(written)} write {zone_of(written)}{_region(written)}.",
    )


def _written(match: re.Match[str]) -> timedelta:
    """The offset as it stands there, with the sign that everybody else gives it."""
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return -offset if match["sign"] == "-" else offset


def _seeming(name: str, written: timedelta) -> timedelta | None:
    """The offset from UTC that the name of a POSIX form lets readers expect."""
    if name.upper() in ("UTC", "GMT"):
        return written
    if name[0] == "<":
        return offset_of(name[1:-1])
    known = map(offsets, WELL_KNOWN)
    return next((found[name.upper()] for found in known if name.upper() in found), written)


def offset_of(text: str) -> timedelta | None:
    """An offset as ISO 8601 has it: +02, -05:30."""
    match = _OFFSET.fullmatch(text)
    return _written(match) if match else None


def words(offset: timedelta) -> str:
    """
    >>> words(timedelta(hours=-5, minutes=-30))
    '5 hours 30 minutes behind UTC'
    """
    return f"{in_words(int(abs(offset).total_seconds()))} {'ahead of' if offset > timedelta(0) else 'behind'} UTC"


def zone_of(offset: timedelta) -> str:
    """The time zone that is always so far ahead of UTC.

    >>> zone_of(timedelta(hours=2)), zone_of(timedelta(hours=-5, minutes=-30))
    ('Etc/GMT-2', '<-05:30>+05:30')
    """
    hours, rest = divmod(offset, _HOUR)
    if not rest and -12 <= hours <= 14:
        return f"Etc/GMT{-hours:+}"
    minutes = int(abs(offset).total_seconds()) // 60
    shown = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"<+{shown}>-{shown}" if offset > timedelta(0) else f"<-{shown}>+{shown}"


def _region(offset: timedelta) -> str:
    for zone in WELL_KNOWN:
        if min(offsets(zone).values()) == offset:
            return f", or a region that has it as its standard time, such as {zone}"
    return ""


def offsets(zone: str) -> dict[str, timedelta]:
    """How far ahead of UTC a region is in winter and in summer, by the abbreviations of both."""
    moments = [datetime(2026, month, 1, tzinfo=ZoneInfo(zone)) for month in (1, 7)]
    return {moment.tzname() or "": moment.utcoffset() or timedelta(0) for moment in moments}
