"""Schedules in plain English."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elephant_worker.errors import UserError
from elephant_worker.schedule.description import describe, schedule_in_words
from elephant_worker.schedule.time_zones import UTC
from elephant_worker.schedule.times_of_day import times_in_words
from tests.unit.test_brute_force import ZONES, lines

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC).timestamp()

WORDS = {
    "* * * * *": "every minute",
    "* * * * * *": "every second",
    "*/5 * * * *": "every 5 minutes",
    "*/7 * * * *": "every 7 minutes from 0 to 56 minutes past the hour",
    "@hourly": "every hour",
    "30 * * * *": "at 30 minutes past the hour",
    "30 4 * * *": "at 04:30 every day",
    "0 9,17 * * *": "at 09:00 and 17:00 every day",
    "*/10 9-17 * * 1-5": "every 10 minutes, between 09:00 and 17:59 on Monday through Friday",
    "10 30 4 * * *": "at 04:30:10 every day",
    "*/30 * * * * *": "every 30 seconds",
    # What a single time, a rhythm and anything else of a minute, an hour and a day look like.
    "0 1 * * * *": "at 1 minute past the hour",
    "0-29,45 * * * *": "at 0 through 29 and 45 minutes past the hour",
    "5-59/10 * * * *": "every 10 minutes from 5 to 55 minutes past the hour",
    "0,30 9,17 * * *": "at 09:00, 09:30, 17:00 and 17:30 every day",
    "10-50/10 3 * * *": "every 10 minutes from 10 to 50 minutes past the hour, between 03:00 and 03:59 every day",
    "*/10 9,17 * * *": "every 10 minutes, in the hours 9 and 17 every day",
    "*/10 */2 * * *": "every 10 minutes, in every second hour from 00:00 to 22:59 every day",
    "0 */2 * * *": "every 2 hours every day",
    "30 */2 * * *": "every 2 hours from 00:30 to 22:30 every day",
    "0 9-18 * * *": "every hour from 09:00 to 18:00 every day",
    "0 0,2-9 * * *": "at 00:00, 02:00, 03:00, 04:00, 05:00, 06:00, 07:00, 08:00 and 09:00 every day",
    "5 * * * * *": "at 5 seconds past the minute",
    "0-9 30 4 * * *": (
        "at 0 through 9 seconds past the minute, at 30 minutes past the hour, between 04:00 and 04:59 every day"
    ),
    "5 30 4-15 * * *": "every hour from 04:30:05 to 15:30:05 every day",
    "30 2 * * 1-5": "at 02:30 on Monday through Friday",
    "0 0 * * 0,6": "at 00:00 on Saturday and Sunday",
    "0 0 * * 1,3,5": "at 00:00 on Monday, Wednesday and Friday",
    "@weekly": "at 00:00 on Sunday",
    "@monthly": "at 00:00 on day 1 of the month",
    "@yearly": "at 00:00 on day 1 of the month in January",
    "0 0 1,15 * *": "at 00:00 on day 1 and 15 of the month",
    "0 0 1-7,20 * *": "at 00:00 on day 1 through 7 and 20 of the month",
    "0 0 L * *": "at 00:00 on the last day of the month",
    "0 0 15,L * *": "at 00:00 on day 15 of the month and the last day of the month",
    "0 0 * * 5#2": "at 00:00 on the second Friday of the month",
    "0 0 * * 5L,1": "at 00:00 on Monday and the last Friday of the month",
    "0 0 * 6-8,12 *": "at 00:00 in June through August and December",
    # One or the other, both, and one of them that allows all.
    "0 0 13 * 5": "at 00:00 on day 13 of the month and also on Friday",
    "0 0 1-7 * */7": "at 00:00 on Sunday, if it is day 1 through 7 of the month",
    "0 0 1-31 * 5": "at 00:00 every day",
    "0 0 13,* * 5": "at 00:00 every day",
    "0 0 29 2 1": "at 00:00 on day 29 of the month and also on Monday in February",
    "30 seconds": "every 30 seconds",
    "1 minute": "every minute",
    "@every 90 minutes": "every 1 hour 30 minutes",
    "@after 1 minute": "1 minute after each run has ended",
    "@after 1 day 12 hours": "1 day 12 hours after each run has ended",
    "@reboot": "when the server has been started",
    "2027-03-28 12:00:30": "once, on 28 March 2027 at 12:00:30",
    "2027-03-28 12:00+05:30": "once, on 28 March 2027 at 12:00 +0530",
    '{"0 9 * * 1-5","0 12 * * 6"}': "at 09:00 on Monday through Friday; and at 12:00 on Saturday",
    "{@daily,@reboot,30 minutes}": "at 00:00 every day; and when the server has been started; and every 30 minutes",
}


@pytest.mark.parametrize("text", WORDS)
def test_words(text: str) -> None:
    said = describe(text, "UTC", "cron", NOW)
    names_times = not text.startswith(("@every", "@after", "@reboot", "1 ", "30 s"))
    assert said.split("; next")[0] == WORDS[text] + (", UTC" if names_times else "")
    assert ("; next on " in said) == (text != "@reboot")


def some(size: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Numbers from 0 on, often with a rhythm."""
    single = st.integers(0, size - 1).map(lambda value: (value,))
    steps = st.tuples(st.integers(0, size // 2), st.integers(1, size // 4), st.integers(1, size))
    rhythm = steps.map(lambda step: tuple(range(step[0], min(size, step[0] + step[1] * step[2]), step[1])))
    anything = st.sets(st.integers(0, size - 1), min_size=1).map(lambda values: tuple(sorted(values)))
    return st.one_of(single, rhythm, anything, st.just(tuple(range(size))))


Times = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
times = st.tuples(st.just((0,)) | some(60), some(60), some(24))
SAID: dict[str, Times] = {}


@given(times)
@settings(max_examples=150)
def test_other_times_are_other_words(drawn: Times) -> None:
    words = times_in_words(*drawn)
    assert SAID.setdefault(words, drawn) == drawn


def test_slots_of_a_job() -> None:
    assert describe("H H * * *", "UTC", "cron", NOW, "1").startswith("at 21:25 every day, UTC")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("H * * * *", "at a minute (0-59) that each job has of its own"),
        ("H H(0-7) * * *", "at a minute (0-59) and an hour (0-7) that each job has of its own"),
        ("H/15 * * * *", "at every 15 minutes from a minute (0-14) on that each job has of its own"),
        ("H(10-29)/10 3 * * *", "at hour 3 and every 10 minutes from a minute (10-19) on that each job has of its own"),
        ("0 H(22-23) * * H", "at minute 0, an hour (22-23) and a day of week (0-6) that each job has of its own"),
        ("{@reboot,H 4 1 * *}", "at hour 4, day of month 1 and a minute (0-59) that each job has of its own"),
    ],
)
def test_slots_of_no_job_are_no_facts(text: str, said: str) -> None:
    words = describe(text, "UTC", "cron", NOW)
    assert said in words
    assert words.endswith(", UTC; next_run_at of a job shows when it is due")
    assert "next on" not in words


