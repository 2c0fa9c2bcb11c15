"""max_jobs_per_role holds whoever defines jobs at the same time."""

from __future__ import annotations

import threading

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

INSERT = """INSERT INTO my_job (job_command) SELECT 'SELECT 1' FROM generate_series(1, %s)"""


def count(scheduler: Scheduler, role: str) -> int:
    jobs: int = scheduler.value("SELECT count(*) FROM member_job WHERE rolname = %s", role)
    return jobs


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("define", ["at once", "one by one", "in savepoints", "checked at once"])
def test_transactions_at_the_same_time(scheduler: Scheduler, level: str, define: str) -> None:
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 30")
    role = scheduler.role()
    sessions = [scheduler.connect_as(role) for _ in range(4)]
    sessions[0].execute(INSERT, (20,))
    failed: list[str | None] = []

    def define_ten(session: psycopg.Connection[object]) -> None:
        if define == "checked at once":
            session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if define in ("at once", "checked at once"):
            session.execute(INSERT, (10,))
            return
        for _ in range(10):
            if define == "in savepoints":
                session.execute("SAVEPOINT s")
            session.execute("SELECT insert_job('SELECT 1', current_catalog)")

    def attempt(session: psycopg.Connection[object]) -> None:
        try:
            try:
                define_ten(session)
            finally:
                ready.wait()
            session.execute("COMMIT")
        except psycopg.Error as error:
            failed.append(error.sqlstate)
            session.execute("ROLLBACK")

    # Those that check at once wait for each other before they commit.
    ready = threading.Barrier(1 if define == "checked at once" else len(sessions))
    for session in sessions:
        session.execute(sql.SQL("BEGIN ISOLATION LEVEL {}").format(sql.SQL(level)))
    threads = [threading.Thread(target=attempt, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(scheduler, role) == 30, failed
    assert len(failed) == 3
    assert set(failed) <= {"53400", "40001", "40P01"}
    if level == "READ COMMITTED":
        assert set(failed) == {"53400"}


def test_a_deletion_comes_first_where_constraints_are_checked_at_once(scheduler: Scheduler) -> None:
    """It is left to others to settle; what is defined after it is not."""
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 30")
    role = scheduler.role()
    sessions = [scheduler.connect_as(role) for _ in range(2)]
    sessions[0].execute(INSERT, (20,))
    for session, which in zip(sessions, ("min", "max")):
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute(f"DELETE FROM my_job WHERE job_id = (SELECT {which}(job_id) FROM my_job)")
    sessions[0].execute(INSERT, (11,))
    sessions[0].execute("COMMIT")
    with pytest.raises(psycopg.errors.SerializationFailure):
        sessions[1].execute(INSERT, (11,))
    sessions[1].execute("ROLLBACK")
    assert count(scheduler, role) == 30


def test_what_is_deleted_while_jobs_are_counted_is_not_subtracted_twice(scheduler: Scheduler) -> None:
    """Those who only delete wait for nobody."""
    role = scheduler.role()
    first, second = scheduler.connect_as(role), scheduler.connect_as(role)
    first.execute(INSERT, (40,))
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 30")
    with scheduler.gate() as command:
        wait = sql.SQL(command.replace("SELECT", "PERFORM"))
        scheduler.execute(
            "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {}; RETURN NULL; END$$", wait
        )
        scheduler.execute(
            "CREATE TRIGGER wait_here AFTER UPDATE ON job_quota FOR EACH STATEMENT EXECUTE FUNCTION wait_here()"
        )
        thread = threading.Thread(target=first.execute, args=("DELETE FROM my_job WHERE job_id % 40 = 0",))
        thread.start()
        until(
            lambda: scheduler.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"),
            "the first one to settle",
        )
        second.execute("DELETE FROM my_job WHERE job_id IN (SELECT job_id FROM my_job WHERE job_id % 40 > 0 LIMIT 10)")
    thread.join()
    assert counted(scheduler, role) == count(scheduler, role) == 29


def test_jobs_that_change_their_role(scheduler: Scheduler) -> None:
    team = scheduler.role("team", "NOLOGIN", False)
    sessions = []
    for _ in range(2):
        role = scheduler.role()
        scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(role))
        sessions.append(scheduler.connect_as(role))
        sessions[-1].execute(INSERT, (6,))
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 10")
    for session in sessions:
        session.execute("BEGIN")
        session.execute("UPDATE member_job SET rolname = %s WHERE rolname = current_user", (team,))
    sessions[0].execute("COMMIT")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
        sessions[1].execute("COMMIT")
    assert count(scheduler, team) == 6


def test_a_transaction_left_open_keeps_nobody_from_defining_jobs(scheduler: Scheduler) -> None:
    role = scheduler.role()
    idle, busy = scheduler.connect_as(role), scheduler.connect_as(role)
    idle.execute("BEGIN")
    idle.execute(INSERT, (10,))
    busy.execute("SET lock_timeout = '1ms'")
    busy.execute(INSERT, (10,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        busy.execute("SELECT FROM job_quota FOR UPDATE")
    idle.execute("COMMIT")
    assert count(scheduler, role) == 20


def counted(scheduler: Scheduler, role: str) -> int | None:
    """What the quota takes for the number of the role's jobs; None: it would count them."""
    jobs: int | None = scheduler.value("SELECT sum(jobs) FROM counted_jobs(%s) HAVING bool_and(jobs IS NOT NULL)", role)
    return jobs


def test_defining_a_job_does_not_count_all_of_them(scheduler: Scheduler) -> None:
    role = scheduler.role()
    session = scheduler.connect_as(role)
    session.execute(INSERT, (2000,))
    read = """SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
              WHERE relid = 'job'::regclass"""
    relid = scheduler.value("SELECT 'job'::regclass::oid")
    session.execute("BEGIN")
    for _ in range(10):
        session.execute("SELECT insert_job('SELECT 1', current_catalog)")
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    rows = session.execute(read.replace("'job'::regclass", str(relid))).fetchone()
    session.execute("COMMIT")
    assert rows is not None
    # To count them each time would be to read 20,000; where autovacuum has just been there, one or two of the
    # statements may be planned to read the table.
    assert rows[0] < 10_000
    assert counted(scheduler, role) == count(scheduler, role) == 2010


def test_what_superusers_define_and_what_is_deleted_counts(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 10")
    role = scheduler.role()
    session = scheduler.connect_as(role)
    for attempt in range(2):
        session.execute(INSERT, (3,))
        jobs = [scheduler.insert("SELECT 1", rolname=role) for _ in range(6)]
        session.execute(INSERT, (1,))
        for _ in range(2):
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                session.execute(INSERT, (1,))
        scheduler.execute("DELETE FROM member_job WHERE job_id = {}", sql.Literal(jobs[0]))
        session.execute("DELETE FROM my_job WHERE job_id = %s", (jobs[1],))
        session.execute(INSERT, (2,))
        assert counted(scheduler, role) == count(scheduler, role) == 10
        if attempt == 0:
            # Also if something has been lost or changed past all triggers.
            scheduler.execute("SET session_replication_role = replica")
            scheduler.execute("DELETE FROM job WHERE rolname = {}", sql.Literal(role))
            scheduler.execute("SET session_replication_role = origin")
            assert counted(scheduler, role) == 10
    scheduler.execute("DELETE FROM job_quota")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
        session.execute(INSERT, (1,))


def test_a_role_that_counts_holds_up_no_superuser(scheduler: Scheduler) -> None:
    role = scheduler.role()
    session = scheduler.connect_as(role)
    session.execute(INSERT, (1,))
    session.execute("BEGIN")
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    session.execute(INSERT, (1,))
    scheduler.execute("SET lock_timeout = '1ms'")
    job_id = scheduler.insert("SELECT 1", rolname=role)
    scheduler.execute("DELETE FROM member_job WHERE job_id = {}", sql.Literal(job_id))
    scheduler.execute("RESET lock_timeout")
    session.execute("COMMIT")
    assert counted(scheduler, role) == count(scheduler, role) == 2
    session.execute(INSERT, (1,))
    assert counted(scheduler, role) == count(scheduler, role) == 3
    assert scheduler.value("SELECT count(*) FROM job_quota WHERE rolname = %s", role) == 1


@pytest.mark.parametrize("settings", ["lock_timeout = '50ms'", "statement_timeout = '1s'"])
def test_a_transaction_that_has_counted_and_stays_open(scheduler: Scheduler, settings: str) -> None:
    """Nobody waits for it without an end, though statement_timeout does not hold while a transaction commits."""
    role = scheduler.role()
    idle, busy = scheduler.connect_as(role), scheduler.connect_as(role)
    idle.execute("BEGIN")
    idle.execute("SET CONSTRAINTS ALL IMMEDIATE")
    idle.execute(INSERT, (1,))
    busy.execute(f"SET {settings}")
    with pytest.raises(psycopg.errors.LockNotAvailable) as raised:
        busy.execute(INSERT, (1,))
    message = f'another transaction has defined or deleted jobs of role "{role}" and does not end'
    assert raised.value.diag.message_primary == message
    idle.execute("ROLLBACK")
    busy.execute(INSERT, (1,))
    assert counted(scheduler, role) == count(scheduler, role) == 1


def test_waits_that_follow_each_other_have_one_end(scheduler: Scheduler) -> None:
    """lock_timeout is that of a single wait, and would begin anew with each that comes first.
    None but the last of them is an error, which would end the session."""
    role = scheduler.role()
    idle, busy = scheduler.connect_as(role), scheduler.connect_as(role)
    idle.execute("BEGIN")
    idle.execute("SET CONSTRAINTS ALL IMMEDIATE")
    idle.execute(INSERT, (1,))
    busy.execute("SET lock_timeout = '6s'")
    busy.execute("SET exit_on_error = on")
    failed: list[str | None] = []

    def define() -> None:
        try:
            busy.execute(INSERT, (1,))
        except psycopg.Error as error:
            failed.append(error.sqlstate)

    thread = threading.Thread(target=define)
    thread.start()
    waits_anew = """SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                                   WHERE l.waitstart > a.query_start + interval '1 second' AND a.pid = %s)"""
    until(lambda: scheduler.value(waits_anew, busy.info.backend_pid), "it to wait anew, with the rest of its time")
    thread.join()
    assert failed == ["55P03"]
    idle.execute("ROLLBACK")
    busy.execute(INSERT, (1,))
    assert counted(scheduler, role) == count(scheduler, role) == 1


@pytest.mark.parametrize("define", ["insert", "delete"])
def test_many_statements_of_one_transaction(scheduler: Scheduler, define: str) -> None:
    """Each of them counts without passing by what all before it have counted."""
    statement = {
        "insert": "SELECT count(insert_job('SELECT 1', current_catalog)) FROM generate_series(1, %s)",
        "delete": "SELECT count(*) FROM (SELECT delete_job(job_id) FROM my_job LIMIT %s) d",
    }[define]
    relid = scheduler.value("SELECT 'job_quota'::regclass::oid")
    blocks: list[int] = []
    for many in (500, 1500):
        role = scheduler.role()
        session = scheduler.connect_as(role)
        session.execute(INSERT, (1500,))
        with session.transaction():
            session.execute(statement, (many,))
            session.execute("SET CONSTRAINTS ALL IMMEDIATE")
            (read,) = session.execute("SELECT pg_stat_get_xact_blocks_fetched(%s)", (relid,)).fetchone() or (0,)
        blocks.append(read)
        assert counted(scheduler, role) == count(scheduler, role)
    assert blocks[1] < 4 * blocks[0], blocks
