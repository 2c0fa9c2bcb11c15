"""The history of the definitions: who changed what, when, from what to what, and through which call."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from harness.scheduler import Scheduler
from harness.waiting import until

HISTORY = "SELECT version, action, call, old_values, new_values FROM {} WHERE job_id = %s ORDER BY version, action"


def history(scheduler: Scheduler, job: int) -> list[Any]:
    return scheduler.admin.execute(HISTORY.format("member_job_change"), (job,)).fetchall()


# Each changes the job of the number 1: the call, the old values and the new ones that are written down.
CHANGES: dict[str, tuple[str, dict[str, Any] | None, dict[str, Any]]] = {
    "SELECT update_job(1, job_command := 'SELECT 2')": (
        "update_job",
        {"job_command": "SELECT 1"},
        {"job_command": "SELECT 2"},
    ),
    "SELECT update_job('a', schedule := '@daily')": ("update_job", {"schedule": None}, {"schedule": "@daily"}),
    "SELECT define_job('a', 'SELECT 1', job_timeout := '1 day')": (
        "define_job",
        {"job_timeout": "06:00:00"},
        {"job_timeout": "1 day"},
    ),
    'UPDATE my_job SET enabled = false, settings = \'{"work_mem": "1MB"}\'': (
        "UPDATE",
        {"enabled": True, "settings": None},
        {"enabled": False, "settings": {"work_mem": "1MB"}},
    ),
    "UPDATE member_job SET job_name = NULL, parameters = '[1, {\"a\": null}]'": (
        "UPDATE",
        {"job_name": "a", "parameters": None},
        {"job_name": None, "parameters": [1, {"a": None}]},
    ),
}


@pytest.mark.parametrize("statement", CHANGES)
def test_changes(scheduler: Scheduler, statement: str) -> None:
    role = scheduler.role()
    session = scheduler.connect_as(role)
    session.execute("SELECT insert_job('SELECT 1', current_catalog, job_name := 'a', timezone := 'UTC')")
    session.execute(statement)
    call, before, after = CHANGES[statement]
    created, changed = history(scheduler, 1)
    assert created[:4] == (1, "create", "insert_job", None)
    assert created.new_values == {
        "datname": scheduler.dbname,
        "rolname": role,
        "defined_by": role,
        "job_name": "a",
        "job_command": "SELECT 1",
        "enabled": True,
        "job_timeout": "06:00:00",
        "parallel": False,
        "timezone": "UTC",
        "dst": "cron",
        "catch_up": "skip",
        "catch_up_limit": 100,
        "max_retries": 0,
        "retry_delay": "00:01:00",
        "max_retry_delay": "01:00:00",
        "run_when": "on_success",
        "retry_on": ["connection", "serialization", "error", "timeout"],
    }
    assert changed == (2, "change", call, before, after)
    assert scheduler.value("SELECT version FROM member_job") == 2
    session.execute("DELETE FROM my_job")
    deleted = history(scheduler, 1)[2]
    assert deleted[:3] == (3, "delete", "DELETE")
    now = {**created.new_values, **after}
    assert deleted.old_values == {name: value for name, value in now.items() if value is not None}
    assert deleted.new_values is None


def test_what_changes_nothing_leaves_no_trace(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", job_name="a", schedule="@daily")
    for statement in (
        "UPDATE member_job SET job_command = job_command, job_timeout = '360 minutes'",
        "SELECT define_job('a', 'SELECT 1', schedule := '@daily')",
        "SELECT update_job('a')",
        "BEGIN; SELECT update_job('a', enabled := false); ROLLBACK",
        "INSERT INTO my_job (job_command, job_name) VALUES ('SELECT 2', 'a') ON CONFLICT DO NOTHING",
        """INSERT INTO my_job (job_command, job_name) VALUES ('SELECT 1', 'a')
           ON CONFLICT (rolname, job_name) DO UPDATE SET job_command = excluded.job_command""",
    ):
        scheduler.execute(statement)
    assert len(history(scheduler, job)) == scheduler.value("SELECT version FROM member_job") == 1
    assert scheduler.value("SELECT count(*) FROM job_change") == 1  # nor of a job that there has never been
    scheduler.execute(
        "INSERT INTO my_job (job_command, job_name) VALUES ('SELECT 1', 'b'), ('SELECT 2', 'b') ON CONFLICT DO NOTHING"
    )
    assert scheduler.value("SELECT count(*) FROM job_change") == 2


def test_who(scheduler: Scheduler) -> None:
    group, person = scheduler.role("group"), scheduler.role("person")
    scheduler.execute(f'GRANT "{group}" TO "{person}"')
    session = scheduler.connect_as(person)
    session.execute("SELECT insert_job('SELECT 1', current_catalog)")
    session.execute(f'SET ROLE "{group}"')
    session.execute("SELECT insert_job('SELECT 1', current_catalog)")
    session.execute("DELETE FROM my_job")
    session.execute("RESET ROLE")
    rows = scheduler.execute(
        "SELECT changed_by, session_role FROM member_job_change ORDER BY job_id, version"
    ).fetchall()
    assert rows == [(person, person), (group, person), (group, person)]


def test_a_call_ends_with_the_call(scheduler: Scheduler) -> None:
    scheduler.execute(
        "BEGIN; SELECT insert_job('SELECT 1', current_catalog); UPDATE member_job SET enabled = false; COMMIT"
    )
    assert [row.call for row in history(scheduler, 1)] == ["insert_job", "UPDATE"]
    scheduler.execute("SET elephant_worker.call = 'DROP TABLE x'")
    scheduler.execute("UPDATE member_job SET enabled = true")
    assert history(scheduler, 1)[2].call == "UPDATE"


def test_whoever_sees_the_job_sees_its_history(scheduler: Scheduler) -> None:
    one, two, monitor = scheduler.role("one"), scheduler.role("two"), scheduler.role("monitor", scheduler=False)
    scheduler.execute(f'GRANT job_monitor TO "{monitor}"')
    sessions = {role: scheduler.connect_as(role) for role in (one, two, monitor)}
    sessions[one].execute("SELECT insert_job('SELECT $$secret of one$$', current_catalog)")
    scheduler.execute(f"SELECT update_job(1, rolname := '{two}', job_command := 'SELECT $$secret of two$$')")

    def seen(role: str, view: str) -> list[Any]:
        return sessions[role].execute(HISTORY.format(view), (1,)).fetchall()

    for view in ("my_job_change", "member_job_change"):
        given = seen(one, view)
        received = seen(two, view)
        assert [row.action for row in given] == ["create", "give"]
        assert [row.action for row in received] == ["receive"]
        assert "secret of two" not in str(given)
        assert "secret of one" not in str(received)
        assert (given[1].new_values, received[0].old_values) == ({"rolname": two}, {"rolname": one})
        assert given[1].old_values["job_command"] == "SELECT $$secret of one$$"
        assert received[0].new_values["job_command"] == "SELECT $$secret of two$$"
    assert [row.action for row in seen(monitor, "all_job_change")] == ["create", "give", "receive"]
    for role in (one, two):
        for statement in (
            "SELECT * FROM job_change",
            "SELECT * FROM all_job_change",
            "DELETE FROM my_job_change",
            "INSERT INTO my_job_change (job_id, version) VALUES (1, 99)",
            "UPDATE member_job_change SET call = 'x'",
            "UPDATE my_job SET version = 99",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                sessions[role].execute(statement)


def test_pg_write_all_data_writes_no_history(scheduler: Scheduler) -> None:
    role = scheduler.role()
    scheduler.execute(f'GRANT pg_write_all_data, pg_read_all_data TO "{role}"')
    scheduler.insert("SELECT 1")
    session = scheduler.connect_as(role)
    for statement in ("DELETE FROM job_change", "UPDATE job_change SET changed_by = 'nobody'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


def test_a_history_that_is_ahead_of_its_job(scheduler: Scheduler) -> None:
    """As after a restore of single tables."""
    scheduler.insert("SELECT 1", job_name="a")
    for number in range(3):
        scheduler.execute(f"UPDATE member_job SET job_description = '{number}'")
    scheduler.execute("UPDATE job SET version = 1")
    scheduler.execute("UPDATE member_job SET job_description = 'x'")
    assert [row.version for row in history(scheduler, 1)] == [1, 2, 3, 4, 5]
    scheduler.execute("DELETE FROM job")
    scheduler.execute("ALTER SEQUENCE job_job_id_seq RESTART")
    assert scheduler.insert("SELECT 1") == 2


def test_runs_know_the_version_of_their_job(scheduler: Scheduler) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT 1", job_name="a")
    first = scheduler.ended(scheduler.value("SELECT run_job('a')"))
    scheduler.execute("SELECT update_job('a', job_command := 'SELECT 2', schedule := '* * * * * *')")
    second = scheduler.ended(scheduler.value("SELECT run_job('a')"))
    assert (first.version, second.version) == (1, 2)
    due = "SELECT version FROM member_job_log WHERE job_id = %s AND cause = 'schedule' LIMIT 1"
    assert until(lambda: scheduler.value(due, job), "a due time") == 2
    assert scheduler.ended(scheduler.value("SELECT run_once('SELECT 1')")).version is None


def test_retention(scheduler: Scheduler) -> None:
    """As long as the log, and never less than the last 20 of a job that exists."""
    kept, busy, gone = (scheduler.insert("SELECT 1", job_name=name) for name in ("kept", "busy", "gone"))
    change = """DO $$ BEGIN FOR n IN 1..{} LOOP
                UPDATE member_job SET job_description = n WHERE job_id = {}; END LOOP; END $$"""
    for job, times in ((kept, 30), (busy, 1100), (gone, 30)):
        scheduler.execute(change.format(times, job))
    scheduler.execute("SELECT delete_job('gone')")
    scheduler.execute(f"UPDATE job_change SET changed_at = now() - interval '31 days' WHERE job_id <> {busy}")
    scheduler.start()
    until(lambda: not history(scheduler, gone), "what was deleted to go")
    assert [row.version for row in history(scheduler, kept)] == list(range(12, 32))
    until(lambda: len(history(scheduler, busy)) <= 1000, "all but log_max_rows to go")
    assert [row.version for row in history(scheduler, busy)] == list(range(102, 1102))
