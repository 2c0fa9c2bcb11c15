"""The inbox: what users, and the worker itself, have asked the worker to do."""

from __future__ import annotations

import math

from ..database import worker_request
from ..database.spi import Spi
from ..database.worker_request import Messages
from ..system.clock import Clock

# Messages that are not committed cannot be seen, but are walked over, however many there are. If more than this is used
# to take messages, the next are taken so many times later.
LONG = 0.05  # seconds of CPU time
REST = 9.0  # times


class Inbox:
    """Is read only if something may have been put in."""

    def __init__(self, spi: Spi, clock: Clock) -> None:
        self._spi = spi
        self._clock = clock
        self._is_noted = True
        # Whether there may be messages that have not been taken, and when the next are.
        self._has_messages = False
        self._next = 0.0  # a moment of the steady clock

    @property
    def has_news(self) -> bool:
        """Whether to look for requests to run, or for messages."""
        return self._is_noted or self.seconds_until_news <= 0

    @property
    def seconds_until_news(self) -> float:
        """How long to wait before messages are taken that may be there."""
        return self._next - self._clock.steady() if self._has_messages else math.inf

    def note(self) -> None:
        """Note that something has been put in."""
        self._is_noted = True

    def take_messages(self, limit: int) -> Messages:
        """Take so many of the messages; requests to run stay until they are claimed."""
        self._has_messages |= self._is_noted
        self._is_noted = False
        if self.seconds_until_news > 0:
            return {}
        before = self._clock.used()
        messages, self._has_messages = worker_request.take_messages(self._spi, limit)
        taken = self._clock.used() - before
        if taken > LONG:
            self._next = self._clock.steady() + REST * taken
        return messages
