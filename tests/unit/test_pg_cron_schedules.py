"""Jobs of pg_cron: what they become here is due when they are due there, or the plan of the import says why not.

The oracle reads a schedule character by character, keeps the bits of each field, and looks at each day and minute, as
pg_cron does; it shares nothing with the parser that it judges.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from elephant_worker.imports import pg_cron as pg_cron_jobs
from elephant_worker.imports.planned import Caller
from elephant_worker.schedule import pg_cron
from elephant_worker.schedule.due_times import Timing
from elephant_worker.schedule.due_times import schedule as read_schedule

SEED = random.randrange(2**32)
NOW = datetime(2027, 2, 25, 12, 0, tzinfo=timezone.utc)
YEARS = 9  # so that two 29ths of February are among them
NAMES = {
    3: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    4: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


class Refused(Exception):
    pass


class Bits:
    """A field as an array of bytes."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.bytes = [0] * 16

    def set(self, first: int, last: int) -> None:
        first, last = first - self.low, last - self.low
        if first // 8 == last // 8:
            self.bytes[first // 8] |= (0xFF << first % 8) & (0xFF >> (7 - last % 8)) & 0xFF
            return
        self.bytes[first // 8] |= (0xFF << first % 8) & 0xFF
        for between in range(first // 8 + 1, last // 8):
            self.bytes[between] = 0xFF
        self.bytes[last // 8] |= 0xFF >> (7 - last % 8)

    def __contains__(self, value: int) -> bool:
        bit = value - self.low
        return bool(self.bytes[bit // 8] >> bit % 8 & 1)


class Oracle:
    """A crontab line as pg_cron 1.6 has it. Raises Refused."""

    def __init__(self, text: str, both_days: bool = False) -> None:
        if len(text.encode()) >= 1000:
            raise Refused
        self.text = text + "\0"
        self.at = 0
        self.both_days = both_days
        self.last_day = False
        self.stars: list[bool] = []
        self.bits: list[Bits] = []
        while self.peek() in " \t\n#":
            if self.peek() in "\n#":
                while self.peek() not in "\n\0":
                    self.at += 1
            self.at += self.peek() != "\0"
        for number, (low, high) in enumerate(BOUNDS):
            self.stars.append(self.peek() == "*")
            self.bits.append(Bits(low, high))
            if number == 2 and self.peek() == "$":
                self.last_day = True
                self.at += 1
                if self.peek() not in " \t":
                    raise Refused
            else:
                self.members(number)
                while self.peek() not in " \t\n\0":
                    self.at += 1
            while self.peek() in " \t":
                self.at += 1
        if 0 in self.bits[4] or 7 in self.bits[4]:
            self.bits[4].set(0, 0)
            self.bits[4].set(7, 7)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1] or "\0"

    def word(self) -> str:
        start = self.at
        while self.peek().isalnum() and self.peek().isascii():
            self.at += 1
        if start == self.at:
            raise Refused
        return self.text[start : self.at]

    def number(self, field: int) -> int:
        word = self.word()
        names = NAMES.get(field, [])
        if word.lower() in names:
            return names.index(word.lower()) + BOUNDS[field][0]
        if not word.isdigit():
            raise Refused
        value = min(int(word), 2**63 - 1) & 0xFFFFFFFF
        return value - 2**32 if value >= 2**31 else value

    def members(self, field: int) -> None:
        low, high = BOUNDS[field]
        while True:
            if self.peek() == "*":
                self.at += 1
                first, last, is_range = low, high, True
            else:
                first = last = self.number(field)
                is_range = self.peek() == "-"
                if is_range:
                    self.at += 1
                    last = self.number(field)
            step = 1
            if self.peek() == "/":
                if not is_range:
                    raise Refused
                self.at += 1
                step = self.number(-1)
                if not 0 < step <= high:
                    raise Refused
            if not (low <= first <= high and low <= last <= high):
                raise Refused
            if step == 1:
                self.bits[field].set(first, last)
            else:
                for value in range(first, last + 1, step):
                    self.bits[field].set(value, value)
            if self.peek() != ",":
                return
            self.at += 1

    def matches(self, day: datetime) -> bool:
        last_day = (day + timedelta(days=1)).day == 1
        is_day = day.day in self.bits[2] or (last_day and self.last_day)
        is_weekday = day.isoweekday() % 7 in self.bits[4]
        both = self.both_days or self.stars[2] or self.stars[4]
        return day.month in self.bits[3] and (is_day and is_weekday if both else is_day or is_weekday)

    def due(self) -> Iterator[datetime]:
        hours = [hour for hour in range(24) if hour in self.bits[1]]
        minutes = [minute for minute in range(60) if minute in self.bits[0]]
        midnight = NOW.replace(hour=0, minute=0)
        for number in range(365 * YEARS):
            day = midnight + timedelta(days=number)
            if hours and minutes and self.matches(day):
                for hour in hours:
                    for minute in minutes:
                        moment = day.replace(hour=hour, minute=minute)
                        if moment > NOW:
                            yield moment


def due_here(schedule: str, zone: str = "GMT", dst: str = "wall") -> list[datetime]:
    """The next ten due times of a schedule of ours, as far as the oracle looks."""
    timing = Timing(read_schedule(schedule, zone, dst), NOW.timestamp())
    found = [datetime.fromtimestamp(due, timezone.utc) for due in islice(timing.following(NOW.timestamp()), 10)]
    return [due for due in found if due < NOW.replace(hour=0, minute=0) + timedelta(days=365 * YEARS)]


def check(text: str, both_days: bool = False) -> None:
    reading = pg_cron.read(text, both_days)
    try:
        expected = list(islice(Oracle(text, both_days).due(), 10))
    except Refused:
        assert reading is None, text
        return
    assert reading is not None, text
    if reading.schedule is not None:
        assert due_here(reading.schedule) == expected, (text, reading)
    elif reading.never:
        assert expected == [], text
    else:
        assert both_days, text


@pytest.mark.parametrize("both_days", [False, True])
def test_random_schedules(both_days: bool) -> None:
    print("seed:", SEED)
    chance = random.Random(SEED)

    def value(field: int) -> str:
        low, high = BOUNDS[field]
        if field in NAMES and chance.random() < 0.3:
            return chance.choice([str.upper, str.title, str.lower])(chance.choice(NAMES[field]))
        strange = chance.choice(["", "00", "99", "4294967301", "18446744073709551616", "x", "Janus"])
        return strange if chance.random() < 0.02 else str(chance.randint(low, high))

    def member(field: int) -> str:
        form = chance.choice(["*", "v", "v", "r", "r", "s", "t", "b"])
        step = chance.choice([1, 2, 3, 5, 7, 15, BOUNDS[field][1], BOUNDS[field][1] + 1, 0])
        low, high = sorted((chance.randint(*BOUNDS[field]), chance.randint(*BOUNDS[field])))
        return {
            "*": "*",
            "v": value(field),
            "r": f"{low}-{high}",
            "s": f"{low}-{high}/{step}",
            "t": f"*/{step}",
            "b": f"{value(field)}-{value(field)}" if chance.random() < 0.3 else "*",
        }[form]

    for _ in range(600):
        fields = [",".join(member(field) for _ in range(chance.choice([1, 1, 1, 2, 3]))) for field in range(5)]
        if chance.random() < 0.1:
            fields[2] = chance.choice(["$", "$", "$,1", "L", "*,1"])
        if chance.random() < 0.2:
            field = chance.randrange(5)
            fields[field] += chance.choice([".5", "#2", ";", "?", "L", "/", "-", ",", "é", "\u0661"])
        text = chance.choice([" ", "  ", "\t", " "]).join(fields)
        text = chance.choice(["", "", "", " ", "\n", "# note\n", "\r"]) + text
        text += chance.choice(["", "", "", " ", " *", " * 2030", "; DROP TABLE jobs", "\n", "\n* * * * *"])
        check(text, both_days)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 2 * * * *", "0 2 * * *"),
        ("1.5 * * * *", "1 * * * *"),
        ("0 0 * * *; DROP TABLE jobs", "0 0 * * *"),
        ("0 0 * * 5#2", "0 0 * * 5"),
        ("@daily 0 0", "@daily"),
        ("@restart", "@reboot"),
        ("# nightly\n0 3 * * *", "0 3 * * *"),
        ("0 22-2 * * *", "0 0-2,22-23 * * *"),
        ("50-10 * * * *", "8-10,50-55 * * * *"),
        ("0 12 $ * *", "0 12 $ * *"),
        ("1 second", "1 second"),
        ("30seconds", "30 seconds"),
        (" 59  SECONDS ", "59 seconds"),
        ("4294967301 seconds", "5 seconds"),
        ("0 seconds", None),
        ("60 seconds", None),
        ("5 minutes", None),
        ("5 seconds ago", None),
        ("@Daily", None),
        ("@daily2", None),
        ("", None),
        ("*/60 * * * *", None),
        ("0 0 $,15 * *", None),
        ("* * * * *" + " " * 991, None),
    ],
)
def test_readings(text: str, expected: str | None) -> None:
    reading = pg_cron.read(text)
    assert (reading and reading.schedule) == expected


@pytest.mark.parametrize("text", ["5-3 * * * *", "0 0 5-3 * *", "0 0 * * 5-1", "0 0 1-2 11-9/2 *", "0 0 * 5-3 1"])
def test_what_is_never_due(text: str) -> None:
    reading = pg_cron.read(text)
    assert reading is not None
    assert reading.schedule is None
    assert "backwards" in reading.never


def test_days_that_must_both_match() -> None:
    expected = {
        "0 0 1-7 * 1": "0 0 * * 1#1",
        "0 0 8-14 * mon-tue": "0 0 * * 1#2,2#2",
        "0 0 29-31 * 3": "0 0 * * 3#5",
        "0 0 1-31 * 5": "0 0 * * 5",
        "0 0 13 * 0-6": "0 0 13 * *",
        "0 0 13 * 0": "0 0 13 * */7",
        "0 0 13 * 5": None,
        "0 0 $ * 5": None,
    }
    for text, schedule in expected.items():
        reading = pg_cron.read(text, both_days=True)
        assert reading is not None
        assert reading.schedule == schedule, text
        check(text, both_days=True)


# --- fifty jobs -----------------------------------------------------------------------------

# The schedules of jobs as people write them, and what the notes of the plan say of them.
FIFTY: list[tuple[str, str]] = [
    ("* * * * *", ""),
    ("*/5 * * * *", ""),
    ("*/15 * * * *", ""),
    ("0 * * * *", ""),
    ("7 * * * *", ""),
    ("0 3 * * *", ""),
    ("30 3 * * 6", ""),
    ("0 10 * * *", ""),
    ("0 0 * * 1-5", ""),
    ("0 1 * * 0", ""),
    ("0 1 * * 7", ""),
    ("0 13 2 6 *", ""),
    ("0 12 $ * *", ""),
    ("59 23 $ * *", ""),
    ("0 0 1 * *", ""),
    ("0 0 1,15 * *", ""),
    ("0 0 1,15 * 5", ""),
    ("0 0 1-7 * 1", ""),
    ("0 0 13 * 5", ""),
    ("0 6 1 */3 *", ""),
    ("0 0 1 1,7 *", ""),
    ("0 0 29 2 *", ""),
    ("0 9-17 * * mon-fri", ""),
    ("*/30 8-18 * * Mon,Wed,Fri", ""),
    ("0 8 * JAN-MAR *", ""),
    ("10,40 * * * *", ""),
    ("0 */6 * * *", ""),
    ("0 */7 * * *", ""),
    ("*/7 * * * *", ""),
    ("15 2-6/2 * * *", ""),
    ("0  4  *  *  *", ""),
    ("05 04 * * *", ""),
    ("0 5 * * 0-6", ""),
    ("0 22,23,0-5 * * *", ""),
    ("@hourly", ""),
    ("@daily", ""),
    ("@midnight", ""),
    ("@weekly", ""),
    ("@monthly", ""),
    ("30 seconds", ""),
    ("1 second", ""),
    ("@reboot", ""),
    ("@yearly", "never runs it"),
    ("0 2 * * * *", "As it is, it would be due here"),
    ("0 0 * * * 2030", "As it is, it would be refused here"),
    ("1.5 * * * *", "As it is, it would be refused here"),
    ("0 0 * * *; DROP TABLE jobs", "As it is, it would be refused here"),
    ("0 22-4 * * *", "runs backwards"),
    ("5-3 * * * *", "never runs it"),
    ("0 25 * * *", "cannot read"),
    ("every 5 minutes", "cannot read"),
    ("*/90 * * * *", "refuses a step of 90"),
]
CALLER = Caller("app", "shop")
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}


def planned(schedule: str, **given: Any) -> Any:
    row = {"jobid": 1, "schedule": schedule, "command": "SELECT 1"}
    (plan,) = pg_cron_jobs.plan({"jobs": [row], "timezone": "GMT", **given}, CALLER)
    return plan


@pytest.mark.parametrize(("schedule", "words"), FIFTY)
def test_fifty_jobs(schedule: str, words: str) -> None:
    plan = planned(schedule)
    note = " ".join(plan.notes)
    assert words in note if words else note == ""
    if schedule in ("@yearly", "@reboot") or "second" in schedule:
        assert plan.definition["schedule"] == schedule
        return
    try:
        expected = list(islice(Oracle(NICKNAMES.get(schedule, schedule)).due(), 10))
    except Refused:
        assert plan.left_out or "1.6.7" in note
        return
    if plan.left_out:
        assert expected == []
    else:
        assert due_here(plan.definition["schedule"]) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("text", ["30 2 * * *", "*/20 2 * * *", "0 * * * *", "30 1 * * *", "15 */2 * * *"])
def test_changes_of_the_clock(zone: str, text: str) -> None:
    """It looks at every minute, whatever the clocks do."""
    plan = planned(text, timezone=zone)
    assert plan.definition["timezone"] == zone
    oracle, tz = Oracle(text), ZoneInfo(zone)
    timing = Timing(read_schedule(plan.definition["schedule"], zone, plan.definition["dst"]), 0.0)
    for year_day in range(365):
        begin = datetime(2027, 1, 1, tzinfo=timezone.utc) + timedelta(days=year_day)
        if begin.astimezone(tz).utcoffset() == (begin + timedelta(days=1)).astimezone(tz).utcoffset():
            continue
        expected = []
        for minute in range(60 * 48):
            moment = begin + timedelta(minutes=minute)
            there = moment.astimezone(tz)
            if oracle.matches(there) and there.hour in oracle.bits[1] and there.minute in oracle.bits[0]:
                expected.append(moment.timestamp())
        found = []
        for due in timing.following(begin.timestamp() - 1):
            if due >= (begin + timedelta(days=2)).timestamp():
                break
            found.append(due)
        assert found == expected, begin
