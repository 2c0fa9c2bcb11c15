"""What can be seen of the server without asking it."""

from __future__ import annotations

import os

# The parent of the process in which this is read, and of every process of its server.
PID = os.getppid()


def is_alive() -> bool:
    """Whether the postmaster still runs: a process whose parent is gone gets another one."""
    return os.getppid() == PID


def exit_if_dead() -> None:
    """End this process at once where its postmaster is gone, with no word to anybody and nothing committed.

    PostgreSQL's own sessions notice that when they wait for their client, and the worker never does. What it did
    alone could not be undone: it is no part of a server any more, and keeps another one from starting.
    """
    if not is_alive():
        os._exit(1)


def is_stopping(data_directory: str) -> bool:
    """Whether the server waits for its clients to leave, which nothing else would tell one of them.

    The last line of postmaster.pid is the state of the postmaster (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    """
    try:
        # Not read_text(): this is done all the time, and takes a third of the time so.
        file = os.open(os.path.join(data_directory, "postmaster.pid"), os.O_RDONLY)
    except OSError:
        return False
    try:
        lines = os.read(file, 8192).split(b"\n")
    finally:
        os.close(file)
    return len(lines) >= 8 and lines[7].strip() == b"stopping"
