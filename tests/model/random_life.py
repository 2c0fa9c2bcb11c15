"""Random histories on a real server: definitions, edits, requests and faults from several sessions and roles."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from harness.scheduler import Scheduler
from harness.waiting import until
from tests.model.history import Attributes, Change, Event, History

RECORD = (
    "INSERT INTO public.witness VALUES (current_setting('elephant_worker.job_id')::bigint,"
    " current_setting('elephant_worker.scheduled_at')::timestamptz,"
    " current_setting('elephant_worker.attempt')::int)"
)
COMMANDS = [
    f"{RECORD}",
    f"{RECORD}; SELECT pg_sleep(0.4)",
    "SELECT 1/0",
    "DO $$ BEGIN IF random() < 0.5 THEN RAISE EXCEPTION 'tails'; END IF; END $$",
    "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'again'; END $$",
    "SELECT pg_sleep(3)",
]
SCHEDULES = [None, "1 seconds", "2 seconds", "3 seconds", "*/2 * * * * *", "@after 1 second", "@reboot"]
ROWS = """SELECT jl_id, job_id, cause, caused_by, attempt, state, job_sqlstate, exception_message, missed_count,
    rolname, datname, job_command, extract(epoch FROM scheduled_at)::float8 AS scheduled_at,
    extract(epoch FROM job_started)::float8 AS job_started,
    extract(epoch FROM job_finished)::float8 AS job_finished, extract(epoch FROM missed_until)::float8 AS missed_until
    FROM all_job_log ORDER BY jl_id"""
STATISTICS = """SELECT job_id, runs, failures, cancelled, skipped, missed, last_states,
    extract(epoch FROM last_executed)::float8 AS last_executed,
    extract(epoch FROM last_success)::float8 AS last_success FROM job_stats ORDER BY job_id"""
JOBS = """SELECT job_id, failure_count, success_count, extract(epoch FROM disabled_at)::float8 AS disabled_at,
    extract(epoch FROM retry_at)::float8 AS retry_at, extract(epoch FROM next_run_at)::float8 AS next_run_at
    FROM all_job ORDER BY job_id"""
ALERTS = """SELECT alert_id, event, job_id, jl_id, rolname, datname, sqlstate, attempt, retry, repetition,
    extract(epoch FROM raised_at)::float8 AS at FROM all_alert ORDER BY alert_id"""
ATTRIBUTES = """SELECT j.job_id, j.schedule, j.enabled, j.parallel, j.max_retries, j.retry_on, j.disable_after,
    j.catch_up, j.catch_up_limit, j.run_after, j.run_when, j.on_failure_command, j.job_command, j.rolname, j.datname,
    extract(epoch FROM j.job_timeout)::float8 AS job_timeout, extract(epoch FROM j.retry_delay)::float8 AS retry_delay,
    extract(epoch FROM j.max_retry_delay)::float8 AS max_retry_delay,
    extract(epoch FROM j.expect_success_within)::float8 AS expect_success_within,
    extract(epoch FROM j.schedule_set_at)::float8 AS schedule_set_at FROM job j WHERE j.job_id = %s"""


class RandomLife:
    """Does things at random, and notes when it did them."""

    def __init__(self, scheduler: Scheduler, seed: int) -> None:
        self.scheduler = scheduler
        self.random = random.Random(seed)
        self.jobs: list[int] = []
        self._owners: dict[int, int] = {}
        self.history = History(seed, start_grace=2.0, begin=time.time())
        # Of the second one the name is changed now and then; the third one is dropped and created anew.
        self.roles = [scheduler.role("life") for _ in range(3)]
        # It is dropped and created anew; the jobs there.
        self.elsewhere = scheduler.database("elsewhere")
        self._jobs_elsewhere: set[int] = set()
        self.sessions = [self.connect(role) for role in self.roles]
        self.reader = scheduler.connect()
        self.reader.row_factory = dict_row
        self.listener = scheduler.connect()
        self.listener.execute("LISTEN elephant_worker")
        scheduler.execute("CREATE TABLE public.witness (job_id bigint, due timestamptz, attempt int)")
        scheduler.execute("GRANT INSERT ON public.witness TO PUBLIC")
        scheduler.execute(
            "UPDATE worker_setting SET start_grace = '2 seconds', cancel_grace = '300 ms', log_max_rows = NULL"
        )
        # Transactions that are left open: a session, the changes made in it, and when it is to end.
        self.open: list[tuple[psycopg.Connection[Any], list[tuple[int, str]], float]] = []

    # --- what is done -------------------------------------------------------------------------

    def live(self, seconds: float) -> History:
        """Do things for so long, then wait until all has ended; the history of it."""
        self.scheduler.start()
        end = time.monotonic() + seconds
        kinds = {
            self.define: 6,
            self.change: 8,
            self.run_job: 8,
            self.run_once: 1,
            self.cancel_job: 3,
            self.cancel_run: 2,
            self.delete: 1,
            self.leave_open: 2,
            self.pause: 1,
            self.stop: 1,
            self.terminate_worker: 1,
            self.terminate_sessions: 1,
            self.rename_role: 1,
            self.replace_role: 1,
            self.replace_database: 1,
        }
        self.define()  # most of the rest needs a job, and chance may not come to it
        while time.monotonic() < end:
            self.end_open_transactions()
            (do,) = self.random.choices(list(kinds), weights=list(kinds.values()))
            do()
            time.sleep(self.random.random() * 0.3)
        self.end_open_transactions(all_of_them=True)
        return self.finish()

    def connect(self, role: str) -> psycopg.Connection[Any]:
        """A session that does not wait long for transactions that are left open."""
        session = self.scheduler.connect_as(role)
        session.execute("SET lock_timeout = '300 ms'")
        return session

    def attributes(self, job_id: int) -> Attributes | None:
        row = self.reader.execute(ATTRIBUTES, (job_id,)).fetchone()
        return None if row is None else {**row}

    def noted(self, kind: str, job_id: int, begin: float) -> None:
        """Note a change that has just been committed."""
        attributes = self.attributes(job_id)
        self.history.changes.append(Change(job_id, begin, time.time(), kind, attributes))

    def event(self, kind: str, begin: float, **more: Any) -> None:
        self.history.events.append(Event(kind, begin, time.time(), **more))

    def some_attributes(self, owner: int) -> dict[str, Any]:
        chance = self.random
        own = [job for job in self.jobs if self.owner(job) == owner]
        given: dict[str, Any] = {
            "schedule": chance.choice(SCHEDULES),
            "parallel": chance.random() < 0.25,
            "max_retries": chance.choice([0, 0, 1, 3]),
            "retry_delay": chance.choice(["300 ms", "1 second", "5 seconds"]),
            "max_retry_delay": "10 seconds",
            "disable_after": chance.choice([None, None, None, 2, 4]),
            "catch_up": chance.choice(["skip", "once", "all"]),
            "catch_up_limit": chance.choice([1, 3, 100]),
            "on_failure_command": chance.choice([None, "SELECT 1", "SELECT 1"]),
            "job_timeout": chance.choice(["1 second", "1 hour"]),
            "expect_success_within": chance.choice([None, None, "2 seconds"]),
            "timezone": "UTC",
        }
        if own and chance.random() < 0.3:
            given["run_after"] = chance.sample(own, min(len(own), chance.choice([1, 1, 2])))
            given["run_when"] = chance.choice(["on_success", "on_failure", "always"])
        return given

    def owner(self, job_id: int) -> int:
        return self._owners[job_id]

    def insert(self, session: psycopg.Connection[Any], owner: int) -> int:
        given = {name: value for name, value in self.some_attributes(owner).items() if value is not None}
        arguments = sql.SQL("").join(sql.SQL(", {} := %s").format(sql.Identifier(name)) for name in given)
        here = self.random.random() < 0.8
        # The witness is here.
        command = self.random.choice(COMMANDS if here else [text for text in COMMANDS if RECORD not in text])
        row = session.execute(
            sql.SQL("SELECT job_id FROM insert_job(%s, %s{})").format(arguments),
            [command, self.scheduler.dbname if here else self.elsewhere, *given.values()],
        ).fetchone()
        assert row is not None
        job_id = int(row[0])
        self._owners[job_id] = owner
        if not here:
            self._jobs_elsewhere.add(job_id)
        return job_id

    def define(self) -> None:
        if len(self.jobs) >= 25:
            return
        owner = self.random.randrange(len(self.sessions))
        begin = time.time()
        try:
            job_id = self.insert(self.sessions[owner], owner)
        except psycopg.Error:
            return
        self.jobs.append(job_id)
        self.noted("define", job_id, begin)

    def some_change(self, job_id: int) -> tuple[str, dict[str, Any]]:
        chance, here = self.random, job_id not in self._jobs_elsewhere
        some = ["300 ms", "2 seconds"]
        changes: list[tuple[str, dict[str, Any]]] = [
            ("describe", {"job_description": str(chance.random())}),
            ("enable", {"enabled": chance.random() < 0.6}),
            ("schedule", {"schedule": chance.choice(SCHEDULES[1:])}),
            ("retries", {"max_retries": chance.choice([0, 2]), "retry_delay": chance.choice(some)}),
            ("command", {"job_command": chance.choice(COMMANDS if here else COMMANDS[2:])}),
            ("run_when", {"run_when": chance.choice(["on_success", "on_failure", "always"])}),
            ("disable_after", {"disable_after": chance.choice([2, 5])}),
        ]
        return chance.choice(changes)

    def update(self, session: psycopg.Connection[Any], job_id: int, given: dict[str, Any]) -> None:
        arguments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in given)
        session.execute(
            sql.SQL("UPDATE member_job SET {} WHERE job_id = %s").format(arguments), [*given.values(), job_id]
        )

    def change(self) -> None:
        if not self.jobs:
            return
        job_id = self.random.choice(self.jobs)
        kind, given = self.some_change(job_id)
        begin = time.time()
        try:
            self.update(self.sessions[self.owner(job_id)], job_id, given)
        except psycopg.Error:
            return
        self.noted(kind, job_id, begin)

    def delete(self) -> None:
        if len(self.jobs) < 8:
            return
        job_id = self.random.choice(self.jobs)
        begin = time.time()
        try:
            self.sessions[self.owner(job_id)].execute("SELECT delete_job(%s)", (job_id,))
        except psycopg.errors.LockNotAvailable:
            return
        self.jobs.remove(job_id)
        self.noted("delete", job_id, begin)

    def run_job(self) -> None:
        if not self.jobs:
            return
        job_id = self.random.choice(self.jobs)
        begin = time.time()
        row = self.sessions[self.owner(job_id)].execute("SELECT run_job(%s)", (job_id,)).fetchone()
        assert row is not None
        self.event("run_job", begin, job_id=job_id, result=row[0])

    def run_once(self) -> None:
        begin = time.time()
        row = self.sessions[0].execute("SELECT run_once('SELECT 1')").fetchone()
        assert row is not None
        self.event("run_once", begin, result=row[0])

    def cancel_job(self) -> None:
        if not self.jobs:
            return
        job_id = self.random.choice(self.jobs)
        begin = time.time()
        self.sessions[self.owner(job_id)].execute("SELECT cancel_job(%s)", (job_id,))
        self.event("cancel_job", begin, job_id=job_id)

    def cancel_run(self) -> None:
        waiting = self.reader.execute(
            "SELECT jl_id, job_id FROM job_log WHERE state = 'running' UNION ALL"
            " SELECT jl_id, job_id FROM waiting_run ORDER BY jl_id"
        ).fetchall()
        if waiting:
            row = self.random.choice(waiting)
            begin = time.time()
            try:
                self.scheduler.execute("SELECT cancel_run({})", sql.Literal(row["jl_id"]))
            except psycopg.errors.NoDataFound:
                return  # it has started since, or its job is gone
            self.event("cancel_run", begin, jl_id=row["jl_id"], job_id=row["job_id"])

    def leave_open(self) -> None:
        """A transaction that defines, asks and changes, and is committed or rolled back some seconds later."""
        if len(self.open) >= 2:
            return
        owner = self.random.randrange(len(self.sessions))
        session = self.connect(self.roles[owner])
        session.autocommit = False
        changes: list[tuple[int, str]] = []
        try:
            job_id = self.insert(session, owner)
            changes.append((job_id, "define"))
            if self.random.random() < 0.5:
                row = session.execute("SELECT run_job(%s)", (job_id,)).fetchone()
                assert row is not None
                changes.append((row[0], "run_job"))
            own = [job for job in self.jobs if self.owner(job) == owner]
            if own and self.random.random() < 0.5:
                other = self.random.choice(own)
                kind, given = self.some_change(other)
                self.update(session, other, given)
                changes.append((other, kind))
        except psycopg.Error:
            session.rollback()
            session.close()
            return
        self.open.append((session, changes, time.monotonic() + self.random.random() * 4))

    def end_open_transactions(self, all_of_them: bool = False) -> None:
        for entry in list(self.open):
            session, changes, when = entry
            if not all_of_them and time.monotonic() < when:
                continue
            self.open.remove(entry)
            begin = time.time()
            if self.random.random() < 0.3:
                session.rollback()
            else:
                session.commit()
                for number, kind in changes:
                    if kind == "run_job":
                        self.event("run_job", begin, job_id=changes[0][0], result=number)
                        continue
                    if kind == "define":
                        self.jobs.append(number)
                    self.noted(kind, number, begin)
            session.close()

    # --- faults -------------------------------------------------------------------------------

    def away(self, begin: float) -> None:
        """Note that from then on until now nothing was started, perhaps."""
        self.history.events.append(Event("away", begin, time.time() + 1.0))

    def pause(self) -> None:
        begin = time.time()
        self.scheduler.execute("SELECT pause_jobs()")
        paused = time.time()
        time.sleep(self.random.choice([0.5, 3.0]))
        self.run_job()
        self.end_open_transactions()
        self.history.events.append(Event("paused", paused, time.time()))
        self.scheduler.execute("SELECT resume_jobs()")
        self.away(begin)

    def stop(self) -> None:
        begin = time.time()
        self.scheduler.stop()
        stopped = time.time()
        self.change()
        time.sleep(self.random.choice([0.5, 3.0]))
        self.end_open_transactions()
        self.history.events.append(Event("stopped", stopped, time.time()))
        self.scheduler.start()
        self.away(begin)

    def terminate_worker(self) -> None:
        begin = time.time()
        self.scheduler.execute("SELECT pg_terminate_backend(pid, 5000) FROM worker_state WHERE pid IS NOT NULL")
        until(lambda: self.scheduler.value("SELECT start_worker()"), "the worker")
        self.away(begin)

    def terminate_sessions(self) -> None:
        self.scheduler.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename LIKE 'elephant\\_worker\\_%' AND random() < 0.5"
        )

    def rename_role(self) -> None:
        """Quarantine for the jobs of a role, for a while."""
        role = self.roles[1]
        begin = time.time()
        self.scheduler.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(role), sql.Identifier(role + " away"))
        time.sleep(self.random.choice([0.5, 2.5]))
        self.scheduler.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(role + " away"), sql.Identifier(role))
        self.scheduler.execute("ALTER ROLE {} PASSWORD {}", sql.Identifier(role), sql.Literal(role))
        self.quarantined(begin, [job_id for job_id, owner in self._owners.items() if owner == 1])

    def replace_role(self) -> None:
        """Another role gets the name of one, and then its jobs."""
        self.end_open_transactions(all_of_them=True)  # which may have made the role known, and locked that
        role = self.roles[2]
        begin = time.time()
        self.sessions[2].close()
        self.scheduler.execute("DROP ROLE {}", sql.Identifier(role))
        time.sleep(self.random.choice([0.0, 1.5]))
        self.scheduler.execute("CREATE ROLE {} LOGIN PASSWORD {}", sql.Identifier(role), sql.Literal(role))
        self.scheduler.execute("GRANT job_scheduler TO {}", sql.Identifier(role))
        time.sleep(self.random.choice([0.0, 1.5]))
        self.scheduler.execute("SELECT confirm_role({})", sql.Literal(role))
        self.sessions[2] = self.connect(role)
        self.quarantined(begin, [job_id for job_id, owner in self._owners.items() if owner == 2])

    def replace_database(self) -> None:
        """Another database gets the name of one, and then its jobs."""
        self.end_open_transactions(all_of_them=True)  # which may have changed jobs there
        begin = time.time()
        self.scheduler.execute("DROP DATABASE {} WITH (FORCE)", sql.Identifier(self.elsewhere))
        time.sleep(self.random.choice([0.0, 1.5]))
        self.scheduler.execute("CREATE DATABASE {}", sql.Identifier(self.elsewhere))
        time.sleep(self.random.choice([0.0, 1.5]))
        for job_id in self._jobs_elsewhere.intersection(self.jobs):
            at = time.time()
            self.scheduler.execute("UPDATE member_job SET defined_by = rolname WHERE job_id = {}", sql.Literal(job_id))
            self.noted("take over", job_id, at)
        self.quarantined(begin, self._jobs_elsewhere)

    def quarantined(self, begin: float, job_ids: Iterable[int]) -> None:
        """Note that from then on until now these jobs may have been in quarantine."""
        for job_id in job_ids:
            self.history.events.append(Event("quarantine", begin, time.time() + 2.0, job_id=job_id))

    # --- the end ------------------------------------------------------------------------------

    def finish(self) -> History:
        """Wait until all that was asked for has ended, and read what there is."""
        scheduler, history = self.scheduler, self.history
        for job_id in list(self.jobs):
            begin = time.time()
            # No alert is raised either while what has happened is read.
            scheduler.execute(
                "UPDATE job SET schedule = NULL, expect_success_within = NULL"
                " WHERE job_id = {} AND (schedule IS NOT NULL OR expect_success_within IS NOT NULL)",
                sql.Literal(job_id),
            )
            self.noted("end", job_id, begin)
        history.end = time.time()
        idle = """SELECT NOT EXISTS (SELECT FROM worker_request WHERE kind <> 'set')
            AND NOT EXISTS (SELECT FROM pending_run) AND NOT EXISTS (SELECT FROM job_log WHERE state = 'running')"""
        waiting = """SELECT string_agg(w::text, ' ') FROM (SELECT i::text FROM worker_request i UNION ALL
            SELECT p::text FROM pending_run p UNION ALL SELECT l::text FROM job_log l WHERE l.state = 'running') w"""
        try:
            until(lambda: scheduler.value(idle), "all runs to end", 60)
        except AssertionError as error:
            status = scheduler.execute("SELECT * FROM worker_status").fetchone()
            raise AssertionError(f"seed {history.seed}: still waiting: {scheduler.value(waiting)}; {status}") from error
        scheduler.tick()
        until(lambda: scheduler.value(idle), "all that follows to end", 120)
        history.log = [{**row} for row in self.reader.execute(ROWS)]
        history.jobs = [{**row} for row in self.reader.execute(JOBS)]
        history.alerts = [{**row} for row in self.reader.execute(ALERTS)]
        history.statistics = [{**row} for row in self.reader.execute(STATISTICS)]
        witness = self.reader.execute(
            "SELECT job_id, extract(epoch FROM due)::float8 AS due, attempt FROM public.witness"
        )
        history.witness = [(row["job_id"], row["due"], row["attempt"]) for row in witness]
        for notification in self.listener.notifies(timeout=0.5):
            heard = json.loads(notification.payload)
            heard["at"] = datetime.fromisoformat(heard["at"]).timestamp()
            history.notifications.append(heard)
        for connection in (self.reader, self.listener):
            connection.close()
        return history
