"""Waiting for what another process does, and for what a test does itself, but not for ever."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TIMEOUT = 60.0  # seconds


def until(condition: Callable[[], Any], what: str = "", seconds: float = TIMEOUT) -> Any:
    """Wait until the condition holds and return what it returned; fail if it never does."""
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"timed out after {seconds:g} s waiting for {what or condition}")
        # Others need the processor: what takes long is looked at less often.
        time.sleep(min(max(0.02, waited / 20), 0.1))
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
