"""Schedules in a real worker: missed time, clocks that are set, time zones, windows, @reboot, @after."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.scheduler import SCHEMA, Scheduler, new_scheduler, with_template
from harness.server_clock import ServerClock
from harness.waiting import until
from tests.unit.test_schedules_document import EXAMPLES, POLICIES, moments

UTC = timezone.utc
HOUR = timedelta(hours=1)
NOON = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)
WITNESS = """INSERT INTO witness SELECT current_setting('elephant_worker.job_id')::int8,
                                     current_setting('elephant_worker.scheduled_at')::timestamptz"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> ServerClock:
    clock = ServerClock(tmp_path_factory.mktemp("clock"))
    clock.set(NOON)
    return clock


@pytest.fixture(scope="module")
def faked_cluster(installation: Installation, clock: ServerClock) -> Iterator[Cluster]:
    cluster = with_template(Cluster(installation, environment=clock.environment))
    yield cluster
    cluster.stop()


@pytest.fixture
def faked(faked_cluster: Cluster, clock: ServerClock) -> Iterator[Scheduler]:
    """A scheduler on the server whose clock can be set; it is half past noon."""
    clock.set(NOON)
    scheduler = new_scheduler(faked_cluster)
    scheduler.execute("CREATE TABLE witness (job_id int8, scheduled_at timestamptz)")
    yield scheduler
    scheduler.close()


def outcomes(scheduler: Scheduler, job: int) -> dict[datetime, str]:
    """What became of each due time of an hourly job; one that is accounted for twice fails."""
    found: dict[datetime, str] = {}
    for run in scheduler.log(job):
        for number in range(run.missed_count or 1):
            due = run.scheduled_at + number * HOUR
            assert due not in found
            found[due] = run.state
    return dict(sorted(found.items()))


CATCH_UP: dict[str, tuple[dict[str, Any], list[str]]] = {
    "skip": ({}, ["missed"] * 5),
    "once": ({"catch_up": "once"}, ["missed"] * 4 + ["succeeded"]),
    "all": ({"catch_up": "all"}, ["succeeded"] * 5),
    "all, at once": ({"catch_up": "all", "parallel": True}, ["succeeded"] * 5),
    "the last two": ({"catch_up": "all", "catch_up_limit": 2}, ["missed"] * 3 + ["succeeded"] * 2),
    "two hours": ({"catch_up": "all", "start_deadline": "2 hours"}, ["missed"] * 3 + ["succeeded"] * 2),
    "ten minutes": ({"catch_up": "once", "start_deadline": "10 minutes"}, ["missed"] * 5),
    "not enabled": ({"catch_up": "all", "enabled": False}, []),
}


@pytest.mark.parametrize("how", ["the worker was down", "the clock was set forward"])
def test_catch_up(faked: Scheduler, clock: ServerClock, how: str) -> None:
    jobs = {
        name: faked.insert(WITNESS, schedule="0 * * * *", timezone="UTC", **options)
        for name, (options, _) in CATCH_UP.items()
    }
    faked.start()
    faked.tick()
    if how == "the worker was down":
        faked.stop()
    clock.set(NOON + 5 * HOUR)
    if how == "the worker was down":
        faked.start()
    first = NOON.replace(minute=0) + HOUR
    for name, (_, states) in CATCH_UP.items():
        until(lambda job=jobs[name]: len(outcomes(faked, job)) == len(CATCH_UP[name][1]), name)  # noqa: B023
        until(lambda job=jobs[name]: "running" not in outcomes(faked, job).values(), name)
        expected = {first + number * HOUR: state for number, state in enumerate(states)}
        assert outcomes(faked, jobs[name]) == expected, name
        ran = faked.execute(f"SELECT scheduled_at FROM witness WHERE job_id = {jobs[name]}").fetchall()
        assert sorted(row[0] for row in ran) == [due for due, state in expected.items() if state == "succeeded"]
    (missed,) = [run for run in faked.log(jobs["once"]) if run.state == "missed"]
    assert (missed.missed_count, missed.missed_until) == (4, first + 3 * HOUR)
    assert missed.exception_message == "no worker was at work when the job was due"
    (in_order,) = faked.execute(
        f"SELECT array_agg(scheduled_at ORDER BY jl_id) = array_agg(scheduled_at ORDER BY scheduled_at) "
        f"FROM member_job_log WHERE job_id = {jobs['all']}"
    ).fetchone() or (None,)
    assert in_order is True
    if how == "the clock was set forward":
        assert "the clock was set forward by 17" in faked.cluster.log


