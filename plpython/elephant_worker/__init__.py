"""The Python side of the extension elephant_worker.

PL/Python functions load it by path under a name that contains the version, so that an update of
the extension takes hold in sessions that have loaded an older one.
"""

from __future__ import annotations

import gc
import sys

from .vendor import vendored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def module(name: str) -> ModuleType:
    """A module of this package, as "schedule.functions"; imported when it is first asked for."""
    full_name = f"{__name__}.{name}"
    if full_name not in sys.modules:
        # Modules are no garbage: to look for some among them would take half as long as the import.
        collects = gc.isenabled()
        gc.disable()
        try:
            with vendored():
                __import__(full_name)
        finally:
            if collects:
                gc.enable()
    return sys.modules[full_name]
