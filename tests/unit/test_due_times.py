"""Due times where clocks are changed, in windows, of intervals; and that all ways to ask for them agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elephant_worker.errors import UserError
from elephant_worker.schedule.due_times import MOST_COMPARED, TICK, Timing, schedule
from elephant_worker.schedule.time_zones import time_zone
from tests.unit.brute_force import UTC, Line, starts

# Places and days of all kinds of changes; the hour of UTC is that of the change.
CHANGES = [
    ("Europe/Berlin", "2027-03-28 01:00"),
    ("Europe/Berlin", "2027-10-31 01:00"),
    ("America/New_York", "2027-03-14 07:00"),
    ("America/New_York", "2027-11-07 06:00"),
    ("Australia/Lord_Howe", "2027-10-02 15:30"),  # half an hour
    ("Australia/Lord_Howe", "2027-04-03 15:00"),
    ("Europe/Dublin", "2027-03-28 01:00"),  # summer time is the standard, winter time is negative
    ("Europe/Dublin", "2027-10-31 01:00"),
    ("Africa/Casablanca", "2024-03-10 02:00"),  # negative, in Ramadan
    ("Africa/Casablanca", "2024-04-14 02:00"),
    ("Antarctica/Troll", "2027-03-28 01:00"),  # two hours
    ("Antarctica/Troll", "2027-10-31 01:00"),
    ("America/Havana", "2024-03-10 05:00"),  # at midnight
    ("America/Havana", "2024-11-03 05:00"),
    ("Asia/Beirut", "2027-03-27 22:00"),
    ("Pacific/Apia", "2011-12-30 10:00"),  # a day is left out
    ("Pacific/Kwajalein", "1993-08-21 12:00"),
    ("America/Caracas", "2007-12-09 07:00"),  # half an hour back, for good
    ("Asia/Pyongyang", "2018-05-04 15:00"),
]
LINES = [
    "30 2 * * *",
    "0 0 * * *",
    "15,45 0-4 * * *",
    "10 1,2,3,23 * * *",
    "59 23 30,31 * 5",
    "0-59 1 * * *",
    "*/20 * * * *",
    "*/15 2 * * *",
    "5 */2 * * *",
    "45 1 1-31 * */2",
]


@pytest.mark.parametrize("dst", ["cron", "skip", "wall"])
@pytest.mark.parametrize(("zone", "moment"), CHANGES)
def test_changes_of_the_clock(zone: str, moment: str, dst: str) -> None:
    change = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    before, after = (
        (change + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone)).utcoffset() for minutes in (-1, 0)
    )
    assert before != after, "clocks are changed then"
    begin, end = change - timedelta(hours=20), change + timedelta(hours=28)
    for line in LINES:
        expected = [due.timestamp() for due in starts(Line(line), ZoneInfo(zone), begin, end, dst)]
        timing = Timing(schedule(line, zone, dst))
        first, last = begin.timestamp() - TICK, end.timestamp() - TICK
        found = list(takewhile(lambda due: due <= last, timing.following(first)))  # noqa: B023
        assert found == expected, line
        assert timing.count(first, last) == len(expected), line


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"])
def test_intervals_know_no_change(zone: str) -> None:
    for begin in ("2027-03-27 00:00", "2027-10-02 00:00", "2011-12-29 00:00"):
        timing = Timing(schedule("@every 50 minutes", zone), utc(begin))
        found = list(islice(timing.following(utc(begin)), 100))
        assert found == [utc(begin) + number * 3000 for number in range(1, 101)]


def test_a_grid_reaches_back_before_its_beginning() -> None:
    """The clock may have been set back since."""
    timing = Timing(schedule("10 minutes", "UTC"), utc("2027-01-01 00:05"))
    assert timing.next(utc("2026-12-31 00:00")) == utc("2026-12-31 00:05")


@settings(max_examples=300)
@given(
    st.integers(1_700_000_000_000_000, 2_000_000_000_000_000), st.integers(1, 100_000), st.floats(0, 1e8), st.booleans()
)
def test_a_grid_has_no_time_twice(anchor: int, seconds: int, later: float, stored: bool) -> None:
    """Also where due times come back from the database, which keeps microseconds."""
    timing = Timing(schedule(f"{seconds} seconds", "UTC"), anchor / 1e6)
    due = timing.next(anchor / 1e6 + later)
    for _ in range(5):
        assert due is not None
        if stored:
            due = round(due * 1e6) / 1e6
        following = timing.next(due)
        assert following is not None
        assert abs(following - due - seconds) < 2 * TICK
        assert timing.count(due, following) == 1
        due = following


def test_windows() -> None:
    begin, end = utc("2027-01-01 10:00"), utc("2027-01-01 12:00")

    def due(text: str, after: str) -> list[str]:
        timing = Timing(schedule(text, "UTC"), utc("2026-01-01 00:07"), begin, end)
        return [datetime.fromtimestamp(moment, UTC).strftime("%H:%M") for moment in timing.preview(utc(after))]

    assert due("0 * * * *", "2026-12-31 00:00") == ["10:00", "11:00", "12:00"]
    assert due("0 * * * *", "2027-01-01 10:00") == ["11:00", "12:00"]
    assert due("0 * * * *", "2027-01-01 12:00") == []
    assert due("45 minutes", "2026-12-31 00:00") == ["10:00", "10:45", "11:30"]
    assert due("@after 50 minutes", "2026-12-31 00:00") == ["10:00", "10:50", "11:40"]
    assert due("@after 50 minutes", "2027-01-01 10:30") == ["11:20"]
    assert due("2027-01-01 09:59", "2026-12-31 00:00") == []
    assert due("2027-01-01 12:00", "2026-12-31 00:00") == ["12:00"]


def test_a_window_may_lie_in_a_gap() -> None:
    begin, end = utc("2027-03-28 00:59:59"), utc("2027-03-28 01:00:00")
    timing = Timing(schedule("30 2 * * *", "Europe/Berlin"), 0.0, begin, end)
    assert list(timing.following(0.0)) == [end]


ENTRIES = st.sampled_from(
    [
        *("0 * * * *", "*/7 * * * *", "30 2 * * *", "0 0 29 2 */7", "0 0 1,15 * 5", "0 12 L * *", "0 12 * * 5#2"),
        *("*/30 30 1-3 * * *", "@daily", "90 minutes", "1 day 1 second", "@every 30 seconds", "2027-03-28 02:30"),
        *("2027-10-31 02:30:00.25", "H H * * *", "5 0-23/3 * jan-mar mon-fri"),
    ]
)


@settings(max_examples=300)
@given(
    st.lists(ENTRIES, min_size=1, max_size=3),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca"]),
    st.sampled_from(["cron", "skip", "wall"]),
    st.integers(int(utc("2027-01-01 00:00")) * 4, int(utc("2027-12-31 00:00")) * 4).map(lambda number: number / 4),
    st.floats(0, 5 * 86400),
    st.none() | st.integers(-86400, 2 * 86400),
    st.none() | st.integers(0, 4 * 86400),
)
def test_all_ways_to_ask_agree(
    entries: list[str], zone: str, dst: str, after: float, length: float, starts: int | None, ends: int | None
) -> None:
    text = "{" + ",".join(f'"{entry}"' for entry in entries) + "}"
    starts_at = None if starts is None else after + starts
    ends_at = None if ends is None else (starts_at or after) + ends
    timing = Timing(schedule(text, zone, dst, "7"), after - 1234.5, starts_at, ends_at)
    until = after + length
    most = MOST_COMPARED // len(entries)
    following = list(islice(takewhile(lambda due: due <= until, timing.following(after)), most))
    assert following == sorted(set(following))
    if len(following) < most:
        assert timing.count(after, until) == len(following)
        assert timing.latest(after, until, 3) == following[-3:]
    assert list(islice(timing.preview(after), 3))[: len(following)] == following[:3]
    for due in following[:50]:
        assert due > after
        assert starts_at is None or due >= starts_at
        assert ends_at is None or due <= ends_at
        assert timing.next(due - TICK) == due


def test_counting_does_not_take_long() -> None:
    """However much was missed: what is counted is days, not times."""
    every_second = Timing(schedule("* * * * * *", "Europe/Berlin"))
    begin, end = utc("2027-01-01 00:00"), utc("2028-01-01 00:00")
    assert every_second.count(begin, end) == 365 * 86400
    assert every_second.latest(begin, end, 2) == [end - 1, end]
    for text in ("* * * * 1 *", "* * 0-22 * * *", "* * * 1 * *", '{"* * * * 1 *","0 12 * * *"}'):
        timing = Timing(schedule(text, "Europe/Berlin"))
        last = next(due for due in reversed(timing.latest(begin, end - 200 * 86400, 1000)))
        assert timing.latest(begin, end - 200 * 86400, 1) == [last]
        assert timing.next(last - TICK) == last
    both = Timing(schedule('{"* * * * * *","*/2 * * * * *"}', "UTC"))
    assert both.count(begin, begin + 1000) == 1000
    assert both.count(begin, end) == 365 * 86400 * 3 / 2  # more than are compared


def test_days_that_never_come() -> None:
    for text in ("0 0 31 2 *", "{@daily,0 0 30 2 *}", "0 0 31 4,6,9,11 *", "0 0 */31 * 1#3,2#2,5L"):
        read = schedule(text, "UTC")
        assert read.never_due == (2 if text[0] == "{" else 1)
    for text in ("0 0 31 2 1", "0 0 29 2 */7", "{2001-01-01,@reboot,@every 1 day,0 0 29 2 *}", "0 0 * 2 1#5"):
        assert schedule(text, "UTC").never_due is None


def test_several_nth_weekdays() -> None:
    timing = Timing(schedule("0 0 * 1 1#1,3#2,5L,6", "UTC"))
    found = [datetime.fromtimestamp(due, UTC).day for due in islice(timing.following(utc("2027-01-01 12:00")), 8)]
    assert found == [2, 4, 9, 13, 16, 23, 29, 30]


def test_a_missing_time_that_is_asked_for_once() -> None:
    for dst in ("cron", "skip", "wall"):
        assert Timing(schedule("2027-03-28 02:30", "Europe/Berlin", dst)).next(0.0) == utc("2027-03-28 01:00")
        assert Timing(schedule("2011-12-30 12:00", "Pacific/Apia", dst)).next(0.0) == utc("2011-12-30 10:00")


@pytest.mark.parametrize(
    "name", ["", "..", "/etc/passwd", "Europe", "Europe/Berlim", "x" * 1_000_000, "UTC+30", "UTC-3;", "UTC\n-3"]
)
def test_unknown_time_zones(name: str) -> None:
    with pytest.raises(UserError) as refused:
        time_zone(name)
    assert refused.value.sqlstate == "22023"
    assert ("Did you mean Europe/Berlin?" in refused.value.hint) == (name == "Europe/Berlim")


# What SET TimeZone accepts beside names, and how far ahead of UTC it is in January and July of 2027, in hours.
POSIX = {
    "UTC-3": (3, 3),
    "GMT-03:00": (3, 3),
    "EST5": (-5, -5),
    "CET-1": (1, 1),
    "<+02>-02": (2, 2),
    "<+05:30>-05:30": (5.5, 5.5),
    "<-03>03": (-3, -3),
    "CET-1CEST,M3.5.0,M10.5.0/3": (1, 2),
    "CET-1CEST": (1, 2),
    "EST5EDT": (-5, -4),
    "NZST-12NZDT,M9.5.0,M4.1.0/3": (13, 12),
}


@pytest.mark.parametrize("name", POSIX)
def test_posix_time_zones(name: str) -> None:
    moments = [
        datetime.fromisoformat(day).astimezone(time_zone(name))
        for day in ("2027-01-15 00:00+00:00", "2027-07-15 00:00+00:00")
    ]
    offsets = [offset.total_seconds() / 3600 for moment in moments if (offset := moment.utcoffset()) is not None]
    assert tuple(offsets) == POSIX[name]
    first = Timing(schedule("0 12 * * *", name)).next(utc("2027-01-15 00:00"))
    assert first is not None
    assert (first + 3600 * POSIX[name][0]) % 86400 == 12 * 3600


def test_unknown_policy() -> None:
    with pytest.raises(UserError, match='dst cannot be "summer"'):
        schedule("@daily", "UTC", "summer")
