"""What the operating system counts of a server process: the worker runs on the same machine, as the same user.

PostgreSQL itself tells of one session only what it does in its current transaction.
"""

from __future__ import annotations

import os

from ..jobs.run import Cost


def reading(pid: int) -> Cost | None:
    """What a process has used since it began; None where the system does not tell (Linux does)."""
    try:
        nanoseconds = int(_read(f"/proc/{pid}/schedstat").split()[0])
        counters = dict(line.split(b": ") for line in _read(f"/proc/{pid}/io").splitlines())
        return Cost(nanoseconds / 1e9, int(counters[b"rchar"]), int(counters[b"wchar"]))
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
