"""worker_status.reason and check_setup(): each reason is produced for real, and its remedy is run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from elephant_worker.system.clock import STALL
from harness.cluster import Cluster
from harness.remedies import alternatives, mend
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

FAIL = """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN RAISE 'injected' USING ERRCODE = {}; END$$"""


def reason(scheduler: Scheduler) -> Any:
    return scheduler.value("SELECT reason FROM worker_status")


def finding(scheduler: Scheduler, name: str = "worker") -> Any:
    return scheduler.execute(
        "SELECT * FROM check_setup() WHERE check_name = {} AND state <> 'ok'", sql.Literal(name)
    ).fetchone()


def remedied(scheduler: Scheduler, before: str) -> None:
    """What check_setup() says, done, makes all well."""
    found = finding(scheduler)
    assert (found.state, found.found) in (("error", before), ("warning", before))
    for statement in found.remedy.split("\n"):
        if statement.startswith("sudo "):
            subprocess.run(["sh", "-c", statement.removeprefix("sudo ")], check=True)
        else:
            scheduler.execute(statement)
    until(lambda: finding(scheduler) is None, "all to be well")
    assert reason(scheduler) is None
    assert scheduler.run("SELECT 1").state == "succeeded"


def told(session: psycopg.Connection[Any], statement: str) -> list[str]:
    """What is said in notices."""
    said: list[str] = []
    session.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    session.execute(statement)
    return said


def test_never_started(scheduler: Scheduler) -> None:
    expected = "no worker has been started since the extension was created in this database"
    assert reason(scheduler) == expected
    remedied(scheduler, expected)


def test_the_state_was_deleted(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.execute("DELETE FROM worker_state")
    expected = "no worker runs: somebody has deleted the row of worker_state"
    assert reason(scheduler) == expected
    ended = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    until(lambda: scheduler.value(ended, "elephant_worker") == 0, "the worker to leave")
    remedied(scheduler, expected)


def test_the_owner_is_not_a_superuser_any_more(scheduler: Scheduler) -> None:
    boss, database = scheduler.role("bo'ss", "SUPERUSER LOGIN"), scheduler.database()
    with closing(scheduler.cluster.connect_as(boss, database)) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA {0}").format(sql.Identifier(SCHEMA)))
        owner.execute(sql.SQL("CREATE EXTENSION elephant_worker SCHEMA {0} CASCADE").format(sql.Identifier(SCHEMA)))
    there = Scheduler(scheduler.cluster, database)
    scheduler.execute("ALTER ROLE {} NOSUPERUSER", sql.Identifier(boss))
    expected = (
        f'role "{boss}", which owns the extension, is not a superuser any more:'
        " the functions lack rights that they need"
    )
    assert reason(there) == expected
    found = finding(there)
    assert (found.state, found.found) == ("error", expected)
    problem = there.execute("SELECT problem, remedy FROM problem").fetchone()
    assert (problem.problem, problem.remedy) == ("worker stuck", found.remedy)
    mend(there, found.remedy)
    assert reason(there) == expected
    offered = alternatives(found.remedy)
    there.execute(offered["to let this role own it"])
    assert reason(there).startswith("no worker has been started")
    scheduler.execute("ALTER ROLE {} NOSUPERUSER", sql.Identifier(boss))
    there.execute(offered["to own it yourself, and all else that this role owns in this database"])
    assert reason(there).startswith("no worker has been started")
    assert finding(there).found == reason(there)
    there.admin.close()


def test_stopped(scheduler: Scheduler) -> None:
    scheduler.start()
    role = scheduler.role("boss", "SUPERUSER LOGIN")
    scheduler.connect_as(role).execute("SELECT stop_worker()")
    until(lambda: not scheduler.value("SELECT running FROM worker_status"))
    expected = reason(scheduler)
    assert re.fullmatch(f'the worker was stopped by role "{role}" at 2.*', expected)
    remedied(scheduler, expected)


def test_ended(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.kill()
    expected = reason(scheduler)
    assert re.fullmatch(
        "the worker has ended, and no launcher has been seen since the server was started at 2.*", expected
    )
    scheduler.value("SELECT start_worker(unattended := true)")
    scheduler.kill()
    expected = reason(scheduler)
    assert re.fullmatch(
        "the worker has ended, and a launcher, last seen at 2.*, should start it within a minute", expected
    )
    remedied(scheduler, expected)


def test_another_one_is_about_to_begin(scheduler: Scheduler) -> None:
    scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    os.kill(spare, signal.SIGSTOP)
    try:
        scheduler.value("SELECT pg_terminate_backend(worker_pid(), 60000)")
        expected = reason(scheduler)
        assert expected == f"no worker runs yet: process {spare} becomes the worker"
        remedied(scheduler, expected)
    finally:
        os.kill(spare, signal.SIGCONT)


def test_paused(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.execute("SELECT pause_jobs()")
    expected = reason(scheduler)
    assert re.fullmatch("paused since 2.*", expected)
    remedied(scheduler, expected)


def test_the_files_are_missing(scheduler: Scheduler) -> None:
    """As after pg_upgrade, where the new version's directory has not got the extension yet."""
    installation = scheduler.cluster.installation
    package = installation.moved(installation.make("-s", "--eval=where: ; @echo $(PYTHON_DIRECTORY)", "where").strip())
    package = package if package.exists() else type(package)("/", *package.relative_to(installation.root).parts)
    away = package.with_name("away")
    package.rename(away)
    try:
        with closing(scheduler.connect()) as session:
            row = session.execute("SELECT reason FROM worker_status").fetchone()
            assert row is not None
            assert re.fullmatch("no worker can run: the file .*/__init__.py of the extension is missing", row.reason)
            found = session.execute("SELECT * FROM check_setup() WHERE check_name = 'worker'").fetchone()
            assert found is not None
            assert (found.state, found.found) == ("error", row.reason)
            assert found.remedy.endswith("make && sudo make install")
    finally:
        away.rename(package)
    assert reason(scheduler) == "no worker has been started since the extension was created in this database"


