"""The days that a crontab line names."""

from __future__ import annotations

from ..datetimes import date, datetime, time, timedelta
from .entries import Calendar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from croniter import croniter

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NEVER = date.max
# So far ahead the days are looked at one by one. A day that is farther away is found by croniter, whose import takes
# longer than everything else in the first call of a session.
NEAR = timedelta(days=366)


class CalendarDays:
    """The matching days of a calendar entry.

    The last two answers are kept, since days are asked in order: today's, whose times may all be
    over, and the next one's.
    """

    def __init__(self, entry: Calendar) -> None:
        self._entry = entry
        self._lines = day_lines(entry)
        self._walkers: list[croniter] | None = None
        # From which day on an answer holds, and the answer.
        self._known = [(date.max, date.min)] * 2

    def next(self, day: date) -> date | None:
        """The first matching day that is not before `day`."""
        if not self._lines:
            return day
        for asked, found in self._known:
            if asked <= day <= found:
                break
        else:
            found = self._near(day) or self._far(day) or NEVER
            self._known = [self._known[1], (day, found)]
        return None if found == NEVER else found

    def count(self, begin: date, end: date) -> int:
        """How many matching days there are from `begin` to before `end`."""
        if not self._lines:
            return (end - begin).days
        total, day = 0, self.next(begin)
        while day is not None and day < end:
            total, day = total + 1, self.next(day + DAY)
        return total

    def _near(self, day: date) -> date | None:
        if day >= NEVER - NEAR - DAY:
            return None
        end = day + NEAR
        while day < end:
            if day.month not in self._entry.months:
                day = (day.replace(day=28) + 4 * DAY).replace(day=1)
            elif self._matches(day):
                return day
            else:
                day += DAY
        return None

    def _matches(self, day: date) -> bool:
        """Whether a day of a matching month matches."""
        entry = self._entry
        weekday = day.isoweekday() % 7
        is_last = (day + DAY).day == 1
        by_day = day.day in entry.days or (entry.last_day and is_last)
        by_weekday = weekday in entry.weekdays or any(
            weekday == nth_day and ((day + 7 * DAY).month != day.month if nth == "l" else (day.day - 1) // 7 + 1 == nth)
            for nth_day, nth in entry.nth_weekdays
        )
        return (by_day and by_weekday) if entry.both_days else (by_day or by_weekday)

    def _far(self, day: date) -> date | None:
        from ..vendor import vendored

        with vendored():
            from croniter import CroniterBadDateError, croniter

        if self._walkers is None:
            start = datetime(1970, 1, 1)
            self._walkers = [croniter(line, start, ret_type=datetime, day_or=False) for line in self._lines]
        eve = datetime.combine(day, time()) - SECOND
        found = []
        for walker in self._walkers:
            try:
                found.append(walker.get_next(datetime, start_time=eve).date())
            except (CroniterBadDateError, ValueError, OverflowError):
                continue  # never due, or only after the year 9999
        return min(found, default=None)


def day_lines(entry: Calendar) -> list[str]:
    """The matching days as croniter lines; none if every day matches.

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
