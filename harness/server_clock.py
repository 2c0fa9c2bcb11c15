"""A server whose clock can be set."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

from harness.cluster import Cluster
from harness.process import children

# How often processes are looked at that may hang.
LOOK_EVERY = 5.0  # seconds
# The system call futex() with FUTEX_WAIT_PRIVATE, as /proc shows it: a lock of the C library. What the processes of a
# server wait for in each other is not private.
FUTEX, WAIT_PRIVATE = "202", "0x80"


class ServerClock:
    """The wall clock of a server, by libfaketime: the real one and an offset that is read from a file."""

    def __init__(self, directory: Path) -> None:
        (library,) = self._libraries()
        self._file = directory / "clock"
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    @staticmethod
    def _libraries() -> list[Path]:
        return [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]

    @classmethod
    def is_available(cls) -> bool:
        """Whether libfaketime is installed."""
        return bool(cls._libraries())

    def set(self, moment: datetime) -> None:
        self.set_ahead(moment.timestamp() - time.time())

    def set_ahead(self, seconds: float) -> None:
        """Have it be so far ahead of the real clock."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.6f}\n")
        new.rename(self._file)


@contextmanager
def without_hung_processes(cluster: Cluster) -> Iterator[None]:
    """Abort processes of the server that hang meanwhile. libfaketime opens a file whenever a process asks for the time;
    if a signal arrives then whose handler asks for the time, it waits for ever for a lock that the process holds."""
    over = Event()

    def look() -> None:
        before: dict[int, str] = {}
        while not over.wait(LOOK_EVERY):
            waiting = {pid: state for pid in _processes(cluster) if (state := _private_wait(pid))}
            for pid in waiting.keys() & before.keys():
                if waiting[pid] == before[pid]:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGABRT)
            before = waiting

    thread = Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _processes(cluster: Cluster) -> list[int]:
    with suppress(OSError):
        if (server := cluster.child_process) is not None:
            return children(server.pid)
    return []


def _private_wait(pid: int) -> str | None:
    """What distinguishes this wait of a process from the next one; None if it does not wait for a private lock."""
    with suppress(OSError):
        number, _, operation, *_ = [*Path(f"/proc/{pid}/syscall").read_text().split(), "", "", ""]
        if (number, operation) == (FUTEX, WAIT_PRIVATE):
            status = Path(f"/proc/{pid}/status").read_text()
            return status[status.index("voluntary_ctxt_switches") :]
    return None
