"""The inbox: what users, and the worker itself, have asked the worker to do."""

from __future__ import annotations

from ..database import worker_request
from ..database.spi import Spi
from ..database.worker_request import Messages


class Inbox:
    """Is read only if something may have been put in."""

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        self.has_news = True

    def note(self) -> None:
        """Note that something has been put in."""
        self.has_news = True

    def take_messages(self, limit: int) -> Messages:
        """Take so many of the messages; requests to run stay until they are claimed."""
        if not self.has_news:
            return {}
        messages, self.has_news = worker_request.take_messages(self._spi, limit)
        return messages
