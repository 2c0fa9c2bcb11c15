"""docs/schedules.md is true: what its tables and examples say is what happens."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from itertools import count, islice
from zoneinfo import ZoneInfo

import pytest

from elephant_worker.errors import UserError
from elephant_worker.jobs.dispatch import DispatchContext, decide
from elephant_worker.jobs.job import Job
from elephant_worker.schedule.description import describe
from elephant_worker.schedule.doubts import doubt
from elephant_worker.schedule.due_times import Timing, schedule
from elephant_worker.schedule.parser import parse
from harness.cluster import ROOT

DOCUMENT = (ROOT / "docs/schedules.md").read_text()


def tables() -> dict[str, list[list[str]]]:
    """The rows of each table of the document, by its first line."""
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\|\n)+", DOCUMENT, re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        found[" ".join(head)] = [[cell.strip("`") for cell in row] for row in rows]
    return found


TABLES = tables()
EXAMPLES = TABLES["schedule time zone from due"]
POLICIES = TABLES["schedule time zone from `cron` `skip` `wall`"]
SLOTS = TABLES["schedule job 1 job 2 job 3"]
REFUSED = TABLES["schedule says Did you mean"]
DOUBTED = TABLES["schedule the NOTICE suggests"]
MISSED = TABLES["`catch_up` 10:00 11:00 12:00 13:00"]


def due(text: str, zone: str, begin: str, number: int, dst: str = "cron", seed: str = "") -> list[str]:
    tz = ZoneInfo(zone)
    after = datetime.fromisoformat(begin).replace(tzinfo=tz).timestamp()
    timing = Timing(schedule(text, zone, dst, seed), after)
    return [datetime.fromtimestamp(moment, tz).isoformat(" ") for moment in islice(timing.preview(after), number)]


def moments(cell: str) -> list[str]:
    """With the offset from UTC as it stands there, which tells times that come twice apart."""
    return [datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", text)).isoformat(" ") for text in cell.split(", ")]


def test_the_tables_are_there() -> None:
    assert len(EXAMPLES) >= 30
    assert len(POLICIES) >= 15
    assert len(SLOTS) >= 5
    assert len(REFUSED) >= 20


@pytest.mark.parametrize("row", EXAMPLES, ids=" ".join)
def test_examples(row: list[str]) -> None:
    text, zone, begin, cell = row
    expected = moments(cell)
    assert due(text, zone, begin, len(expected)) == expected


@pytest.mark.parametrize("row", POLICIES, ids=" ".join)
def test_changes_of_the_clock(row: list[str]) -> None:
    text, zone, begin, *cells = row
    for dst, cell in zip(("cron", "skip", "wall"), cells):
        expected = moments(cell)
        assert due(text, zone, begin, len(expected), dst) == expected


@pytest.mark.parametrize("row", SLOTS, ids=lambda row: row[0])
def test_slots(row: list[str]) -> None:
    for seed, cell in enumerate(row[1:], 1):
        expected = moments(cell)
        assert due(row[0], "UTC", "2027-01-01 00:00", len(expected), seed=str(seed)) == expected


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0])
def test_refused(row: list[str]) -> None:
    text, says, meant = row
    with pytest.raises(UserError) as refused:
        parse(text)
    assert says in refused.value.detail
    assert ("Did you mean" in refused.value.hint) == bool(meant)
    if meant:
        assert f"Did you mean {meant}?" in refused.value.hint


@pytest.mark.parametrize("row", DOUBTED, ids=lambda row: row[0])
def test_doubted(row: list[str]) -> None:
    text, suggestion = row
    doubted = doubt(text)
    assert doubted is not None
    assert suggestion in doubted.hint
    assert parse(suggestion)


def test_the_description() -> None:
    words = " ".join(re.findall(r"^-- (.*)$", DOCUMENT, re.MULTILINE))
    now = datetime(2026, 12, 31, 12, tzinfo=ZoneInfo("UTC")).timestamp()
    assert words == describe("30 2 * * *", "Europe/Berlin", "cron", now)


@pytest.mark.parametrize("row", MISSED, ids=lambda row: row[0])
def test_missed_time(row: list[str]) -> None:
    """Down from 09:30 to 13:30; each run takes a moment."""
    catch_up = row[0].split("`")[0]
    limit = int(row[0].rsplit(" ", 1)[-1]) if "limit" in row[0] else 100
    ten = datetime(2027, 1, 1, 10, tzinfo=ZoneInfo("UTC")).timestamp()
    back = ten + 3.5 * 3600
    expected = {ten + hour * 3600: cell.startswith("runs") for hour, cell in enumerate(row[1:])}
    found: dict[float, bool] = {}
    next_run_at: float | None = ten
    numbers = count(1)
    while next_run_at is not None and next_run_at < back:
        job = Job(
            jl_id=next(numbers),
            job_id=1,
            cause="schedule",
            scheduled_at=next_run_at,
            state_set_at=0.0,
            schedule_set_at=0.0,
            enabled=True,
            schedule="0 * * * *",
            timezone="UTC",
            catch_up=catch_up,
            catch_up_limit=limit,
            role_oid=1,
            database_oid=1,
        )
        decisions = decide([job], Counter(), DispatchContext(back, back - 1, 60.0), lambda: next(numbers))
        for run in decisions.ended:
            assert run.missed_count is not None
            for number in range(run.missed_count):
                found[run.scheduled_at + number * 3600] = False
        for run in decisions.runs:
            found[run.scheduled_at] = True
        next_run_at = decisions.next_run_at[1] or decisions.due_after_run[1]
    assert found == expected
