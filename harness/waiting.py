"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
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
