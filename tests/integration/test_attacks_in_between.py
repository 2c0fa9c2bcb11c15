"""What is shown when a statement begins, and is another's by the time that the statement acts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import Scheduler
from harness.waiting import until

# Waits between the look at the views and the act, until the test lets it go on.
WAIT = "(SELECT pg_advisory_lock_shared(4711)) IS NOT NULL"


class Meanwhile:
    """A role with a job, whose statement waits while something happens."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.role, self.heir = scheduler.role("mallory"), scheduler.role("heir")
        self.session = scheduler.connect_as(self.role)
        row = self.session.execute(
            "SELECT job_id FROM insert_job('SELECT 1', current_catalog, run_after := NULL)"
        ).fetchone()
        assert row is not None
        self.job: int = row.job_id

    def during(self, statement: str, what_happens: Callable[[], Any]) -> int | str:
        """How many rows the statement has changed, or the SQLSTATE of its error."""
        with self.scheduler.cluster.connect(self.scheduler.dbname) as gate:
            gate.execute("SELECT pg_advisory_lock(4711)")
            found: list[int | str] = []

            def execute() -> None:
                try:
                    found.append(self.session.execute(statement.format(job=self.job, wait=WAIT)).rowcount)
                except psycopg.Error as error:
                    found.append(error.sqlstate or "")

            thread = threading.Thread(target=execute)
            thread.start()
            until(
                lambda: self.scheduler.value(
                    "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                ),
                "the statement to wait",
            )
            what_happens()
            gate.execute("SELECT pg_advisory_unlock(4711)")
            thread.join()
        self.session.execute("SELECT pg_advisory_unlock_all()")
        return found[0]

    def give_away(self) -> None:
        self.scheduler.execute(
            "UPDATE member_job SET rolname = {} WHERE job_id = {}", sql.Literal(self.heir), sql.Literal(self.job)
        )


@pytest.fixture
def meanwhile(scheduler: Scheduler) -> Meanwhile:
    return Meanwhile(scheduler)


# What waits is uncorrelated, so that it is evaluated once; and a function that is called for each row.
STATEMENTS = {
    "delete": "DELETE FROM my_job WHERE job_id = {job} AND {wait}",
    "delete as a member": "DELETE FROM member_job WHERE job_id = {job} AND {wait}",
    "delete with all that is shown": "DELETE FROM my_job WHERE pg_advisory_lock_shared(4711) IS NOT NULL",
    "delete in a CTE": "WITH d AS (DELETE FROM my_job WHERE {wait} RETURNING job_id) SELECT FROM d",
    "update": "UPDATE my_job SET job_command = 'SELECT 2' WHERE job_id = {job} AND {wait}",
    "update as a member": "UPDATE member_job SET enabled = false WHERE job_id = {job} AND {wait}",
    "update what does not matter": "UPDATE my_job SET job_description = 'x' WHERE {wait}",
    "take it back": "UPDATE member_job SET rolname = current_user WHERE job_id = {job} AND {wait}",
    "run": "INSERT INTO job_request (kind, job_id) SELECT 'run', {job} FROM pg_advisory_lock_shared(4711)",
    "cancel": "INSERT INTO job_request (kind, job_id) SELECT 'cancel', job_id FROM my_job WHERE {wait}",
    "try": """INSERT INTO dry_run (job_id, datname, rolname, job_command, job_timeout)
              SELECT job_id, datname, rolname, job_command, job_timeout FROM member_job WHERE {wait}""",
}


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name != "try"])
def test_a_job_that_is_given_away_meanwhile(meanwhile: Meanwhile, name: str) -> None:
    found = meanwhile.during(STATEMENTS[name], meanwhile.give_away)
    assert found in (0, "42501", "P0002"), found
    scheduler = meanwhile.scheduler
    row = scheduler.execute("SELECT * FROM all_job").fetchone()
    assert row is not None
    assert (row.rolname, row.job_command, row.enabled, row.job_description) == (meanwhile.heir, "SELECT 1", True, None)
    assert scheduler.execute("SELECT FROM worker_request WHERE kind <> 'define'").fetchall() == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_membership_that_is_revoked_meanwhile(scheduler: Scheduler, name: str) -> None:
    meanwhile = Meanwhile(scheduler)
    names = sql.Identifier(meanwhile.heir), sql.Identifier(meanwhile.role)
    meanwhile.give_away()
    scheduler.execute("GRANT {} TO {}", *names)
    statement = STATEMENTS[name].replace("my_job", "member_job")
    found = meanwhile.during(statement, lambda: scheduler.execute("REVOKE {} FROM {}", *names))
    assert found in (0, "42501", "P0002"), found
    row = scheduler.execute("SELECT * FROM all_job").fetchone()
    assert row is not None
    assert (row.rolname, row.job_command, row.enabled, row.job_description) == (meanwhile.heir, "SELECT 1", True, None)
    assert scheduler.execute("SELECT FROM worker_request WHERE kind <> 'define'").fetchall() == []


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name not in ("try", "take it back")])
def test_what_stays_ones_own_meanwhile(meanwhile: Meanwhile, name: str) -> None:
    """Neither a change by somebody else nor a rollback of one keeps the statement from doing what it should."""

    def touch() -> None:
        meanwhile.scheduler.execute("UPDATE member_job SET max_retries = 1")
        with meanwhile.scheduler.admin.transaction(force_rollback=True):
            meanwhile.give_away()

    assert meanwhile.during(STATEMENTS[name], touch) == 1


