"""What is a schedule, and what is said of what is none."""

from __future__ import annotations

import pytest

from elephant_worker.errors import UserError
from elephant_worker.schedule.entries import After, Calendar, Interval, Once, Reboot
from elephant_worker.schedule.parser import parse


def fields(text: str) -> Calendar:
    (entry,) = parse(text)
    assert isinstance(entry, Calendar)
    return entry


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("* * * * *", tuple(range(60))),
        ("*/15 * * * *", (0, 15, 30, 45)),
        ("*/60 * * * *", (0,)),
        ("5-5 * * * *", (5,)),
        ("1,2,1 * * * *", (1, 2)),
        ("10-20/5,59 * * * *", (10, 15, 20, 59)),
        ("007 * * * *", (7,)),
    ],
)
def test_minutes(text: str, minutes: tuple[int, ...]) -> None:
    assert fields(text).minutes == minutes


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("0 0 * * 0", (0,)),
        ("0 0 * * 7", (0,)),
        ("0 0 * * sun", (0,)),
        ("0 0 * * SUN-Tue", (0, 1, 2)),
        ("0 0 * * 5-7", (0, 5, 6)),
        ("0 0 * * */2", (0, 2, 4, 6)),
        ("0 0 * * */7", (0,)),
        ("0 0 * * 1-7/2", (0, 1, 3, 5)),
        ("0 0 * * mon,wed,fri", (1, 3, 5)),
        ("0 0 * * mon-fri/2", (1, 3, 5)),
    ],
)
def test_weekdays(text: str, weekdays: tuple[int, ...]) -> None:
    assert fields(text).weekdays == weekdays


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("0 0 1 * 5", False),
        ("0 0 * * 5", True),
        ("0 0 1 * *", True),
        ("0 0 */2 * 5", True),
        ("0 0 1 * */2", True),
        ("0 0 *,5 * 5", True),
        ("0 0 5,* * 5", False),
        ("0 0 1-31 * 5", False),
    ],
)
def test_the_day_rule_looks_at_the_first_character(text: str, both: bool) -> None:
    assert fields(text).both_days is both


@pytest.mark.parametrize(
    ("text", "wildcard"),
    [
        ("30 2 * * *", False),
        ("*/15 2 * * *", True),
        ("0 */2 * * *", True),
        ("0 0-23 * * *", False),
        ("@hourly", True),
        ("@daily", False),
        ("* 30 2 * * *", True),
        ("0 30 2 * * *", False),
        ("H/15 2 * * *", True),
        ("H 2 * * *", False),
    ],
)
def test_wildcards(text: str, wildcard: bool) -> None:
    assert fields(text).wildcard is wildcard


def test_six_fields_have_the_seconds_first() -> None:
    entry = fields("30 15 10 1 2 3")
    assert (entry.seconds, entry.minutes, entry.hours, entry.days, entry.months, entry.weekdays) == (
        (30,),
        (15,),
        (10,),
        (1,),
        (2,),
        (3,),
    )


def test_days_counted_from_the_end_of_the_month() -> None:
    assert fields("0 0 L * *").last_day
    assert fields("0 0 $ * *").last_day
    assert fields("0 0 1,L * *").days == (1,)
    assert fields("0 0 * * 5#2,friL,1").nth_weekdays == ((5, "l"), (5, 2))


