"""Schedules that others have written tests about: see tests/conformance/README.md."""

from __future__ import annotations

import csv
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from elephant_worker.errors import UserError
from elephant_worker.schedule.due_times import Timing, schedule
from elephant_worker.schedule.parser import parse
from harness.cluster import ROOT


def table(name: str) -> list[dict[str, str]]:
    with (ROOT / "tests/conformance" / name).open(newline="") as file:
        return list(csv.DictReader(file))


VALID, INVALID = table("valid.csv"), table("invalid.csv")


def test_the_tables_are_as_long_as_they_should_be() -> None:
    assert len(VALID) >= 400
    assert len(INVALID) >= 150


@pytest.mark.parametrize("fact", VALID, ids=lambda fact: f"{fact['schedule']} {fact['zone']} {fact['after']}")
def test_valid(fact: dict[str, str]) -> None:
    timing = Timing(schedule(fact["schedule"], fact["zone"]))
    due = timing.next(datetime.fromisoformat(fact["after"]).timestamp())
    assert due is not None
    assert datetime.fromtimestamp(due, ZoneInfo(fact["zone"])).isoformat(sep=" ") == fact["due"]


@pytest.mark.parametrize("fact", INVALID, ids=lambda fact: repr(fact["schedule"]))
def test_invalid(fact: dict[str, str]) -> None:
    with pytest.raises(UserError) as raised:
        parse(fact["schedule"])
    assert raised.value.sqlstate == "22023"
