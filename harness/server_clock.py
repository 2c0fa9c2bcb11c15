"""A server whose clock can be set."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path


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
