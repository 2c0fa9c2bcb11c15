"""Names, run_once(), cancel_run(), pause_jobs(): who may what, and what happens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from elephant_worker.worker.loop import MESSAGES_AT_ONCE
from harness.scheduler import Scheduler
from harness.waiting import until

SLEEP = "SELECT pg_sleep(1000)"


# --- names ------------------------------------------------------------------------------------


def test_every_function_takes_the_name(worker: Scheduler) -> None:
    app = worker.connect_as(worker.role())
    job_id = app.execute(
        "SELECT job_id FROM insert_job(%s, current_catalog, job_name := 'nightly')", (SLEEP,)
    ).fetchone()
    assert job_id is not None
    run = app.execute("SELECT run_job('nightly')").fetchone()
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = %s", SLEEP))
    assert app.execute("SELECT cancel_job('nightly')").fetchone() == (1,)
    assert worker.ended(run[0]).state == "cancelled"  # type: ignore[index]
    changed = app.execute("SELECT * FROM update_job('nightly', 'SELECT 2', job_name := 'of the night')").fetchone()
    assert changed is not None
    assert (changed.job_command, changed.job_name) == ("SELECT 2", "of the night")
    # A number is an id, also as text.
    assert app.execute("SELECT job_command FROM update_job(%s::text)", job_id).fetchone() == ("SELECT 2",)
    assert app.execute("SELECT job_name FROM delete_job('of the night')").fetchone() == ("of the night",)


def test_both_ways_to_update_take_the_same(scheduler: Scheduler) -> None:
    signatures = scheduler.execute(
        """SELECT DISTINCT p.proargnames[2:], p.proargtypes[1:] FROM pg_proc p WHERE p.proname = 'update_job'"""
    ).fetchall()
    assert len(signatures) == 1


def test_a_name_is_given_once_by_each_role(scheduler: Scheduler) -> None:
    app, team = scheduler.role(), scheduler.role("team", "NOLOGIN", False)
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(app))
    session = scheduler.connect_as(app)
    define = "SELECT insert_job('SELECT 1', current_catalog, rolname := %s, job_name := 'nightly')"
    session.execute(define, (team,))
    session.execute(define, (app,))
    for statement in (define, "UPDATE member_job SET rolname = %s"):
        with pytest.raises(psycopg.errors.UniqueViolation) as raised:
            session.execute(statement, (app,))
        assert raised.value.diag.message_hint
    # One's own comes first; a name that two others gave says nothing.
    assert session.execute("SELECT rolname FROM update_job('nightly')").fetchone() == (app,)
    other = scheduler.role("other", "NOLOGIN", False)
    scheduler.execute("GRANT {} TO {}", sql.Identifier(other), sql.Identifier(app))
    session.execute("UPDATE member_job SET rolname = %s WHERE rolname = %s", (other, app))
    with pytest.raises(psycopg.Error) as several:
        session.execute("SELECT run_job('nightly')")
    assert (several.value.sqlstate, several.value.diag.message_hint) == ("P0003", "Use the job_id.")


@pytest.mark.parametrize("name", ["", " nightly", "nightly ", "4711", "x" * 101, "\n"])
def test_what_is_no_name(scheduler: Scheduler, name: str) -> None:
    with pytest.raises(psycopg.errors.InvalidName) as raised:
        scheduler.insert("SELECT 1", job_name=name)
    assert raised.value.diag.message_hint


def test_a_foreign_name_is_as_unknown_as_none(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1", rolname=scheduler.role("stranger"), job_name="theirs")
    app = scheduler.connect_as(scheduler.role())
    for call in ("run_job('theirs')", "cancel_job('theirs')", "delete_job('theirs')", "update_job('theirs')"):
        with pytest.raises(psycopg.errors.NoDataFound, match='no job named "theirs"') as raised:
            app.execute(f"SELECT {call}")
        assert raised.value.diag.message_hint
    app.execute("SELECT insert_job('SELECT 1', current_catalog, job_name := 'theirs')")


# --- run_once() -------------------------------------------------------------------------------


def test_run_once_leaves_a_log_row_and_no_job(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    app = worker.connect_as(role)
    (run,) = app.execute("SELECT run_once('SELECT 1, 2', %s, job_timeout := '1 minute')", (database,)).fetchone() or (
        0,
    )
    row = worker.ended(run)
    assert (row.state, row.cause, row.rolname, row.datname) == ("succeeded", "once", role, database)
    assert app.execute("SELECT jl_id, job_command FROM my_job_log").fetchall() == [(run, "SELECT 1, 2")]
    for view in ("member_job", "waiting_run", "member_once_job", "job_request"):
        assert app.execute(f"SELECT * FROM {view}").fetchall() == []
    assert worker.value("SELECT count(*) FROM job_state") == 0
    stranger = worker.connect_as(worker.role("stranger"))
    for view in ("my_job_log", "member_job_log"):
        assert stranger.execute(f"SELECT * FROM {view}").fetchall() == []


def test_run_once_is_told_at_commit_and_forgotten_at_rollback(worker: Scheduler) -> None:
    with worker.connect() as user:
        with user.transaction(force_rollback=True):
            user.execute("SELECT run_once('SELECT 1')")
            assert len(user.execute("SELECT * FROM waiting_run").fetchall()) == 1
        with user.transaction():
            (run,) = user.execute("SELECT run_once('SELECT 2')").fetchone() or (0,)
    assert worker.ended(run).state == "succeeded"
    assert [row.job_command for row in worker.log()] == ["SELECT 2"]


def test_run_once_waits_for_the_worker(scheduler: Scheduler) -> None:
    run = scheduler.value("SELECT run_once('SELECT 1')")
    assert scheduler.execute("SELECT jl_id, cause FROM waiting_run").fetchall() == [(run, "once")]
    scheduler.start()
    assert scheduler.ended(run).state == "succeeded"


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("run_once('')", "22023"),
        ("run_once(NULL)", "22004"),
        ("run_once('SELECT 1', 'nowhere')", "3D000"),
        ("run_once('SELECT 1', rolname := 'pg_monitor')", "42501"),
        ("run_once('SELECT 1', rolname := 'nobody')", "42704"),
        ("run_once('SELECT 1', job_timeout := '-1 s')", "22023"),
        ("cancel_run(4711)", "P0002"),
        ("cancel_run(NULL)", "P0002"),
    ],
)
def test_bad_requests_are_refused(scheduler: Scheduler, call: str, sqlstate: str) -> None:
    app = scheduler.connect_as(scheduler.role())
    with pytest.raises(psycopg.Error) as raised:
        app.execute(f"SELECT {call}")
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint
    assert scheduler.value("SELECT count(*) FROM once_job") == 0


REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.WithCheckOptionViolation,
    psycopg.errors.GeneratedAlways,
    psycopg.errors.ObjectNotInPrerequisiteState,  # a view that nobody writes to
)


def test_nobody_asks_for_what_is_not_theirs(scheduler: Scheduler) -> None:
    """The views behind the functions, used by hand."""
    victim = scheduler.role("victim")
    scheduler.connect_as(victim).execute("SELECT run_once('SELECT 1')")
    number, run = scheduler.execute("SELECT job_id, jl_id FROM waiting_run").fetchone() or (0, 0)
    thief = scheduler.connect_as(scheduler.role("thief"))
    assert thief.execute("SELECT * FROM waiting_run").fetchall() == []
    assert thief.execute("SELECT * FROM member_once_job").fetchall() == []
    for statement in (
        f"INSERT INTO job_request (kind, cause, job_id) VALUES ('run', 'once', {number})",
        f"INSERT INTO job_request (kind, cause, job_id) VALUES ('run', 'reboot', {number})",
        f"INSERT INTO job_request (kind, job_id) VALUES ('run', {number})",
        f"INSERT INTO job_request (kind, jl_id) VALUES ('cancel run', {run})",
        "INSERT INTO job_request (kind) VALUES ('stop')",
        "INSERT INTO job_request (kind, job_id) VALUES ('run', NULL)",
        f"INSERT INTO member_once_job (job_command, datname, rolname) VALUES ('SELECT 1', current_catalog, '{victim}')",
        "INSERT INTO member_once_job (job_id, job_command, datname) VALUES (1, 'SELECT 1', current_catalog)",
        "UPDATE member_once_job SET job_command = 'SELECT 2'",
        "DELETE FROM member_once_job",
        "INSERT INTO once_job (job_command, datname) VALUES ('SELECT 1', current_catalog)",
        "INSERT INTO waiting_run (job_id, cause) VALUES (1, 'run')",
    ):
        with pytest.raises(REFUSED):
            thief.execute(statement)
    with pytest.raises(psycopg.errors.NoDataFound):
        thief.execute("SELECT cancel_run(%s)", (run,))


# --- cancel_run() -----------------------------------------------------------------------------


def test_cancel_one_of_several_runs(worker: Scheduler) -> None:
    job = worker.insert(SLEEP, parallel=True)
    first, second = (worker.value("SELECT run_job(%s)", job) for _ in range(2))
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = %s", SLEEP) == 2)
    assert worker.value("SELECT cancel_run(%s)", first) is True
    row = worker.ended(first)
    assert (row.state, row.exception_message) == ("cancelled", "the run was cancelled by cancel_run()")
    assert [row.state for row in worker.log() if row.jl_id == second] == ["running"]
    assert worker.value("SELECT cancel_run(%s)", first) is False
    worker.value("SELECT cancel_run(%s)", second)
    assert worker.ended(second).state == "cancelled"


def test_cancel_a_run_that_waits(scheduler: Scheduler) -> None:
    run = scheduler.value("SELECT run_once(%s)", SLEEP)
    assert scheduler.value("SELECT cancel_run(%s)", run) is True
    scheduler.start()
    row = scheduler.ended(run)
    assert (row.state, row.job_started, row.exception_detail) == ("cancelled", None, "It had not started.")


def test_what_one_transaction_asks_for_and_cancels(worker: Scheduler) -> None:
    """However soon after the commit the worker finds it."""
    job = worker.insert("SELECT 1", parallel=True)

    def ask(call: str) -> list[int]:
        session, runs = worker.connect(), []
        for _ in range(100):
            with session.transaction():
                row = session.execute("SELECT run_job(%s)", (job,)).fetchone()
                assert row is not None
                session.execute(f"SELECT {call}(%s)", (job if call == "cancel_job" else row[0],))
            runs.append(row[0])
        return runs

    with ThreadPoolExecutor() as executor:
        asked = [executor.submit(ask, call) for call in ("cancel_job", "cancel_run") * 2]
        runs = [run for one in asked for run in one.result()]
    until(lambda: worker.value("SELECT count(*) = 0 FROM worker_request"))
    assert {row.jl_id: (row.state, row.job_started) for row in worker.log()} == dict.fromkeys(runs, ("cancelled", None))


@pytest.mark.parametrize("call", ["run_job({job})", "run_once('SELECT 3')"])
def test_what_is_asked_for_and_cancelled_after_a_look(worker: Scheduler, call: str) -> None:
    """It is found by its number, between those of others, before its cancellation is."""
    job, other = worker.insert("SELECT 1", parallel=True), worker.insert("SELECT 2")
    with worker.gate() as command:  # there are sessions, so that what starts does so at once
        early = [worker.value("SELECT run_once(%s)", command) for _ in range(3)]
        until(lambda: worker.value("SELECT count(*) = 3 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    for run in early:
        worker.ended(run)
    around, between, lock = (worker.connect() for _ in range(3))
    with lock.transaction():
        lock.execute("LOCK TABLE withdrawal IN SHARE MODE")
        with between.transaction():
            with around.transaction():
                around.execute("SELECT run_job(%s)", (job,))
                (run,) = between.execute("SELECT " + call.format(job=job)).fetchone()  # type: ignore[misc]
                between.execute("SELECT cancel_run(%s)", (run,))
                around.execute("SELECT cancel_job(%s)", (other,))
                around.execute("SELECT run_job(%s)", (job,))
            waiting = "SELECT count(*) FROM pg_locks JOIN worker_state USING (pid) WHERE NOT granted"
            until(lambda: worker.value(waiting), "the worker to have looked")
    row = worker.ended(run)
    assert (row.state, row.job_started) == ("cancelled", None)


def test_what_one_transaction_cancels_at_last(scheduler: Scheduler) -> None:
    """However much it has cancelled before that."""
    job = scheduler.insert("SELECT 1", parallel=True)
    other = scheduler.value("SELECT run_job(%s)", job)
    session = scheduler.connect()
    with session.transaction():
        runs = [row[0] for row in session.execute("SELECT run_job(%s) FROM generate_series(1, 3)", (job,))]
        session.execute("SELECT cancel_run(%s) FROM generate_series(1, %s)", (other, 3 * MESSAGES_AT_ONCE))
        session.execute("SELECT cancel_run(%s)", (runs[1],))
    scheduler.start()
    rows = [scheduler.ended(run) for run in (other, *runs)]
    assert [row.state for row in rows] == ["cancelled", "succeeded", "cancelled", "succeeded"]
    assert rows[2].job_started is None


# --- pause_jobs() -----------------------------------------------------------------------------


def test_paused_nothing_starts_and_then_time_was_missed(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET start_grace = '0'")
    running = worker.value("SELECT run_once(%s)", SLEEP)
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = %s", SLEEP))
    assert worker.value("SELECT pause_jobs()") is True
    assert worker.value("SELECT pause_jobs()") is False
    assert worker.value("SELECT paused_since <= now() FROM worker_status")
    worker.tick()
    skipping = worker.insert("SELECT 1", schedule="1 second")
    making_up = worker.insert("SELECT 1", schedule="1 second", catch_up="once")
    asked = worker.value("SELECT run_job(%s)", skipping)
    until(lambda: worker.value("SELECT clock_timestamp() > max(next_run_at) + interval '2 s' FROM member_job"))
    assert [row.jl_id for row in worker.log()] == [running]
    assert worker.value("SELECT resume_jobs()") is True
    assert worker.value("SELECT resume_jobs()") is False
    assert worker.value("SELECT paused_since FROM worker_status") is None
    assert worker.ended(asked).state == "succeeded"
    for job in (skipping, making_up):
        missed = until(lambda job=job: [row for row in worker.log(job) if row.state == "missed"])  # type: ignore[misc]
        assert missed[0].missed_count >= 1
    worker.value("SELECT cancel_run(%s)", running)
    assert worker.ended(running).state == "cancelled"


def test_a_pause_outlives_the_worker(worker: Scheduler) -> None:
    worker.value("SELECT pause_jobs()")
    worker.stop()
    worker.start()
    run = worker.value("SELECT run_once('SELECT 1')")
    worker.tick()
    assert worker.log() == []
    worker.value("SELECT resume_jobs()")
    assert worker.ended(run).state == "succeeded"


@pytest.mark.parametrize("call", ["pause_jobs()", "resume_jobs()"])
def test_ordinary_roles_pause_nothing(scheduler: Scheduler, call: str) -> None:
    for role in ("job_scheduler", "job_monitor"):
        session = scheduler.connect_as(scheduler.role("app", f"LOGIN IN ROLE {role}", scheduler=False))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"SELECT {call}")
