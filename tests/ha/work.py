"""What the nodes have to do, and the audit of it: jobs that leave a trace inside of their cluster, in a file outside of
it, and on another server."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from harness.audit import ENDED, ROWS, account
from harness.cluster import Installation
from harness.waiting import until
from tests.ha.group import Group, Node
from tests.ha.machine import USER, Machine, run

DUE, RUN = (f"current_setting('elephant_worker.{name}')" for name in ("scheduled_at", "run_id"))
# Appends a line to a file.
APPEND = f"""DO $$ BEGIN EXECUTE format(
    'COPY (SELECT extract(epoch FROM %L::timestamptz), extract(epoch FROM clock_timestamp()), %L) TO PROGRAM %L',
    {DUE}, current_setting('data_directory'), 'cat >>{{file}}');
END $$"""


def jobs(file: Path) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By name schedule, command, and what else is said of the job."""

    def trace(job: str) -> str:
        return f"INSERT INTO public.trace VALUES ('{job}', {DUE}::timestamptz, {RUN}::bigint)"

    again = {"max_retries": 3, "retry_on": ["lost"], "retry_delay": "1 second"}
    return {
        "inside": ("1 second", trace("inside"), {}),
        "file": ("1 second", APPEND.format(file=file), {"rolname": "postgres"}),
        "far": ("1 second", trace("far"), {"server": "far"}),
        "made up for": ("3 seconds", trace("made up for"), {"catch_up": "all", "catch_up_limit": 1000}),
        "tried again": ("5 seconds", f"{trace('tried again')}; SELECT pg_sleep(3)", again),
        "long": ("20 seconds", f"{trace('long')}; SELECT pg_sleep(16)", {}),
    }


class Outside:
    """What is not of the cluster, and remembers what runs have done: a server, and a file."""

    def __init__(self, installation: Installation, directory: Path) -> None:
        self.machine = Machine(9, directory)
        self.file = self.machine.directory / "effects"
        self.file.touch()
        run("chown", USER, str(self.file))
        data = self.machine.directory / "data"
        run(
            "runuser",
            "-u",
            USER,
            "--",
            f"{installation.bindir}/initdb",
            "--no-sync",
            "--auth=scram-sha-256",
            f"--pwfile={self._password()}",
            f"--pgdata={data}",
        )
        with (data / "pg_hba.conf").open("a") as hba:
            hba.write("host all all 10.47.0.0/24 scram-sha-256\n")
        settings = ["-c", "listen_addresses=*", "-c", f"unix_socket_directories={data}", "-c", "fsync=off"]
        self.machine.services = [
            ["runuser", "-u", USER, "--", f"{installation.bindir}/postgres", "-D", str(data), *settings]
        ]
        self.machine.boot()
        self.session = until(self._connect, "the server outside")
        self.session.execute("CREATE ROLE clerk LOGIN PASSWORD 'beans'")
        self.session.execute(
            "CREATE TABLE trace (job text, due timestamptz, run bigint, at timestamptz DEFAULT clock_timestamp())"
        )
        self.session.execute("GRANT ALL ON trace TO clerk")

    def _password(self) -> Path:
        file = self.machine.directory / "password"
        file.write_text("outside")
        run("chown", USER, str(file))
        return file

    def _connect(self) -> psycopg.Connection[Any] | None:
        try:
            return psycopg.connect(
                host=self.machine.address,
                user=USER,
                password="outside",
                dbname="postgres",
                autocommit=True,
                row_factory=namedtuple_row,
                connect_timeout=3,
            )
        except psycopg.OperationalError:
            return None

    def forget(self) -> None:
        self.session.execute("TRUNCATE trace")
        self.file.write_text("")

    def effects(self) -> Counter[tuple[str, float]]:
        """How often each due time of a job has had its effect."""
        rows = self.session.execute("SELECT job, extract(epoch FROM due)::float8 AS due FROM trace").fetchall()
        found = Counter((row.job, round(row.due, 3)) for row in rows)
        return found + Counter(("file", round(float(due), 3)) for due, _, _ in self._lines())

    def _lines(self) -> list[list[str]]:
        return [line.split("\t") for line in self.file.read_text().splitlines()]

    def effects_of(self, node: Node, since: float) -> list[float]:
        """When this node has left something in the file, from that moment on, in seconds since 1970."""
        return [float(at) for _, at, data in self._lines() if data == str(node.data) and float(at) >= since]

    def stop(self) -> None:
        self.session.close()
        self.machine.die()