def test_hashes_are_stable_and_spread() -> None:
    entry = parse("H H(2-5) H * *", "job 1")
    assert entry == parse("H H(2-5) H * *", "job 1")
    slots = [parse("H H(2-5) H * *", f"job {number}")[0] for number in range(400)]
    assert {slot.minutes for slot in slots} == {(minute,) for minute in range(60)}
    assert {slot.hours for slot in slots} == {(2,), (3,), (4,), (5,)}
    assert {slot.days for slot in slots} == {(day,) for day in range(1, 29)}
    steps = {parse("H/15 * * * *", str(number))[0].minutes for number in range(400)}
    assert steps == {tuple(range(start, 60, 15)) for start in range(15)}
    assert {parse("H(10-19)/5 * * * *", str(number))[0].minutes for number in range(99)} == {
        (start, start + 5) for start in range(10, 15)
    }


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("30 seconds", Interval(30)),
        ("5 minutes", Interval(300)),
        ("1 hour 30 minutes", Interval(5400)),
        ("1hour", Interval(3600)),
        ("@every 90 MINUTES", Interval(5400)),
        ("@every 2 weeks", Interval(1209600)),
        ("@after 10 minutes", After(600)),
        ("@reboot", Reboot()),
        # As people write them, and Go, and PostgreSQL in each IntervalStyle.
        ("5m", Interval(300)),
        ("30s", Interval(30)),
        ("1h30m", Interval(5400)),
        ("1h 30m", Interval(5400)),
        ("@every 1h30m0s", Interval(5400)),
        ("@after 5m", After(300)),
        ("1.5 hours", Interval(5400)),
        (".5 minutes", Interval(30)),
        ("1.000001 hours 0.9964 seconds", Interval(3601)),
        ("5 Min", Interval(300)),
        ("2 hrs", Interval(7200)),
        ("3 d", Interval(259200)),
        ("1 day 02:03:04", Interval(93784)),
        ("@every 00:05:00", Interval(300)),
        ("@after 01:30", After(5400)),
        ("2 days 00:00:00.000", Interval(172800)),
        ("@ 5 mins", Interval(300)),
        ("@ 1 day 2 hours 3 mins 4 secs", Interval(93784)),
        ("PT5M", Interval(300)),
        ("P1DT2H3M4S", Interval(93784)),
        ("P1W", Interval(604800)),
        ("P0DT0H5M0.0S", Interval(300)),
        ("0 days 300 seconds 0 microseconds", Interval(300)),
        # With what stands around them in files and strings.
        ("  5 minutes\n", Interval(300)),
        ("5 minutes # not more often", Interval(300)),
        ("# the old one: 5 minutes\n\n10 minutes\r\n", Interval(600)),
    ],
)
def test_other_forms(text: str, entry: object) -> None:
    assert parse(text) == (entry,)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-03-28", "2027-03-28T00:00:00"),
        ("2027-03-28 +02", "2027-03-28T00:00:00+02:00"),
        ("2027-03-28 02:30", "2027-03-28T02:30:00"),
        ("2027-03-28T02:30:15", "2027-03-28T02:30:15"),
        ("2027-03-28 02:30:15.5", "2027-03-28T02:30:15.500000"),
        ("2027-03-28 02:30Z", "2027-03-28T02:30:00+00:00"),
        ("2027-03-28 02:30:00+01", "2027-03-28T02:30:00+01:00"),
        ("2027-03-28 02:30 -0330", "2027-03-28T02:30:00-03:30"),
        ("2027-03-28T02:30:15.1234567Z", "2027-03-28T02:30:15.123457+00:00"),
        ("2027-03-28T02:30:15.123456789+01:00", "2027-03-28T02:30:15.123457+01:00"),
        ("2027-12-31 23:59:59.9999999", "2028-01-01T00:00:00"),
        ("2027-03-28 02:30:15 UTC\n", "2027-03-28T02:30:15+00:00"),
    ],
)
def test_timestamps(text: str, moment: str) -> None:
    (entry,) = parse(text)
    assert isinstance(entry, Once)
    assert entry.moment.isoformat() == moment


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"@daily"}', 1),
        ("{@daily}", 1),
        (' { "0 9 * * 1-5" , "0 12 * * 6" } ', 2),
        (r'{"\@daily",5 minutes,2027-01-01}', 3),
        ("{1 * * * *, 2 * * * *}", 2),
        ('{"1 * * * *",\n "2 * * * * # twice"}\n', 2),
    ],
)
def test_arrays(text: str, count: int) -> None:
    assert len(parse(text)) == count


@pytest.mark.parametrize("text", ["0 4 * * * # nightly", "0 4 * * *\n", "\t0 4 * * * \r\n", "# backup\n0 4 * * *"])
def test_what_stands_around_a_crontab_line(text: str) -> None:
    assert parse(text) == parse("0 4 * * *")


def test_a_number_sign_within_a_field_begins_no_comment() -> None:
    assert fields("0 12 * * 5#2 # the second Friday").nth_weekdays == ((5, 2),)


