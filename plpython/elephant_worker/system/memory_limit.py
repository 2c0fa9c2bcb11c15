"""Keeps what a session returns from filling the memory of the worker.

libpq makes room for a whole row before it reads it, and a value may have a gigabyte. Nobody reads
the rows of runs: a session that returns such a value is given up rather than the server's memory.
"""

from __future__ import annotations

import fcntl
import resource
import sys
import termios
from pathlib import Path
from types import TracebackType

# How much more memory than it had lately the worker may take while it receives.
MARGIN = 48 * 1024 * 1024
PAGE = resource.getpagesize()


class MemoryLimit:
    """A limit of memory (getrlimit(2), RLIMIT_DATA) that holds in a with statement."""

    def __init__(self) -> None:
        self._usual, self._most = resource.getrlimit(resource.RLIMIT_DATA)
        self._limit = self._usual
        self.refresh()

    def refresh(self) -> None:
        """Put it above what is used now."""
        try:
            used = int(Path("/proc/self/statm").read_text().split()[5]) * PAGE
        except OSError:
            return  # not Linux: no ceiling
        limits = [used + MARGIN, *(limit for limit in (self._usual, self._most) if limit != resource.RLIM_INFINITY)]
        self._limit = min(limits)

    def __enter__(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self._limit, self._most))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self._usual, self._most))


def unread(socket: int) -> int:
    """How many bytes have arrived at a socket (ioctl_tty(2), FIONREAD)."""
    return int.from_bytes(fcntl.ioctl(socket, termios.FIONREAD, bytes(4)), sys.byteorder)