@pytest.mark.parametrize("event", ["a transaction", "a statement that waits"])
def test_a_lock(scheduler: Scheduler, event: str) -> None:
    """Whoever holds a lock is named, at once, and the worker goes on when that has ended."""
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second")
    until(lambda: scheduler.log(job), "the job to run")
    with closing(scheduler.connect()) as holder, closing(scheduler.connect()) as bystander:
        # Who has changed something too, and waits for nothing, is in nobody's way.
        bystander.execute("BEGIN")
        bystander.execute("INSERT INTO worker_request (kind) VALUES ('set')")
        holder.execute("BEGIN")
        if event == "a transaction":
            holder.execute("LOCK TABLE job_log IN ACCESS EXCLUSIVE MODE")
        else:  # rows only, of which pg_locks does not tell
            holder.execute("SELECT FROM worker_request FOR UPDATE")
            holder.execute("INSERT INTO worker_request (kind) VALUES ('set')")
            holder.execute("LOCK TABLE job_state IN SHARE ROW EXCLUSIVE MODE")
        pid = holder.info.backend_pid
        expected = until(lambda: reason(scheduler), "the reason")
        assert re.fullmatch(
            rf"the worker \(process \d+\) waits for a lock, which process {pid} holds or waits for too", expected
        )
        # It waits, gives up and tries again: whenever one asks, the same is named.
        assert {reason(scheduler) for _ in range(20)} <= {expected, None}
        found = until(lambda: finding(scheduler) or finding(scheduler, "locks"), "the finding")
        assert f"pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid = {pid} AND" in found.remedy
        scheduler.execute(found.remedy)
    until(lambda: reason(scheduler) is None, "all to be well")
    seen = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > seen, "the job to go on")


@pytest.mark.parametrize(
    ("code", "words"),
    [("53100", "the disk is full"), ("25006", "transactions are read-only"), ("P0001", "SQLSTATE P0001")],
)
def test_the_log_cannot_be_written(scheduler: Scheduler, code: str, words: str) -> None:
    """The worker says so, obeys a stop all the same, and nothing of it is left."""
    scheduler.start()
    scheduler.execute(FAIL.format(f"'{code}'"))
    with scheduler.gate() as command:
        run = scheduler.value("SELECT run_job(%s)", scheduler.insert(command))
        until(lambda: scheduler.value("SELECT running_jobs FROM worker_status"), "the run")
        scheduler.execute(
            "CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {}.job_log EXECUTE FUNCTION fail()", sql.Identifier(SCHEMA)
        )
    pid = scheduler.value("SELECT worker_pid()")
    if code == "P0001":  # of which a single run may be the cause: it is logged in fewer words, or not at all
        scheduler.execute("DROP TRIGGER fail ON {}.job_log", sql.Identifier(SCHEMA))
        assert scheduler.run("SELECT 1").state == "succeeded"
        scheduler.stop()
        scheduler.start()
        assert scheduler.ended(run).state in ("succeeded", "lost")
        return
    expected = until(lambda: reason(scheduler), "the reason")
    assert expected == (
        f"the transactions of the worker (process {pid}) fail: {words}; it tries again, and the server's log says more"
    )
    found = finding(scheduler)
    assert (found.state, found.found) == ("error", expected)
    # It shows where to look, and what to look for is there.
    mend(scheduler, found.remedy)
    assert found.remedy.endswith("the worker goes on by itself")
    if code == "53100":
        assert "make room" in found.remedy
    else:
        assert '"elephant_worker" and "trying again"' in found.remedy
    assert re.search("WARNING:  elephant_worker: .*; trying again", scheduler.cluster.log)
    assert scheduler.value("SELECT remedy FROM problem WHERE problem = 'worker stuck'") == found.remedy
    scheduler.execute("SELECT stop_worker()")
    until(lambda: not scheduler.value("SELECT running FROM worker_status"), "the worker to leave")
    scheduler.execute("DROP TRIGGER fail ON {}.job_log", sql.Identifier(SCHEMA))
    scheduler.start()
    assert scheduler.ended(run).state == "lost"
    assert reason(scheduler) is None
    assert scheduler.run("SELECT 1").state == "succeeded"


