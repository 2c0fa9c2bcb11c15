"""The worker's ear: a connection on which it is told of what has been put into its inbox."""

from __future__ import annotations

from .libpq import ConnStatus, ExecStatus, OperationalError, PGconn, PollingStatus
from .session import Wait

CHANNEL = b"elephant_worker_wake"


class Listener:
    """Listens; `heard` is set by each notification, `failure` says why it is deaf."""

    def __init__(self, conninfo: str) -> None:
        self.wait = Wait.WRITE
        self.more = False
        self.heard = False
        self.listening = False
        self.failure = ""
        self._connection = PGconn.connect_start(conninfo.encode())
        if self._connection.status == ConnStatus.BAD:
            self._fail(self._connection.get_error_message())

    @property
    def socket(self) -> int:
        return self._connection.socket

    def step(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self.listening:
                self._receive()
            else:
                self._connect()
        except OperationalError as error:
            self._fail(str(error))

    def close(self) -> None:
        self.wait = Wait.NOTHING
        self._connection.finish()

    def _connect(self) -> None:
        status = self._connection.connect_poll()
        if status == PollingStatus.READING:
            self.wait = Wait.READ
        elif status == PollingStatus.WRITING:
            self.wait = Wait.WRITE
        elif status == PollingStatus.OK:
            self.wait = Wait.READ
            self.listening = True
            self._connection.send_query(b"LISTEN " + CHANNEL)
        else:
            raise OperationalError(self._connection.get_error_message())

    def _receive(self) -> None:
        connection = self._connection
        connection.consume_input()
        while not connection.is_busy() and (result := connection.get_result()) is not None:
            if result.status == ExecStatus.FATAL_ERROR:
                raise OperationalError(result.get_error_message())
            self.heard = True  # whatever came before it listened
        while connection.notifies():
            self.heard = True

    def _fail(self, reason: str) -> None:
        self.failure = reason.strip()
        self.listening = False
        self.close()
