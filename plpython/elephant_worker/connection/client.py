"""A connection of the worker's own, beside those of runs."""

from __future__ import annotations

from . import messages
from .connecting import Connected, Connecting, Wait
from .login import Login
from .messages import (
    COPY_BOTH_RESPONSE,
    COPY_IN_RESPONSE,
    COPY_OUT_RESPONSE,
    ERROR_RESPONSE,
    LONGEST_DATA,
    NOTIFICATION_RESPONSE,
    READY_FOR_QUERY,
)
from .transport import Lost

# A session of the worker's is not ended for having nothing to do, or for taking long, whatever the server is set to.
NO_TIMEOUTS = """SELECT pg_catalog.set_config(s.name, '0', false) FROM pg_catalog.pg_settings s
    WHERE s.name OPERATOR(pg_catalog.~) '(^|_)(statement|transaction|session)_timeout$'"""
# How much is taken in at once, in bytes.
PIECE = 8192  # bytes


class Client:
    """Connects without waiting; `failure` says why it has ended."""

    # Whether it connects to this server.
    is_here = True
    # How much the server may say, in bytes; None: any amount.
    limit: int | None = None
    # How much of a row is kept, in bytes.
    longest_row = LONGEST_DATA

    def __init__(self, login: Login) -> None:
        self.wait = Wait.WRITE
        self.more = False
        self.connected = False
        self.failure = ""
        self._asked = False
        self._leaves = False
        self._reader = messages.Reader()
        self._connection: Connected | None = None
        self._connecting = Connecting(login)
        self.step()

    @property
    def ended(self) -> bool:
        return self.wait is Wait.NOTHING

    @property
    def socket(self) -> int:
        return self._connecting.socket if self._connection is None else self._connection.stream.fileno()

    @property
    def connects_here(self) -> bool:
        return self.is_here and self._connection is None

    def leave(self) -> bool:
        self._leaves = True
        return not self.ended and (self.connects_here or (self.is_here and self._asked))

    def step(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self._connection is None:
                self._connect()
            else:
                self._receive(self._connection)
        except (Lost, messages.Garbled) as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"the connection is gone: {error.strerror}")

    def close(self) -> None:
        self.wait = Wait.NOTHING
        self.connected = False
        self._connecting.close()
        if self._connection is not None:
            self._connection.close()

    def query(self, text: str) -> None:
        """Have the server execute statements; raises OSError."""
        assert self._connection is not None
        self._asked = True
        self._send(self._connection, messages.query(text.encode()))

    def begin(self) -> None:
        """What there is to do once connected."""

    def answered(self) -> None:
        """What there is to do once the server has answered all of what it was asked."""

    def heard_of(self, channel: bytes) -> None:
        """What there is to do when somebody has notified a channel."""

    def _connect(self) -> None:
        connection = self._connecting.step()
        self.wait, self.more = self._connecting.wait, self._connecting.more
        if connection is not None:
            self._connection = connection
            self._reader = messages.Reader(begun=connection.rest, longest_data=self.longest_row)
            self.wait, self.more = Wait.READ, connection.stream.has_more()
            self.connected = True
            if self._leaves:
                self.close()
            else:
                self.begin()

    def _send(self, connection: Connected, data: bytes) -> None:
        # A few hundred bytes, of which nothing is waiting to be sent: they fit.
        if connection.stream.write(memoryview(data)) < len(data):
            raise Lost("the server does not read")

    def _receive(self, connection: Connected) -> None:
        try:
            data = connection.stream.read(PIECE)
        except BlockingIOError:
            self.more = False
            return
        if not data:
            raise Lost("server closed the connection unexpectedly")
        self.more = len(data) == PIECE or connection.stream.has_more()
        if self.limit is not None:
            self.limit -= len(data)
            if self.limit < 0:
                raise Lost("the server says more than it was asked")
        for kind, content in self._reader.messages(data):
            if not self.connected:
                break
            self._take(kind, content)

    def _take(self, kind: int, content: bytes) -> None:
        """Take in one message. Raises Lost and Garbled."""
        if kind == READY_FOR_QUERY:
            self._asked = False
            if self._leaves:
                self.close()
            else:
                self.answered()
        elif kind == NOTIFICATION_RESPONSE:
            self.heard_of(content[4:].partition(b"\0")[0])
        elif kind == ERROR_RESPONSE:
            raise Lost(messages.describe(content))
        elif kind in (COPY_IN_RESPONSE, COPY_OUT_RESPONSE, COPY_BOTH_RESPONSE):
            raise messages.Garbled(messages.NOT_THE_PROTOCOL)

    def _fail(self, reason: str) -> None:
        self.failure = reason.strip()
        self.close()
