"""How long a worker lives."""

from __future__ import annotations

from enum import Enum


class Life(Enum):
    """What the worker is up to. Only a serving one starts runs; the others end when their runs have ended."""

    SERVING = "serving"
    # Stopped, or the server is shutting down.
    DRAINING = "draining"
    # The extension has been updated: has another worker started when it has ended.
    RESTARTING = "restarting"
    # Another process is the worker, or the extension is another one: logs nothing, ends at once.
    STEPPED_DOWN = "stepped down"
