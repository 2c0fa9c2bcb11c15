"""What can be seen of the server without asking it."""

from __future__ import annotations

from pathlib import Path


def is_stopping(data_directory: str) -> bool:
    """Whether the server waits for its clients to leave, which nothing else would tell one of them.

    The last line of postmaster.pid is the state of the postmaster (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    """
    try:
        lines = (Path(data_directory) / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "stopping"
