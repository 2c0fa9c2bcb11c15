"""Waiting for what another process does, and for what a test does itself, but not for ever."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TIMEOUT = 30.0  # seconds


def until(condition: Callable[[], Any], what: str = "", seconds: float = TIMEOUT) -> Any:
    """Wait until the condition holds and return what it returned; fail if it never does."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {seconds:g} s waiting for {what or condition}")
        time.sleep(0.02)
    return value


@contextmanager
def ends_within(seconds: int) -> Iterator[None]:
    """Fail if the block has not ended by then, whatever it is doing."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"it has not ended within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
