"""A connection of the worker's own, beside those of runs."""

from __future__ import annotations

from .libpq import ConnStatus, ExecStatus, OperationalError, PGconn, PollingStatus, Result
from .session import Wait


class Client:
    """Connects without waiting; `failure` says why it has ended."""

    def __init__(self, conninfo: str) -> None:
        self.wait = Wait.WRITE
        self.more = False
        self.connected = False
        self.failure = ""
        self._connection = PGconn.connect_start(conninfo.encode())
        if self._connection.status == ConnStatus.BAD:
            self._fail(self._connection.get_error_message())

    @property
    def ended(self) -> bool:
        return self.wait is Wait.NOTHING

    @property
    def socket(self) -> int:
        return self._connection.socket

    def step(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self.connected:
                self._receive()
            else:
                self._connect()
        except OperationalError as error:
            self._fail(str(error))

    def close(self) -> None:
        self.wait = Wait.NOTHING
        self._connection.finish()

    def begin(self) -> None:
        """What there is to do once connected."""

    def answered(self) -> None:
        """What there is to do once the server has answered all of what it was asked."""

    def heard_of(self, channel: bytes) -> None:
        """What there is to do when somebody has notified a channel."""

    def _connect(self) -> None:
        status = self._connection.connect_poll()
        if status == PollingStatus.READING:
            self.wait = Wait.READ
        elif status == PollingStatus.WRITING:
            self.wait = Wait.WRITE
        elif status == PollingStatus.OK:
            self.wait = Wait.READ
            self.connected = True
            self.begin()
        else:
            raise OperationalError(self._connection.get_error_message())

    def _receive(self) -> None:
        connection = self._connection
        connection.consume_input()
        while not connection.is_busy() and self.connected:
            result: Result | None = connection.get_result()
            if result is None:
                self.answered()
                break
            if result.status == ExecStatus.FATAL_ERROR:
                raise OperationalError(result.get_error_message())
        while self.connected and (notification := connection.notifies()):
            self.heard_of(notification.relname)

    def _fail(self, reason: str) -> None:
        self.failure = reason.strip()
        self.connected = False
        self.close()
