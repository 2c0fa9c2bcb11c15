"""pgAgent: a daemon beside the server, here with the shortest poll interval that it knows."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone

from bench.candidate import Candidate
from bench.process import cpu_seconds
from bench.server import package_version
from harness.cluster import USER, Installation


class PgAgent(Candidate):
    name = "pgAgent"
    # More than there are connections for would fail.
    asked = 40
    knows_seconds = False

    @classmethod
    def version(cls, installation: Installation) -> str | None:
        return package_version("pgagent")

    def start(self) -> None:
        self.server.admin.execute("CREATE EXTENSION pgagent")
        cluster = self.server.cluster
        conninfo = f"host={cluster.socket_directory} port={cluster.port} user={USER} dbname=postgres"
        self._agent = subprocess.Popen(
            ["pgagent", "-f", "-t", "1", "-l", "0", conninfo], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.server.until(lambda: self.server.value("SELECT count(*) FROM pgagent.pga_jobagent"))

    def due_at(self, minute: datetime, count: int, command: str) -> None:
        self.server.admin.execute(
            """WITH jobs AS (
                   INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, 'job ' || n FROM generate_series(1, %s) n
                   RETURNING jobid)
               INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
               SELECT jobid, 'step', 's', %s, 'postgres' FROM jobs""",
            (count, command),
        )
        self.server.admin.execute("UPDATE pgagent.pga_job SET jobnextrun = %s", (minute,))

    def throughput(self, seconds: float) -> tuple[float, float]:
        return self.throughput_at_once(datetime.now(timezone.utc))

    def clear(self) -> None:
        self.server.until(lambda: not self.server.value("SELECT count(*) FROM pgagent.pga_job WHERE jobagentid > 0"))
        self.server.admin.execute("DELETE FROM pgagent.pga_job")

    def logged(self) -> int:
        return int(self.server.value("SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's'"))

    def cpu_seconds(self) -> float:
        return cpu_seconds(self._agent.pid)

    def close(self) -> None:
        self._agent.terminate()
        self._agent.wait()
        super().close()
