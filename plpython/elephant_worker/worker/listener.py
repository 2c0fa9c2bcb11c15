"""The worker's ear: it is told of what has been put into its inbox."""

from __future__ import annotations

from ..connection.client import Client

CHANNEL = b"elephant_worker_wake"


class Listener(Client):
    """Listens; `heard` is set by each notification."""

    heard = False

    def begin(self) -> None:
        self._connection.send_query(b"LISTEN " + CHANNEL)

    def answered(self) -> None:
        self.heard = True  # whatever came before it listened

    def heard_of(self, channel: bytes) -> None:
        self.heard = True