@pytest.mark.slow
def test_a_lock_that_keeps_a_worker_from_beginning_is_no_stall(scheduler: Scheduler) -> None:
    """It tries again and again: nobody has taken over meanwhile, for whom it would have to wait."""
    before = len(scheduler.cluster.log)
    with scheduler.connect() as other, other.transaction():
        other.execute("LOCK TABLE job_log IN SHARE MODE")
        pid = scheduler.start()
        tried = f"SELECT clock_timestamp() > backend_start + interval '{STALL + 1} seconds' FROM worker_state"
        until(lambda: scheduler.value(tried), "a while")
    assert scheduler.run("SELECT 1").state == "succeeded"
    said = scheduler.cluster.log[before:]
    assert f"process {pid}) has started" in said
    assert "stood still" not in said


def test_it_goes_on_when_the_log_can_be_written_again(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.execute(FAIL.format("'53100'"))
    scheduler.execute("CREATE TRIGGER fail BEFORE INSERT ON {}.job_log EXECUTE FUNCTION fail()", sql.Identifier(SCHEMA))
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 1"))
    until(lambda: reason(scheduler), "the reason")
    scheduler.execute("DROP TRIGGER fail ON {}.job_log", sql.Identifier(SCHEMA))
    assert scheduler.ended(run).state == "succeeded"
    until(lambda: reason(scheduler) is None, "all to be well")


@pytest.fixture
def pause_after_stall() -> str:
    return "3 seconds"


@pytest.fixture
def halted(scheduler: Scheduler, pause_after_stall: str) -> Iterator[int]:
    """The process of a worker that has a job of every second and stands still."""
    scheduler.execute("UPDATE worker_setting SET pause_after_stall = {}", sql.Literal(pause_after_stall))
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second", catch_up="all")
    until(lambda: scheduler.log(job), "the job to run")
    pid = scheduler.halt()
    yield pid
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def await_stall(scheduler: Scheduler, seconds: float = STALL + 3) -> None:
    begin = scheduler.value("SELECT clock_timestamp()")
    query = f"SELECT clock_timestamp() > %s + interval '{seconds} seconds'"
    until(lambda: scheduler.value(query, begin), "the stall")


@pytest.mark.slow
def test_a_worker_that_stood_still(scheduler: Scheduler, halted: int) -> None:
    halted_at = scheduler.value("SELECT clock_timestamp()")
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 2"))
    expected = until(lambda: reason(scheduler), "the reason")
    assert re.fullmatch(
        rf"the worker \(process {halted}\) was halted by a signal \(SIGSTOP\), and has not looked around since 2.*",
        expected,
    )
    await_stall(scheduler)
    thaw = scheduler.value("SELECT clock_timestamp()")
    found = finding(scheduler)
    assert found.found == expected
    subprocess.run(["sh", "-c", found.remedy.removeprefix("sudo ")], check=True)
    # Whoever fences this server has the time that the setting gives.
    first = scheduler.value(
        "SELECT min(job_started) - %s >= interval '3 seconds' FROM job_log WHERE jl_id = %s OR job_started >= %s",
        thaw,
        scheduler.ended(run).jl_id,
        thaw,
    )
    assert first
    assert f"process {halted}) has started" in scheduler.cluster.log
    assert "elephant_worker: the worker, or the machine, stood still for" in scheduler.cluster.log
    until(lambda: reason(scheduler) is None, "all to be well")
    # What was due meanwhile is made up for, one run after the other, and nothing is skipped.
    query = "SELECT count(*) FROM job_log WHERE scheduled_at < %s AND job_started > %s AND state = 'succeeded'"
    until(lambda: scheduler.value(query, thaw, thaw) >= 10, "what was due")
    skipped = "SELECT count(*) FROM job_log WHERE state = 'skipped' AND scheduled_at BETWEEN %s AND %s"
    assert not scheduler.value(skipped, halted_at, thaw)


@pytest.mark.slow
@pytest.mark.parametrize("pause_after_stall", ["1 hour"])
def test_nothing_is_started_after_a_stall(scheduler: Scheduler, halted: int) -> None:
    """Neither by that worker nor, if it is terminated, by its spare."""
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    os.kill(spare, signal.SIGSTOP)
    await_stall(scheduler, STALL)  # the shortest
    for pid in (halted, spare):
        os.kill(pid, signal.SIGCONT)
    stood_still = (
        "the worker (process {}), or the machine, stood still, and nothing is started for 01:00:00 after that "
        "(pause_after_stall)"
    )
    until(lambda: reason(scheduler) == stood_still.format(halted), "the reason")
    scheduler.value("SELECT pg_terminate_backend(%s)", halted)
    expected = stood_still.format(spare)
    until(lambda: reason(scheduler) == expected, "the reason")
    run = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 2"))
    found = finding(scheduler)
    assert (found.state, found.found) == ("warning", expected)
    told = scheduler.execute("SELECT problem, what, remedy FROM problem").fetchall()
    assert [tuple(row) for row in told] == [("worker stuck", expected, found.remedy)]
    assert not scheduler.value("SELECT count(*) FROM job_log WHERE jl_id = %s", run)
    first, second = found.remedy.splitlines()
    assert scheduler.execute(first).fetchall() == [(expected,)]
    scheduler.execute(second.removeprefix("-- to go on now, if no other server can have taken over: "))
    assert scheduler.ended(run).state == "succeeded"
    assert reason(scheduler) is None


@pytest.mark.slow
@pytest.mark.parametrize("pause_after_stall", ["1 hour"])
def test_what_is_due_while_nothing_is_started_after_a_stall(scheduler: Scheduler, halted: int) -> None:
    """It is missed time, as what was due during the stall: catch_up says what becomes of it, and nothing is skipped."""
    job = scheduler.insert("SELECT pg_sleep(0.3)", schedule="1 second", catch_up="all")
    await_stall(scheduler)
    os.kill(halted, signal.SIGCONT)
    thaw = scheduler.value("SELECT clock_timestamp()")
    until(lambda: "for 01:00:00 after that" in (reason(scheduler) or ""), "the reason")
    # A change of the setting takes effect at once.
    scheduler.execute("UPDATE worker_setting SET pause_after_stall = '6 seconds'")
    due_last = "job_id = %s AND scheduled_at >= %s + interval '5 seconds' AND job_finished IS NOT NULL"
    query = f"SELECT count(*) FROM job_log WHERE {due_last}"
    until(lambda: scheduler.value(query, job, thaw), "what was due last")
    due_before = "job_id = %s AND scheduled_at < %s + interval '5 seconds'"
    query = f"SELECT array_agg(DISTINCT state) FROM job_log WHERE {due_before}"
    assert scheduler.value(query, job, thaw) == ["succeeded"]
    until(lambda: reason(scheduler) is None, "all to be well")
    assert scheduler.value("SELECT pid FROM worker_status") == halted


@pytest.mark.parametrize("call", ["stop_worker", "restart_worker"])
def test_a_halted_worker_that_is_told_to_stop(scheduler: Scheduler, halted: int, call: str) -> None:
    """It cannot, and is not said to wait for anything else."""
    session = scheduler.connect()
    session.execute("SET statement_timeout = '10s'")
    with suppress(psycopg.errors.QueryCanceled):
        session.execute(f"SELECT {call}()")
    halt = f"the worker (process {halted}) was halted by a signal (SIGSTOP)"
    until(lambda: (reason(scheduler) or "").startswith(halt), "the reason")
    found = finding(scheduler)
    assert (found.state, found.found, found.remedy) == ("error", reason(scheduler), f"sudo kill -CONT {halted}")
    told = scheduler.execute("SELECT problem, remedy FROM problem WHERE job_id IS NULL").fetchall()
    assert told == [("worker stuck", found.remedy)]
    subprocess.run(["sh", "-c", found.remedy.removeprefix("sudo ")], check=True)
    until(lambda: reason(scheduler) != found.found, "it to go on")


def test_who_defines_something_is_told(scheduler: Scheduler) -> None:
    role = scheduler.role()
    expected = [
        "nothing is run at present: no worker has been started since the extension was created in this database"
    ]
    with closing(scheduler.connect_as(role)) as session:
        calls = [
            "SELECT job_id FROM insert_job('SELECT 1', current_catalog, '1 second', job_name := 'ours')",
            "SELECT update_job('ours', enabled := true)",
            "SELECT run_job('ours')",
            "SELECT run_once('SELECT 1', current_catalog)",
        ]
        for call in calls:
            assert told(session, call)[-1:] == expected, call
        late = "SELECT coalesce(problem, status) FROM job_overview"
        until(lambda: session.execute(late).fetchone()[0] == "late", "the job to be late")  # type: ignore[index]
        scheduler.start()
        until(lambda: session.execute(late).fetchone()[0] == "succeeded", "the job to run")  # type: ignore[index]
        for call in calls[1:]:
            assert told(session, call)[-1:] != expected, call


def test_an_open_reader_and_a_change_that_waits_behind_it(scheduler: Scheduler) -> None:
    """They hold up all who come later, the worker too: check_setup() waits for neither and names both."""
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second")
    with closing(scheduler.connect()) as reader, closing(scheduler.connect()) as changer:
        reader.execute("BEGIN")
        reader.execute("SELECT FROM my_job")
        changer.pgconn.send_query(
            sql.SQL("ALTER TABLE {}.job ALTER job_command SET NOT NULL")
            .format(sql.Identifier(SCHEMA))
            .as_string()
            .encode()
        )
        pids = (changer.info.backend_pid, reader.info.backend_pid)
        until(lambda: scheduler.value("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", pids[0]) == "Lock")
        found = until(lambda: finding(scheduler, "locks"), "the finding")
        assert re.fullmatch(
            rf'process {pids[0]} \(role ".*", active\) waits since 2.* for a lock on job, and the worker behind it: '
            rf'process {pids[1]} \(role ".*", idle in transaction\) has read or changed that table',
            found.found,
        )
        (told,) = scheduler.execute("SELECT problem, what, remedy FROM problem").fetchall()
        words = found.found.replace(", and the worker behind it: ", ": ")
        assert told == ("worker stuck", f"the jobs cannot be looked at: {words}", found.remedy)
        assert f"process {pids[0]} holds or waits for too" in until(lambda: reason(scheduler), "the reason")
        scheduler.execute(found.remedy.split(";")[0])
    until(lambda: reason(scheduler) is None, "all to be well")
    seen = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > seen, "the job to go on")


