"""What one looks at every day fits the terminal, and shows what is one's own."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT
from harness.remedies import alternatives
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

VIEWS = ["job_overview", "recent_runs", "job_chain", "waiting_run", "problem"]
# In one line each, as psql prints it, for names and messages of this length; longer ones make longer lines.
WIDTHS = {"short": 100, "ordinary": 100, "long": None}


def printed(scheduler: Scheduler, query: str, wrapped: int | None = None) -> list[str]:
    """What psql prints, as it comes, or wrapped to a number of columns."""
    options = [] if wrapped is None else ["-P", "format=wrapped", "-P", f"columns={wrapped}"]
    command = scheduler.cluster.command(
        "psql", "-X", *options, "-d", scheduler.dbname, "-c", f'SET search_path = "{SCHEMA}"', "-c", query
    )
    return command.stdout.splitlines()[1:]


def renamed(scheduler: Scheduler, role: str, name: str) -> str:
    scheduler.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(role), sql.Identifier(name))
    scheduler._roles[scheduler._roles.index(role)] = name
    return name


@pytest.mark.parametrize(
    ("length", "role", "name", "schedule", "message"),
    [
        ("short", "app", "mail", "@daily", "no"),
        ("ordinary", "webshop", "nightly report", "30 4 * * 1-5", "division by zero"),
        ("long", "a role with a long name", "the report of all orders of the night " * 2, "30 4 1,15 * *", "no " * 50),
    ],
)
def test_widths(worker: Scheduler, length: str, role: str, name: str, schedule: str, message: str) -> None:
    role = renamed(worker, worker.role(), role)
    database = worker.dbname
    worker.execute("ALTER SEQUENCE worker_inbox_request_id_seq RESTART 12345")
    command = f"DO $$BEGIN RAISE EXCEPTION '{message.strip()}'; END$$"
    first = worker.insert(command, database, rolname=role, schedule=schedule, job_name=name.strip())
    worker.insert("SELECT 1", database, rolname=role, run_after=[first], run_when="on_failure", job_name="then")
    worker.ended(worker.value("SELECT run_job(%s)", first))
    until(lambda: len([run for run in worker.log() if run.state != "running"]) == 2)
    worker.stop()
    worker.value("SELECT run_once('SELECT 1')")
    datname = "weborder" if length != "long" else database
    for view in ["job_overview", "recent_runs", "job_chain", "waiting_run"]:
        for columns in (80, 100, 120):
            if columns == 80 and view in ("job_chain", "waiting_run"):
                continue  # their headings are wider
            lines = printed(worker, f"SELECT * FROM {view}", wrapped=columns)
            assert max(map(len, lines)) <= columns, (view, lines)
        lines = printed(worker, f"SELECT * FROM {view}")
        assert len(lines) > 4, view
        shown = "\n".join(lines)
        if view != "waiting_run":
            assert name.strip() in shown
        if "datname" in shown:
            shown = shown.replace(database, datname)
        widest = max(len(line) for line in shown.splitlines() if "---" not in line)
        if (limit := WIDTHS[length]) is not None:
            assert widest <= limit, (view, widest, shown)
    # Too much for lines: what is wrong is told in sentences.
    assert max(map(len, printed(worker, "SELECT * FROM problem", wrapped=120))) <= 120


def test_line_breaks_do_not_break_lines(worker: Scheduler) -> None:
    """Names that were restored may have them, descriptions and messages have them often."""
    command = "DO $$BEGIN RAISE EXCEPTION E'one\\ntwo'; END$$"
    first = worker.insert(command, schedule="@daily", job_description="three\nfour")
    then = worker.insert("SELECT 1", schedule="@daily", run_after=[first], job_name="then")
    worker.ended(worker.value("SELECT run_job(%s)", first))
    worker.stop()
    with worker.admin.transaction():
        worker.execute("SET LOCAL session_replication_role = replica")
        worker.execute(
            "UPDATE job SET job_name = CASE job_id WHEN {} THEN E'five\\nsix' ELSE E'seven\\r\\neight' END",
            sql.Literal(first),
        )
    worker.value("SELECT run_job(%s)", then)
    for view in (*VIEWS, "job_stats", "upcoming_runs('2 days')"):
        lines = printed(worker, f"SELECT * FROM {view}")
        assert not [line for line in lines if line.endswith("+") or "\\r" in line], view
        shown = "\n".join(lines)
        assert "five six" in shown or "seven eight" in shown, view
        if view in ("recent_runs", "problem"):
            assert "one two" in shown
    assert "three four" in "\n".join(printed(worker, "SELECT * FROM upcoming_runs('2 days')"))


def test_overview(worker: Scheduler) -> None:
    role = worker.role()
    app = worker.connect_as(role)
    failing = worker.insert("SELECT\n  1/0", rolname=role, max_retries=1)
    worker.insert("SELECT 1", rolname=role, enabled=False, job_description="switched off")
    worker.insert("SELECT 1", rolname=role, job_name="named", schedule="0 0 1 1 *", job_description="never seen")
    worker.insert("SELECT 1", rolname=role, job_name="a name that is rather long, and " + "x" * 60)
    worker.ended(worker.value("SELECT run_job(%s)", failing))
    rows = app.execute("SELECT * FROM job_overview").fetchall()
    assert [(row.job, row.rolname, row.status, row.problem) for row in rows] == [
        ("SELECT 1/0", role, "to retry", "failing"),
        ("a name that is rather long, and " + "x" * 60, role, "new", None),
        ("named", role, "new", None),
        ("switched off", role, "not enabled", None),
    ]
    assert re.fullmatch(r"\d\d:\d\d:\d\d|\w\w\w \d\d:\d\d", rows[0].last_run)  # of today, or just before midnight
    assert rows[0].next_run
    assert re.fullmatch(r"20\d\d-01-01|\w\w\w 00:00|00:00:00", rows[2].next_run)
    sleeping = worker.insert("SELECT pg_sleep(1000)", rolname=role)
    worker.value("SELECT run_job(%s)", sleeping)
    until(
        lambda: app.execute("SELECT status FROM job_overview WHERE job_id = %s", (sleeping,)).fetchone() == ("running",)
    )
    assert worker.value("SELECT job_id FROM job_overview WHERE job = 'named'")


def test_times_are_brief(scheduler: Scheduler) -> None:
    scheduler.execute("SET TimeZone = 'Europe/Berlin'")
    scheduler.execute("BEGIN")  # which has one now
    today = scheduler.value("SELECT current_date")
    moments = {days: f"{today + timedelta(days=days)} 03:04:05" for days in range(-400, 401)}
    query = "SELECT array_agg(brief_time(m) ORDER BY i) FROM unnest(%s::timestamptz[]) WITH ORDINALITY x (m, i)"
    for (days, moment), shown in zip(moments.items(), scheduler.value(query, list(moments.values()))):
        expected = {True: "%Y-%m-%d", abs(days) < 7: "%a %H:%M", days == 0: "%H:%M:%S"}[True]
        assert shown == datetime.fromisoformat(moment).strftime(expected)
    for moment in ("infinity", "-infinity", None):
        assert len(scheduler.value("SELECT brief_time(%s::timestamptz)", moment) or "") <= 10
    scheduler.execute("COMMIT")


def test_recent_runs(worker: Scheduler) -> None:
    role = worker.role()
    app = worker.connect_as(role)
    job = worker.insert("SELECT generate_series(1, 7)", rolname=role, job_name="seven")
    failing = worker.insert("SELECT 1/0 /* " + "long " * 50 + "*/", rolname=role)
    failed = worker.ended(worker.value("SELECT run_job(%s)", failing))
    for _ in range(22):
        last = worker.ended(worker.value("SELECT run_job(%s)", job))
    rows = app.execute("SELECT * FROM recent_runs").fetchall()
    assert len(rows) == 20
    assert rows[0].jl_id == last.jl_id
    assert (rows[0].job, rows[0].rolname, rows[0].state, rows[0].rows, rows[0].message) == (
        "seven", role, "succeeded", 7, None,
    )  # fmt: skip
    assert rows[0].took.total_seconds() >= 0
    assert len(app.execute("SELECT * FROM recent_runs(22)").fetchall()) == 22
    assert len(app.execute("SELECT * FROM recent_runs(NULL)").fetchall()) == 23
    since = app.execute(
        "SELECT jl_id, job, message FROM recent_runs(since => %s, failed => true)", (failed.job_started,)
    ).fetchall()
    assert [tuple(row) for row in since] == [(failed.jl_id, "SELECT 1/0 /* long long lon...", "division by zero")]
    assert app.execute("SELECT FROM recent_runs(since => %s, failed => true)", (last.job_started,)).fetchall() == []
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        app.execute("SELECT * FROM recent_runs(-1)")
    # A run is called what its job was called then.
    app.execute("SELECT update_job('seven', job_name := 'eight')")
    assert [row.job for row in app.execute("SELECT job FROM recent_runs(1)")] == ["seven"]
    assert [row.job_name for row in app.execute("SELECT job_name FROM my_job_log ORDER BY jl_id")] == [
        None, *["seven"] * 22,
    ]  # fmt: skip


def test_a_run_that_never_started_is_where_it_belongs(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1")
    for jl_id, scheduled, started, state in (
        (1, 30, 30, "succeeded"),
        (2, 10, 10, "succeeded"),
        (3, 20, None, "missed"),
    ):
        scheduler.admin.execute(
            """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                    state, job_command)
               VALUES (%s, %s, 'x', 'x', 'schedule', now() - %s * interval '1 minute', now() - %s * interval '1 minute',
                       now(), %s, '')""",
            (jl_id, job, scheduled, started, state),
        )
    assert [row.jl_id for row in scheduler.execute("SELECT * FROM recent_runs")] == [2, 3, 1]


def test_a_monitor_sees_the_jobs_of_all(worker: Scheduler) -> None:
    role, monitor = worker.role(), worker.role("monitor", scheduler=False)
    worker.execute("GRANT job_monitor TO {}", sql.Identifier(monitor))
    first = worker.insert("SELECT 1/0", rolname=role, job_name="first")
    worker.insert("SELECT 1", rolname=role, job_name="second", run_after=[first])
    worker.ended(worker.value("SELECT run_job(%s)", first))
    worker.stop()
    once = worker.connect_as(role).execute("SELECT run_once('SELECT 1')").fetchone()
    session = worker.connect_as(monitor)
    seen = {view: session.execute(f"SELECT * FROM {view}").fetchall() for view in VIEWS}
    assert [row.job for row in seen["job_overview"]] == ["first", "second"]
    assert [(row.job, row.rolname) for row in seen["recent_runs"]] == [("first", role)]
    assert [(row.job_name, row.after_job_name) for row in seen["job_chain"]] == [("second", "first")]
    assert [(row.jl_id, row.job, row.rolname) for row in seen["waiting_run"]] == [(*once, "SELECT 1", role)]
    assert [row.problem for row in seen["problem"]] == ["worker off", "failing"]
    for remedy in [row.remedy for row in seen["problem"] if row.job_id]:
        session.execute(remedy)
    # What it sees it may not touch, even if it may define jobs of its own.
    worker.execute("GRANT job_scheduler TO {}", sql.Identifier(monitor))
    assert len(session.execute("SELECT * FROM waiting_run").fetchall()) == 1
    with pytest.raises(psycopg.errors.NoDataFound):
        session.execute("SELECT cancel_run(%s)", once)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("INSERT INTO job_request (kind, jl_id) VALUES ('cancel run', %s)", once)


def problems(session: psycopg.Connection[Any]) -> list[tuple[str, str | None]]:
    return [(row.problem, row.job) for row in session.execute("SELECT * FROM problem")]


def remedy(session: psycopg.Connection[Any], problem: str, choice: str | None = None) -> None:
    """Do what a row of problem says, or offers beside it."""
    row = session.execute("SELECT remedy FROM problem WHERE problem = %s", (problem,)).fetchone()
    assert row is not None
    session.execute(row.remedy if choice is None else alternatives(row.remedy)[choice])


def test_problems_of_the_worker(scheduler: Scheduler) -> None:
    admin = scheduler.admin
    assert problems(admin) == [("worker off", None)]
    remedy(admin, "worker off")
    scheduler.tick()
    assert problems(admin) == []
    scheduler.value("SELECT pause_jobs()")
    job = scheduler.insert("SELECT 1", job_name="waits", schedule="1 second")
    until(lambda: scheduler.value("SELECT true FROM job_state WHERE job_id = %s", job), "the worker to know it")
    scheduler.execute("UPDATE job_state SET next_run_at = next_run_at - interval '6 seconds'")
    until(lambda: scheduler.value("SELECT next_run_at < now() - interval '5 seconds' FROM member_job"), "it to be late")
    assert problems(admin) == [("paused", None)]
    assert problems(scheduler.connect_as(scheduler.role())) == [("paused", None)]
    assert scheduler.value("SELECT since = date_trunc('second', paused_since) FROM problem, worker_setting")
    scheduler.value("SELECT delete_job(%s)::text", job)
    remedy(admin, "paused")
    assert problems(admin) == []
    scheduler.stop()
    assert scheduler.value("SELECT since = date_trunc('second', stopped_at) FROM problem, worker_state")


def test_problems_of_jobs_and_their_remedies(worker: Scheduler) -> None:
    worker.execute("CREATE TABLE t (command text); INSERT INTO t VALUES ('SELECT 1/0')")
    role = worker.role()
    app = worker.connect_as(role)
    worker.execute("GRANT SELECT ON t TO {}", sql.Identifier(role))
    command = "DO $$BEGIN EXECUTE (SELECT command FROM public.t); END$$"

    def define(name: str, **options: Any) -> int:
        return worker.insert(command, rolname=role, job_name=name, **options)

    def run(name: str) -> Any:
        return worker.ended(worker.value("SELECT run_job(%s)", name))

    failing = define("failing")
    define("disabled", disable_after=2, schedule="@yearly")
    for name in ("failing", "failing", "disabled", "disabled"):
        run(name)
    define("off", enabled=False)
    run("off")
    worker.wake()
    assert problems(app) == [("disabled", "disabled"), ("failing", "failing")]
    since, what, first = app.execute(
        """SELECT since, what, (SELECT min(job_started) FROM my_job_log WHERE job_name = 'failing')
           FROM problem WHERE problem = 'failing'"""
    ).fetchone() or (None, None, None)
    assert since == first.replace(microsecond=0)
    assert what == "failed 2 times in a row, the last time with: division by zero"
    remedy(app, "failing")
    # When these runs have been pruned.
    with worker.admin.transaction(force_rollback=True):
        worker.execute("DELETE FROM job_log")
        worker.execute(
            "UPDATE job_statistic SET failure_count = 1 WHERE failure_count = 2 AND job_id = {}", sql.Literal(failing)
        )
        told = worker.execute("SELECT problem, what, remedy FROM problem ORDER BY problem").fetchall()
    run_it = f'SELECT "{SCHEMA}".run_job({failing});'
    assert [row[:2] for row in told] == [
        ("disabled", "its schedule is not followed since it failed 2 times in a row; the log has not kept why"),
        ("failing", "failed once; the log has not kept why"),
    ]
    assert told[1].remedy == run_it
    remedy(app, "disabled")
    worker.execute("UPDATE t SET command = 'SELECT 1'")
    for name in ("failing", "disabled"):
        run(name)
    assert problems(app) == []

    overdue = define("overdue", expect_success_within="1 hour")
    worker.seen()
    with worker.admin.transaction():
        worker.execute("SET LOCAL session_replication_role = replica")
        for table in ("job", "job_state"):
            worker.execute(f"UPDATE {table} SET schedule_set_at = now() - interval '2 h' WHERE job_id = {overdue}")
    assert problems(app) == [("overdue", "overdue")]
    remedy(app, "overdue")
    until(lambda: problems(app) == [], "it to succeed")
    worker.execute("SELECT delete_job('overdue')")

    gone = worker.database()
    worker.insert("SELECT 1", gone, rolname=role, job_name="quarantined", schedule="1 second")
    worker.execute("DROP DATABASE {} WITH (FORCE)", sql.Identifier(gone))
    until(lambda: problems(app) == [("quarantined", "quarantined")], "quarantine")
    hint = f"""If it was renamed, give the job its new name: SELECT "{SCHEMA}".update_job(..., datname := '...');"""
    assert app.execute("SELECT remedy FROM problem").fetchone() == (hint,)
    worker.execute("DELETE FROM job_log WHERE job_name = 'quarantined'")  # as it may be pruned
    assert app.execute("SELECT remedy FROM problem").fetchone() == (hint,)
    worker.execute("SELECT delete_job('quarantined')")

    # What the worker has counted decides.
    worker.execute("UPDATE t SET command = 'SELECT pg_sleep(1000)'")
    job = define("overrun")
    until(lambda: worker.value("SELECT count(*) FROM job_statistic WHERE job_id = %s", job), "the worker to know it")
    worker.execute(f"UPDATE job_statistic SET durations = array_fill(0.1::real, ARRAY[20]) WHERE job_id = {job}")
    worker.value("SELECT run_job('overrun')")
    until(lambda: problems(app) == [("overrun", "overrun")], "it to take longer than usual")
    remedy(app, "overrun")
    assert problems(app) == [("overrun", "overrun")]
    remedy(app, "overrun", "to end it")
    until(lambda: problems(app) == [], "it to be cancelled")
    for states, kind in (("{succeeded,skipped,skipped,skipped,skipped,skipped}", "skipping"), ("{missed}", "missed")):
        worker.execute(f"UPDATE job_statistic SET last_states = '{states}', irregular = true WHERE job_id = {job}")
        assert problems(app) == [(kind, "overrun")]
        if kind == "missed":
            missed = app.execute("SELECT what FROM problem").fetchone()
            assert missed == ("a due time was missed; the log has not kept why",)
        remedy(app, kind)
        if kind == "skipping":
            assert app.execute("SELECT parallel FROM my_job WHERE job_id = %s", (job,)).fetchone() == (False,)
            remedy(app, kind, "if its runs may overlap")
    assert app.execute("SELECT parallel FROM my_job WHERE job_id = %s", (job,)).fetchone() == (True,)
    assert problems(worker.connect_as(worker.role("stranger"))) == []


def test_a_run_of_an_earlier_role_is_not_told(worker: Scheduler) -> None:
    """Who gets a job sees neither its earlier log nor what that says."""
    role, other = worker.role(), worker.role("other")
    app, successor = worker.connect_as(role), worker.connect_as(other)
    job = worker.insert("DO $$BEGIN RAISE 'a secret'; END$$", rolname=role, job_name="given")
    assert worker.ended(worker.value("SELECT run_job(%s)", job)).state == "failed"
    worker.wake()
    assert [row.what for row in app.execute("SELECT what FROM problem")] == ["a secret"]
    worker.execute("UPDATE member_job SET rolname = {} WHERE job_id = {}", sql.Literal(other), sql.Literal(job))
    worker.wake()
    assert app.execute("SELECT * FROM problem").fetchall() == []
    assert [row.what for row in worker.execute("SELECT what FROM problem")] == ["a secret"]
    found = successor.execute("SELECT what, remedy FROM problem").fetchall()
    assert found == [("failed once, as the job of another role", f'SELECT "{SCHEMA}".run_job({job});')]
    remedy(successor, "failing")
    until(lambda: problems(successor) and worker.log(job)[-1].rolname == other and worker.log(job)[-1].job_finished)
    worker.wake()
    told = "failed 2 times in a row, the last time with: a secret"
    assert [row.what for row in successor.execute("SELECT what FROM problem")] == [told]


def test_a_quarantine_is_not_told_as_the_failure(scheduler: Scheduler) -> None:
    scheduler.start()
    gone = scheduler.database("gone")
    job = scheduler.insert("SELECT 1/0", gone)
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).state == "failed"
    scheduler.execute("DROP DATABASE {} WITH (FORCE)", sql.Identifier(gone))
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).state == "failed"
    told = {row.problem: row.what for row in scheduler.execute("SELECT * FROM problem").fetchall()}
    assert told == {"quarantined": f'database "{gone}" does not exist', "failing": "division by zero"}


def test_a_job_that_skips_while_its_run_waits_for_somebody(scheduler: Scheduler) -> None:
    """What is in its way is shown first; a longer interval would not help."""
    scheduler.start()
    app = scheduler.connect_as(scheduler.role())
    with scheduler.gate() as command:
        app.execute("SELECT insert_job(%s, current_catalog, '1 second', job_name => 'waits')", (command,))
        found: Any = until(
            lambda: app.execute("SELECT * FROM problem WHERE problem = 'skipping'").fetchone(), "some to be skipped"
        )
        shows, _, _ = found.remedy.partition("\n")
        session: Any = app.execute(shows.encode()).fetchone()
        (holder,) = scheduler.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
        assert session.waits_for == [holder.pid]
        remedy(app, "skipping", "to end that run")
        cancelled = "SELECT count(*) FROM my_job_log WHERE state = 'cancelled'"
        until(lambda: app.execute(cancelled).fetchone() == (1,), "it to be cancelled")
        app.execute("DELETE FROM my_job")
        app.execute("SELECT cancel_run(jl_id) FROM my_job_log WHERE state = 'running'")


@pytest.mark.parametrize("who", ["a superuser", "a user"])
def test_a_table_that_is_locked_is_a_problem(scheduler: Scheduler, who: str) -> None:
    """Whichever it is, the view answers: with what it has to tell anyway, or the lock by name."""
    scheduler.start()
    session = scheduler.connect() if who == "a superuser" else scheduler.connect_as(scheduler.role())
    tables = scheduler.execute(
        """SELECT c.oid::regclass::text AS name, c.relname FROM pg_class c
           WHERE c.relkind = 'r' AND c.relnamespace IN ((SELECT relnamespace FROM pg_class WHERE oid = 'job'::regclass),
                                                        'elephant_worker_internal'::regnamespace)"""
    ).fetchall()
    session.execute("SET statement_timeout = '20s'")  # a busy machine is slow, but the lock would last for ever
    found = set()
    for table in tables:
        with closing(scheduler.connect()) as holder:
            holder.execute("BEGIN")
            holder.execute(f"LOCK TABLE ONLY {table.name} IN ACCESS EXCLUSIVE MODE")
            (status,) = session.execute("SELECT * FROM worker_status").fetchall()
            assert status.running or f"process {holder.info.backend_pid} " in status.reason, (table, status)
            assert status.running or table.relname in ("worker_setting", "worker_state"), (table, status)
            rows = session.execute("SELECT * FROM problem").fetchall()
            assert {(row.problem, row.job_id) for row in rows} <= {("worker stuck", None)}, (table, rows)
            for row in (row for row in rows if "cannot be looked at" in row.what):
                assert re.fullmatch(
                    r"(the worker|the jobs|the worker and the jobs) cannot be looked at: "
                    rf'process {holder.info.backend_pid} \(role "[^"]+"(, idle in transaction)?\) '
                    rf"keeps {table.relname} locked( since 2.*)?",
                    row.what,
                )
                found.add(table.relname)
                if who == "a superuser":
                    scheduler.execute(row.remedy)
                    with pytest.raises(psycopg.OperationalError):  # it has been ended
                        holder.execute("SELECT 1")
    assert found >= {"job", "job_state", "job_statistic", "job_log", "pending_run", "worker_request", "worker_state"}
    assert found >= {"worker_setting"}
    until(lambda: session.execute("SELECT FROM problem").fetchall() == [], "all to be well")
    assert session.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_a_shorter_lock_timeout_holds(scheduler: Scheduler) -> None:
    function = "SELECT lock_timeout_within({})"
    scheduler.execute(
        """CREATE FUNCTION lock_timeout_within(text) RETURNS text LANGUAGE plpgsql SET lock_timeout = '400ms' AS
           $$BEGIN
               PERFORM elephant_worker_internal.keep_lock_timeout($1);
               RETURN current_setting('lock_timeout');
           END$$"""
    )
    for given, expected in (("0", "400ms"), ("1s", "400ms"), ("1min", "400ms"), ("50ms", "50ms")):
        assert scheduler.value(function.format("%s"), given) == expected
        assert scheduler.value("SHOW lock_timeout") == "0"


def test_late(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET max_running_jobs = 1")
    worker.insert("SELECT pg_sleep(1000)", schedule="1 second", job_name="long")
    until(lambda: [row.state for row in worker.log()] == ["running"])
    late = worker.insert("SELECT 1", schedule="1 second", job_name="late")
    assert problems(worker.admin) == []
    until(lambda: worker.value("SELECT true FROM job_state WHERE job_id = %s", late), "the worker to know it")
    worker.execute(f"UPDATE job_state SET next_run_at = next_run_at - interval '5 seconds' WHERE job_id = {late}")
    until(lambda: problems(worker.admin) == [("late", "late")], "it to be late")
    # Which of the two it is, its remedy shows.
    why = "its due time has passed, and it waits for a free slot, or for the worker to look around"
    assert worker.value("SELECT what FROM problem") == why
    remedy(worker.admin, "late")


def test_late_at_a_connection_limit(worker: Scheduler) -> None:
    database, role = worker.database(), worker.role()
    worker.execute("ALTER DATABASE {} CONNECTION LIMIT 1", sql.Identifier(database))
    with worker.cluster.connect(database):
        worker.insert("SELECT 1", database, rolname=role, schedule="1 second", job_name="late")
        until(lambda: problems(worker.admin) == [("late", "late")], "it to be late", 20)
        (what,) = worker.execute("SELECT what FROM problem").fetchone() or ("",)
        assert what == (
            f'its due time has passed, and it waits for a connection to database "{database}", which has as many as '
            "its CONNECTION LIMIT (1) allows"
        )
        query = f'SET search_path = "{SCHEMA}";\nSELECT remedy FROM problem \\gx (format=unaligned)\n'
        shown = worker.cluster.command("psql", "-X", "-d", worker.dbname, input=query).stdout
        assert worker.value("SELECT remedy FROM problem") in shown  # as it can be pasted
        remedy(worker.admin, "late")
        remedy(worker.admin, "late", "its owner can raise the limit")
        until(lambda: problems(worker.admin) == [], "it to run")
        until(lambda: "succeeded" in {row.state for row in worker.log()}, "a run")


def test_late_in_a_database_whose_name_has_a_line_break(worker: Scheduler) -> None:
    if worker.admin.info.server_version >= 190000:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            worker.database("x\nCREATE ROLE pwned; --")
        return
    database, role = worker.database("x\nCREATE ROLE pwned; --"), worker.role()
    worker.execute("ALTER DATABASE {} CONNECTION LIMIT 1", sql.Identifier(database))
    with worker.cluster.connect(database):
        worker.insert("SELECT 1", database, rolname=role, schedule="1 second", job_name="late")
        until(lambda: problems(worker.admin) == [("late", "late")], "it to be late", 20)
        text = worker.value("SELECT remedy FROM problem")
        assert len(text.splitlines()) == 2
        worker.cluster.command("psql", "-X", "-d", worker.dbname, "-v", "ON_ERROR_STOP=1", input=text)
        assert worker.value("SELECT count(*) FROM pg_roles WHERE rolname = 'pwned'") == 0
        remedy(worker.admin, "late", "its owner can raise the limit")
        until(lambda: problems(worker.admin) == [], "it to run")


def test_what_is_not_ones_own_is_not_there(worker: Scheduler) -> None:
    worker.run("SELECT 1", rolname=worker.role("victim"))
    stranger = worker.connect_as(worker.role("stranger"))
    for view in VIEWS:
        assert stranger.execute(f"SELECT * FROM {view}").fetchall() == []
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            stranger.execute(f"DELETE FROM {view}")
    worker.execute("GRANT USAGE ON SCHEMA {} TO PUBLIC", sql.Identifier(SCHEMA))
    nobody = worker.connect_as(worker.role("nobody", scheduler=False))
    for view in VIEWS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            nobody.execute(f"SELECT * FROM {view}")


def test_errors_of_the_functions_carry_hints(scheduler: Scheduler) -> None:
    """Each RAISE EXCEPTION that a user can meet has a HINT."""
    bare = scheduler.execute(
        r"""SELECT p.proname, r.raised
           FROM pg_proc p
           JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
           CROSS JOIN LATERAL (SELECT m[1] AS raised
                               FROM regexp_matches(p.prosrc, '(RAISE EXCEPTION.*?;)\s*\n', 'g') m) r
           WHERE p.pronamespace IN ((SELECT extnamespace FROM pg_extension WHERE extname = 'elephant_worker'),
                                    'elephant_worker_internal'::regnamespace)
             AND r.raised !~ 'HINT' AND p.proname NOT IN ('check_settings', 'raise_error')"""
    ).fetchall()
    assert bare == []


def test_what_a_user_sees(scheduler: Scheduler) -> None:
    """With the schema in the search_path psql lists what the reference describes, and the tables that dumps carry."""
    reference = (ROOT / "docs/reference.md").read_text()
    role = scheduler.role()
    scheduler.execute("ALTER ROLE {} SET search_path = {}", sql.Identifier(role), sql.Identifier(SCHEMA))
    with scheduler.cluster.connect_as(role, scheduler.dbname) as session:
        functions = session.execute(
            """SELECT DISTINCT p.proname FROM pg_proc p
               WHERE pg_function_is_visible(p.oid) AND p.pronamespace <> 'pg_catalog'::regnamespace"""
        ).fetchall()
        views = session.execute(
            """SELECT c.relname FROM pg_class c WHERE c.relkind = 'v' AND pg_table_is_visible(c.oid)
               AND c.relnamespace <> 'pg_catalog'::regnamespace"""
        ).fetchall()
        tables = session.execute(
            """SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid)
               AND c.relnamespace <> 'pg_catalog'::regnamespace
               AND c.oid <> ALL (SELECT unnest(e.extconfig) FROM pg_extension e)"""
        ).fetchall()
    assert [row.proname for row in functions if not re.search(rf"[` ]{row.proname}\(", reference)] == []
    assert [row.relname for row in views if f"`{row.relname}`" not in reference] == []
    # They own sequences that dumps carry; the worker of 1.0.0 has the last one.
    assert {row.relname for row in tables} == {"once_job", "worker_request", "worker_state"}


def test_problems_of_many_jobs_are_found_by_indexes(scheduler: Scheduler) -> None:
    scheduler.execute(
        """SELECT count(insert_job('SELECT 1', current_catalog, '@yearly', timezone => 'UTC'))
           FROM generate_series(1, 1000)"""
    )
    scheduler.execute("INSERT INTO job_statistic (job_id) SELECT j.job_id FROM job j")
    scheduler.execute(
        """INSERT INTO job_state (job_id, schedule_set_at, next_run_at)
           SELECT j.job_id, j.schedule_set_at, now() + interval '1 day' FROM job j"""
    )
    with scheduler.connect() as session:
        session.execute("SET enable_seqscan = off")  # as the function has it
        plan = "\n".join(row[0] for row in session.execute("EXPLAIN SELECT * FROM job_problem"))
    assert re.findall(r"Seq Scan on (?:job|job_state|job_statistic|job_log) .*", plan) == []
    assert scheduler.execute("SELECT * FROM problem WHERE job_id IS NOT NULL").fetchall() == []


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_what_is_wider_than_a_terminal_is_read_expanded(scheduler: Scheduler, columns: int) -> None:
    names = {
        "short": "mail",
        "ordinary": "the report of the night",
        "long": "the report of all orders of the night " * 2,
    }
    for name in names.values():
        scheduler.insert("SELECT 1", schedule="@daily", job_name=name.strip())
    for view in ("job_stats", "upcoming_runs('2 days')", "worker_status"):
        as_it_is = printed(scheduler, f"SELECT * FROM {view}")
        assert max(map(len, as_it_is)) > 120
        command = scheduler.cluster.command(
            *("psql", "-X", "-P", "expanded=auto", "-P", f"columns={columns}", "-d", scheduler.dbname),
            *("-c", f'SET search_path = "{SCHEMA}"', "-c", f"SELECT * FROM {view}"),
        )
        lines = command.stdout.splitlines()[1:]
        # Nothing is cut, so what is long in itself makes a long line.
        long = re.compile(r"-\[|.*(?:of all orders|no worker has been)")
        assert [line for line in lines if len(line) > columns and not long.match(line)] == []
