"""The packages of others that this one uses, each release of it its own copies.

They lie in a directory beside this package. While it imports them, that directory comes first;
afterwards other PL/Python functions of the same session find the modules that they would have
found without it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "vendor")
_names = {name.removesuffix(".py") for name in os.listdir(DIRECTORY)} if os.path.isdir(DIRECTORY) else set()
_modules: dict[str, ModuleType] = {}


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [DIRECTORY]) if path is None and name in _names else None


def _take() -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in _names}


@contextmanager
def vendored() -> Iterator[None]:
    """Imports inside find the copies, and leave no trace of them outside."""
    others = _take()
    sys.modules.update(_modules)
    sys.meta_path.insert(0, _Finder)
    try:
        yield
    finally:
        sys.meta_path.remove(_Finder)
        _modules.update(_take())
        sys.modules.update(others)
