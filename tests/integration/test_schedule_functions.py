"""The functions that tell when schedules are due, as sessions of all kinds call them."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from harness.scheduler import Scheduler

# A hundred entries, each of which must be looked for far away, or that are due together each second.
FAR = "{" + ",".join(f'"{number % 60} {number // 60} 29 2 */7"' for number in range(100)) + "}"
DENSE = "{" + ",".join(f'"*/{number % 9 + 1} * * * * *"' for number in range(100)) + "}"

# What a session's TimeZone can be beside a name of the IANA database.
POSIX = ("UTC-3", "GMT-03:00", "EST5", "<+02>-02", "<+05:30>-05:30", "CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST")


@pytest.mark.parametrize("schedule", [FAR, DENSE], ids=["far", "dense"])
@pytest.mark.parametrize(
    "call", ["next_runs(%s, count := 10000)", "due_times(%s, 'UTC', 'cron', 0, NULL, 0, NULL, 10000, '')"]
)
def test_a_long_search_can_be_cancelled(scheduler: Scheduler, schedule: str, call: str) -> None:
    with scheduler.connect() as session:
        session.execute("SET statement_timeout = '200ms'")
        if call.startswith("next_runs"):
            with pytest.raises(psycopg.errors.QueryCanceled, match="canceling statement due to statement timeout"):
                session.execute(f"SELECT * FROM {call}", (schedule,))
        else:
            row = session.execute(f"SELECT due, (user_error).sqlstate FROM {call}", (schedule,)).fetchone()
            assert row == (None, "57014")


def test_upcoming_runs_of_several_intervals_are_on_their_grid(scheduler: Scheduler) -> None:
    for schedule, gaps in (
        ("{2 seconds,3 seconds}", [2, 3, 4, 6, 8, 9, 10, 12]),
        ("{5 seconds,2 seconds,7 seconds}", [2, 4, 5, 6, 7, 8, 10, 12]),
        ("4 seconds", [4, 8, 12]),
    ):
        job = scheduler.insert("SELECT 1", schedule=schedule)
        begin = scheduler.value("SELECT schedule_set_at FROM job WHERE job_id = %s", job)
        rows = scheduler.execute("SELECT scheduled_at FROM upcoming_runs('1 minute', NULL) ORDER BY 1").fetchall()
        assert [(row.scheduled_at - begin).total_seconds() for row in rows][: len(gaps)] == gaps
        scheduler.execute(f"SELECT delete_job({job})")


def test_upcoming_runs_go_on_from_where_the_job_is(scheduler: Scheduler) -> None:
    """Also where it was defined a while ago, and in a window."""
    job = scheduler.insert("SELECT 1", schedule="{2 minutes,3 minutes}")
    later = scheduler.insert(
        "SELECT 1", schedule="{2 minutes,3 minutes}", starts_at=scheduler.value("SELECT now() + interval '1 minute'")
    )
    scheduler.execute(
        "UPDATE job SET schedule_set_at = schedule_set_at - interval '7 minutes', first_run_at = "
        f"first_run_at - interval '1 minute' WHERE job_id = {job}"
    )
    rows = scheduler.execute(
        "SELECT u.job_id, u.scheduled_at - coalesce(j.starts_at, j.schedule_set_at) AS since "
        "FROM upcoming_runs('11 minutes', NULL) u JOIN job j USING (job_id) ORDER BY 2"
    ).fetchall()
    minutes = {
        number: [row.since / timedelta(minutes=1) for row in rows if row.job_id == number] for number in (job, later)
    }
    assert minutes[job][:4] == [8, 9, 10, 12]
    assert minutes[later] == [0, 2, 3, 4, 6, 8, 9, 10]


def test_what_is_frequent_has_one_row(scheduler: Scheduler) -> None:
    moments = {
        "starts_at": scheduler.value("SELECT date_trunc('day', now() + interval '1 day', 'UTC')"),
        "timezone": "UTC",
    }
    rare = scheduler.insert("SELECT 1", schedule="0 */6 * * *", job_name="rare", **moments)
    often = scheduler.insert("SELECT 1", schedule="* * * * *", job_name="often", **moments)
    scheduler.insert("SELECT 1", schedule="* * * * * *", job_name="all the time", **moments)
    ahead = scheduler.value("SELECT %s - now() + interval '12 hours' - interval '30 seconds'", moments["starts_at"])
    rows = scheduler.admin.execute("SELECT * FROM upcoming_runs(%s)", (ahead,)).fetchall()
    assert [(row.job_name, row.runs) for row in rows] == [
        ("rare", 1), ("often", 12 * 60), ("all the time", None), ("rare", 1),
    ]  # fmt: skip
    assert [row.due_together for row in rows] == [3, 3, 3, 2]
    assert rows[0].last_scheduled_at == rows[0].scheduled_at == moments["starts_at"]
    assert rows[1].last_scheduled_at == moments["starts_at"] + timedelta(hours=11, minutes=59)
    assert rows[2].last_scheduled_at is None
    rows = scheduler.admin.execute("SELECT job_id FROM upcoming_runs(%s, times := NULL)", (ahead,)).fetchall()
    numbers = [row.job_id for row in rows]
    assert (numbers.count(rare), numbers.count(often)) == (2, 12 * 60)


@pytest.mark.parametrize("name", POSIX)
def test_time_zones_of_drivers_and_containers(scheduler: Scheduler, name: str) -> None:
    """They mean to schedules what they mean to the server."""
    scheduler.execute("SELECT set_config('TimeZone', {}, false)", psycopg.sql.Literal(name))
    assert scheduler.value("SELECT run_once('SELECT 1')")
    assert scheduler.value("SELECT job_id FROM insert_job('SELECT 1', current_catalog)")
    assert scheduler.value("SELECT job_id FROM insert_job('SELECT 1', current_catalog, '0 12 * * *')")
    shown = scheduler.execute("SELECT to_char(n, 'HH24:MI') FROM next_runs('0 12 * * *', count := 400) n").fetchall()
    assert {row[0] for row in shown} == {"12:00"}
    assert "12:00" in scheduler.value("SELECT describe_schedule('0 12 * * *')")
    states = scheduler.execute("SELECT state FROM check_timezones()").fetchall()
    assert {row.state for row in states} == {"ok"}


def test_a_zone_that_reads_like_another_is_told(scheduler: Scheduler) -> None:
    with scheduler.connect() as session:
        notices: list[str] = []
        session.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))

        def told(statement: str, *parameters: object) -> list[str]:
            notices.clear()
            session.execute(statement, parameters)
            return [notice for notice in notices if notice.startswith("time zone")]

        behind = 'time zone "UTC+2" is 2 hours behind UTC'
        insert = "INSERT INTO my_job (job_command, schedule, timezone) VALUES ('SELECT 1', %s, %s)"
        assert told("SELECT insert_job('SELECT 1', current_catalog, '@daily', timezone => 'UTC+2')") == [behind]
        assert told(insert, "@daily", "UTC+2") == [behind]
        assert told("UPDATE my_job SET schedule = '@hourly'") == []
        assert told("UPDATE my_job SET timezone = 'Etc/GMT-2'") == []
        assert told("UPDATE my_job SET timezone = 'UTC+2' WHERE timezone <> 'UTC+2'") == [behind, behind]
        assert told("DELETE FROM my_job") == told(insert, None, "UTC+2") == []
        assert told("UPDATE my_job SET schedule = '@hourly'") == [behind]
        assert told("SELECT describe_schedule('@daily', 'UTC+2')") == [behind]
        assert told("SELECT describe_schedule(schedule, timezone, dst) FROM my_job WHERE schedule IS NULL") == []
        # All times that such a session shows are of its zone; those that drivers give it are not mistaken.
        session.execute("SET TimeZone = 'UTC+2'")
        assert told("SELECT insert_job('SELECT 1', current_catalog, '@daily')") == []
        assert told(insert, "@daily", "UTC+2") == told("SELECT describe_schedule('@daily')") == []
        assert told(insert, "@daily", "GMT-03:00") == ['time zone "GMT-03:00" is 3 hours ahead of UTC']


def test_zones_that_are_named_like_abbreviations(scheduler: Scheduler) -> None:
    # Debian has those of the first kind in a package of its own, since version 13.
    names = "'CET', 'MET', 'EET', 'WET', 'EST5EDT', 'Etc/GMT-3'"
    known = scheduler.execute(f"SELECT name FROM pg_timezone_names WHERE name IN ({names})").fetchall()
    assert known
    for (name,) in known:
        scheduler.insert("SELECT 1", schedule="@daily", timezone=name)
    found = scheduler.execute("SELECT state, found FROM check_timezones()").fetchall()
    assert [row.state for row in found] == ["ok"], found


def test_an_interval_is_bounded_as_the_seconds_it_has(scheduler: Scheduler) -> None:
    """-1 year 361 days is more than zero to the operators of interval, and less in seconds."""
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="cannot look ahead"):
        scheduler.execute("SELECT * FROM upcoming_runs('-1 year 361 days')")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="cannot look ahead"):
        scheduler.execute("SELECT * FROM upcoming_runs('13 months')")
    scheduler.execute("SELECT * FROM upcoming_runs('1 year')")


def test_slots_are_no_facts(scheduler: Scheduler) -> None:
    said = scheduler.value("SELECT describe_schedule('H H(0-7) * * *', 'UTC')")
    assert said.startswith("at a minute (0-59) and an hour (0-7) that each job has of its own, UTC")
