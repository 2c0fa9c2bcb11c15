"""How documents name the jobs of run_after: in another cluster they have other numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ..database import job_definition
from ..database.spi import Spi
from .document import Key


class References:
    """The jobs that some lists of numbers, as JSON, stand for."""

    def __init__(self, spi: Spi, lists: Iterable[str | None], known: Mapping[Key, int] | None = None) -> None:
        numbers = {number for text in lists if text is not None for number in json.loads(text)}
        self.keys: dict[int, Key] = {number: key for key, number in (known or {}).items() if number in numbers}
        if numbers - set(self.keys):
            self.keys |= job_definition.names(spi, numbers - set(self.keys))

    def written(self, text: str | None, role: str) -> str | None:
        """A list as a document has it: names of jobs of the role, objects for others, numbers for the nameless."""
        if text is None:
            return None
        listed: list[object] = []
        for number in json.loads(text):
            owner, name = self.keys.get(number, (None, None))
            if name is None:
                listed.append(number)
            else:
                listed.append(name if owner == role else {"rolname": owner, "job_name": name})
        return json.dumps(listed, ensure_ascii=False)