# What waits for the row itself, which somebody else is just giving away.
ROW_WAITS = {
    "delete": "DELETE FROM my_job WHERE job_id = {job}",
    "delete as a member": "DELETE FROM member_job WHERE job_id = {job}",
    "delete_job": "SELECT delete_job({job})",
    "update": "UPDATE my_job SET job_command = 'SELECT 2'",
    "update as a member": "UPDATE member_job SET enabled = false",
    "update_job": "SELECT update_job({job}, job_command => 'SELECT 2')",
    "update a definition": "UPDATE my_job_definition SET job_command = 'SELECT 2'",
    "take it back": "UPDATE member_job SET rolname = current_user",
    "answer for it": "UPDATE member_job SET defined_by = current_user",
    "define_job": "SELECT define_job('mine', 'SELECT 2')",
    "a conflict": "INSERT INTO my_job_definition (job_command, job_name) VALUES ('SELECT 2', 'mine') "
    "ON CONFLICT (rolname, (job_name)) DO UPDATE SET job_command = excluded.job_command",
    "apply_jobs": """SELECT apply_jobs('[{{"job_name": "mine", "job_command": "SELECT 2"}}]')""",
    "lock": "SELECT FROM member_job FOR UPDATE",
    # Into views since PostgreSQL 17; refused before.
    "merge": "MERGE INTO my_job j USING (SELECT 1) s ON j.job_name = 'mine' "
    "WHEN MATCHED THEN UPDATE SET job_command = 'SELECT 2'",
    "merge and delete": "MERGE INTO member_job j USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
}


@pytest.mark.parametrize("name", ROW_WAITS)
def test_a_job_that_is_given_away_while_it_is_waited_for(meanwhile: Meanwhile, name: str) -> None:
    scheduler = meanwhile.scheduler
    meanwhile.session.execute("UPDATE my_job SET job_name = 'mine'")
    pid = meanwhile.session.info.backend_pid
    found: list[str | int | None] = []

    def execute() -> None:
        try:
            found.append(meanwhile.session.execute(ROW_WAITS[name].format(job=meanwhile.job)).rowcount)
        except psycopg.Error as error:
            found.append(error.sqlstate)

    thread = threading.Thread(target=execute)
    with scheduler.admin.transaction():
        meanwhile.give_away()
        thread.start()
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)"
        until(lambda: found or scheduler.value(waits, pid), "the statement to wait")
        assert found in ([], ["0A000"])
    thread.join()
    row = scheduler.execute("SELECT * FROM all_job WHERE job_id = {}", sql.Literal(meanwhile.job)).fetchone()
    assert row is not None, found
    assert (row.rolname, row.job_command, row.enabled) == (meanwhile.heir, "SELECT 1", True), found
    assert row.defined_by == USER


CALLS = (
    "SELECT run_job('mine')", "SELECT run_once('SELECT 1')", "SELECT cancel_job('mine')", "SELECT delete_job('before')",
    "SELECT insert_job('SELECT 1', current_catalog, '1 second')", "SELECT define_job('other', 'SELECT 2')",
    "SELECT update_job('mine', job_command => 'SELECT 2', enabled => false)", "DELETE FROM member_job",
    """SELECT apply_jobs('[{"job_name": "mine", "job_command": "SELECT 2", "schedule": "@daily"}]', 'part')""",
    "SELECT import_crontab('@daily psql -c \"SELECT 1\"' || chr(10), dry_run => false)",
    "UPDATE my_job SET schedule = '1 second', run_after = NULL", "SELECT run_job('none of this name')",
)  # fmt: skip


