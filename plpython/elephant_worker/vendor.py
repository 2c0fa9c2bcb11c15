"""The packages of others that this one uses, each release of it its own copies.

They lie in a directory beside this package. While it imports them, that directory comes first;
afterwards other PL/Python functions of the same session find the modules that they would have
found without it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "vendor")
_names = {name.removesuffix(".py") for name in os.listdir(DIRECTORY)} if os.path.isdir(DIRECTORY) else set()
_modules: dict[str, ModuleType] = {}


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is not None or name not in _names:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [DIRECTORY])


def _take() -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in _names}


class vendored:  # noqa: N801 # a context manager; contextlib would be one more import
    """Imports inside find the copies, and leave no trace of them outside."""

    def __enter__(self) -> None:
        self._others = _take()
        sys.modules.update(_modules)
        sys.meta_path.insert(0, _Finder)

    def __exit__(self, *error: object) -> None:
        sys.meta_path.remove(_Finder)
        _modules.update(_take())
        sys.modules.update(self._others)
