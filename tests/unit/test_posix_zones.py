"""Time zones whose names read as if they were on the other side of UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from elephant_worker.errors import UserError
from elephant_worker.schedule.posix_zones import doubt
from elephant_worker.schedule.time_zones import time_zone

# What they are, and what to write for what they seem to be.
DOUBTED = {
    "UTC+2": ("2 hours behind UTC", "Etc/GMT-2"),
    "utc+2": ("2 hours behind UTC", "Etc/GMT-2"),
    "UTC2": ("2 hours behind UTC", "Etc/GMT-2"),
    "GMT-3": ("3 hours ahead of UTC", "Etc/GMT+3"),
    "GMT-03:00": ("3 hours ahead of UTC", "Etc/GMT+3"),
    "GMT-5:30": ("5 hours 30 minutes ahead of UTC", "<-05:30>+05:30"),
    "UTC+14": ("14 hours behind UTC", "Etc/GMT-14"),
    "UTC-13": ("13 hours ahead of UTC", "<-13:00>+13:00"),
    "EST-5": ("5 hours ahead of UTC", "Etc/GMT+5"),
    "CET+1": ("1 hour behind UTC", "Etc/GMT-1"),
    "CET1CEST": ("1 hour behind UTC in standard time", "Etc/GMT-1"),
    "BRT-3": ("3 hours ahead of UTC", "Etc/GMT+3"),
    "<+03>+3": ("3 hours behind UTC", "Etc/GMT-3"),
    "<-0530>-5:30": ("5 hours 30 minutes ahead of UTC", "<-05:30>+05:30"),
}
CLEAR = (
    *("UTC", "GMT0", "UTC+0", "Europe/Berlin", "Etc/GMT+2", "EST5EDT", "EST5", "CET-1CEST", "JST-9"),
    *("<+02>-02", "<+03>-3", "<+05:30>-05:30", "<-03>03", "<XYZ>+3"),
)


def hours_ahead(name: str) -> float:
    offset = datetime(2027, 1, 1, tzinfo=time_zone(name)).utcoffset()
    assert offset is not None
    return offset / timedelta(hours=1)


@pytest.mark.parametrize("name", DOUBTED)
def test_a_zone_on_the_other_side(name: str) -> None:
    doubted = doubt(name)
    assert doubted is not None
    meaning, other = DOUBTED[name]
    assert doubted.meaning == meaning
    assert f"write {other}" in doubted.hint
    assert hours_ahead(other) == -hours_ahead(name)
    assert ("ahead" in meaning) == (hours_ahead(name) > 0)
    assert doubt(other) is None
    if "such as" in doubted.hint:
        assert hours_ahead(doubted.hint.rpartition(" ")[2].rstrip(".")) == hours_ahead(other)


@pytest.mark.parametrize("name", CLEAR)
def test_a_zone_that_is_what_it_seems_to_be(name: str) -> None:
    assert doubt(name) is None
    assert time_zone(name)


@pytest.mark.parametrize(
    ("text", "zone"), [("+02", "Etc/GMT-2"), ("+0200", "Etc/GMT-2"), ("-05:30", "<-05:30>+05:30"), ("+00", "UTC")]
)
def test_an_offset_is_no_name(text: str, zone: str) -> None:
    with pytest.raises(UserError, match="unknown time zone") as refused:
        time_zone(text)
    assert f"Did you mean {zone}" in refused.value.hint
    sign = -1 if text[0] == "-" else 1
    assert hours_ahead(zone) == sign * (int(text[1:3]) + int(text[3:].lstrip(":") or 0) / 60)


@pytest.mark.parametrize(
    "name",
    [
        "AAA24",
        "AAA-24:59:59",
        "<zone>24",
        "AAA-23BBB",
        "AAA-22BBB-24",
        "AAA24BBB22,J1,J2",
        "AAA-22BBB-24,J100/2,J200/2",
    ],
)
def test_an_offset_of_a_day_is_in_no_zone(name: str) -> None:
    """Python reads it, and fails when somebody asks for the offset, of summer perhaps."""
    with pytest.raises(UserError, match="unknown time zone"):
        time_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        "AAA3:99",
        "AAA3:60BBB",
        "AAA3:30:99",
        "AAA3:30:30",
        "AAA3<>,J60,J100",
        "AAA3BBB,M3.2.0/2:60,M11.1.0",
        "AAA3BBB,100,200",
        "AAA3BBB,J100,200/3",
    ],
)
def test_what_python_reads_and_postgresql_does_not_or_reads_otherwise(name: str) -> None:
    with pytest.raises(UserError, match="unknown time zone"):
        time_zone(name)


def test_offsets_of_minutes_and_days_of_changes() -> None:
    assert hours_ahead("AAA3:59") == -3 - 59 / 60
    assert hours_ahead("AAA3:30:00BBB,J100/2:30,J200") == -3.5
    assert hours_ahead("<+05:30>-05:30") == 5.5


def test_offsets_that_are_nearly_a_day() -> None:
    assert hours_ahead("AAA-22:30BBB") == 22.5
    assert hours_ahead("AAA22BBB") == -22
    assert hours_ahead("AAA5BBB4,M3.2.0/24,M11.1.0/24") == -5


def test_zones_that_count_leap_seconds() -> None:
    """The server has none of them, and Python takes what is no longer in the file for summer."""
    with pytest.raises(UserError, match="unknown time zone"):
        time_zone("right/Europe/Berlin")
    if Path("/usr/share/zoneinfo/posix/Europe/Berlin").exists():  # Debian has these in tzdata-legacy by now
        assert hours_ahead("posix/Europe/Berlin") == 1
