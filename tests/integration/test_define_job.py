"""define_job(): a job is what the last call says, however often and by however many sessions it is called."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from harness.isolation import interleavings, play
from harness.scheduler import Scheduler

EVERYTHING = """SELECT * FROM define_job('nightly', 'SELECT 1', current_catalog, {schedule},
    job_description := 'the night', enabled := true, job_timeout := '24 hours', parallel := true,
    timezone := 'Europe/Berlin', dst := 'wall', starts_at := '2020-01-01 00:00+00', ends_at := '2999-01-01 00:00+00',
    catch_up := 'all', catch_up_limit := 5, start_deadline := '1 hour', max_retries := 3, retry_delay := '90 seconds',
    max_retry_delay := '2 hours', retry_on := '{{timeout,lost}}', disable_after := 7,
    settings := '{{"work_mem": "1MB"}}', parameters := '[1, null, "x"]', run_after := '{run_after}',
    run_when := 'always', on_failure_command := 'SELECT 2', expect_success_within := '2 days')"""
# Whatever is written to the job, and whatever tells the worker.
WRITTEN = """SELECT j.xmin::text AS row_xmin, j.ctid::text AS row_ctid, j.*,
                    (SELECT count(*) FROM worker_request) AS requests
             FROM job j ORDER BY job_id"""


def written(scheduler: Scheduler) -> list[Any]:
    return scheduler.admin.execute(WRITTEN).fetchall()


@pytest.mark.parametrize(
    "schedule",
    ["'0 2 * * *'", "ARRAY['0 2 * * *', '@daily']", "interval '5 minutes'", "timestamptz '2998-01-01'", "NULL"],
)
def test_a_repeated_call_writes_nothing(scheduler: Scheduler, schedule: str) -> None:
    scheduler.execute("LISTEN elephant_worker_wake")
    first, second = scheduler.insert("SELECT 1"), scheduler.insert("SELECT 1")
    call = EVERYTHING.format(schedule=schedule, run_after=f"{{{second},{first},{first}}}")
    job = scheduler.value(f"SELECT job_id FROM ({call}) j")
    before = written(scheduler)
    list(scheduler.admin.notifies(timeout=0.1))
    for settings in (
        "SET DateStyle = 'German'",
        "SET DateStyle = 'SQL, DMY'",
        "SET IntervalStyle = iso_8601",
        "SET TimeZone = 'UTC'",
    ):
        scheduler.execute(settings)
        assert scheduler.value(f"SELECT job_id FROM ({call}) j") == job
    scheduler.execute("RESET DateStyle; RESET IntervalStyle; RESET TimeZone")
    assert written(scheduler) == before
    assert list(scheduler.admin.notifies(timeout=0.1)) == []


def test_the_json_null_and_no_jobs_are_null(scheduler: Scheduler) -> None:
    call = "SELECT define_job('a', 'SELECT 1', settings := 'null', parameters := 'null', run_after := '{}')"
    scheduler.execute(call)
    before = written(scheduler)
    scheduler.execute(call)
    assert written(scheduler) == before


def test_what_is_not_given_gets_its_default(scheduler: Scheduler) -> None:
    other = scheduler.insert("SELECT 1")
    job = scheduler.execute(EVERYTHING.format(schedule="'@daily'", run_after=f"{{{other}}}")).fetchone()
    assert job is not None
    inserted = scheduler.value("SELECT to_jsonb(i) FROM insert_job('SELECT 3', current_catalog, '@hourly') i")
    changed = scheduler.value("SELECT to_jsonb(d) FROM define_job('nightly', 'SELECT 3', schedule := '@hourly') d")
    assert changed["job_id"] == job.job_id
    own = ("job_id", "job_name", "next_run_at", "version")
    assert {k: v for k, v in changed.items() if k not in own} == {k: v for k, v in inserted.items() if k not in own}
    assert scheduler.value("SELECT count(*) FROM job") == 3


def test_due_times_log_and_counts_stay(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.value("SELECT job_id FROM define_job('poll', 'SELECT 1', schedule := '1 hour')")
    due = "SELECT next_run_at FROM member_job"
    before = scheduler.value(due)
    run = scheduler.value("SELECT run_job('poll')")
    scheduler.ended(run)
    scheduler.seen()
    scheduler.execute("SELECT define_job('poll', 'SELECT 2', schedule := '1 hour', job_description := 'new')")
    scheduler.seen()
    row = scheduler.execute("SELECT * FROM member_job").fetchone()
    assert row is not None
    assert (row.job_id, row.success_count, row.job_command, row.next_run_at) == (job, 1, "SELECT 2", before)
    assert [entry.jl_id for entry in scheduler.log(job)] == [run]
    scheduler.execute("SELECT define_job('poll', 'SELECT 2', schedule := '2 hours')")
    assert scheduler.value(due) > before


def test_a_job_that_failures_have_disabled_stays_so_until_it_is_changed(scheduler: Scheduler) -> None:
    scheduler.start()
    call = "SELECT define_job('bad', 'SELECT 1/0', schedule := '1 hour', disable_after := 1, job_description := {})"
    scheduler.execute(call.format("'a'"))
    scheduler.ended(scheduler.value("SELECT run_job('bad')"))
    scheduler.seen()
    assert scheduler.value("SELECT disabled_at FROM member_job") is not None
    scheduler.execute(call.format("'a'"))
    scheduler.seen()
    assert scheduler.value("SELECT disabled_at FROM member_job") is not None
    scheduler.execute(call.format("'b'"))
    scheduler.seen()
    assert scheduler.value("SELECT disabled_at FROM member_job") is None


def test_a_name_is_that_of_a_role(scheduler: Scheduler) -> None:
    one, two = scheduler.role("one"), scheduler.role("two")
    session = scheduler.connect_as(one)
    call = "SELECT job_id FROM define_job('same', 'SELECT 1')"
    numbers = [scheduler.connect_as(role).execute(call).fetchone() for role in (one, two, one)]
    assert numbers[0] == numbers[2] != numbers[1]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT define_job('same', 'SELECT 2', rolname := %s)", (two,))
    scheduler.execute(f'GRANT "{two}" TO "{one}"')
    row = session.execute(
        "SELECT job_id, defined_by FROM define_job('same', 'SELECT 2', rolname := %s)", (two,)
    ).fetchone()
    assert row == (numbers[1].job_id, one)  # type: ignore[union-attr]
    with pytest.raises(psycopg.errors.UndefinedFunction):
        scheduler.connect_as(scheduler.role("three", scheduler=False)).execute(call)


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("NULL, 'SELECT 1'", "22004"),
        ("'a', NULL", "22004"),
        ("'1', 'SELECT 1'", "42602"),
        ("'a', 'SELECT 1', 'nowhere'", "3D000"),
        ("'a', 'SELECT 1', schedule := '61 * * * *'", "22023"),
        ("'a', 'SELECT 1', rolname := 'nobody'", "42704"),
        ("'a', 'SELECT 1', run_after := '{4711}'", "P0002"),
        ("'there', 'SELECT 1', job_timeout := '-1 s'", "22023"),
        ("'there', 'SELECT 1', schedule := '0 0 31 2 *'", "22023"),
    ],
)
def test_bad_input_changes_nothing(scheduler: Scheduler, arguments: str, sqlstate: str) -> None:
    scheduler.execute("SELECT define_job('there', 'SELECT 1', schedule := '@daily')")
    before = written(scheduler)
    with pytest.raises(psycopg.Error) as raised:
        scheduler.execute(f"SELECT define_job({arguments})")
    assert raised.value.sqlstate == sqlstate
    assert written(scheduler) == before


def test_a_job_of_the_name_that_it_is_given_later(scheduler: Scheduler) -> None:
    """In one statement, in one transaction, rolled back, deleted and defined again."""
    scheduler.execute(
        "SELECT FROM define_job('a', 'SELECT 1') x, define_job('a', 'SELECT 2') y, define_job('b', 'SELECT 1') z"
    )
    assert scheduler.admin.execute("SELECT job_name, job_command FROM job ORDER BY 1").fetchall() == [
        ("a", "SELECT 2"),
        ("b", "SELECT 1"),
    ]
    for statement in (
        "BEGIN",
        "SELECT define_job('a', 'SELECT 3')",
        "SELECT delete_job('a')",
        "SELECT define_job('a', 'SELECT 4')",
        "ROLLBACK",
    ):
        scheduler.execute(statement)
    assert scheduler.value("SELECT job_command FROM job WHERE job_name = 'a'") == "SELECT 2"
    first = scheduler.value("SELECT job_id FROM delete_job('a')")
    assert scheduler.value("SELECT job_id FROM define_job('a', 'SELECT 2')") != first


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "existing"])
def test_two_sessions_at_once(scheduler: Scheduler, level: str, there: bool) -> None:
    """However their steps lie, there is one job, and it is what one of the calls says."""
    role = scheduler.role()
    sessions = [scheduler.connect_as(role) for _ in range(2)]
    scripts = [
        [f"BEGIN ISOLATION LEVEL {level}; SELECT 1", f"SELECT job_command FROM define_job('x', 'SELECT {n}')", "COMMIT"]
        for n in (1, 2)
    ]
    for order in interleavings(*scripts):
        scheduler.execute("DELETE FROM job")
        if there:
            sessions[0].execute("SELECT define_job('x', 'SELECT 0')")
        outcomes = play(sessions, scheduler.admin, scripts, order)
        failed = [outcome for each in outcomes for outcome in each if isinstance(outcome, str)]
        assert failed in ([], ["40001"])
        for session, script, each in zip(sessions, scripts, outcomes):
            if "40001" in each:  # the hint: repeat the transaction
                for statement in script:
                    session.execute(statement.encode())
        if level == "READ COMMITTED":
            assert failed == []
        (job,) = scheduler.execute("SELECT job_command FROM job").fetchall()
        assert job.job_command in ("SELECT 1", "SELECT 2")


def test_it_replaces_what_is_deleted_at_the_same_time(scheduler: Scheduler) -> None:
    role = scheduler.role()
    sessions = [scheduler.connect_as(role) for _ in range(2)]
    scripts = [
        ["BEGIN", "SELECT delete_job('x')", "COMMIT"],
        ["BEGIN", "SELECT job_command FROM define_job('x', 'SELECT 2')", "COMMIT"],
    ]
    for order in interleavings(*scripts):
        scheduler.execute("DELETE FROM job")
        sessions[0].execute("SELECT define_job('x', 'SELECT 0')")
        outcomes = play(sessions, scheduler.admin, scripts, order)
        assert not [outcome for each in outcomes for outcome in each if isinstance(outcome, str)]
        assert scheduler.value("SELECT count(*) FROM job WHERE job_command <> 'SELECT 2'") == 0