@pytest.mark.slow
def test_set_back_by_ten_minutes(faked: Scheduler, clock: ServerClock) -> None:
    """Nothing stalls, and nothing runs twice for the same time."""
    minutely = faked.insert(WITNESS, schedule="* * * * *", timezone="UTC", catch_up="all")
    secondly = faked.insert(WITNESS, schedule="* * * * * *", timezone="UTC")
    after = faked.insert(WITNESS, schedule="@after 1 second")
    failing = faked.insert("SELECT 1 / 0", max_retries=100, retry_delay="1 second", max_retry_delay="1 second")
    faked.start()
    faked.value("SELECT run_job(%s)", failing)

    def seen(job: int) -> int:
        return len(faked.log(job))

    clock.set(NOON + timedelta(minutes=10))
    until(lambda: seen(minutely) >= 10 and seen(secondly) >= 3 and seen(after) >= 3)
    clock.set(NOON)
    until(lambda: "the clock was set back by " in faked.cluster.log, "the worker to notice")
    count, tries = seen(after), seen(failing)
    until(lambda: seen(after) >= count + 3, "the job that waits for its own end")
    until(lambda: seen(failing) >= tries + 2, "the retries")
    assert faked.run("SELECT 1").state == "succeeded"
    assert faked.run("SELECT pg_sleep(1000)", job_timeout="1 second").state == "timed out"
    new = faked.insert(WITNESS, schedule="* * * * * *", timezone="UTC")
    until(lambda: seen(new) >= 3, "a new job")
    status = faked.execute("SELECT * FROM worker_status").fetchone()
    assert status is not None
    assert status.last_tick < NOON + timedelta(minutes=9)
    counts = seen(minutely), seen(secondly)
    clock.set(NOON + timedelta(minutes=10, seconds=58))
    until(lambda: seen(minutely) > counts[0] and seen(secondly) > counts[1], "the jobs that had run ahead")
    faked.execute("UPDATE member_job SET enabled = false")
    twice = faked.execute("SELECT job_id, scheduled_at FROM witness GROUP BY 1, 2 HAVING count(*) > 1").fetchall()
    assert twice == []


@pytest.mark.parametrize("down", [False, True])
def test_a_clock_that_was_wrong(faked: Scheduler, clock: ServerClock, down: bool) -> None:
    clock.set(NOON + timedelta(days=365))
    faked.start()
    secondly = faked.insert(WITNESS, schedule="* * * * * *", timezone="UTC")
    interval = faked.insert(WITNESS, schedule="1 second")
    until(lambda: faked.log(secondly) and faked.log(interval))
    if down:
        faked.stop()
    clock.set(NOON)
    if down:
        faked.start()
    tomorrow = NOON + timedelta(days=1)
    for job in (secondly, interval):
        until(
            lambda job=job: [run for run in faked.log(job) if run.scheduled_at < tomorrow], "it to run by the new time"
        )
    assert faked.value("SELECT count(*) FROM member_job WHERE next_run_at > %s", tomorrow) == 0


