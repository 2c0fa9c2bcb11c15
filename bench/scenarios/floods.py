"""How late the jobs of one role start, and what it asks for, before and while another role floods the worker with
all that an ordinary role can ask for: with max_running_jobs_per_role as docs/security.md advises, and without, which
is the default. In the short form with a twentieth of the largest floods."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from bench.candidates.elephant_worker import ElephantWorker
from bench.context import Context
from bench.figures import percentile
from bench.server import Server, record

VICTIM = "victim"
MALLORY = "mallory"
# As whom Mallory may act, too; a database of hers, one that has as many sessions as it may have, and one that may have
# two.
ACCOMPLICE = "accomplice"
OWN_DATABASE = "hers"
FULL_DATABASE = "crowded"
NARROW_DATABASE = "narrow"
# The victim has a job for each of these, due every second, and asks for a run this often.
TAGS = ("due 1", "due 2", "due 3", "due 4")
ASK_INTERVAL = 0.25  # seconds
# max_running_jobs_per_role: as advised, a quarter of max_running_jobs, and by default.
SETTINGS = (8, None)

Connect = Callable[[], "psycopg.Connection[Any]"]


@dataclass(frozen=True)
class Flood:
    """What Mallory does: once before, and then over and over again in so many sessions."""

    name: str
    prepare: tuple[str, ...] = ()
    repeat: str = ""
    sessions: int = 1
    # Whether max_requests_per_role is off meanwhile.
    unlimited: bool = False


def _job(command: str, schedule: str, count: int = 1, **columns: str) -> str:
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    return f"""INSERT INTO my_job (job_command, schedule, datname{names})
               SELECT {command}, {schedule}, current_catalog{values} FROM generate_series(1, {count}) n"""


MANY_JOBS = _job("'SELECT 1'", "NULL", 10_000)
ONE_JOB = _job("'SELECT 1'", "NULL")
MOVE_TO_FULL = f"UPDATE my_job SET datname = '{FULL_DATABASE}'"
DEPENDENTS = _job("'SELECT 1'", "NULL", 9_999, run_after="(SELECT array_agg(job_id) FROM my_job)")
RUN_TWICE = """DO $$BEGIN PERFORM scheduler.run_once(current_query()), scheduler.run_once(current_query()); END$$"""
NOTICES = "DO $$BEGIN FOR i IN 1..10000 LOOP RAISE NOTICE ''%'', repeat(''x'', 500); END LOOP; END$$"
LONG_ERROR = "DO $$BEGIN RAISE EXCEPTION USING MESSAGE = repeat(''x'', 1000000); END$$"


def _requests(kind: str, each: int) -> str:
    return f"""INSERT INTO elephant_worker_internal.job_request (kind, job_id)
               SELECT '{kind}', j.job_id FROM my_job j, generate_series(1, {each})"""


def _floods(scale: int) -> list[Flood]:
    first = "(SELECT ARRAY[job_id] FROM my_job WHERE job_name = 'first')"
    again = "'SELECT scheduler.run_job(''loop''), scheduler.run_job(''loop'')'"
    return [
        Flood("nothing"),
        Flood("requests to run, as many as are let in", (ONE_JOB,), _requests("run", 500)),
        Flood("1 000 000 requests to run", (ONE_JOB, _requests("run", 1_000_000 // scale)), unlimited=True),
        Flood("3 000 000 cancellations", (ONE_JOB, _requests("cancel", 3_000_000 // scale)), unlimited=True),
        Flood("cancellations of 10 000 jobs", (MANY_JOBS,), _requests("cancel", 1)),
        Flood(
            "requests to run, cancelled in the same transaction",
            (_job("'SELECT 1'", "NULL", parallel="true"),),
            f"{_requests('run', 9_900)}; {_requests('cancel', 1)}",
        ),
        Flood(
            "9 900 requests to run that are given to another role and back",
            (ONE_JOB, _requests("run", 9_900)),
            f"UPDATE member_job SET rolname = CASE rolname WHEN '{MALLORY}' THEN '{ACCOMPLICE}' ELSE '{MALLORY}' END",
        ),
        Flood(
            "requests to run in a database at its CONNECTION LIMIT",
            (ONE_JOB, MOVE_TO_FULL),
            _requests("run", 500),
        ),
        Flood(
            "2 000 jobs every second with a start_deadline, in a database at its CONNECTION LIMIT",
            (_job("'SELECT 1'", "'1 second'", 2_000, start_deadline="'1 second'"), MOVE_TO_FULL),
        ),
        Flood(
            "2 000 jobs every second that fail, with retries, in a database with CONNECTION LIMIT 2",
            (
                _job("'SELECT 1/0'", "'1 second'", 2_000, max_retries="100", retry_delay="'100 ms'"),
                f"UPDATE my_job SET datname = '{NARROW_DATABASE}'",
            ),
        ),
        Flood(
            "20 000 run_once() in one statement",
            ("SELECT count(run_once('SELECT 1')) FROM generate_series(1, 20000)",),
            unlimited=True,
        ),
        Flood("run_once() in 4 sessions", repeat="SELECT run_once('SELECT 1')", sessions=4),
        Flood("5 jobs of 1 MB every second", (_job("'SELECT 1 -- ' || repeat('x', 1000000)", "'1 second'", 5),)),
        Flood("10 000 jobs every second", (_job("'SELECT 1'", "'1 second'", 10_000),)),
        Flood(
            "10 000 jobs every second in a database that lets nobody in",
            (
                f"ALTER DATABASE {OWN_DATABASE} ALLOW_CONNECTIONS true",
                _job("'SELECT 1'", "'1 second'", 10_000),
                f"UPDATE my_job SET datname = '{OWN_DATABASE}'",
                f"ALTER DATABASE {OWN_DATABASE} ALLOW_CONNECTIONS false",
            ),
        ),
        Flood(
            "10 000 jobs every second, failing, with retries",
            (_job("'SELECT 1/0'", "'1 second'", 10_000, max_retries="100", retry_delay="'100 ms'"),),
        ),
        Flood(
            "cancellations of 2 000 jobs that fail, with retries",
            (_job("'SELECT 1/0'", "'1 second'", 2_000, max_retries="100", retry_delay="'100 ms'"),),
            _requests("cancel", 1),
        ),
        Flood(
            "10 000 dependents of a job that is due every second",
            (
                _job("'SELECT 1'", "'1 second'", job_name="'first'"),
                _job("'SELECT 1'", "NULL", 9_999, run_after=first),
            ),
        ),
        Flood(
            "9 800 dependents of 100 jobs that are due every second",
            (
                _job("'SELECT 1'", "'1 second'", 100),
                _job("'SELECT 1'", "NULL", 9_800, run_after="(SELECT array_agg(job_id) FROM my_job)"),
            ),
        ),
        Flood("a fork bomb", (f"SELECT run_once($q${RUN_TWICE}$q$)",)),
        Flood(
            "an on_failure_command that runs its job twice",
            (
                _job("'SELECT 1/0'", "NULL", job_name="'loop'", parallel="true", on_failure_command=again),
                "SELECT run_job('loop')",
            ),
        ),
        Flood(
            # Not in all: whoever holds all connections of the server leaves none for others.
            "try_job() in 60 sessions",
            (_job("'SELECT pg_sleep(0.5)'", "NULL"),),
            "SELECT try_job(job_id) FROM my_job",
            sessions=60,
        ),
        Flood(
            "100 000 notifications in a transaction",
            repeat="SELECT count(pg_notify('elephant_worker_wake', n::text)) FROM generate_series(1, 100000) n",
        ),
        Flood("NOTIFY in 4 sessions", repeat="NOTIFY elephant_worker_wake", sessions=4),
        Flood("UPDATE of 10 000 jobs", (MANY_JOBS,), "UPDATE my_job SET job_description = random()::text"),
        Flood(
            "UPDATE of the schedules of 10 000 jobs",
            (MANY_JOBS,),
            "UPDATE my_job SET schedule = (1 + random() * 5)::int || ' seconds'",
        ),
        Flood("INSERT and DELETE of 10 000 jobs", repeat=f"{MANY_JOBS}; DELETE FROM my_job"),
        Flood(
            "define_job() in 4 sessions",
            repeat="SELECT define_job('job ' || (random() * 5000)::int, 'SELECT 1', schedule := '1 second')",
            sessions=4,
        ),
        Flood(
            "apply_jobs() with 1 000 jobs",
            repeat="""SELECT count(*) FROM apply_jobs((
                SELECT jsonb_agg(jsonb_build_object('job_name', 'job ' || n, 'job_command', 'SELECT 1',
                                                    'job_description', random()::text))
                FROM generate_series(1, 1000) n))""",
        ),
        Flood("10 000 overdue jobs", (_job("'SELECT 1'", "'@yearly'", 10_000, expect_success_within="'1 second'"),)),
        Flood(
            "INSERT and DELETE of 10 000 jobs, one and its dependents",
            repeat=f"{ONE_JOB}; {DEPENDENTS}; DELETE FROM my_job",
        ),
        Flood("32 runs every second with 10 000 notices each", (_job(f"'{NOTICES}'", "'1 second'", 32),)),
        Flood(
            "32 runs every second that return 1 000 000 rows",
            (_job("'SELECT repeat(''x'', 100) FROM generate_series(1, 1000000)'", "'1 second'", 32),),
        ),
        Flood("32 runs every second that fail with 1 MB of text", (_job(f"'{LONG_ERROR}'", "'1 second'", 32),)),
    ]


def measure(context: Context) -> None:
    with context.elephant_worker() as ours:
        _prepare(ours)
        crowd = ours.server.cluster.connect(FULL_DATABASE)
        for flood in _floods(20 if context.quick else 1):
            for per_role in SETTINGS:
                ours.server.admin.execute(
                    "UPDATE worker_setting SET max_running_jobs_per_role = %s, max_requests_per_role = %s",
                    (per_role, None if flood.unlimited else 10_000),
                )
                for tag in TAGS:
                    ours.every_second(1, record(tag))
                time.sleep(1.5)
                # Connected before the flood, which may leave no connection to anybody.
                with ours.server.cluster.connect_as(VICTIM) as victim:
                    victim.execute("SET search_path = scheduler")
                    before = _lateness(ours, victim, 4 if context.quick else 8)
                    with _flooded(ours, flood):
                        during = _lateness(ours, victim, 6 if context.quick else 12)
                _end(ours)
                case = f"{flood.name}, max_running_jobs_per_role = {per_role or 'NULL'}"
                for name, values in [*before.items(), *during.items()]:
                    when = "before" if values is before[name] else "during"
                    context.record(f"lateness {when}, {name}", ours.name, case, "ms", values)
                print(
                    case, *(f"{name}: {_brief(before[name])} -> {_brief(during[name])}" for name in before), flush=True
                )
        crowd.close()


def _brief(values: list[float]) -> str:
    return f"{percentile(values, 50):.0f} ({max(values):.0f}) ms"


def _prepare(ours: ElephantWorker) -> None:
    admin = ours.server.admin
    for role in (VICTIM, MALLORY, ACCOMPLICE):
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
        admin.execute(f"GRANT job_scheduler TO {role}")
        admin.execute(f"GRANT USAGE ON SCHEMA scheduler TO {role}")
    admin.execute(f"GRANT {ACCOMPLICE} TO {MALLORY}")
    admin.execute(f"CREATE DATABASE {OWN_DATABASE} OWNER {MALLORY}")
    admin.execute(f"CREATE DATABASE {FULL_DATABASE} CONNECTION LIMIT 1")
    admin.execute(f"CREATE DATABASE {NARROW_DATABASE} CONNECTION LIMIT 2")
    ours.places = [("postgres", VICTIM)]


def _lateness(ours: ElephantWorker, victim: psycopg.Connection[Any], seconds: float) -> dict[str, list[float]]:
    """By how many milliseconds the victim's runs start late, for so long: of each due time of its jobs, and of each
    run that it asks for. What has not started a minute later counts as that late."""
    server = ours.server
    asked: dict[str, datetime] = {}
    begun = server.value("SELECT clock_timestamp()")
    while (now := server.value("SELECT clock_timestamp()")) < begun + timedelta(seconds=seconds):
        tag = f"asked {len(asked)}"
        asked[tag] = now
        victim.execute("SELECT run_once(%s)", (record(tag),))
        time.sleep(ASK_INTERVAL)
    late: dict[str, list[float]] = {"due": [], "asked for": []}
    for tag in TAGS:
        first = server.value(
            "SELECT min(scheduled_at) FROM job_log WHERE job_command = %s AND cause = 'schedule'", record(tag)
        )
        due = [first + timedelta(seconds=n) for n in range(int((now - first).total_seconds()))]
        begins = _witnessed_after(server, tag, due[-1])
        late["due"] += [_after(moment, begins[bisect_left(begins, moment)]) for moment in due if moment >= begun]
    for tag, moment in asked.items():
        late["asked for"].append(_after(moment, _witnessed_after(server, tag, moment)[0]))
    server.admin.execute("TRUNCATE public.witness")
    return late


def _witnessed_after(server: Server, tag: str, moment: datetime) -> list[datetime]:
    """When the runs with this tag have begun, one of them after this moment; or now, if none has within a minute."""
    server.until(lambda: (begins := server.witnessed(tag)) and begins[-1] >= moment, 60)
    return [*server.witnessed(tag), server.value("SELECT clock_timestamp()")]


def _after(due: datetime, began: datetime) -> float:
    return (began - due).total_seconds() * 1000


@contextmanager
def _flooded(ours: ElephantWorker, flood: Flood) -> Iterator[None]:
    def connect() -> psycopg.Connection[Any]:
        session = ours.server.cluster.connect_as(MALLORY)
        session.execute("SET search_path = scheduler")
        return session

    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            try:
                with connect() as session:
                    while not over.is_set():
                        try:
                            session.execute(flood.repeat)
                        except psycopg.Error:  # a limit
                            over.wait(0.02)
            except psycopg.OperationalError:  # no connection to be had
                over.wait(0.1)

    with connect() as session:
        for statement in flood.prepare:
            session.execute(statement)
    threads = [threading.Thread(target=repeat, daemon=True) for _ in range(flood.sessions if flood.repeat else 0)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    yield
    over.set()
    for thread in threads:
        thread.join(60)


def _end(ours: ElephantWorker) -> None:
    """Stop all that Mallory has begun, without waiting for what she has asked for."""
    admin = ours.server.admin
    ours.stop_worker()
    admin.execute("DELETE FROM member_job")
    for table in ("worker_request", "once_job", "job_log", "pending_run", "job_change"):
        admin.execute(f"TRUNCATE {table}")
    admin.execute("VACUUM ANALYZE")
    admin.execute("SELECT start_worker()")
