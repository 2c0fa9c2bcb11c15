"""The end of the program, which all of its threads wait for."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger


class Stop:
    """Set once; readable from then on, so that it can be waited for together with a socket."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self.failed = False

    def fileno(self) -> int:
        return self._reader

    def set(self) -> None:
        os.write(self._writer, b"x")

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float | None) -> bool:
        """Wait for so long, or for ever; returns whether it has been set."""
        return bool(select.select([self._reader], [], [], seconds)[0])

    @contextmanager
    def on_failure(self, log: Logger) -> Iterator[None]:
        """A thread that fails ends the program, so that whoever has started it starts it again."""
        try:
            yield
        except Exception:
            log.exception("a fault in this program")
            self.failed = True
            self.set()
