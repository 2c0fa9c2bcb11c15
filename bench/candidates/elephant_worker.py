"""This project."""

from __future__ import annotations

from datetime import datetime

from psycopg import sql

from bench.candidate import Candidate
from harness.cluster import ROOT, Installation


class ElephantWorker(Candidate):
    name = "elephant_worker"
    asked = 10_000

    @classmethod
    def version(cls, installation: Installation) -> str | None:
        return (ROOT / "elephant_worker.control").read_text().partition("default_version = '")[2].partition("'")[0]

    def start(self) -> None:
        self.places = [("postgres", "bench_1")]
        for statement in (
            "CREATE ROLE bench_1",
            "CREATE SCHEMA scheduler",
            "CREATE EXTENSION elephant_worker WITH SCHEMA scheduler CASCADE",
            "GRANT job_scheduler TO bench_1",
            "SET search_path = scheduler",
            "SELECT start_worker()",
        ):
            self.server.admin.execute(statement)

    def stop_worker(self) -> None:
        """Stop the worker, and wait until it has gone."""
        self.server.admin.execute("SELECT stop_worker()")
        self.server.until(lambda: not self.server.value("SELECT running FROM worker_status"))

    def spread(self, roles: int, databases: int) -> None:
        """Have jobs run as so many roles in so many databases."""
        names = ["postgres", *(f"bench_{number}" for number in range(2, databases + 1))]
        for name in names[1:]:
            if not self.server.value("SELECT count(*) FROM pg_database WHERE datname = %s", name):
                self.server.admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for number in range(1, roles + 1):
            if not self.server.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", f"bench_{number}"):
                self.server.admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(f"bench_{number}")))
        self.places = [(name, f"bench_{number}") for name in names for number in range(1, roles + 1)]

    def define(self, count: int, schedule: str, command: str) -> None:
        """Define so many jobs by one statement, spread over the places."""
        datnames, rolnames = zip(*self.places)
        self.server.admin.execute(
            """INSERT INTO member_job (job_command, datname, rolname, schedule, timezone)
               SELECT %s, (%s::name[])[1 + n %% %s], (%s::name[])[1 + n %% %s], %s, 'UTC'
               FROM generate_series(0, %s - 1) n""",
            (command, list(datnames), len(datnames), list(rolnames), len(rolnames), schedule, count),
        )

    def due_at(self, minute: datetime, count: int, command: str) -> None:
        self.define(count, minute.strftime("%-M %-H %-d %-m *"), command)

    def due_at_instant(self, instant: datetime, count: int, command: str) -> None:
        """Define so many jobs that are due once, at any moment."""
        self.define(count, instant.strftime("%Y-%m-%d %H:%M:%S.%f"), command)

    def every_second(self, count: int, command: str) -> None:
        self.define(count, "1 second", command)

    def clear(self) -> None:
        self.server.admin.execute("DELETE FROM member_job")
        self.server.until(lambda: not self.server.value("SELECT running_jobs FROM worker_status"))

    def logged(self) -> int:
        return int(self.server.value("SELECT count(*) FROM job_log WHERE state = 'succeeded'"))

    @property
    def pid(self) -> int:
        """The process of the worker."""
        return int(self.server.value("SELECT pid FROM worker_status"))
