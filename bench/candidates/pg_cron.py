"""pg_cron: its runs over connections (libpq) or in background workers; with its defaults, and tuned."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from bench.candidate import Candidate, next_minute
from bench.server import package_version
from harness.cluster import Installation, pg_config

PRELOADED = {"shared_preload_libraries": "pg_cron"}
TUNED = {"cron.max_running_jobs": "90", "cron.log_statement": "off"}


class PgCron(Candidate):
    name = "pg_cron, libpq"
    settings: ClassVar = PRELOADED
    # With its defaults it collapses where more is asked than it can do.
    demands = (100, 400)

    @classmethod
    def version(cls, installation: Installation) -> str | None:
        version = package_version(f"postgresql-{pg_config('--version').split()[1].partition('.')[0]}-cron")
        cls.knows_seconds = version is not None and tuple(map(int, version.split(".")[:2])) >= (1, 5)
        return version

    def start(self) -> None:
        self.server.admin.execute("CREATE EXTENSION pg_cron")

    def due_at(self, minute: datetime, count: int, command: str) -> None:
        self._define(minute.strftime("%-M %-H %-d %-m *"), count, command)

    def every_second(self, count: int, command: str) -> None:
        self._define("1 seconds", count, command)

    def _define(self, schedule: str, count: int, command: str) -> None:
        self.server.admin.execute(
            "SELECT cron.schedule('job ' || n, %s, %s) FROM generate_series(1, %s) n", (schedule, command, count)
        )
        # A stock server lets the operating system's user in over the socket.
        self.server.admin.execute("UPDATE cron.job SET nodename = %s", (self.server.cluster.socket_directory,))

    def throughput(self, seconds: float) -> tuple[float, float]:
        """The best of what it does where little and where much is asked."""
        if not self.knows_seconds:
            self.asked = max(self.demands)
            return self.throughput_at_once(next_minute(2.0))
        found = []
        for demand in self.demands:
            self.asked = demand
            found.append(super().throughput(seconds))
        return max(found)

    def fill(self, count: int) -> None:
        """Have so many jobs in all that are not due."""
        self.server.admin.execute(
            """INSERT INTO cron.job (schedule, command, nodeport)
               SELECT '0 0 1 1 *', 'SELECT 1', current_setting('port')::integer
               FROM generate_series(1, %s - (SELECT count(*) FROM cron.job))""",
            (count,),
        )

    @property
    def pid(self) -> int:
        """The process of its scheduler."""
        return int(self.server.value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher'"))

    def clear(self) -> None:
        self.server.admin.execute("SELECT cron.unschedule(jobid) FROM cron.job")
        self.server.until(self._quiet)

    def _quiet(self) -> bool:
        query = (
            "SELECT count(*) FROM cron.job_run_details WHERE status IN ('starting', 'running', 'connecting', 'sending')"
        )
        return not self.server.value(query)

    def logged(self) -> int:
        return int(self.server.value("SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded'"))


class PgCronTuned(PgCron):
    name = "pg_cron, libpq, tuned"
    settings: ClassVar = {**PRELOADED, **TUNED}


class PgCronWorkers(PgCron):
    name = "pg_cron, workers"
    settings: ClassVar = {**PRELOADED, "cron.use_background_workers": "on"}


class PgCronWorkersTuned(PgCron):
    name = "pg_cron, workers, tuned"
    settings: ClassVar = {**PRELOADED, **TUNED, "cron.use_background_workers": "on", "max_worker_processes": "100"}
