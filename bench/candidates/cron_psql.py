"""cron and psql: what people do without an extension. The daemon is Debian's own; each run is a psql
that also logs itself, by an INSERT after the command."""

from __future__ import annotations

import subprocess
import time
from datetime import datetime
from pathlib import Path

from bench.candidate import Candidate
from bench.process import tree_cpu_seconds
from bench.server import package_version
from harness.cluster import USER, Installation

PID_FILE = Path("/run/crond.pid")
LOG = "INSERT INTO public.run_log DEFAULT VALUES"
PARALLEL = 8


def daemon() -> int | None:
    """The process of cron, where it runs."""
    try:
        pid = int(PID_FILE.read_text())
    except (OSError, ValueError):
        return None
    return pid if Path(f"/proc/{pid}").exists() else None


class CronPsql(Candidate):
    name = "cron + psql"
    asked = 0
    knows_seconds = False

    @classmethod
    def version(cls, installation: Installation) -> str | None:
        return package_version("cron") if daemon() is not None else None

    def start(self) -> None:
        self.server.admin.execute("CREATE TABLE public.run_log (finished timestamptz DEFAULT clock_timestamp())")
        cluster = self.server.cluster
        self._psql = (
            f"{cluster.installation.bindir}/psql -Xq -h {cluster.socket_directory} -p {cluster.port}"
            f" -U {USER} -d postgres"
        )

    def due_at(self, minute: datetime, count: int, command: str) -> None:
        # The daemon sees by the time of its file, in seconds, that a crontab has changed.
        line = f'{minute:%-M %-H %-d %-m} * {self._psql} -c "{command}" -c "{LOG}"\n'
        self._install('MAILTO=""\n' + line * count)

    def _install(self, lines: str) -> None:
        subprocess.run(["crontab", "-"], input=lines, text=True, check=True)

    def throughput(self, seconds: float) -> tuple[float, float]:
        """A loop that keeps some at work, since cron itself starts them once a minute."""
        runs, cpu, began = self.logged(), self.server.cpu_seconds(), time.monotonic()
        loop = f"yes | timeout {seconds} xargs -P {PARALLEL} -I NOTHING {self._psql} -c 'SELECT 1' -c '{LOG}'"
        subprocess.run(["sh", "-c", loop], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        elapsed, cpu = time.monotonic() - began, self.server.cpu_seconds() - cpu
        runs = self.logged() - runs
        return runs / elapsed, cpu / max(runs, 1) * 1000

    def clear(self) -> None:
        self._install("")

    def logged(self) -> int:
        return int(self.server.value("SELECT count(*) FROM public.run_log"))

    def cpu_seconds(self) -> float:
        """Of the daemon and all that it has started."""
        pid = daemon()
        return tree_cpu_seconds(pid) if pid else 0.0

    def close(self) -> None:
        self.clear()
        super().close()
