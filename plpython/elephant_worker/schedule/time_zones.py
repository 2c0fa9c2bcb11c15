"""Time zones by the names that PostgreSQL accepts, and when their clocks change.

>>> time_zone("europe/berlin")
zoneinfo.ZoneInfo(key='Europe/Berlin')
>>> datetime(2027, 1, 1, tzinfo=time_zone("UTC-3")).isoformat()
'2027-01-01T00:00:00+03:00'
"""

from __future__ import annotations

from ..datetimes import ZoneInfo, ZoneInfoNotFoundError, datetime, timedelta, timezone, tzinfo
from ..errors import UserError
from .memory import remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
UTC = timezone.utc


@remembered(100)
def time_zone(name: str) -> tzinfo:
    """The time zone of this name: one of the IANA database in any case, or a POSIX form. Raises UserError (22023)."""
    # Names are looked for as they are first: a list of all names takes 20 times as long.
    # Python misreads those that count leap seconds; the server refuses them.
    for find in (ZoneInfo, _in_any_case, _posix) if not name.startswith("right/") else ():
        try:
            return find(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    raise _unknown(name)


def _in_any_case(name: str) -> tzinfo:
    return ZoneInfo(_zone_names()[name.lower()]) if name.lower() in _zone_names() else _none()


def _none() -> tzinfo:
    raise ValueError


@remembered(1)
def _zone_names() -> dict[str, str]:
    from zoneinfo import available_timezones

    return {name.lower(): name for name in available_timezones()}


def _posix(name: str) -> tzinfo:
    from .posix_zones import posix_zone

    return posix_zone(name)


def _unknown(name: str) -> UserError:
    from .posix_zones import offset_of, words, zone_of

    known, shown = _zone_names(), name[:40]
    offset = offset_of(name)
    if offset is not None:
        return UserError(
            f'unknown time zone "{shown}"',
            "It is an offset, not the name of a zone.",
            f"Did you mean {zone_of(offset)}, which is {words(offset)}?" if offset else "Did you mean UTC?",
        )
    in_use = _with_abbreviation(shown)
    if in_use is not None:
        return UserError(
            f'unknown time zone "{shown}"',
            "It is an abbreviation, not the name of a zone.",
            f"Did you mean {in_use}? pg_timezone_names lists the zones.",
        )
    near = [zone for zone in sorted(known) if zone.rpartition("/")[2] == shown.lower().replace(" ", "_")]
    if not near and len(shown) > 5:  # shorter ones are like anything
        import difflib

        near = difflib.get_close_matches(shown.lower(), known, n=1)
    advice = f"Did you mean {known[near[0]]}? " if near else ""
    return UserError(
        f'unknown time zone "{shown}"',
        "The server's time zone database has no such name.",
        f"{advice}Names look like Europe/Berlin or UTC; pg_timezone_names lists them.",
    )


def _with_abbreviation(name: str) -> str | None:
    """A zone that has this abbreviation in winter or in summer."""
    if not (name.isascii() and name.isalpha() and 2 < len(name) <= 5):
        return None
    from .posix_zones import WELL_KNOWN, offsets

    for zone in [*WELL_KNOWN, *sorted(_zone_names().values())]:
        if name.upper() in offsets(zone):
            return zone
    return None


# --- changes of the clock -------------------------------------------------------------------


class ClockChange:
    """What a clock on the wall shows when its UTC offset changes, before and after that."""

    __slots__ = ("after", "before")

    def __init__(self, before: datetime, after: datetime) -> None:
        self.before = before
        self.after = after


def clock_changes(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[ClockChange]:
    """The changes of the UTC offset of a zone between two moments."""
    for moment in offset_changes(begin, end, zone):
        yield ClockChange(wall_time(moment - SECOND, zone) + SECOND, wall_time(moment, zone))


def offset_changes(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The moments after `begin` and before `end` at which the UTC offset of a zone changes."""
    while begin < end:
        tomorrow = min(begin + DAY, end)
        if wall_time(tomorrow, zone) - wall_time(begin, zone) != tomorrow - begin:
            moment = offset_change(begin, tomorrow, zone)
            if moment < end:
                yield moment
        begin = tomorrow


def offset_change(begin: datetime, end: datetime, zone: tzinfo) -> datetime:
    """The moment (a whole second) in (begin, end] at which the UTC offset changes."""
    before = wall_time(begin, zone) - begin.replace(tzinfo=None)
    while end - begin > SECOND:
        middle = begin + timedelta(seconds=int((end - begin).total_seconds()) // 2 or 1)
        if wall_time(middle, zone) - middle.replace(tzinfo=None) == before:
            begin = middle
        else:
            end = middle
    return end.replace(microsecond=0)


def end_of_gap(missing: datetime, zone: tzinfo) -> datetime:
    """The moment at which clocks are set forward past the wall time `missing`."""
    moments = [missing.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return offset_change(min(moments) - SECOND, max(moments) + SECOND, zone)


def wall_time(moment: datetime, zone: tzinfo) -> datetime:
    """What a clock on the wall shows at a moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
