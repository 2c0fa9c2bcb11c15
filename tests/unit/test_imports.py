"""What the jobs of pgAgent and pg_timetable become."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elephant_worker.errors import UserError
from elephant_worker.imports import pg_timetable, pgagent
from elephant_worker.imports.calendar_fields import Sets, crontab_line
from elephant_worker.imports.planned import Caller, Planned
from elephant_worker.schedule.functions import due_times
from harness.cluster import ROOT

CALLER = Caller("me", "control")
NOW = "2027-01-01T00:00:00.12345+00:00"
START = datetime(2027, 1, 1, tzinfo=timezone.utc).timestamp()


def due(schedule: str, count: int = 10) -> list[float]:
    """The first due times from START on."""
    found = due_times(schedule, "UTC", "wall", None, None, START - 1, None, count, None)
    assert found["user_error"] is None, found
    return list(found["due"])


# --- crontab lines --------------------------------------------------------------------------


def some(low: int, high: int) -> st.SearchStrategy[set[int] | None]:
    return st.none() | st.sets(st.integers(low, high), min_size=1)


@given(some(0, 59), some(0, 23), some(1, 31), st.booleans(), some(1, 12), some(0, 6))
def test_a_line_means_the_sets(
    minutes: set[int] | None,
    hours: set[int] | None,
    days: set[int] | None,
    last_day: bool,
    months: set[int] | None,
    weekdays: set[int] | None,
) -> None:
    line = crontab_line(Sets(minutes, hours, days, last_day and days is not None, months, weekdays))
    if line is None:
        assert days is not None
        assert weekdays is not None
        return
    shown = [datetime.fromtimestamp(moment, timezone.utc) for moment in due(line, 30)]
    for moment in shown:
        is_last = (moment + timedelta(days=1)).day == 1
        assert minutes is None or moment.minute in minutes
        assert hours is None or moment.hour in hours
        assert days is None or moment.day in days or (last_day and is_last)
        assert months is None or moment.month in months
        assert weekdays is None or moment.isoweekday() % 7 in weekdays
    # And nothing is left out of the first days.
    for day in range(35):
        moment = datetime(2027, 1, 1, tzinfo=timezone.utc) + timedelta(days=day)
        is_last = (moment + timedelta(days=1)).day == 1
        if (
            (days is None or moment.day in days or (last_day and is_last))
            and (months is None or moment.month in months)
            and (weekdays is None or moment.isoweekday() % 7 in weekdays)
        ):
            first = moment.replace(hour=min(hours or {0}), minute=min(minutes or {0}))
            assert first == shown[0]
            return


# --- pg_timetable ---------------------------------------------------------------------------


def chain(number: int = 1, run_at: str | None = "0 4 * * *", **others: Any) -> dict[str, Any]:
    return {
        "chain_id": number,
        "chain_name": f"chain {number}",
        "run_at": run_at,
        "live": True,
        "max_instances": 1,
        **others,
    }


def task(number: int, chain_id: int = 1, command: str = "SELECT 1", **others: Any) -> dict[str, Any]:
    return {
        "task_id": number,
        "chain_id": chain_id,
        "task_order": number * 10,
        "kind": "SQL",
        "command": command,
        **others,
    }


def timetable(chains: Any, tasks: Any, parameters: Any = ()) -> list[Planned]:
    tables = {"chain": list(chains), "task": list(tasks), "parameter": list(parameters)}
    given = {"tables": tables, "datname": "shop", "timezone": "UTC", "port": "5432"}
    return pg_timetable.plan(given, CALLER)


def test_fifty_chains_are_due_when_pg_timetable_says() -> None:
    with (ROOT / "tests/conformance/pg_timetable.csv").open() as file:
        facts = list(csv.DictReader(file))
    assert len(facts) == 50
    chains = [chain(number, fact["run_at"]) for number, fact in enumerate(facts)]
    planned = timetable(chains, [task(number, number) for number in range(50)])
    left_out = []
    for fact, job in zip(facts, planned):
        if job.left_out:
            assert job.notes[0].startswith("A day must match day of month and day of week")
            left_out.append(fact["run_at"])
            continue
        expected = [datetime.fromisoformat(f"{moment}+00:00").timestamp() for moment in fact["due"].split()]
        assert due(job.definition["schedule"]) == expected, fact["run_at"]
    assert left_out == ["0 0 13 * 5", "0 0 1,15 * 5"]


@pytest.mark.parametrize(
    ("run_at", "schedule"),
    [
        (None, "* * * * *"),
        ("@reboot", "@reboot"),
        ("@every 5 minutes", "@every 5 minutes"),
        ("@every 01:30:00", "@every 1 hour 30 minutes"),
        ("@after 1 day 02:00:00", "@after 1 day 2 hours"),
        ("5/20 4 * * *", "5-59/20 4 * * *"),
        ("0  4 * * 1 ", "0 4 * * 1"),
        ("0 0 1-7 * 1", "0 0 * * 1#1"),
    ],
)
def test_schedules_of_chains(run_at: str | None, schedule: str) -> None:
    (job,) = timetable([chain(run_at=run_at)], [task(1)])
    assert job.definition["schedule"] == schedule


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"run_at": "@every 1 month"}, '"month" is not a unit'),
        ({"run_at": "0 24 * * *"}, '"24" is no hour'),
        ({"run_at": "0 4 * *"}, "has 4 fields"),
        ({"run_at": 7}, "has 1 fields"),
        ({"self_destruct": True}, "run_once"),
        ({"exclusive_execution": True}, "advisory lock"),
    ],
)
def test_chains_that_are_left_out(differs: dict[str, Any], reason: str) -> None:
    (job,) = timetable([chain(**differs)], [task(1)])
    assert job.left_out
    assert reason in job.notes[0]


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"kind": "PROGRAM", "command": "ls"}, "The task is a program, not SQL."),
        ({"kind": "BUILTIN", "command": "SendMail"}, "The task is built in (SendMail), not SQL."),
        (
            {"kind": "BUILTIN", "command": "Sleep"},
            "The task is built in (Sleep): pg_sleep() does the same, inside a task.",
        ),
        ({"kind": "BUILTIN", "command": "Log"}, "The task is built in (Log): RAISE LOG does the same."),
        ({"kind": "BUILTIN", "command": "CopyToFile"}, "The task is built in (CopyToFile): COPY writes files"),
        ({"kind": "BUILTIN", "command": "CopyFromFile"}, "The task is built in (CopyFromFile): COPY reads files"),
        ({"database_connection": "host=db2 password=geheim"}, 'It runs on the server "db2"'),
        ({"database_connection": "geheim"}, "Its connection string cannot be read."),
    ],
)
def test_a_chain_is_not_taken_apart(differs: dict[str, Any], reason: str) -> None:
    first, second = timetable([chain()], [task(1), task(2, **differs)])
    assert first.notes == ["Task 2 of its chain is left out."]
    assert second.notes[0].startswith(reason)
    assert "geheim" not in str(second)


def test_tasks_of_one_transaction_are_one_command() -> None:
    tasks = [task(2, command="SELECT 2"), task(1, command="SELECT 1 -- first"), task(3, live=False)]
    paused, job = timetable([chain(timeout=5000, on_error="SELECT 0", live=False)], tasks)
    assert paused.notes == ["The task is not live."]
    assert job.definition == {
        "job_name": "chain 1",
        "rolname": "me",
        "datname": "shop",
        "job_command": "SELECT 1 -- first\n;\nSELECT 2",
        "timezone": "UTC",
        "dst": "wall",
        "job_timeout": "5000 milliseconds",
        "on_failure_command": "SELECT 0",
        "schedule": "0 4 * * *",
        "enabled": False,
    }


def test_tasks_that_stand_alone_are_jobs() -> None:
    tasks = [
        task(1),
        task(2, command="VACUUM", autonomous=True, ignore_error=True),
        task(3, command="SELECT $1", run_as="bob", task_name="ask", timeout=100),
        task(4, database_connection="host=localhost dbname=web user=eve password=geheim"),
    ]
    parameters = [
        {"task_id": 3, "order_id": 2, "value": [2]},
        {"task_id": 3, "order_id": 1, "value": [1]},
        {"task_id": 1, "order_id": 1, "value": None},
    ]
    jobs = timetable([chain(max_instances=None, client_name="a")], tasks, parameters)
    assert [job.run_after for job in jobs] == [[], *([job.source_id] for job in jobs[:-1])]
    chosen = [
        tuple(
            job.definition.get(name)
            for name in ("job_name", "rolname", "datname", "parameters", "run_when", "job_timeout")
        )
        for job in jobs
    ]
    assert chosen == [
        ("chain 1: 1", "me", "shop", None, None, "1 year"),
        ("chain 1: 2", "me", "shop", None, None, "1 year"),
        ("chain 1: ask", "bob", "shop", [1], "always", "100 milliseconds"),
        ("chain 1: ask (2)", "bob", "shop", [2], None, "100 milliseconds"),
        ("chain 1: 4", "eve", "web", None, None, "1 year"),
    ]
    assert jobs[0].definition["parallel"] is True
    assert jobs[0].notes == [
        "Runs may overlap, as max_instances is 16.",
        'It was for the client "a" alone.',
        "It becomes 5 jobs, one after the other, each a transaction of its own.",
    ]
    assert "geheim" not in str(jobs)


# --- pgAgent --------------------------------------------------------------------------------


def chosen(length: int, places: Iterable[int] = ()) -> list[bool]:
    return [place in set(places) for place in range(length)]


def job(number: int = 1, **others: Any) -> dict[str, Any]:
    return {
        "jobid": number,
        "jobname": f"job {number}",
        "jobdesc": "",
        "jobenabled": True,
        "jobhostagent": "",
        **others,
    }


def step(number: int, jobid: int = 1, **others: Any) -> dict[str, Any]:
    return {
        "jstid": number, "jstjobid": jobid, "jstname": f"step {number}", "jstdesc": "", "jstenabled": True,
        "jstkind": "s", "jstcode": f"SELECT {number}", "jstconnstr": "", "jstdbname": "shop",
        "jstonerror": "f", **others,
    }  # fmt: skip


def schedule(number: int = 1, jobid: int = 1, **others: Any) -> dict[str, Any]:
    return {
        "jscid": number, "jscjobid": jobid, "jscname": f"schedule {number}", "jscenabled": True,
        "jscstart": "2020-01-01T00:00:00+00:00", "jscend": None, "jscminutes": chosen(60, [0]),
        "jschours": chosen(24, [4]), "jscweekdays": chosen(7), "jscmonthdays": chosen(32), "jscmonths": chosen(12),
        **others,
    }  # fmt: skip


def exception(number: int, date: str | None, time: str | None, schedule: int = 1) -> dict[str, Any]:
    return {"jexid": number, "jexscid": schedule, "jexdate": date, "jextime": time}


def agent(jobs: Any, steps: Any, schedules: Any = (), exceptions: Any = ()) -> list[Planned]:
    tables = {"pga_job": jobs, "pga_jobstep": steps, "pga_schedule": schedules, "pga_exception": exceptions}
    given = {
        "tables": {name: list(rows) for name, rows in tables.items()},
        "timezone": "UTC",
        "port": "5432",
        "now": NOW,
    }
    return pgagent.plan(given, CALLER)


def test_a_job_of_one_step_is_one_job() -> None:
    (planned,) = agent([job(jobdesc="all of it.", jobenabled=False)], [step(1, jstdesc="really")], [schedule()])
    assert planned.definition == {
        "job_name": "job 1",
        "rolname": "me",
        "datname": "shop",
        "job_command": "SELECT 1",
        "timezone": "UTC",
        "job_timeout": "1 year",
        "job_description": "all of it. really",
        "schedule": "0 4 * * *",
        "catch_up": "once",
        "enabled": False,
    }
    assert planned.notes == []


def test_steps_run_after_one_another() -> None:
    steps = [
        step(1, jstonerror="i"),
        step(2),
        step(
            3, jstconnstr="host=localhost dbname=web user=eve password=geheim options='-c work_mem=1GB'", jstdbname=""
        ),
        step(4, jstenabled=False),
    ]
    skipped, *planned = agent([job()], steps, [schedule()])
    assert (skipped.source_id, skipped.notes) == ("job 1, step 4", ["The step is not enabled."])
    assert [line.run_after for line in planned] == [[], ["job 1, step 1"], ["job 1, step 2"]]
    assert [line.definition.get("run_when") for line in planned] == [None, "always", None]
    assert [line.definition["job_name"] for line in planned] == ["job 1: step 1", "job 1: step 2", "job 1: step 3"]
    assert planned[2].definition["settings"] == {"work_mem": "1GB"}
    assert (planned[2].definition["rolname"], planned[2].definition["datname"]) == ("eve", "web")
    assert "geheim" not in str(planned)


def test_windows_of_schedules() -> None:
    ended = schedule(1, jscend="2026-12-31T00:00:00+00:00")
    same = [schedule(2, jscend="infinity"), schedule(3, jschours=chosen(24, [5]))]
    later = schedule(4, jscstart="2027-02-01T00:00:00.5+01:00", jscend="2027-03-01T00:00:00+01:00")
    (planned,) = agent([job()], [step(1)], [ended, *same])
    assert planned.definition["schedule"] == ["0 4 * * *", "0 5 * * *"]
    assert "ends_at" not in planned.definition
    first, second = agent([job()], [step(1)], [*same, later])
    assert [first.definition["job_name"], second.definition["job_name"]] == ["job 1 (schedule 2)", "job 1 (schedule 4)"]
    assert second.definition["starts_at"] == "2027-02-01T00:00:00.5+01:00"
    assert second.definition["ends_at"] == "2027-03-01T00:00:00+01:00"
    (planned,) = agent([job()], [step(1)], [ended])
    assert planned.notes == ["All its schedules are over."]
    assert "schedule" not in planned.definition
    (planned,) = agent([job()], [step(1)])
    assert planned.notes == ["It has no schedule, and waits for run_job()."]
    (planned,) = agent([job()], [step(1)], [schedule(1, jscenabled=False)])
    assert planned.definition["enabled"] is False
    (planned,) = agent([job()], [step(1)], [schedule(1, jscenabled=False), schedule(2, jschours=chosen(24, [6]))])
    assert (planned.definition["schedule"], planned.definition.get("enabled")) == ("0 6 * * *", None)


def test_exceptions() -> None:
    hours = schedule(jschours=chosen(24, range(1, 6)), jscminutes=chosen(60, [0, 30]))
    past = exception(1, "2026-12-25", None)
    (planned,) = agent(
        [job()], [step(1)], [hours], [past, exception(2, None, "04:30:00"), exception(3, None, "05:00:00")]
    )
    assert planned.definition["schedule"] == ["0,30 1-3 * * *", "0 4 * * *", "30 5 * * *"]
    (planned,) = agent([job()], [step(1)], [hours], [past, exception(2, "2027-12-25", None)])
    assert planned.left_out
    assert planned.notes[-1].startswith("No schedule can leave out days (2027-12-25)")
    (planned,) = agent([job()], [step(1)], [schedule()], [exception(1, None, "04:00:00")])
    assert planned.notes == ["It cannot be read: its exceptions leave nothing of a schedule."]


def test_days_that_must_match_both() -> None:
    friday_13 = schedule(jscmonthdays=chosen(32, [12]), jscweekdays=chosen(7, [5]))
    first, second = agent([job()], [step(1), step(2)], [friday_13])
    assert first.left_out
    assert second.left_out
    assert "0 4 13 * *" in first.notes[0]
    assert "extract(dow FROM now()) IN (5)" in first.notes[0]
    first_monday = schedule(jscmonthdays=chosen(32, range(7)), jscweekdays=chosen(7, [1]))
    (planned,) = agent([job()], [step(1)], [first_monday])
    assert planned.definition["schedule"] == "0 4 * * 1#1"


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"jstkind": "b", "jstcode": "rm -rf /"}, "The step is a batch script, not SQL."),
        ({"jstconnstr": "host=db2 password=geheim"}, 'It runs on the server "db2"'),
        ({"jstconnstr": "service=shop"}, 'The connection service "shop"'),
        ({"jstconnstr": "geheim"}, "Its connection string cannot be read."),
        ({"jstconnstr": "host=/tmp options=-e"}, "The server's option -e has no counterpart in a job."),
    ],
)
def test_a_job_is_not_taken_apart(differs: dict[str, Any], reason: str) -> None:
    first, second = agent([job()], [step(1), step(2, **differs)], [schedule()])
    assert first.notes == ["Step 2 of its job is left out."]
    assert second.notes[0].startswith(reason)
    assert "geheim" not in str(second)


def test_what_is_odd_does_not_stop_the_others() -> None:
    jobs = [job(1, jobname=None), job(2), job(3), job(4, jobhostagent="db7")]
    steps = [step(1, jstname=None), step(3, 3), step(4, 4), step(5, 9)]
    schedules = [
        schedule(1),
        schedule(3, 3, jschours=None),
        schedule(4, 4),
        schedule(5, 9),
        schedule(6, 4, jscstart="soon"),
    ]
    planned = {line.source_id: line for line in agent(jobs, steps, schedules[:-1])}
    assert planned["job 1"].definition["job_name"] == "pgagent job 1"
    assert planned["job 2"].notes == ["It has no step that is enabled."]
    assert planned["job 3"].notes == ["It cannot be read: jschours is not an array of 24 booleans."]
    assert planned["job 4"].notes == ['It was for the agent on the host "db7" alone.']
    assert planned["steps of job 9"].notes == planned["schedules of job 9"].notes == ["There is no such job."]
    assert agent(jobs, steps, schedules)[3].notes == ['It cannot be read: "soon" is not a moment.']


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([], "pga_job is not an array"),
        ({"pga_job": {}}, "pga_job is not an array"),
        ({"pga_job": [7]}, "element 1 of pga_job is not an object"),
        ({"pga_job": [{"jobid": True}]}, "element 1 of pga_job has no jobid that are numbers"),
        ({"pga_job": [job(1), job(1)]}, "element 2 of pga_job has the jobid of an earlier one"),
        ({"pga_job": []}, "pga_jobstep is not an array"),
    ],
)
def test_what_is_not_the_content_of_tables(tables: Any, message: str) -> None:
    with pytest.raises(UserError) as raised:
        pgagent.plan({"tables": tables, "timezone": "UTC", "port": "5432", "now": NOW}, CALLER)
    assert raised.value.message == message
    assert raised.value.hint is not None
    assert "FROM pgagent.pga_job" in raised.value.hint
