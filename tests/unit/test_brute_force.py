"""Any crontab line, any time zone, the ten years around now: as Debian's cron, minute by minute."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from elephant_worker.schedule.due_times import Schedule, Timing, schedule
from elephant_worker.schedule.time_zones import clock_changes, time_zone
from tests.unit.brute_force import BOUNDS, NAMES, UTC, Line, starts

# More for a longer search: EXAMPLES=20000 python -m pytest --hypothesis-seed=… tests/unit/test_brute_force.py
EXAMPLES = int(os.environ.get("EXAMPLES", "250"))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
FIVE_YEARS = timedelta(days=5 * 365)
ZONES = sorted(available_timezones() - {"localtime"})


@lru_cache(maxsize=2000)
def changes(zone: str) -> list[datetime]:
    """The local days on which a zone's clocks change within the ten years, as moments in UTC."""
    found = clock_changes(NOW - FIVE_YEARS, NOW + FIVE_YEARS, time_zone(zone))
    return [change.before.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for change in found]


@st.composite
def a_field(draw: st.DrawFn, field: int) -> str:
    low, high = BOUNDS[field]

    def word(number: int) -> str:
        names = NAMES.get(field)
        if names and number < len(names) and names[number] and draw(st.booleans()):
            return draw(st.sampled_from([names[number], names[number].upper(), names[number].title()]))
        return draw(st.sampled_from(["", "0"])) + str(number)

    def part() -> str:
        kind = draw(st.sampled_from(["*", "*/", "n", "n", "n-m", "n-m/"]))
        step = str(draw(st.integers(1, high + 3)))
        if kind[0] == "*":
            return kind + step if kind == "*/" else kind
        first = draw(st.integers(low, high))
        if kind == "n":
            return word(first)
        last = draw(st.integers(first, high))
        return f"{word(first)}-{word(last)}" + ("/" + step if kind == "n-m/" else "")

    return ",".join(part() for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))))


lines = st.tuples(*(a_field(field) for field in range(5))).map(" ".join)


@st.composite
def frequent_lines(draw: st.DrawFn) -> str:
    """Lines that are due often enough to be seen in a few days."""
    time = draw(st.tuples(a_field(0), a_field(1)))
    days = draw(st.one_of(st.just("* * *"), st.tuples(a_field(2), st.just("*"), a_field(4)).map(" ".join)))
    return f"{time[0]} {time[1]} {days}"


def matching_day(text: str, begin: datetime) -> datetime:
    """A day on which a line is due, the first of the year that begins there; or else that beginning."""
    line = Line(text)
    days = (begin + timedelta(days=number) for number in range(366))
    return next(filter(line.day_matches, days), begin)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_minute_by_minute(data: st.DataObject) -> None:
    text = data.draw(frequent_lines() | lines)
    zone = data.draw(st.sampled_from(ZONES))
    dst = data.draw(st.sampled_from(["cron", "cron", "skip", "wall"]))
    near = changes(zone)
    if near and data.draw(st.integers(0, 3)):
        middle = data.draw(st.sampled_from(near))
    else:
        middle = matching_day(text, NOW + data.draw(st.timedeltas(-FIVE_YEARS, FIVE_YEARS)))
    begin = (middle - timedelta(hours=data.draw(st.integers(1, 40)))).replace(second=0, microsecond=0)
    end = begin + timedelta(hours=72)
    note(f"{text!r} in {zone} from {begin}, dst {dst}")
    expected = list(starts(Line(text), ZoneInfo(zone), begin, end, dst))
    timing = Timing(schedule(text, zone, dst))
    # cron is started at `begin`, in the middle of a repetition perhaps, and knows nothing of what was before.
    settled = begin + timedelta(hours=4)
    expected = [moment for moment in expected if moment >= settled]
    after, until = settled.timestamp() - 1e-6, end.timestamp() - 1e-6
    found = list(takewhile(lambda due: due <= until, timing.following(after)))
    assert [datetime.fromtimestamp(due, UTC) for due in found] == expected
    assert timing.count(after, until) == len(expected)
    assert timing.latest(after, until, 3) == found[-3:]
    for _ in range(3):  # from anywhere, not only from one due time to the next
        inside = data.draw(st.datetimes(settled.replace(tzinfo=None), end.replace(tzinfo=None))).replace(tzinfo=UTC)
        later = [moment for moment in expected if moment > inside]
        if later:
            assert timing.next(inside.timestamp()) == later[0].timestamp()


@pytest.mark.slow
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(lines, st.sampled_from(ZONES))
def test_days_of_ten_years(text: str, zone: str) -> None:
    """The days only, and so rare lines too: one time a day that no change of the clock touches."""
    line = Line(text)
    days = " ".join(text.split()[2:])
    timing = Timing(schedule(f"0 12 {days}", zone))
    first = date(2021, 6, 1)
    expected = [
        day
        for number in range(3650)
        if line.day_matches(datetime((day := first + timedelta(days=number)).year, day.month, day.day))
    ]
    tz = ZoneInfo(zone)
    begin = datetime(2021, 6, 1, tzinfo=tz).timestamp() - 1
    end = datetime.combine(first + timedelta(days=3650), datetime.min.time(), tz).timestamp() - 1
    found = [datetime.fromtimestamp(due, tz) for due in takewhile(lambda due: due <= end, timing.following(begin))]
    assert [moment.date() for moment in found] == expected
    assert {moment.hour for moment in found} <= {12}
    assert timing.count(begin, end) == len(expected)


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=200) | st.text('0123456789*/,-LH#@{}"\\ \tabc', max_size=60))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    from elephant_worker.errors import UserError
    from elephant_worker.schedule.parser import parse

    user_error = None
    try:
        Timing(Schedule(parse(text), UTC, "cron")).next(0.0)
    except UserError as refused:
        user_error = refused
    assert user_error is None or (user_error.detail and user_error.hint)
