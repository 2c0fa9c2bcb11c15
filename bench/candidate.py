"""What is compared: a scheduler, and how it is told what the scenarios ask of it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import datetime, timedelta, timezone
from typing import ClassVar

from bench.server import Server
from harness.cluster import Installation


def next_minute(margin: float) -> datetime:
    """The full minute that begins next, with so many seconds to spare for what is to be done before."""
    now = datetime.now(timezone.utc) + timedelta(seconds=margin)
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


class Candidate(ABC):
    """A scheduler on a server of its own."""

    name: ClassVar[str]
    # Settings of the server that it cannot do without, or is tuned with.
    settings: ClassVar[dict[str, str]] = {}
    # How many jobs that are due every second show how many it can run.
    asked: int
    knows_seconds: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def version(cls, installation: Installation) -> str | None:
        """Which version of it is installed; None where none is."""

    def __init__(self, installation: Installation) -> None:
        self.server = Server(installation, self.settings)
        self.start()

    @abstractmethod
    def start(self) -> None:
        """Set it up and start it."""

    @abstractmethod
    def due_at(self, minute: datetime, count: int, command: str) -> None:
        """Define so many jobs that are due at a full minute."""

    def every_second(self, count: int, command: str) -> None:
        """Define so many jobs that are due every second."""
        raise NotImplementedError(f"{self.name} knows minutes only")

    @abstractmethod
    def clear(self) -> None:
        """Delete all jobs."""

    @abstractmethod
    def logged(self) -> int:
        """How many successful runs its log has."""

    def cpu_seconds(self) -> float:
        """The CPU time that it has spent outside of the server."""
        return 0.0

    def all_cpu_seconds(self) -> float:
        """The CPU time that it and its server have spent."""
        return self.cpu_seconds() + self.server.cpu_seconds()

    def throughput(self, seconds: float) -> tuple[float, float]:
        """Runs per second, and CPU milliseconds per run, where more is asked than it can do."""
        self.every_second(self.asked, "SELECT 1")
        time.sleep(min(seconds, 3))
        runs, cpu, began = self.logged(), self.all_cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        cpu, elapsed = self.all_cpu_seconds() - cpu, time.monotonic() - began
        runs = self.logged() - runs
        self.clear()
        return runs / elapsed, cpu / max(runs, 1) * 1000

    def throughput_at_once(self, due: datetime) -> tuple[float, float]:
        """The same for those that know minutes only: as many as are asked, due at the same moment."""
        runs, cpu = self.logged(), self.all_cpu_seconds()
        self.due_at(due, self.asked, "SELECT 1")
        time.sleep(max(0.0, (due - datetime.now(timezone.utc)).total_seconds()))
        runs = self.server.settle(self.logged, runs + self.asked) - runs
        elapsed = (datetime.now(timezone.utc) - due).total_seconds()
        cpu = self.all_cpu_seconds() - cpu
        self.clear()
        return runs / elapsed, cpu / max(runs, 1) * 1000

    def close(self) -> None:
        self.server.stop()