def define(group: Group, outside: Outside) -> None:
    """Create the extension and the jobs, and start the worker."""
    leader = group.await_health()
    directories = [str(node.data) for node in group.nodes]
    with leader.connect() as session:
        for statement in f"""
            CREATE SCHEMA scheduler;
            CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE;
            UPDATE worker_setting SET standby_directories = '{{{",".join(directories)}}}', log_max_rows = 100000;
            CREATE TABLE trace (job text, due timestamptz, run bigint, at timestamptz DEFAULT clock_timestamp());
            CREATE ROLE app;
            GRANT job_scheduler TO app;
            GRANT INSERT ON trace TO app;
            CREATE EXTENSION postgres_fdw SCHEMA public;
            CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{outside.machine.address}');
            GRANT USAGE ON FOREIGN SERVER far TO app;
            CREATE USER MAPPING FOR app SERVER far OPTIONS (user 'clerk', password 'beans');
            SELECT start_worker()""".split(";"):
            session.execute(statement)
        for name, (schedule, command, more) in jobs(outside.file).items():
            given = {"rolname": "app", **more, "schedule": schedule, "job_name": name}
            arguments = "".join(f", {argument} := %s" for argument in given)
            session.execute(f"SELECT insert_job(%s, 'postgres'{arguments})", [command, *given.values()])


def starts(node: Node, job: str, since: float) -> list[float]:
    """When runs of the job began since that moment, in seconds since 1970, as this node knows it, if it answers."""
    with suppress(psycopg.OperationalError), node.connect() as session:
        rows = session.execute(
            """SELECT extract(epoch FROM l.job_started)::float8 AS at FROM job_log l
               WHERE l.job_name = %s AND l.state = 'succeeded' AND l.job_started >= to_timestamp(%s) ORDER BY 1""",
            (job, since),
        )
        return [row.at for row in rows]
    return []


@dataclass
class Figures:
    """What a failure has cost."""

    # The longest time between two starts of a job that is due every second, in seconds.
    pause: float
    # From the moment at which a server became the primary to the first run there, in seconds; None: none did.
    after_promotion: float | None
    # Runs whose session ended before them, and due times without a run.
    cut_off: int
    missed: int
    # Due times whose effect outside of the cluster was there twice, and that are in no log as a run.
    doubled: int
    unknown: int


def audit(group: Group, outside: Outside, since: float) -> Figures:
    """Raises AssertionError where the promises are broken."""
    leader = group.await_health()
    # What was done is read before the log of it: jobs go on.
    effects = outside.effects()
    with leader.connect() as session:
        jobs = session.execute("SELECT * FROM job").fetchall()
        names = {job.job_id: job.job_name for job in jobs}
        traces = Counter((row.job, row.run) for row in session.execute("SELECT job, run FROM trace"))
        rows = session.execute(ROWS).fetchall()
        runs = {row.jl_id: row.state for row in session.execute("SELECT jl_id, state FROM job_log")}
    assert {row.state for row in rows} <= ENDED | {"running"}
    for job in jobs:
        account(job, [row for row in rows if row.job_id == job.job_id])
    assert "made up for" not in {names[row.job_id] for row in rows if row.state == "missed"}
    # What is done in the cluster itself is done once, and known.
    assert not [trace for trace, times in traces.items() if times > 1]
    assert {runs.get(jl_id) for _, jl_id in traces} <= {"running", "succeeded", "failed", "lost"}
    dues = Counter((names[row.job_id], round(row.due, 3)) for row in rows if row.state not in ("skipped", "missed"))
    doubled = [effect for effect, times in effects.items() if times > 1]
    unknown = [effect for effect in effects if effect not in dues]
    if group.synchronous:
        assert not doubled, doubled
        assert not unknown, unknown
    began = starts(leader, "inside", since)
    recent = [row for row in rows if row.ended is not None and row.ended >= since]
    ready = [moment for moment in leader.ready() if moment >= since]
    first = [moment - ready[-1] for moment in began if ready and moment >= ready[-1]]
    return Figures(
        pause=max((after - before for before, after in zip(began, began[1:])), default=float("inf")),
        after_promotion=first[0] if first else None,
        cut_off=len([row for row in recent if row.state in ("lost", "failed")]),
        missed=sum(row.missed_count or 1 for row in recent if row.state == "missed"),
        doubled=len(doubled),
        unknown=len(unknown),
    )
