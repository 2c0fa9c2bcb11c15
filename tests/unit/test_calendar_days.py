"""Days that are looked at one by one are those that croniter finds."""

from __future__ import annotations

from datetime import date

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from elephant_worker.schedule.calendar_days import NEAR, CalendarDays
from elephant_worker.schedule.entries import Calendar, Mistake
from elephant_worker.schedule.parser import read_entry
from tests.unit.test_brute_force import lines

EXTRAS = st.sampled_from(["L", "$", "15,L", "5#2", "1#5", "5L", "sunL,3", "31", "29-31", "*/2", "*"])


def found_by_both(line: str, day: date) -> tuple[date | None, date | None]:
    """The first matching day not before this one, looked for and walked to; not farther than can be looked."""
    entry = read_entry(line)
    assert isinstance(entry, Calendar)
    days = CalendarDays(entry)
    assume(days._lines)
    far = days._far(day)
    return days._near(day), far if far is not None and far < day + NEAR else None


@settings(max_examples=400, deadline=None)
@given(lines, EXTRAS, EXTRAS, st.dates(date(1970, 1, 1), date(2200, 1, 1)))
@example("0 0 29 2 *", "*", "*", date(2027, 3, 1))
@example("0 0 * 2 *", "L", "1#5", date(2028, 2, 28))
def test_both_ways_find_the_same_days(line: str, days: str, weekdays: str, day: date) -> None:
    fields = line.split()
    for changed in ((fields[2], fields[4]), (days, fields[4]), (fields[2], weekdays), (days, weekdays)):
        try:
            near, far = found_by_both(f"0 0 {changed[0]} {fields[3]} {changed[1]}", day)
        except Mistake:
            continue
        assert near == far


def test_near_the_end_of_time() -> None:
    entry = read_entry("0 0 * * 1")
    assert isinstance(entry, Calendar)
    assert CalendarDays(entry).next(date(9998, 12, 1)) == date(9998, 12, 7)
    assert CalendarDays(entry).next(date(9999, 12, 31)) is None
