"""The Python side of the extension elephant_worker.

PL/Python functions load it by path under a name that contains the version, so that an update of
the extension takes hold in sessions that have loaded an older one.
"""

from __future__ import annotations

import sys

from .vendor import vendored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def module(name: str) -> ModuleType:
    """A module of this package, as "schedule.functions"; imported when it is first asked for."""
    with vendored():
        __import__(f"{__name__}.{name}")
    return sys.modules[f"{__name__}.{name}"]
