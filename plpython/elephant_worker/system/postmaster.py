"""What can be seen of the server without asking it."""

from __future__ import annotations

import os


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
