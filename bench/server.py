"""A throwaway server of one candidate, with the settings that all have in common."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.process import tree_cpu_seconds
from harness.cluster import Cluster, Installation

# Defaults but for these: what is committed is durable, as on a real server.
SETTINGS = {"fsync": "on", "timezone": "UTC"}

WITNESS = "CREATE TABLE public.witness (tag text, began timestamptz DEFAULT clock_timestamp())"
PATIENCE = 120.0


def record(tag: str) -> str:
    """The command of a job that records when it began."""
    return f"INSERT INTO public.witness (tag) VALUES ('{tag}')"


def package_version(package: str) -> str | None:
    """The version of a Debian package without its revision; None where it is not installed."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return done.stdout.partition("-")[0] or None


class Server:
    """Runs until `stop()`; `admin` is a session of the superuser in the database postgres."""

    def __init__(self, installation: Installation, settings: dict[str, str]) -> None:
        self.cluster = Cluster(installation, {**SETTINGS, **settings})
        self.admin = self.cluster.connect()
        pid_file = Path(self.cluster.get_data_directory(), "postmaster.pid")
        self._postmaster = int(pid_file.read_text().split()[0])
        self.prepare("postgres")

    def prepare(self, dbname: str) -> None:
        """Let jobs in a database record when they began."""
        with self.cluster.connect(dbname) as session:
            session.execute(WITNESS)
            session.execute("GRANT INSERT ON public.witness TO PUBLIC")

    def value(self, query: str, *parameters: Any) -> Any:
        """The only value that a query returns."""
        row = self.admin.execute(query, parameters or None).fetchone()
        return None if row is None else row[0]

    def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
        """Wait until the condition holds; returns whether it did so in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def settle(self, count: Callable[[], int], enough: int, seconds: float = PATIENCE) -> int:
        """Wait until there are enough, or no more have come for ten seconds; returns how many there are."""
        deadline = time.monotonic() + seconds
        found, since = (first := count()), time.monotonic()
        while found < enough and time.monotonic() < deadline and (found == first or time.monotonic() < since + 10):
            time.sleep(0.05)
            before, found = found, count()
            if found != before:
                since = time.monotonic()
        return found

    def witnessed(self, tag: str) -> list[datetime]:
        """When the jobs with this tag began."""
        rows = self.admin.execute("SELECT began FROM public.witness WHERE tag = %s ORDER BY began", (tag,))
        return [row[0] for row in rows]

    def count(self, tag: str) -> int:
        return int(self.value("SELECT count(*) FROM public.witness WHERE tag = %s", tag))

    def cpu_seconds(self) -> float:
        """The CPU time of all processes of the server so far."""
        return tree_cpu_seconds(self._postmaster)

    def sessions(self) -> int:
        """How many connections clients have made so far."""
        self.admin.execute("SELECT pg_stat_clear_snapshot()")
        return int(self.value("SELECT sum(sessions) FROM pg_stat_database"))

    def wal_bytes(self) -> int:
        return int(self.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))

    def stop(self) -> None:
        self.admin.close()
        self.cluster.stop()