def test_changes_of_the_clock_and_time_zones(faked: Scheduler, clock: ServerClock) -> None:
    """One moment, 28 March 2027 at 01:00 UTC, has many names."""
    moment = datetime(2027, 3, 28, 1, tzinfo=UTC)
    clock.set(moment - timedelta(minutes=5))
    due = {
        ("30 2 * * *", "Europe/Berlin", "cron"),
        ("0,10-50/10 2 * * *", "Europe/Berlin", "cron"),
        ("0 3 * * *", "Europe/Berlin", "skip"),
        ("0 1 * * *", "UTC", "cron"),
        ("30 1 * * *", "Europe/Dublin", "cron"),
        ("0 21 * * 6", "America/New_York", "cron"),
        ("30 6 * * *", "Asia/Kolkata", "cron"),
        ("2027-03-28 02:30", "Europe/Berlin", "skip"),
        ("2027-03-28 09:45+08:45", "Europe/Berlin", "cron"),
    }
    not_due = {
        ("30 2 * * *", "Europe/Berlin", "skip"),
        ("30 2 * * *", "Europe/Berlin", "wall"),
        ("*/20 2 * * *", "Europe/Berlin", "cron"),
        ("0 1 * * *", "Europe/Berlin", "cron"),
    }
    jobs = {
        faked.insert(WITNESS, schedule=schedule, timezone=zone, dst=dst): (schedule, zone, dst)
        for schedule, zone, dst in sorted(due | not_due)
    }
    shown = faked.execute("SELECT job_id, timezone, dst, next_run_at FROM member_job").fetchall()
    assert {(jobs[row.job_id][1:], row.next_run_at == moment) for row in shown} == {
        ((zone, dst), (schedule, zone, dst) in due) for schedule, zone, dst in due | not_due
    }
    upcoming = faked.execute("SELECT * FROM upcoming_runs('5 minutes', NULL)").fetchall()
    assert {(jobs[row.job_id], row.scheduled_at, row.due_together) for row in upcoming} == {
        (job, moment, len(due)) for job in due
    }
    faked.start()
    clock.set(moment - timedelta(seconds=1))
    until(lambda: faked.value("SELECT count(*) FROM member_job_log WHERE state = 'succeeded'") >= len(due))
    assert {jobs[run.job_id] for run in faked.log()} == due
    assert {run.scheduled_at for run in faked.log()} == {moment}


def test_default_time_zone_is_that_of_the_session(scheduler: Scheduler) -> None:
    scheduler.execute("SET timezone = 'Asia/Kolkata'")
    job = scheduler.insert("SELECT 1", schedule="0 9 * * *")
    assert scheduler.value("SELECT timezone FROM member_job WHERE job_id = %s", job) == "Asia/Kolkata"
    assert scheduler.value("SELECT (next_run_at AT TIME ZONE 'Asia/Kolkata')::time::text FROM member_job") == "09:00:00"
    scheduler.execute("SET TIME ZONE 2")
    scheduler.insert("SELECT 1", schedule="0 9 * * *")
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        scheduler.insert("SELECT 1", schedule="0 9 * * *", timezone="Europe/Berlim")
    assert "Did you mean Europe/Berlin?" in str(refused.value.diag.message_hint)


