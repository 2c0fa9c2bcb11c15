"""The Python side of the extension elephant_worker.

PL/Python functions load it by path under a name that contains the version, so that an update of
the extension takes hold in sessions that have loaded an older one.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from .vendor import vendored


def __getattr__(name: str) -> ModuleType:
    """The modules of this package, loaded when they are first asked for."""
    if not (Path(__file__).parent / f"{name}.py").exists():
        raise AttributeError(name)
    with vendored():
        return import_module(f"{__name__}.{name}")
