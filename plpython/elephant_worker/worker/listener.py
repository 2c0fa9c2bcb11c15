"""Listens for notifications that something has been put into the worker's inbox."""

from __future__ import annotations

from collections.abc import Callable

from ..connection.client import NO_TIMEOUTS, Client
from ..connection.login import Login
from ..connection.poller import Poller
from ..database.spi import Spi
from .timers import Every

CHANNEL = "elephant_worker_wake"
# How long after its connection has failed it is opened again; the inbox is polled meanwhile.
RECONNECT_INTERVAL = 30.0  # seconds


class ListenConnection(Client):
    """The connection; `heard` is set by each notification."""

    heard = False

    def begin(self) -> None:
        self.query(f"{NO_TIMEOUTS}; LISTEN {CHANNEL}")

    def answered(self) -> None:
        self.heard = True  # something may have come before it listened

    def heard_of(self, channel: bytes) -> None:
        self.heard = True


class Listener:
    """Has a connection that listens; `login` says how to connect, if that is possible."""

    def __init__(self, spi: Spi, poller: Poller, login: Callable[[], Login | None]) -> None:
        self._spi = spi
        self._poller = poller
        self._login = login
        self._connection: ListenConnection | None = None
        self._reconnect = Every(RECONNECT_INTERVAL)

    @property
    def is_listening(self) -> bool:
        """Whether it will hear of what is put into the inbox."""
        return self._connection is not None and not self._connection.failure

    def take_heard(self) -> bool:
        """Whether it has been notified since this was last asked."""
        if self._connection is None or not self._connection.heard:
            return False
        self._connection.heard = False
        return True

    def connect(self, steady: float) -> None:
        """Listen, unless it does; the next attempt after a failure comes some time later."""
        if self.is_listening or not self._reconnect.begin_if_due(steady):
            return
        login = self._login()
        if login is None:
            return
        if self._connection is not None:
            self._spi.warning(f"elephant_worker did not hear of new jobs: {self._connection.failure}")
        self._connection = ListenConnection(login)
        self._poller.watch(self._connection)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
