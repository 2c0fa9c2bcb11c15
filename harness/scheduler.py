"""A control database of its own for a test: with the extension, its worker, roles and further databases."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from harness.cluster import Cluster
from harness.waiting import TIMEOUT, until

# A name that must be quoted wherever it stands.
SCHEMA = "Elephant Test"
# Where users do not look, but tests do.
INTERNAL = "elephant_worker_internal"
TEMPLATE = "elephant template"


class Scheduler:
    """A database with the extension, whose worker is started by `start()`."""

    _numbers = itertools.count(1)

    def __init__(self, cluster: Cluster, dbname: str) -> None:
        self.cluster = cluster
        self.dbname = dbname
        self._connections: list[psycopg.Connection[Any]] = []
        self.admin = self.connect()
        self._databases: list[str] = []
        self._roles: list[str] = []

    def connect(self) -> psycopg.Connection[Any]:
        """A session of the superuser in this database, with the scheduler in its search_path."""
        return self._prepared(self.cluster.connect(self.dbname))

    def connect_as(self, role: str) -> psycopg.Connection[Any]:
        """A session of an ordinary role in this database."""
        return self._prepared(self.cluster.connect_as(role, self.dbname))

    def _prepared(self, connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
        connection.execute(
            sql.SQL("SET search_path = public, {}, {}").format(sql.Identifier(SCHEMA), sql.Identifier(INTERNAL))
        )
        self._connections.append(connection)
        return connection

    def role(self, name: str = "app", options: str = "LOGIN", scheduler: bool = True) -> str:
        """Create a role of a name of its own; its password is its name."""
        name = f"{name} {next(self._numbers)}"
        self.execute("CREATE ROLE {} PASSWORD {} " + options, sql.Identifier(name), sql.Literal(name))
        if scheduler:
            self.execute("GRANT job_scheduler TO {}", sql.Identifier(name))
        self._roles.append(name)
        return name

    def database(self, name: str = "weborder", owner: str | None = None) -> str:
        """Create a further database."""
        name = f"{name} {next(self._numbers)}"
        self.execute("CREATE DATABASE {}", sql.Identifier(name))
        if owner is not None:
            self.execute("ALTER DATABASE {} OWNER TO {}", sql.Identifier(name), sql.Identifier(owner))
        self._databases.append(name)
        return name

    def execute(self, statement: str, *parts: sql.Composable) -> psycopg.Cursor[Any]:
        """Execute a statement as the superuser, with the parts put in for {}."""
        return self.admin.execute(sql.SQL(statement).format(*parts) if parts else statement)

    def start(self) -> int:
        """Start the worker; returns its process id."""
        pid: int = self.value("SELECT start_worker()")
        return pid

    def tick(self) -> None:
        """Wait until the worker has done a whole turn that began later than now."""
        self._turn(lambda: None)

    def wake(self) -> None:
        """Like tick(), but at once: without what the worker does only when it looks around by itself."""
        self._turn(lambda: self.execute("NOTIFY elephant_worker_wake"))
        self.seen()

    def _turn(self, ask: Callable[[], object]) -> None:
        moment = self.value("SELECT clock_timestamp()")

        # The last_tick of worker_status, which to plan and to count takes eight times as long.
        tick = """SELECT a.xact_start FROM worker_state s CROSS JOIN pg_stat_get_activity(s.pid) a
                  WHERE a.backend_start = s.backend_start AND a.xact_start > %s"""

        def turned() -> Any:
            ask()
            return self.value(tick, moment)

        for _ in range(2):  # the first one to end may have begun before
            moment = until(turned, "a turn")

    def seen(self) -> None:
        """Wait until the worker has followed all that was committed: definitions, settings, cancellations."""
        until(lambda: not self.value("SELECT EXISTS (SELECT FROM worker_request WHERE kind <> 'run')"), "it to be seen")

    def pause(self) -> None:
        """Have the worker start nothing more from now on."""
        self.execute("SELECT pause_jobs()")
        self.seen()

    def configure(self, assignments: str) -> None:
        """Change settings; the worker, which runs, obeys them from now on."""
        self.execute(f"UPDATE worker_setting SET {assignments}")
        self.seen()

    def due(self, job_id: int) -> Any:
        """When a job is due next, as the worker sees it: before that the views have a forecast, which it may miss."""
        due = """SELECT s.next_run_at FROM job_state s JOIN job j USING (job_id, schedule_set_at)
                 WHERE s.job_id = %s AND s.next_run_at IS NOT NULL"""
        return until(lambda: self.value(due, job_id), f"a due time of job {job_id}")

    @contextmanager
    def gate(self) -> Iterator[str]:
        """A command that goes on, in this database, until the block ends."""
        number = next(self._numbers)
        with self.connect() as session, session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
            yield f"SELECT pg_advisory_xact_lock_shared({number})"

    def halt(self) -> int:
        """Halt the worker's process, which holds no lock then; returns its number, for SIGCONT."""
        pid: int = self.value("SELECT pid FROM worker_state")
        held = "SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype <> 'virtualxid'"

        def halted() -> bool:
            os.kill(pid, signal.SIGSTOP)
            if self.value(held, pid) == 0:
                return True
            os.kill(pid, signal.SIGCONT)
            return False

        until(halted, "the worker to hold no lock")
        return pid

    def kill(self) -> None:
        """Terminate the worker and the spare session that would take over from it."""
        spare = until(lambda: self.value("SELECT spare_pid FROM worker_state"), "the spare")
        self.execute("SELECT pg_terminate_backend(p) FROM worker_state, unnest(ARRAY[spare_pid, pid]) p")
        self._gone()
        there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        until(lambda: not self.value(there, spare), "the spare to end")

    def stop(self) -> None:
        """Stop the worker, and wait until it has gone."""
        self.admin.execute("SELECT stop_worker()")
        self._gone()

    def _gone(self) -> None:
        """Wait until no worker runs; worker_status, which says so too, counts much else."""
        until(lambda: self.value("SELECT worker_pid()") is None, "the worker to end")

    def value(self, query: str, *parameters: Any) -> Any:
        """The only value that a query of the superuser returns."""
        row = self.admin.execute(query, parameters or None).fetchone()
        return None if row is None else row[0]

    def worker_code(self, name: str, parameters: str, body: str) -> None:
        """Create a function of a schema and these parameters that runs the worker's own code and returns bigint[]."""
        # The functions of the extension begin with what loads its package.
        source = self.value("SELECT prosrc FROM pg_proc WHERE proname = 'run_worker_loop'")
        self.admin.execute(
            f"CREATE FUNCTION {name}(schema text, {parameters}) RETURNS bigint[] "
            f"LANGUAGE plpython3u AS $body${source.partition('return elephant(')[0]}{body}$body$"
        )

    def log(self, job_id: int | None = None) -> list[Any]:
        """The log, as the superuser sees it."""
        return self.admin.execute(
            "SELECT * FROM member_job_log WHERE job_id = coalesce(%s, job_id) ORDER BY jl_id", (job_id,)
        ).fetchall()

    def successes(self, job_id: int) -> int:
        """How many of the job's runs have succeeded; a slow machine may have missed or skipped others."""
        return len([run for run in self.log(job_id) if run.state == "succeeded"])

    def ended(self, jl_id: int, seconds: float = TIMEOUT) -> Any:
        """The log row of a run, once it has ended."""
        ended = "SELECT * FROM member_job_log WHERE jl_id = %s AND state <> 'running'"
        try:
            return until(lambda: self.admin.execute(ended, (jl_id,)).fetchone(), f"run {jl_id} to end", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.picture()}") from None

    def picture(self) -> str:
        """What the worker, the sessions and the log are at, for whoever wonders why nothing happens."""
        rows: list[Any] = []
        for query in (
            "SELECT clock_timestamp(), w.* FROM worker_status w",
            """SELECT pid, application_name, usename, datname, state, wait_event_type, wait_event, backend_start,
                   xact_start, left(query, 60) AS query FROM pg_stat_activity WHERE pid <> pg_backend_pid()""",
            "SELECT * FROM worker_request",
            "SELECT * FROM job_log ORDER BY jl_id DESC LIMIT 3",
        ):
            rows += self.admin.execute(query)
        return "\n".join(map(str, rows))

    def run(self, command: str, datname: str | None = None, rolname: str | None = None, **options: Any) -> Any:
        """Define a job as the superuser, have it run now, and return its log row once it has ended."""
        job_id = self.insert(command, datname, rolname=rolname, **options)
        return self.ended(self.value("SELECT run_job(%s)", job_id))

    def insert(self, command: str, datname: str | None = None, **options: Any) -> int:
        """Define a job as the superuser; returns its number."""
        given = {name: value for name, value in options.items() if value is not None}
        arguments = sql.SQL("").join(sql.SQL(", {} := %s").format(sql.Identifier(name)) for name in given)
        row = self.admin.execute(
            sql.SQL("SELECT job_id FROM insert_job(%s, %s{})").format(arguments),
            [command, datname or self.dbname, *given.values()],
        ).fetchone()
        assert row is not None
        return int(row.job_id)

    def close(self) -> None:
        """Stop the worker and drop everything."""
        for connection in self._connections:
            if connection is not self.admin:
                connection.close()
        if self.value("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'elephant_worker')"):
            self.stop()
        self.admin.close()
        with self.cluster.connect() as admin:
            for name in [*self._databases, self.dbname]:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            # A worker that ran in one of them had no time to drop its runners.
            runners = admin.execute(
                """SELECT r.rolname FROM pg_roles r WHERE r.rolname ~ '^elephant_worker_[0-9]+_[0-9]+$'
                   AND split_part(r.rolname, '_', 3) NOT IN (SELECT d.oid::text FROM pg_database d)"""
            ).fetchall()
            for name in [*(row.rolname for row in runners), *reversed(self._roles)]:
                if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None:
                    admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
                    admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def with_template(cluster: Cluster) -> Cluster:
    """Create the database that the tests' databases are copies of."""
    with cluster.connect() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    with cluster.connect(TEMPLATE) as admin:
        admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        admin.execute(sql.SQL("CREATE EXTENSION elephant_worker SCHEMA {} CASCADE").format(sql.Identifier(SCHEMA)))
    return cluster


def new_scheduler(cluster: Cluster) -> Scheduler:
    """A database of its own with the extension."""
    dbname = f"control {next(Scheduler._numbers)}"
    # To copy files takes less than half of what it takes to write each page into the WAL, and what the first session of
    # a database has to find out of the catalogs is copied with them.
    create = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
    with cluster.connect() as admin:
        admin.execute(sql.SQL(create).format(sql.Identifier(dbname), sql.Identifier(TEMPLATE)))
    return Scheduler(cluster, dbname)