def test_what_is_rolled_back_to_a_savepoint_leaves_nothing(scheduler: Scheduler) -> None:
    """Neither a row, nor a word in what comes after it in the transaction."""
    role = scheduler.role("mallory")
    session = scheduler.connect_as(role)
    session.execute("SELECT define_job('before', 'SELECT 1')")
    session.execute("SELECT define_job('mine', 'SELECT 1', run_after => 'before')")

    def contents() -> list[Any]:
        return [
            scheduler.execute(f"SELECT t FROM {table} t ORDER BY 1").fetchall()
            for table in ("job", "once_job", "job_change", "worker_request", "job_quota", "known_role")
        ]

    before = contents()
    said: list[str] = []
    with session.transaction():
        for call in CALLS:
            session.execute("SAVEPOINT here")
            with suppress(psycopg.errors.NoDataFound):
                session.execute(call.encode())
            session.execute("ROLLBACK TO here")
        session.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        session.execute("DELETE FROM my_job WHERE false")
    assert contents() == before
    assert [words for words in said if "runs after" in words] == []
    session.execute("SET CONSTRAINTS ALL IMMEDIATE; UPDATE my_job SET job_description = 'x' WHERE job_name = 'mine'")
    assert scheduler.value("SELECT call FROM job_change ORDER BY changed_at DESC LIMIT 1") == "UPDATE"


def test_a_request_is_for_ones_own_job_or_run(scheduler: Scheduler) -> None:
    """A message names a job or a run, never both: the one that is looked at would not be the one that is stopped."""
    victim, mallory = scheduler.role("victim"), scheduler.role("mallory")
    scheduler.start()
    session = scheduler.connect_as(mallory)
    mine = session.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    assert mine is not None
    with scheduler.connect() as blocker, blocker.transaction():
        blocker.execute("SELECT pg_advisory_xact_lock(4711)")
        theirs = scheduler.insert("SELECT pg_advisory_xact_lock(4711)", rolname=victim)
        run = scheduler.value("SELECT run_job(%s)", theirs)
        until(lambda: scheduler.value("SELECT count(*) = 1 FROM job_log WHERE state = 'running'"), "the run")
        for kind, number in (("cancel", run), ("cancel", theirs), ("run", run)):
            with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.InsufficientPrivilege)):
                session.execute(
                    "INSERT INTO job_request (kind, job_id, jl_id) VALUES (%s, %s, %s)", (kind, mine.job_id, number)
                )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("INSERT INTO job_request (kind, job_id, jl_id) VALUES ('cancel run', %s, %s)",
                            (mine.job_id, run))  # fmt: skip
        scheduler.tick()
        assert scheduler.value("SELECT state FROM job_log WHERE jl_id = %s", run) == "running"
    assert scheduler.ended(run).state == "succeeded"


def test_a_message_is_not_found_among_what_the_worker_asks_for(scheduler: Scheduler) -> None:
    """That is looked up by cause and job: messages of others there would be passed by each time."""
    victim, mallory = scheduler.role("victim"), scheduler.role("mallory")
    theirs = scheduler.insert("SELECT 1", rolname=victim)
    session = scheduler.connect_as(mallory)
    mine = session.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    run = session.execute("SELECT run_once('SELECT 1') AS number").fetchone()
    assert mine is not None
    assert run is not None
    for cause in ("retry", "dependency", "reboot"):
        session.execute("INSERT INTO job_request (kind, cause, job_id) VALUES ('cancel', %s, %s)", (cause, mine.job_id))
        session.execute(
            "INSERT INTO job_request (kind, cause, job_id, jl_id) VALUES ('cancel run', %s, %s, %s)",
            (cause, theirs, run.number),
        )
    found = "SELECT DISTINCT kind, cause, job_id FROM worker_request WHERE kind LIKE 'cancel%' ORDER BY kind"
    assert [tuple(row) for row in scheduler.execute(found)] == [
        ("cancel", "request", mine.job_id),
        ("cancel run", "request", None),
    ]
