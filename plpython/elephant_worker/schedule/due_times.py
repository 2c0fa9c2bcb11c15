"""When a schedule is due.

The times of day, and what becomes of them where the UTC offset changes, follow cron(8) as
Debian's cron implements it.

Instants are seconds since 1970-01-01 UTC. No function here reads a clock.

>>> every_morning = Timing(schedule("0 9 * * *", "Europe/Berlin"))
>>> datetime.fromtimestamp(every_morning.next(0.0), UTC).isoformat()
'1970-01-01T08:00:00+00:00'
>>> every_morning.count(0.0, 30 * 86400.0)
30
>>> Timing(schedule("0 0 31 2 *", "UTC")).next(0.0) is None
True
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import islice, takewhile
from math import floor

from ..datetimes import date, datetime, time, timedelta, tzinfo
from ..errors import UserError
from .calendar_days import CalendarDays
from .entries import After, Calendar, Interval, Once, Reboot
from .memory import remembered
from .parser import MAX_ENTRIES, parse
from .time_zones import DAY, SECOND, UTC, end_of_gap, offset_change, offset_changes, time_zone, wall_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from .entries import Entry

    class Due(Protocol):
        """One entry of a schedule in a time zone; intervals are counted from `anchor`."""

        def next(self, after: float, anchor: float) -> float | None:
            """The first due time later than `after`, or None."""

        def count(self, after: float, until: float, anchor: float) -> int:
            """How many due times are later than `after` and not later than `until`."""


# Due times have microseconds at the most.
TICK = 1e-6  # seconds
MOST_COMPARED = 10_000  # due times

# cron(8) speaks of "less than 3 hours"; cron.c makes up for the fixed-time jobs of a gap of less
# than that, and runs those of a repetition of up to and including three hours once.
LONGEST_GAP = timedelta(hours=3)
LONGEST_REPETITION = timedelta(hours=3)
# A repetition reaches no farther than this from its change of offset: a repeated day, and the
# daylight saving of two zones.
HORIZON = timedelta(hours=26)

# What becomes of fixed-time entries where clocks are changed: whether a time that a gap has
# skipped is made up right after it, and whether a time that comes twice is due twice.
# Wildcard entries follow the clock in any case: not made up, twice.
DST = {"cron": (True, False), "skip": (False, False), "wall": (False, True)}
FOLLOW = (False, True)


class Schedule:
    """The entries of a schedule in a time zone."""

    def __init__(self, entries: tuple[Entry, ...], zone: tzinfo, dst: str) -> None:
        self.after_end = min((entry.seconds for entry in entries if isinstance(entry, After)), default=None)
        self.at_reboot = any(isinstance(entry, Reboot) for entry in entries)
        self.has_intervals = any(isinstance(entry, Interval) for entry in entries)
        self._parsed = entries
        self.entries = list(_due_entries(entries, zone, dst_policy(dst)))

    @property
    def never_due(self) -> int | None:
        """The number of the first entry that is on days which never come."""
        for number, entry in enumerate(self._parsed, 1):
            if isinstance(entry, Calendar) and CalendarDays(entry).next(date(1970, 1, 1)) is None:
                return number
        return None


def schedule(text: str, zone: str, dst: str = "cron", seed: str = "") -> Schedule:
    """Read a schedule, or find it among those read before. Raises UserError (22023)."""
    return _schedule(text, zone, dst, seed if "H" in text else "")


@remembered(1000)
def _schedule(text: str, zone: str, dst: str, seed: str) -> Schedule:
    return Schedule(parse(text, seed), time_zone(zone), dst)


def dst_policy(name: str) -> tuple[bool, bool]:
    """The policy of this name, see DST. Raises UserError (22023)."""
    if name not in DST:
        raise UserError(
            f'dst cannot be "{name[:40]}"',
            "It says what becomes of a time that a change of the clock skips or repeats.",
            "cron (the default): made up once, run once; skip: not made up, run once; wall: not made up, run twice.",
        )
    return DST[name]


def _due_entries(entries: tuple[Entry, ...], zone: tzinfo, policy: tuple[bool, bool]) -> Iterator[Due]:
    for entry in entries:
        if isinstance(entry, Calendar):
            yield _WallTimes(entry, zone, FOLLOW if entry.wildcard else policy)
        elif isinstance(entry, Interval):
            yield _Grid(entry.seconds)
        elif isinstance(entry, Once):
            yield _Moment(entry.moment, zone)


class Timing:
    """When a job is due: its schedule, what intervals are counted from, and the window."""

    __slots__ = ("anchor", "ends_at", "schedule", "starts_at")

    def __init__(
        self, schedule: Schedule, anchor: float = 0.0, starts_at: float | None = None, ends_at: float | None = None
    ) -> None:
        self.schedule = schedule
        self.anchor = anchor
        self.starts_at = starts_at
        self.ends_at = ends_at

    def next(self, after: float) -> float | None:
        """The first due time later than `after`, or None."""
        after, anchor = self._in_window(after)
        found = [due for entry in self.schedule.entries if (due := entry.next(after, anchor)) is not None]
        if not found:
            return None
        due = min(found)
        return None if self.ends_at is not None and due > self.ends_at else due

    def following(self, after: float) -> Iterator[float]:
        """All due times later than `after`, in order."""
        after, anchor = self._in_window(after)
        entries = self.schedule.entries
        # The next due time of each entry: only that of one which was due is looked for again.
        ahead = sorted(
            (due, number) for number, entry in enumerate(entries) if (due := entry.next(after, anchor)) is not None
        )
        while ahead:
            due, number = ahead.pop(0)
            if self.ends_at is not None and due > self.ends_at:
                return
            following = entries[number].next(due, anchor)
            if following is not None:
                insort(ahead, (following, number))
            if due > after:
                yield due
                after = due

    def in_window(self, moment: float) -> bool:
        """Whether the job may be due then."""
        return (self.starts_at is None or self.starts_at <= moment) and (self.ends_at is None or moment <= self.ends_at)

    def _in_window(self, after: float) -> tuple[float, float]:
        """From when on to look, and what intervals are counted from."""
        if self.starts_at is None:
            return after, self.anchor
        return max(after, self.starts_at - TICK), self.starts_at

    def preview(self, after: float) -> Iterator[float]:
        """All due times later than `after`, as if a run that the next one waits for took no time."""
        ahead = self.following(after)
        pause = self.schedule.after_end
        if pause is None:
            yield from ahead
            return
        upcoming = next(ahead, None)
        while True:
            due = max(after, (self.starts_at or after) - pause) + pause
            if self.ends_at is not None and due > self.ends_at:
                break
            if upcoming is not None and upcoming <= due:
                due, upcoming = upcoming, next(ahead, None)
            yield due
            after = due
        while upcoming is not None:
            yield upcoming
            upcoming = next(ahead, None)

    def latest(self, after: float, until: float, count: int) -> list[float]:
        """The last `count` due times that are later than `after` and not later than `until`."""
        first = self.next(after)
        if first is None or first > until:
            return []
        # How far back to look: a guess, which is then found to be too short or to hold too many.
        reach, short, long = max(1.0, (first - after) * count), 0.0, 0.0
        most = 4 * count + 2 * MAX_ENTRIES
        while True:
            begin = max(after, until - reach)
            due_times = takewhile(lambda due: due <= until, self.following(begin))
            found = list(islice(due_times, most + 1))
            if len(found) > most:
                long = reach
            elif len(found) >= count or begin == after:
                return found[-count:]
            else:
                short = reach
            reach = (short + long) / 2 if long else reach * 4

    def count(self, after: float, until: float) -> int:
        """How many due times are later than `after` and not later than `until`.

        Several entries are compared one time after the other; beyond MOST_COMPARED comparisons a
        time at which more than one of them is due counts for each.
        """
        entries = self.schedule.entries
        if len(entries) > 1:
            most = MOST_COMPARED // len(entries)
            compared = sum(1 for _ in islice(takewhile(lambda due: due <= until, self.following(after)), most))
            if compared < most:
                return compared
        after, anchor = self._in_window(after)
        if self.ends_at is not None:
            until = min(until, self.ends_at)
        return sum(entry.count(after, until, anchor) for entry in entries) if until > after else 0


class _Grid:
    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def next(self, after: float, anchor: float) -> float | None:
        return round(anchor + (self._upto(after, anchor) + 1) * self._seconds, 6)

    def count(self, after: float, until: float, anchor: float) -> int:
        return self._upto(until, anchor) - self._upto(after, anchor)

    def _upto(self, moment: float, anchor: float) -> int:
        """The number on the grid of the last due time not later than a moment.

        A moment less than half a tick before one is that one: seconds since 1970 with a fraction
        are not exact.
        """
        return int((moment - anchor + TICK / 2) // self._seconds)


class _Moment:
    def __init__(self, moment: datetime, zone: tzinfo) -> None:
        instant = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if not moment.tzinfo and wall_time(instant, zone) != moment:
            instant = end_of_gap(moment, zone)  # it would be never due otherwise
        self._instant = instant.timestamp()

    def next(self, after: float, anchor: float) -> float | None:
        return self._instant if self._instant > after else None

    def count(self, after: float, until: float, anchor: float) -> int:
        return 1 if after < self._instant <= until else 0


class _WallTimes:
    """A calendar entry in a time zone."""

    def __init__(self, entry: Calendar, zone: tzinfo, policy: tuple[bool, bool]) -> None:
        self._entry = entry
        self._zone = zone
        self._days = CalendarDays(entry)
        self._make_up, self._repeat = policy

    def next(self, after: float, anchor: float) -> float | None:
        now = datetime.fromtimestamp(after, UTC)
        wall, inclusive = wall_time(now, self._zone), False
        if (change := self._change_back(now)) is not None:
            moment, end = change, wall_time(change, self._zone)
            repeated = wall_time(moment - SECOND, self._zone) + SECOND
            once = not self._repeat and repeated - end <= LONGEST_REPETITION
            if now < moment:
                found = self._match(wall, inclusive)
                if found is None:
                    return None
                if found < repeated:
                    return (moment - (repeated - found)).timestamp()
                wall, inclusive = (repeated if once else end), True
            elif once and wall < repeated:
                wall, inclusive = repeated, True
        return self._resolve(wall, inclusive, now)

    def count(self, after: float, until: float, anchor: float) -> int:
        """Piece by piece of the time in which the UTC offset stays the same."""
        first, last = (datetime.fromtimestamp(floor(moment) + 1, UTC) for moment in (after, until))
        total = 0
        begin = first - HORIZON  # a repetition may have begun before
        shown = wall = wall_time(begin, self._zone)
        for end in (*offset_changes(begin, last, self._zone), last):
            low = wall  # the clock jumps from `shown` to `wall` where the piece begins
            if wall < shown and not self._repeat and shown - wall <= LONGEST_REPETITION:
                low = shown
            elif self._makes_up(shown, wall) and first <= begin:
                total += 1
            shown = wall + (end - begin)
            total += self._count_wall(max(low, wall + (first - begin)), shown)
            begin, wall = end, wall_time(end, self._zone)
        return total

    def _makes_up(self, begin: datetime, end: datetime) -> bool:
        """Whether a gap makes a time due at its end that would not be due anyway."""
        return (
            self._make_up
            and end - begin < LONGEST_GAP
            and self._count_wall(begin, end) > 0
            and not self._count_wall(end, end + SECOND)
        )

    def _count_wall(self, begin: datetime, end: datetime) -> int:
        """How many matching wall times there are from `begin` to before `end`."""
        if begin >= end:
            return 0
        first, last = begin.date(), end.date()
        entry = self._entry
        total = self._days.count(first, last) * len(entry.hours) * len(entry.minutes) * len(entry.seconds)
        if self._days.next(first) == first:
            total -= self._rank(begin.time())
        if self._days.next(last) == last:
            total += self._rank(end.time())
        return total

    def _rank(self, moment: time) -> int:
        """How many matching times of a day are before this one, which is a whole second."""
        hours, minutes, seconds = self._entry.hours, self._entry.minutes, self._entry.seconds
        hour, minute, second = (
            bisect_left(values, value)
            for values, value in ((hours, moment.hour), (minutes, moment.minute), (seconds, moment.second))
        )
        rank = hour * len(minutes) * len(seconds)
        if moment.hour in hours[hour : hour + 1]:
            rank += minute * len(seconds)
            if moment.minute in minutes[minute : minute + 1]:
                rank += second
        return rank

    def _resolve(self, wall: datetime, inclusive: bool, now: datetime) -> float | None:
        """The first instant after `now` at which a wall clock shows a matching time from `wall` on."""
        while (found := self._match(wall, inclusive)) is not None:
            for fold in (0, 1):
                instant = found.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)
                if instant > now and wall_time(instant, self._zone) == found:
                    return instant.timestamp()
            gap = end_of_gap(found, self._zone)
            begin, end = wall_time(gap - SECOND, self._zone) + SECOND, wall_time(gap, self._zone)
            if self._make_up and end - begin < LONGEST_GAP and gap > now:
                return gap.timestamp()
            wall, inclusive = end, True
        return None

    def _change_back(self, now: datetime) -> datetime | None:
        """The moment within the horizon at which clocks are set back, if there is one."""
        for begin, end in ((now, now + HORIZON), (now - HORIZON, now)):
            if wall_time(end, self._zone) - wall_time(begin, self._zone) < HORIZON:
                return offset_change(begin, end, self._zone)
        return None

    def _match(self, wall: datetime, inclusive: bool) -> datetime | None:
        """The first matching wall time from `wall` on (after it, where it is not inclusive)."""
        start = wall.replace(microsecond=0)
        if not inclusive or start < wall:
            start += SECOND
        day = self._days.next(start.date())
        if day == start.date():
            if (moment := self._time_of_day(start.time())) is not None:
                return datetime.combine(day, moment)
            day = self._days.next(day + DAY)
        return None if day is None else datetime.combine(day, self._first_time())

    def _first_time(self) -> time:
        entry = self._entry
        return time(entry.hours[0], entry.minutes[0], entry.seconds[0])

    def _time_of_day(self, start: time) -> time | None:
        """The first matching time of a day that is not before `start`."""
        hours, minutes, seconds = self._entry.hours, self._entry.minutes, self._entry.seconds
        at_hour = bisect_left(hours, start.hour)
        if at_hour < len(hours) and hours[at_hour] == start.hour:
            at_minute = bisect_left(minutes, start.minute)
            if at_minute < len(minutes) and minutes[at_minute] == start.minute:
                at_second = bisect_left(seconds, start.second)
                if at_second < len(seconds):
                    return time(start.hour, start.minute, seconds[at_second])
                at_minute += 1
            if at_minute < len(minutes):
                return time(start.hour, minutes[at_minute], seconds[0])
            at_hour += 1
        if at_hour < len(hours):
            return time(hours[at_hour], minutes[0], seconds[0])
        return None
