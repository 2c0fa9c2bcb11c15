"""Debian's cron, minute by minute: a second opinion that shares no code with the first.

After cron(8), "If … a change of less than three hours …", and crontab(5): fields are lists, ranges
and steps; the day must match either day field unless one of them begins with `*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
MINUTE = timedelta(minutes=1)
NAMES = {
    3: ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    4: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def members(text: str, field: int) -> set[int]:
    """The numbers that a field names."""

    def number(word: str) -> int:
        return int(word) if word.isdigit() else NAMES[field].index(word.lower())

    found: set[int] = set()
    for part in text.split(","):
        interval, _, step = part.partition("/")
        if interval == "*":
            low, high = BOUNDS[field]
        else:
            first, _, last = interval.partition("-")
            low, high = number(first), number(last or first)
        found |= set(range(low, high + 1, int(step or 1)))
    return {0 if field == 4 and value == 7 else value for value in found}


class Line:
    """A line of a crontab."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self.sets = [members(word, field) for field, word in enumerate(words)]
        self.both = words[2].startswith("*") or words[4].startswith("*")
        self.wildcard = words[0].startswith("*") or words[1].startswith("*")

    def day_matches(self, moment: datetime) -> bool:
        days, months, weekdays = self.sets[2:]
        by_day, by_weekday = moment.day in days, moment.isoweekday() % 7 in weekdays
        return moment.month in months and (by_day and by_weekday if self.both else by_day or by_weekday)

    def matches(self, moment: datetime) -> bool:
        """Whether a clock on the wall that shows this is one of its times."""
        return moment.minute in self.sets[0] and moment.hour in self.sets[1] and self.day_matches(moment)


def starts(line: Line, zone: ZoneInfo, begin: datetime, end: datetime, dst: str = "cron") -> Iterator[datetime]:
    """The moments from `begin` to before `end` at which Debian's cron starts the line's job.

    cron's own clock is the wall's; it is compared with it every minute. With `skip` it makes up
    for nothing, with `wall` it runs what comes again again.
    """
    moment = begin
    clock = _wall(begin - MINUTE, zone)  # what cron has got to
    while moment < end:
        wall = _wall(moment, zone)
        ahead = wall - clock
        due = False
        if ahead == MINUTE:
            due = line.matches(wall)
            clock = wall
        elif timedelta(0) < ahead < timedelta(hours=3):
            # Set forward: fixed-time jobs of the minutes in between run now, wildcard ones as usual.
            due = line.matches(wall)
            if not line.wildcard and dst == "cron":
                between = range(1, int(ahead / MINUTE) + 1)
                due = any(line.matches(clock + number * MINUTE) for number in between)
            clock = wall
        elif -timedelta(hours=3) <= ahead - MINUTE < timedelta(0):
            # Set back: wildcard jobs follow, fixed-time jobs wait until the clock has caught up.
            due = (line.wildcard or dst == "wall") and line.matches(wall)
        else:
            due = line.matches(wall)
            clock = wall
        if due:
            yield moment
        moment += MINUTE


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