def test_a_weekday_is_no_slot() -> None:
    assert describe("0 4 * * THU", "UTC", "cron", NOW).startswith("at 04:00 on Thursday, UTC; next on ")


def test_next() -> None:
    assert describe("30 4 * * *", "Asia/Tokyo", "cron", NOW).endswith("; next on 2 January 2027 at 04:30")
    assert describe("@after 90 seconds", "Asia/Tokyo", "cron", NOW).endswith("; next on 1 January 2027 at 21:01:30")
    assert describe("0 0 31 2 *", "UTC", "cron", NOW).endswith("; never due")
    assert describe("2001-01-01", "UTC", "cron", NOW).endswith("; never due")


BERLIN = "at 02:30 every day, Europe/Berlin; next on 2 January 2027 at 02:30; "
NOTES = [
    (
        "30 2 * * 0,1-5",
        "Europe/Berlin",
        "cron",
        (
            "at 02:30 on Monday through Friday and Sunday, Europe/Berlin; next on 3 January 2027 at 02:30; "
            "on 28 March 2027 at 03:00 because 02:30 does not exist; on 31 October 2027 once though 02:30 comes twice"
        ),
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        "skip",
        BERLIN + "not on 28 March 2027 because 02:30 does not exist; on 31 October 2027 once though 02:30 comes twice",
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        "wall",
        BERLIN
        + "not on 28 March 2027 because 02:30 does not exist; on 31 October 2027 twice because 02:30 comes twice",
    ),
    (
        "0-40/10 2 * * *",
        "Europe/Berlin",
        "cron",
        (
            "every 10 minutes from 0 to 40 minutes past the hour, between 02:00 and 02:59 every day, Europe/Berlin; "
            "next on 2 January 2027 at 02:00; "
            "on 28 March 2027 at 03:00 because 02:00, 02:10, 02:20 and ... do not exist; "
            "on 31 October 2027 once though 02:00, 02:10, 02:20 and ... come twice"
        ),
    ),
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "cron",
        (
            "at 02:15 every day, Australia/Lord_Howe; next on 2 January 2027 at 02:15; "
            "on 3 October 2027 at 02:30 because 02:15 does not exist"
        ),
    ),
    (
        "2027-03-28 02:30",
        "Europe/Berlin",
        "skip",
        (
            "once, on 28 March 2027 at 02:30, Europe/Berlin; next on 28 March 2027 at 03:00; "
            "on 28 March 2027 at 03:00 because 02:30 does not exist"
        ),
    ),
]


@pytest.mark.parametrize(("text", "zone", "dst", "said"), NOTES)
def test_notes_about_changes_of_the_clock(text: str, zone: str, dst: str, said: str) -> None:
    assert describe(text, zone, dst, NOW) == said


@pytest.mark.parametrize(
    "text", ["30 2 * * 1-6", "30 4 * * *", "*/30 2 * * *", "30 * * * *", "@every 1 hour", "@daily"]
)
def test_no_notes_where_nothing_changes(text: str) -> None:
    assert " because " not in describe(text, "Europe/Berlin", "cron", NOW)
    assert " though " not in describe(text, "Europe/Berlin", "cron", NOW)


@settings(max_examples=100)
@given(lines, st.sampled_from(ZONES), st.sampled_from(["cron", "skip", "wall"]))
def test_everything_can_be_described(text: str, zone: str, dst: str) -> None:
    said = describe(text, zone, dst, NOW)
    assert said.isprintable()
    assert zone in said
    assert "; next on " in said or said.endswith("; never due") or "; never due; " in said


def test_mistakes() -> None:
    for text, zone, dst in (("0 24 * * *", "UTC", "cron"), ("@daily", "Mars", "cron"), ("@daily", "UTC", "summer")):
        with pytest.raises(UserError):
            describe(text, zone, dst, NOW)
        answer = schedule_in_words(text, zone, dst, NOW, "")
        assert answer["words"] is None
        assert answer["user_error"]["sqlstate"] == "22023"
