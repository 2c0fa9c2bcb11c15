"""Texts that are schedules elsewhere, or in English: refused with what to write, or accepted with a doubt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elephant_worker.errors import UserError
from elephant_worker.schedule.doubts import doubt
from elephant_worker.schedule.parser import parse
from elephant_worker.schedule.rewording import meant

# What is refused, and what the hint says to write.
MEANT = {
    # Lengths of time or times of day.
    "00:05:00": ["5 minutes", "5 0 * * *"],
    "02:30:15": ["2 hours 30 minutes 15 seconds", "15 30 2 * * *"],
    "14:00": ["14 hours", "0 14 * * *"],
    "36:00:00": ["1 day 12 hours"],
    "60": ["60 seconds", "60 minutes"],
    "2:30 PM": ["30 14 * * *"],
    "12 am": ["0 0 * * *"],
    "12:15pm": ["15 12 * * *"],
    "at 14:00": ["0 14 * * *"],
    # English.
    "every 5 minutes": ["@every 5 minutes"],
    "every minute": ["* * * * *"],
    "every hour": ["@hourly"],
    "each day": ["@daily"],
    "Every day at 2:30 pm": ["30 14 * * *"],
    "every day at midnight": ["0 0 * * *"],
    "daily at 2am": ["0 2 * * *"],
    "every monday at 9:00": ["0 9 * * mon"],
    "Mondays and Thursdays at 9am": ["0 9 * * mon,thu"],
    "9am every weekday": ["0 9 * * mon-fri"],
    "on weekdays at 8:15": ["15 8 * * mon-fri"],
    "1 hour, 30 minutes": ["1 hour 30 minutes"],
    "1 hour and 30 minutes": ["1 hour 30 minutes"],
    "noon": ["0 12 * * *"],
    "midnight": ["@midnight"],
    "DAILY": ["@daily"],
    "@DAILY": ["@daily"],
    "@every_minute": ["* * * * *"],
    # systemd.
    "*-*-* 04:00:00": ["0 4 * * *"],
    "Mon..Fri *-*-* 09:00:00": ["0 9 * * mon-fri"],
    "Sat,Sun 10:30": ["30 10 * * sat,sun"],
    "*-*-01 04:00": ["0 4 1 * *"],
    "*:0/15": ["*/15 * * * *"],
    "minutely": ["* * * * *"],
    "quarterly": ["0 0 1 */3 *"],
    "OnCalendar=Mon..Fri *-*-* 02:00": ["0 2 * * mon-fri"],
    "OnCalendar=daily": ["@daily"],
    # iCalendar, Oracle.
    "FREQ=DAILY;BYHOUR=2": ["0 2 * * *"],
    "RRULE:FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=30": ["30 9 * * mon,fri"],
    "FREQ=MINUTELY;INTERVAL=5": ["5 minutes"],
    "FREQ=HOURLY; INTERVAL=3;": ["3 hours"],
    "FREQ=HOURLY;BYMINUTE=15,45": ["15,45 * * * *"],
    "freq=monthly; bymonthday=-1; byhour=23": ["0 23 L * *"],
    "FREQ=MONTHLY;BYDAY=-1FR": ["0 0 * * friL"],
    "FREQ=MONTHLY;BYDAY=2TUE;BYHOUR=4": ["0 4 * * tue#2"],
    "FREQ=YEARLY;BYMONTH=JAN,JUL;BYMONTHDAY=1": ["0 0 1 jan,jul *"],
    "FREQ=WEEKLY": ["@weekly"],
    # A nickname that does not exist, or a word.
    "@weekday": ["0 0 * * mon-fri"],
    "@monday": ["0 0 * * mon"],
    "every tuesday": ["0 0 * * tue"],
    "once a day": ["@daily"],
    "@2am": ["0 2 * * *"],
    "@secondly": ["1 second"],
    # Quotation marks and brackets of somebody's configuration.
    "'30 4 * * *'": ["30 4 * * *"],
    '["30 4 * * *"]': ["30 4 * * *"],
    "**/5 * * * *": ["*/5"],
    "0 9am * * *": ["9?"],
    # No schedule is wanted, or a single moment.
    "null": ["NULL", "run_job()"],
    "Manual": ["NULL", "run_job()"],
    "now": ["2027-01-31 04:30", "run_once()"],
    "in 5 minutes": ["2027-01-31 04:30", "run_once()"],
    "31.12.2027 12:00": ["2027-01-31 04:30"],
    # Quartz, Spring, Amazon EventBridge, croniter.
    "0 0 12 * * ? *": ["0 0 12 * * *"],
    "0 0 12 1 1 ? 2027": ["0 0 12 1 1 *"],
    "0 0 12 ? * 2": ["*", "Sunday = 1"],
    "0 0 12 ? * 6L": ["*", "Sunday = 1"],
    "0 15 10 LW * *": ["nearest to a day"],
    "0 15 10 15W * ?": ["nearest to a day"],
    "0 2 * * * UTC": ["timezone := 'UTC'", "0 2 * * *"],
    "rate(5 minutes)": ["5 minutes"],
    "at(2027-11-20T13:00:00)": ["2027-11-20T13:00:00"],
    # GitHub, Kubernetes, Jenkins.
    "- cron: '0 5 * * 1'": ["0 5 * * 1"],
    'cron: "*/15 * * * *"': ["*/15 * * * *"],
    'schedule: "0 5 * * 1"': ["0 5 * * 1"],
    "TZ=Europe/London\nH 8 * * *": ["timezone := 'Europe/London'", "H 8 * * *"],
    "0 9 * * * ; 0 12 * * *": ['{"0 9 * * *","0 12 * * *"}'],
    "@daily;@hourly;": ['{"@daily","@hourly"}'],
    # What stands where the schedule should.
    "SELECT 1": ["The order is command, database, schedule."],
    "vacuum;": ["The order is command, database, schedule."],
    "cron(0 10 * * ? *)": ["0 10 * * *"],
    "30 4 1 * * 15": ["15 30 4 1 * *"],
    # What belongs into another attribute.
    "CRON_TZ=Europe/Berlin 0 8 * * *": ["timezone := 'Europe/Berlin'", "0 8 * * *"],
    "TZ='UTC' @daily": ["timezone := 'UTC'", "@daily"],
    "0 2 * * * Europe/Berlin": ["timezone := 'Europe/Berlin'", "0 2 * * *"],
    "0 2 * * * VACUUM orders": ["job_command", "0 2 * * *"],
    "0 2 * * * /usr/bin/backup": ["job_command", "0 2 * * *"],
    "30 0 2 * * * CALL refresh()": ["job_command", "30 0 2 * * *"],
}


@pytest.mark.parametrize("text", MEANT)
def test_the_hint_says_what_to_write(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(text)
    for suggestion in MEANT[text]:
        assert suggestion in refused.value.hint
        if suggestion[0] == "@" or (suggestion[0].isdigit() and " " in suggestion):
            assert parse(suggestion)


WORDS = (
    *("every", "day", "at", "2", "30", ":", "am", "pm", "5", "minutes", "mon", "fri", "*-*-*", ".."),
    *("@", "?", "L", "H", "/", ",", "0", "TZ=UTC", "daily", "noon"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=8), st.sampled_from(["", " "]))
def test_whatever_is_suggested_can_be_read(words: list[str], between: str) -> None:
    suggestion = meant(between.join(words))
    assert not suggestion or parse(suggestion)


def test_a_rule_that_no_line_says_gets_no_suggestion() -> None:
    both_days = "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"
    for rule in ("FREQ=DAILY;COUNT=3", both_days, "FREQ=DAILY;INTERVAL=2;BYHOUR=3", "FREQ=NEVER"):
        assert meant(rule) == ""


# What is accepted, and what the hint of the NOTICE suggests.
DOUBTED = {
    "*/90 * * * *": "90 minutes",
    "*/60 * * * *": "60 minutes",
    "*/40 * * * *": "40 minutes",
    "0 */5 * * *": "5 hours",
    "0 */48 * * *": "48 hours",
    "*/45 * * * * *": "45 seconds",
    "0 0 */40 * *": "single values",
    "50-59/20 * * * *": "20 minutes",
    "0 2 * * * *": "0 2 * * *",  # pg_cron reads five
    "* 8-17 * * 1-5 */10": "*/10 * 8-17 * * 1-5",  # croniter has the seconds last
    "* * * * * 0": "0 * * * * *",
    "*/5 * * * * */15": "*/15 */5 * * * *",
    "0 12 * * 1 */20": "*/20 0 12 * * 1",
    "0 0 * * */15": "as in 1,5",
    "{@daily,*/90 * * * *}": "90 minutes",
    "*/90 * * * * # 1.5 hours": "90 minutes",
}


@pytest.mark.parametrize("text", DOUBTED)
def test_doubts(text: str) -> None:
    doubted = doubt(text)
    assert doubted is not None
    assert DOUBTED[text] in doubted.hint
    assert parse(doubted.entry)


@pytest.mark.parametrize(
    "text",
    [
        *("* * * * *", "*/15 * * * *", "0 */6 * * *", "5 4 * * *", "H/20 * * * *", "10-40/10 * * * *", "0 0 1 */3 *"),
        *("*/10 * * * * *", "0 0 4 * * *", "30 15 10 1 2 3", "0 */5 * * * *", "@daily", "90 minutes", "2027-01-01"),
        *("1 day 2 hours 3 minutes", "@reboot", '{"0 9 * * 1-5","0 12 * * 6"}', "0 0 */2 * *", "0 0 0 1-7 * */7"),
    ],
)
def test_no_doubt(text: str) -> None:
    assert doubt(text) is None
