"""Names of imported jobs, unique for each role."""

from __future__ import annotations

from .planned import MAX_NAME, usable_name


class Namer:
    """Gives each job a name that no other one of its role has got.

    >>> names = Namer()
    >>> [names.unique("app", "nightly", "line 1", []) for _ in range(3)]
    ['nightly', 'nightly (2)', 'nightly (3)']
    """

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], int] = {}

    def unique(self, role: str, wanted: str, otherwise: str, notes: list[str]) -> str:
        """The wanted name, or where a job cannot have it, or another one has it, one as near as possible."""
        name = usable_name(wanted.strip(), otherwise, notes)
        count = self._given[role, name] = self._given.get((role, name), 0) + 1
        if count == 1:
            return name
        suffix = f" ({count})"
        return self.unique(role, name[: MAX_NAME - len(suffix)].rstrip() + suffix, otherwise + suffix, [])