# The text; what the detail must say; what the hint must suggest.
INVALID = [
    ("", "The entry is empty", "30 4 * * *"),
    (" \t", "The entry is empty", "@daily"),
    ("* * * *", "4 fields", "has five"),
    ("* * * * * * *", "7 fields", "has five"),
    ("*", "1 field.", "has five"),
    ("0 24 * * *", 'Field hour, "24": 24 is out of range', "Did you mean 0?"),
    ("60 * * * *", 'Field minute, "60"', "Did you mean 0?"),
    ("0 0 0 * *", "Field day of month", "Did you mean 1?"),
    ("0 0 32 * *", "Field day of month", "Did you mean 31?"),
    ("0 0 * 13 *", "Field month", "Did you mean 12?"),
    ("0 0 * * 8", "Field day of week", "Did you mean 7?"),
    ("60 * * * * *", "Field second", "Second is 0-59"),
    ("0 22-3 * * *", "the range runs backwards", "Did you mean 22-23,0-3?"),
    ("* * * * fri-mon", "the range runs backwards", "Did you mean 5-6,0-1?"),
    ("* * * * fri-sun", "the range runs backwards", "Did you mean 5-7?"),
    ("0 0 25-5 * *", "the range runs backwards", "Did you mean 25-31,1-5?"),
    ("5/15 * * * *", "a step needs a range", "Did you mean 5-59/15?"),
    ("*/0 * * * *", "a step is at least 1", "Did you mean *?"),
    ("1-5/0 * * * *", "a step is at least 1", "Did you mean 1-5?"),
    ("1,,2 * * * *", "a value is missing", "Minute is 0-59"),
    (",1 * * * *", "a value is missing", "Minute is 0-59"),
    ("1. * * * *", "it cannot be read", "Minute is 0-59"),
    ("1.5 * * * *", "it cannot be read", "Minute is 0-59"),
    ("-1 * * * *", "it cannot be read", "Minute is 0-59"),
    ("+1 * * * *", "it cannot be read", "Minute is 0-59"),
    ("*5 * * * *", "it cannot be read", "Minute is 0-59"),
    ("*/ * * * *", "it cannot be read", "Minute is 0-59"),
    ("1-2-3 * * * *", "it cannot be read", "Minute is 0-59"),
    ("4294967301 * * * *", "it cannot be read", "Minute is 0-59"),
    ("*/4294967297 * * * *", "it cannot be read", "Minute is 0-59"),
    ("0 0 ? * *", "it cannot be read", "Did you mean *?"),
    ("0 0 * * L5", "it cannot be read", "Did you mean 5L?"),
    ("0 0 * * 5#6", "it cannot be read", "5#2 (second Friday)"),
    ("0 0 15W * *", "it cannot be read", "Day of month is 1-31"),
    ("L * * * *", "it cannot be read", "Minute is 0-59"),
    ("0 0 * jam *", '"jam" is not a name', "Did you mean jan?"),
    ("0 0 * * mno", '"mno" is not a name', "Did you mean mon?"),
    ("0 0 * * monday", "it cannot be read", "sun-sat"),
    ("mon * * * *", '"mon" is not a name', "Minute is 0-59"),
    ("h * * * *", "it cannot be read", "Did you mean H?"),
    ("H(9-3) * * * *", "the range runs backwards", "Did you mean H(3-9)?"),
    ("H(0-60) * * * *", "60 is out of range", "Minute is 0-59"),
    ("R * * * *", "it cannot be read", "Minute is 0-59"),
    ("0 0 * * *; DROP TABLE jobs", "8 fields", "has five"),
    ("0 0 * * *;", "it cannot be read", "Day of week"),
    ("@daily 0 0 * * *", '"0 0 * * *" follows @daily', "Write @daily alone"),
    ("@dayly", '"@dayly" is not a nickname', "Did you mean @daily?"),
    ("@DAILY", '"@DAILY" is not a nickname', "Did you mean @daily?"),
    ("@", '"@" is not a nickname', "@reboot"),
    ("daily", '"daily" is not a schedule', "Did you mean @daily?"),
    ("soon", '"soon" is not a schedule', "30 4 * * *"),
    ("every 5 minutes", "3 fields", "30 seconds"),
    ("@every", "is not an interval", "@every 90 minutes"),
    ("@every soon", '"soon" is not an interval', "@every 90 minutes"),
    ("@every 5", '"5" is not an interval', "@every 90 minutes"),
    ("@every -5 minutes", "is not an interval", "@every 90 minutes"),
    ("@every 1.5 seconds", "no whole number of seconds", "1 second"),
    ("@every 1.5.2 hours", "is not an interval", "@every 90 minutes"),
    ("@every 0 seconds", "no time at all", "1 second"),
    ("@every 9 years", '"years" is not a unit', "Write a crontab line"),
    ("1 month", '"month" is not a unit', "@monthly"),
    ("5 minuts", '"minuts" is not a unit', "Did you mean minutes?"),
    ("30q", '"q" is not a unit', "seconds, minutes"),
    ("5M", '"M" is not a unit', "Did you mean 5 minutes, or @monthly?"),
    ("500 ms", "no whole number of seconds", "1 second"),
    ("1 mon", '"mon" is not a unit', "Did you mean @monthly?"),
    ("3 mons", '"mons" is not a unit', "0 0 1 */3 *"),
    ("1 year", '"year" is not a unit', "Did you mean @yearly?"),
    ("P1M", "is not an interval", "30 seconds"),
    ("PT", "no time at all", "1 second"),
    ("@ 5 mins ago", "is not an interval", "30 seconds"),
    ("1 day -02:00:00", "is not an interval", "30 seconds"),
    ("-00:05:00", "is not a schedule", "30 seconds"),
    ("999999999 weeks", "longer than 400 days", "crontab line"),
    ("2027-02-29", "names a moment that does not exist", "2027-03-28 02:30"),
    ("2027-13-01", "names a moment that does not exist", "2027-03-28 02:30"),
    ("2027-01-01 24:00", "is not a timestamp", "2027-03-28 02:30"),
    ("2027-01-01 12", "is not a timestamp", "2027-03-28 02:30"),
    ("2027-1-1", "is not a timestamp", "2027-03-28 02:30"),
    ("2027-01-01 12:00+25", "names a moment that does not exist", "2027-03-28 02:30"),
    ("0001-01-01", "The year 1 is out of range", "1970 to 9000"),
    ("{}", "It has no entry", '{"@daily"}'),
    ("{@daily,}", "An entry of the array is empty", "Leave it out"),
    ("{NULL}", "An entry of the array is empty", "Leave it out"),
    ("{@daily", "The array is malformed", '{"entry","entry"}'),
    ('{"@daily}', "The array is malformed", '{"entry","entry"}'),
    ("{{@daily}}", "The array is malformed", '{"entry","entry"}'),
    ("{@daily} x", "Text follows the array", "one pair of braces"),
    ("{@daily,0 25 * * *}", 'Entry 2, "0 25 * * *": Field hour', "Did you mean 23?"),
    ("{" + ",".join(["@daily"] * 101) + "}", "It has 101 entries", "at most 100"),
    ("٣ * * * *", "it cannot be read", "Minute is 0-59"),
    ("1\u00a02 3 4 5", "4 fields", "has five"),
    ("0\n0\n*\n*\n*", "It has 5 lines", "as an array"),
    ("0 4 * * *\n0 5 * * *", "It has 2 lines", '{"0 9 * * 1-5","0 12 * * 6"}'),
    ("# nothing else", "The entry is empty", "@daily"),
    ("0 0 * * 5 #2", '"#2": it cannot be read', "5#2"),
    ("\x00", "is not a schedule", "30 4 * * *"),
    ("0 0 * * \x00", "it cannot be read", "Day of week"),
    ("x" * 1_000_000, "It has 1000000 characters", "at most 10000"),
    ("1," * 600 + "1 * * * *", "The entry has 1209 characters", "at most 1000"),
]


@pytest.mark.parametrize(("text", "detail", "hint"), INVALID, ids=[text[:20] for text, _, _ in INVALID])
def test_invalid(text: str, detail: str, hint: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(text)
    user_error = raised.value
    assert user_error.sqlstate == "22023"
    assert user_error.message.startswith("invalid schedule ")
    assert detail in user_error.detail
    assert hint in user_error.hint
    assert max(map(len, (user_error.message, user_error.detail, user_error.hint))) < 300
