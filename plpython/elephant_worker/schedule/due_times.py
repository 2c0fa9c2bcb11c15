"""When a schedule is due.

croniter walks the calendar (which days match); the times of day, and what becomes of them
where the UTC offset changes, follow cron(8) as Debian's cron implements it.

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

import difflib
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import cached_property, lru_cache
from heapq import heapify, heappop, heapreplace
from itertools import islice, takewhile
from math import floor
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from croniter import CroniterBadDateError, croniter

from ..errors import UserError
from .parser import MAX_ENTRIES, After, Calendar, Entry, Interval, Once, Reboot, parse

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
UTC = timezone.utc
# Due times have microseconds at the most.
TICK = 1e-6
MOST_COMPARED = 10_000
NEVER = date.max

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


class Due(Protocol):
    """One entry of a schedule in a time zone; intervals are counted from `anchor`."""

    def next(self, after: float, anchor: float) -> float | None:
        """The first due time later than `after`, or None."""

    def count(self, after: float, until: float, anchor: float) -> int:
        """How many due times are later than `after` and not later than `until`."""


class Schedule:
    """The entries of a schedule in a time zone."""

    def __init__(self, entries: tuple[Entry, ...], zone: tzinfo, dst: str) -> None:
        self.after_end = min((entry.seconds for entry in entries if isinstance(entry, After)), default=None)
        self.at_reboot = any(isinstance(entry, Reboot) for entry in entries)
        self._parsed = entries
        self.entries = list(_due_entries(entries, zone, dst_policy(dst)))

    @cached_property
    def never_due(self) -> int | None:
        """The number of the first entry that is on days which never come."""
        for number, entry in enumerate(self._parsed, 1):
            if isinstance(entry, Calendar) and _Days(entry).next(date(1970, 1, 1)) is None:
                return number
        return None


def schedule(text: str, zone: str, dst: str = "cron", seed: str = "") -> Schedule:
    """Read a schedule, or find it among those read before. Raises UserError (22023)."""
    return _schedule(text, zone, dst, seed if "H" in text else "")


# Bounded, so that the memory of a session does not grow with the number of jobs.
@lru_cache(maxsize=1000)
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


@dataclass(frozen=True, slots=True)
class Timing:
    """When a job is due: its schedule, what intervals are counted from, and the window."""

    schedule: Schedule
    anchor: float = 0.0
    starts_at: float | None = None
    ends_at: float | None = None

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
        ahead = [
            (due, number) for number, entry in enumerate(entries) if (due := entry.next(after, anchor)) is not None
        ]
        heapify(ahead)
        while ahead:
            due, number = ahead[0]
            if self.ends_at is not None and due > self.ends_at:
                return
            following = entries[number].next(due, anchor)
            if following is None:
                heappop(ahead)
            else:
                heapreplace(ahead, (following, number))
            if due > after:
                yield due
                after = due

    def _in_window(self, after: float) -> tuple[float, float]:
        """From when on to look, and what intervals are counted from."""
        if self.starts_at is None:
            return after, self.anchor
        return max(after, self.starts_at - TICK), self.starts_at

    def preview(self, after: float) -> Iterator[float]:
        """All due times later than `after`, as if a run that the next one waits for took no time."""
        pause = self.schedule.after_end
        while True:
            found = [self.next(after)]
            if pause is not None:
                start = max(after, (self.starts_at or after) - pause)
                found.append(start + pause if self.ends_at is None or start + pause <= self.ends_at else None)
            due = min((instant for instant in found if instant is not None), default=None)
            if due is None:
                return
            yield due
            after = due

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
        if not moment.tzinfo and _wall(instant, zone) != moment:
            instant = _gap(moment, zone)  # it would be never due otherwise
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
        self._days = _Days(entry)
        self._make_up, self._repeat = policy

    def next(self, after: float, anchor: float) -> float | None:
        now = datetime.fromtimestamp(after, UTC)
        wall, inclusive = _wall(now, self._zone), False
        if (change := self._change_back(now)) is not None:
            moment, end = change, _wall(change, self._zone)
            repeated = _wall(moment - SECOND, self._zone) + SECOND
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
        shown = wall = _wall(begin, self._zone)
        for end in (*_changes(begin, last, self._zone), last):
            low = wall  # the clock jumps from `shown` to `wall` where the piece begins
            if wall < shown and not self._repeat and shown - wall <= LONGEST_REPETITION:
                low = shown
            elif self._makes_up(shown, wall) and first <= begin:
                total += 1
            shown = wall + (end - begin)
            total += self._count_wall(max(low, wall + (first - begin)), shown)
            begin, wall = end, _wall(end, self._zone)
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
                if instant > now and _wall(instant, self._zone) == found:
                    return instant.timestamp()
            gap = _gap(found, self._zone)
            begin, end = _wall(gap - SECOND, self._zone) + SECOND, _wall(gap, self._zone)
            if self._make_up and end - begin < LONGEST_GAP and gap > now:
                return gap.timestamp()
            wall, inclusive = end, True
        return None

    def _change_back(self, now: datetime) -> datetime | None:
        """The moment within the horizon at which clocks are set back, if there is one."""
        for begin, end in ((now, now + HORIZON), (now - HORIZON, now)):
            if _wall(end, self._zone) - _wall(begin, self._zone) < HORIZON:
                return _change(begin, end, self._zone)
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


class _Days:
    """The matching days of a calendar entry.

    The last two answers are kept, since days are asked in order: today's, whose times may all be
    over, and the next one's.
    """

    def __init__(self, entry: Calendar) -> None:
        start = datetime(1970, 1, 1)
        self._walkers = [croniter(line, start, ret_type=datetime, day_or=False) for line in _day_lines(entry)]
        # From which day on an answer holds, and the answer.
        self._known = [(date.max, date.min)] * 2

    def next(self, day: date) -> date | None:
        """The first matching day that is not before `day`."""
        if not self._walkers:
            return day
        for wrote_inbox, found in self._known:
            if wrote_inbox <= day <= found:
                break
        else:
            found = self._walk(day) or NEVER
            self._known = [self._known[1], (day, found)]
        return None if found == NEVER else found

    def count(self, begin: date, end: date) -> int:
        """How many matching days there are from `begin` to before `end`."""
        if not self._walkers:
            return (end - begin).days
        total, day = 0, self.next(begin)
        while day is not None and day < end:
            total, day = total + 1, self.next(day + DAY)
        return total

    def _walk(self, day: date) -> date | None:
        eve = datetime.combine(day, time()) - SECOND
        found = []
        for walker in self._walkers:
            try:
                found.append(walker.get_next(datetime, start_time=eve).date())
            except (CroniterBadDateError, ValueError, OverflowError):
                continue  # never due, or only after the year 9999
        return min(found, default=None)


def _day_lines(entry: Calendar) -> list[str]:
    """The matching days as croniter lines; none where every day matches.

    croniter gets plain numbers, so that its own reading of ranges and stars plays no part, and
    one line for each kind of weekday and (unless both must match) each day field: it cannot mix
    them.
    """
    days = "*" if len(entry.days) == 31 else ",".join([*map(str, entry.days), *["l"] * entry.last_day])
    months = "*" if len(entry.months) == 12 else ",".join(map(str, entry.months))
    nth_weekdays = [f"{day}#{nth}" if nth != "l" else f"l{day}" for day, nth in entry.nth_weekdays]
    weekdays = [",".join(map(str, kind)) for kind in (nth_weekdays, entry.weekdays) if kind]
    if len(entry.weekdays) == 7:
        weekdays = ["*"]
    if entry.both_days:
        fields = [(days, weekday) for weekday in weekdays]
    else:
        fields = [(days, "*"), *(("*", weekday) for weekday in weekdays)]
    if months == "*" and ("*", "*") in fields:
        return []
    return [f"0 0 {day} {months} {weekday}" for day, weekday in fields]


# --- time zones -----------------------------------------------------------------------------

# The form in which PostgreSQL shows SET TIME ZONE 2: POSIX, with the sign reversed.
_FIXED = re.compile(r"<[+-]\d{2}(?::?\d{2})?>([+-]?)(\d{1,2})(?::(\d{2}))?", re.ASCII)


def time_zone(name: str) -> tzinfo:
    """The time zone of this name. Raises UserError (22023)."""
    if match := _FIXED.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset < DAY:
            return timezone(offset if sign == "-" else -offset)
    try:
        return ZoneInfo(_zone_names().get(name.lower(), name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name[:40].lower(), _zone_names(), n=1)
        advice = f"Did you mean {_zone_names()[near[0]]}? " if near else ""
        raise UserError(
            f'unknown time zone "{name[:40]}"',
            "The server's time zone database has no such name.",
            f"{advice}Names look like Europe/Berlin or UTC; pg_timezone_names lists them.",
        ) from None


@lru_cache(maxsize=1)
def _zone_names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


@dataclass(frozen=True, slots=True)
class ClockChange:
    """What a clock on the wall shows when its UTC offset changes, before and after that."""

    before: datetime
    after: datetime


def clock_changes(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[ClockChange]:
    """The changes of the UTC offset of a zone between two moments."""
    for moment in _changes(begin, end, zone):
        yield ClockChange(_wall(moment - SECOND, zone) + SECOND, _wall(moment, zone))


def _changes(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The moments after `begin` and before `end` at which the UTC offset of a zone changes."""
    while begin < end:
        tomorrow = min(begin + DAY, end)
        if _wall(tomorrow, zone) - _wall(begin, zone) != tomorrow - begin:
            moment = _change(begin, tomorrow, zone)
            if moment < end:
                yield moment
        begin = tomorrow


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    """What a clock on the wall shows at a moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _gap(missing: datetime, zone: tzinfo) -> datetime:
    """The moment at which clocks are set forward past the wall time `missing`."""
    moments = [missing.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return _change(min(moments) - SECOND, max(moments) + SECOND, zone)


def _change(begin: datetime, end: datetime, zone: tzinfo) -> datetime:
    """The moment (a whole second) in (begin, end] at which the UTC offset changes."""
    before = _wall(begin, zone) - begin.replace(tzinfo=None)
    while end - begin > SECOND:
        middle = begin + timedelta(seconds=int((end - begin).total_seconds()) // 2 or 1)
        if _wall(middle, zone) - middle.replace(tzinfo=None) == before:
            begin = middle
        else:
            end = middle
    return end.replace(microsecond=0)