def test_a_full_disk_of_another_kind(own_cluster: Callable[..., Cluster]) -> None:
    """Transactions of all sessions are read-only."""
    scheduler = new_scheduler(own_cluster())
    scheduler.start()
    scheduler.execute("ALTER DATABASE {} SET default_transaction_read_only = on", sql.Identifier(scheduler.dbname))
    with closing(scheduler.connect()) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("SELECT stop_worker()")
    assert scheduler.run("SELECT 1").state == "succeeded"
    scheduler.close()


@pytest.mark.slow
def test_a_server_without_a_free_connection(own_cluster: Callable[..., Cluster]) -> None:
    """restart_worker() does not take the worker that was to be replaced for another one."""
    cluster = own_cluster(max_connections="20")
    scheduler = new_scheduler(cluster)
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 1")
    pid = scheduler.start()
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    with ExitStack() as others:
        with suppress(psycopg.OperationalError):
            while True:
                others.enter_context(closing(cluster.connect()))
        for call in ("SELECT restart_worker()", "BEGIN; SELECT stop_worker(); SELECT start_worker()"):
            with pytest.raises(psycopg.OperationalError, match="could not be given a session") as failure:
                scheduler.admin.execute(call)
            assert failure.value.sqlstate == "08001"
            assert "too many clients" in (failure.value.diag.message_detail or "")
            assert "connection must be free" in (failure.value.diag.message_hint or "")
            scheduler.admin.rollback()
        assert scheduler.value("SELECT pid FROM worker_status WHERE reason IS NULL") == pid
    assert scheduler.value("SELECT restart_worker()") != pid
    scheduler.close()


def test_a_launcher_is_noted_anew_after_a_start_of_the_server(scheduler: Scheduler) -> None:
    pid = scheduler.start()
    scheduler.execute("UPDATE worker_state SET launcher_seen = pg_postmaster_start_time() - interval '1 second'")

    def noted() -> Any:
        """The launcher, which does not wait for the row while the worker writes it."""
        assert scheduler.value("SELECT start_worker(unattended := true)") == pid
        return scheduler.value("SELECT launcher_seen > pg_postmaster_start_time() FROM worker_status")

    until(noted, "the launcher to be noted")