def test_start_deadline_when_all_places_are_taken(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 1")
    scheduler.start()
    with scheduler.gate() as command:
        first = scheduler.value("SELECT run_job(%s)", scheduler.insert(command))
        until(lambda: scheduler.value("SELECT running_jobs FROM worker_status") == 1)
        soon = scheduler.value("SELECT date_trunc('second', clock_timestamp()) + interval '3 seconds'")
        with scheduler.admin.transaction():
            hurried = scheduler.insert("SELECT 1", schedule=soon.isoformat(), start_deadline="500 ms")
            patient = scheduler.insert("SELECT 1", schedule=soon.isoformat())
        until(lambda: scheduler.value("SELECT clock_timestamp() > %s + interval '500 ms'", soon), "the deadline")
    assert scheduler.ended(first).state == "succeeded"
    (run,) = until(lambda: scheduler.log(hurried))
    assert (run.state, run.scheduled_at, run.missed_count, run.missed_until) == ("missed", soon, 1, soon)
    assert run.exception_message == "the job could not start within its start_deadline"
    (run,) = until(lambda: [run for run in scheduler.log(patient) if run.state == "succeeded"])
    assert run.scheduled_at == soon


def test_reboot(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    jobs = [scheduler.insert("SELECT 1", schedule=text) for text in ("@reboot", "{@yearly,@reboot}")]
    scheduler.insert("SELECT 1", schedule="@reboot", enabled=False)
    scheduler.insert("SELECT 1", schedule="@reboot", starts_at="2100-01-01")
    over = scheduler.insert("SELECT 1", schedule="@reboot")
    scheduler.execute("UPDATE my_job SET ends_at = '2000-01-01' WHERE job_id = {}", sql.Literal(over))

    def runs() -> list[tuple[int, str, str]]:
        return sorted((run.job_id, run.cause, run.state) for run in scheduler.log())

    once = [(job, "reboot", "succeeded") for job in jobs]
    scheduler.start()
    until(lambda: runs() == once)
    scheduler.stop()
    pid = scheduler.start()
    scheduler.value("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: scheduler.start() != pid, "another worker")
    scheduler.run("SELECT 1")
    assert [run for run in runs() if run[1] == "reboot"] == once
    scheduler.admin.close()
    cluster.shut_down("fast")
    cluster.start()
    scheduler = Scheduler(cluster, scheduler.dbname)
    scheduler.start()
    until(lambda: [run for run in runs() if run[1] == "reboot"] == sorted(once * 2))
    scheduler.admin.close()


def test_after(scheduler: Scheduler) -> None:
    """From the end of a run, however it went, to the start of the next."""
    scheduler.start()
    job = scheduler.insert("SELECT pg_sleep(0.3), 1 / (random() > 0.5)::int", schedule="@after 1 second")
    until(lambda: len([run for run in scheduler.log(job) if run.job_finished]) >= 3)
    runs = [run for run in scheduler.log(job) if run.job_finished]
    for before, run in pairwise(runs):
        assert abs(run.scheduled_at - before.job_finished - timedelta(seconds=1)) < timedelta(milliseconds=1)
        assert run.job_started >= run.scheduled_at


def test_window(scheduler: Scheduler) -> None:
    scheduler.start()

    def define() -> tuple[datetime, list[int]] | None:
        """When the window begins, and the jobs, if the worker has seen them by then."""
        begin = scheduler.value("SELECT date_trunc('milliseconds', clock_timestamp()) + interval '1 second'")
        end = begin + timedelta(seconds=2)
        with scheduler.admin.transaction():
            jobs = [
                scheduler.insert("SELECT 1", schedule=schedule, starts_at=begin, ends_at=end)
                for schedule in ("1 second", "* * * * * *")
            ]
        scheduler.seen()
        if scheduler.value("SELECT clock_timestamp() < %s", begin):
            return begin, jobs
        scheduler.execute("DELETE FROM member_job")
        return None

    begin, (intervals, crontab) = until(define, "a window that is seen before it begins")
    end = begin + timedelta(seconds=2)
    until(lambda: scheduler.value("SELECT count(*) FROM member_job WHERE next_run_at IS NOT NULL") == 0)
    assert [run.scheduled_at for run in scheduler.log(intervals)] == [begin + timedelta(seconds=n) for n in range(3)]
    found = [run.scheduled_at for run in scheduler.log(crontab)]
    assert len(found) == 2 + (begin.microsecond == 0)
    assert all(begin <= due <= end and due.microsecond == 0 for due in found)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="is never due"):
        scheduler.insert("SELECT 1", schedule="* * * * * *", ends_at=begin)


def test_a_job_that_is_enabled_again_has_missed_nothing(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET start_grace = '0'")
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="* * * * * *", timezone="UTC", catch_up="all")
    until(lambda: scheduler.log(job))
    scheduler.execute("UPDATE member_job SET enabled = false")
    scheduler.tick()
    before = {run.jl_id for run in scheduler.log(job)}
    moment = scheduler.value("SELECT clock_timestamp()")
    until(lambda: scheduler.value("SELECT clock_timestamp() > %s + interval '2 seconds'", moment))
    enabled = scheduler.value("UPDATE member_job SET enabled = true RETURNING clock_timestamp()")
    until(lambda: [run for run in scheduler.log(job) if run.jl_id not in before])
    since = [run for run in scheduler.log(job) if run.jl_id not in before]
    assert all(run.state in ("running", "succeeded", "skipped") and run.scheduled_at > enabled for run in since)


ROW = """INSERT INTO {}.job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_command, state)
         SELECT -nextval('witness_number'), job_id, rolname, datname, 'schedule', %s, '', 'succeeded' FROM member_job
         WHERE job_id = %s""".replace("{}", f'"{SCHEMA}"')


@pytest.mark.slow
def test_a_promoted_standby_goes_on(own_cluster: Callable[..., Cluster], installation: Installation) -> None:
    """Each due time is accounted for exactly once by the two servers together."""
    primary = own_cluster()
    scheduler = new_scheduler(primary)
    job = scheduler.insert("SELECT 1", schedule="* * * * * *", timezone="UTC", catch_up="all")
    reboot = scheduler.insert("SELECT 1", schedule="@reboot")
    scheduler.start()
    until(lambda: scheduler.log(job))
    with tempfile.TemporaryDirectory() as directory:
        primary.command("pg_basebackup", "-D", f"{directory}/data", "-R", "-c", "fast")
        standby = Cluster(installation, base_dir=directory)
        try:
            mirror = Scheduler(standby, scheduler.dbname)
            seen = len(scheduler.log(job))
            until(lambda: len(mirror.log(job)) > seen, "the standby to follow")
            assert mirror.value("SELECT start_worker(unattended := true)") is None
            with pytest.raises(psycopg.Error, match="standby"):
                mirror.start()
            scheduler.admin.close()
            primary.shut_down("immediate")
            last = max(run.scheduled_at for run in mirror.log(job))
            mirror.value("SELECT pg_promote()")
            mirror.start()
            until(lambda: mirror.log(job)[-1].scheduled_at > last + timedelta(seconds=5), "the job to go on")
            until(lambda: len(mirror.log(reboot)) == 2, "@reboot on the new server")
            mirror.execute("UPDATE member_job SET enabled = false")
            due = sorted(
                run.scheduled_at + timedelta(seconds=number)
                for run in mirror.log(job)
                for number in range(run.missed_count or 1)
            )
            assert due == [due[0] + timedelta(seconds=number) for number in range(len(due))]
            mirror.admin.close()
        finally:
            standby.stop()


def test_one_run_for_each_due_time(scheduler: Scheduler) -> None:
    """A due time that the log has already is passed by; the job and all others go on."""
    scheduler.execute("CREATE TABLE witness (job_id int8, scheduled_at timestamptz)")
    scheduler.execute("CREATE SEQUENCE witness_number")
    begin = scheduler.value("SELECT date_trunc('second', clock_timestamp()) + interval '3 seconds'")
    # However slow the machine is, each due time gets a run of its own.
    every_second = {
        "schedule": "* * * * * *",
        "timezone": "UTC",
        "starts_at": begin,
        "parallel": True,
        "catch_up": "all",
    }
    with scheduler.admin.transaction():
        job, other = (scheduler.insert(WITNESS, **every_second) for _ in range(2))
        after = scheduler.insert(WITNESS, schedule="@after 1 second", starts_at=begin)
    taken = [begin, begin + timedelta(seconds=1)]
    for due in taken:
        scheduler.admin.execute(ROW, (due, job))
    scheduler.admin.execute(ROW, (begin, after))
    with pytest.raises(psycopg.errors.UniqueViolation):
        scheduler.admin.execute(ROW, (begin, job))
    scheduler.start()

    def ran(job: int) -> list[datetime]:
        rows = scheduler.execute(f"SELECT scheduled_at FROM witness WHERE job_id = {job} ORDER BY 1").fetchall()
        return [row[0] for row in rows]

    due = [begin + timedelta(seconds=number) for number in range(4)]
    until(lambda: {*due[2:]} <= {*ran(job)} and {*due} <= {*ran(other)} and len(ran(after)) >= 2)
    assert ran(job)[:2] == due[2:]
    assert ran(other)[:4] == due
    assert ran(after)[0] > begin
    assert "duplicate key" not in scheduler.value(
        "SELECT coalesce(string_agg(exception_message, ' '), '') FROM member_job_log"
    )


def test_every_form_from_sql(scheduler: Scheduler) -> None:
    """The examples of docs/schedules.md, by the functions that users call."""
    scheduler.execute("SET timezone = 'UTC'")
    rows = [(text, zone, begin, cell, "cron") for text, zone, begin, cell in EXAMPLES]
    rows += [
        (text, zone, begin, cell, dst)
        for text, zone, begin, *cells in POLICIES
        for dst, cell in zip(("cron", "skip", "wall"), cells)
    ]
    for text, zone, begin, cell, dst in rows:
        expected = [datetime.fromisoformat(moment) for moment in moments(cell)]
        found = scheduler.admin.execute(
            "SELECT * FROM next_runs(%s, %s, %s::timestamp AT TIME ZONE %s, %s, %s)",
            (text, zone, begin, zone, len(expected), dst),
        ).fetchall()
        assert [row[0] for row in found] == expected, text
        assert scheduler.value("SELECT describe_schedule(%s, %s, %s)", text, zone, dst)
        future = max(expected) > datetime.now(UTC)
        if future:
            job = scheduler.insert("SELECT 1", schedule=text, timezone=zone, dst=dst)
            assert scheduler.value("SELECT next_run_at > now() FROM member_job WHERE job_id = %s", job)
    job = scheduler.insert("SELECT 1", schedule="H H(22-23) * * *", timezone="UTC")
    slot = scheduler.value("SELECT next_run_at FROM member_job WHERE job_id = %s", job)
    assert slot.hour in (22, 23)
    seen = "SELECT scheduled_at FROM upcoming_runs('2 days', NULL) WHERE job_id = %s ORDER BY 1"
    found = scheduler.admin.execute(seen, (job,)).fetchall()
    assert [row[0] for row in found][:2] == [slot, slot + timedelta(days=1)]


def test_who_sees_which_upcoming_runs(scheduler: Scheduler) -> None:
    ours, theirs = scheduler.role(), scheduler.role()
    jobs = [scheduler.insert("SELECT 1", schedule="@hourly", rolname=role) for role in (ours, theirs)]
    scheduler.insert("SELECT 1", schedule="@hourly", rolname=ours, enabled=False)
    monitor = scheduler.role("monitor", "LOGIN IN ROLE job_monitor", scheduler=False)

    def seen(role: str) -> set[tuple[int, int]]:
        rows = scheduler.connect_as(role).execute("SELECT * FROM upcoming_runs('2 hours')").fetchall()
        return {(row.job_id, row.due_together) for row in rows}

    assert seen(ours) == {(jobs[0], 1)}
    assert seen(monitor) == {(job, 2) for job in jobs}
    session = scheduler.connect_as(monitor)
    assert session.execute("SELECT describe_schedule('@hourly', 'UTC')").fetchone()
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="invalid schedule"):
        session.execute("SELECT next_runs('0 24 * * *')")


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("SELECT next_runs('@daily', dst := 'summer')", "22023"),
        ("SELECT next_runs('@daily', NULL)", "22004"),
        ("SELECT describe_schedule('@daily', dst := 'summer')", "22023"),
        ("SELECT describe_schedule('@daily', NULL)", "22004"),
        ("SELECT describe_schedule('@daily', dst := NULL)", "22004"),
        ("SELECT upcoming_runs(NULL)", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, '@daily', dst := 'summer')", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, dst := 'summer')", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, '@daily', catch_up := 'most')", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, '0 0 31 2 *')", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, '{@daily,0 0 31 2 *}')", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, '2001-01-01')", "22023"),
        ("SELECT insert_job('SELECT 1', current_catalog, repeat('*', 1000000))", "22023"),
    ],
)
def test_mistakes(scheduler: Scheduler, call: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        scheduler.execute(call)
    assert refused.value.sqlstate == sqlstate
    diag = refused.value.diag
    assert diag.message_primary
    assert diag.message_detail
    assert diag.message_hint
    assert "Traceback" not in str(refused.value)


def test_no_job_sees_a_time_at_which_it_is_not_due(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.execute("CREATE TABLE witness (due timestamptz, seen timestamptz)")
    scheduler.execute("GRANT INSERT ON witness TO PUBLIC")
    command = (
        "INSERT INTO public.witness"
        " VALUES (current_setting('elephant_worker.scheduled_at')::timestamptz, clock_timestamp())"
    )
    # Some in new sessions, some in kept ones, some right after another.
    scheduler.execute(
        """INSERT INTO member_job (job_command, datname, timezone, schedule)
           SELECT {}, current_catalog, 'UTC', to_char(
               now() + interval '3 seconds' + (number * 11 + number / 10 * 100) * interval '1 ms',
               'YYYY-MM-DD HH24:MI:SS.US')
           FROM generate_series(0, 99) number""",
        sql.Literal(command),
    )
    until(lambda: scheduler.value("SELECT count(*) FROM witness") == 100, "all to have run")
    assert scheduler.value("SELECT min(seen - due) > '0' FROM witness")
    assert scheduler.value("SELECT bool_and(job_started >= scheduled_at) FROM job_log")
