"""A session of a SQL function's own to this server, in which it waits for the answers."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

from . import messages
from .client import Client
from .connecting import EVENTS, Connected, Wait
from .login import Login
from .messages import DATA_ROW, ERROR_RESPONSE
from .transport import Lost

# How long it waits for the socket before it looks at the time again.
LONGEST_PAUSE = 1.0  # seconds


class OwnSession(Client):
    """Connects at once; after an error it is closed. Whoever waits for it cannot be cancelled meanwhile."""

    longest_row = 1 << 30  # as long as PostgreSQL has them: nobody else has made them

    def __init__(self, login: Login, timeout: float) -> None:
        """`timeout`: how long the server may take to let it in, in seconds. Raises Lost."""
        # The fields of the error by which it has ended, by the letters that the protocol has for them.
        self.error: dict[str, str] = {}
        self._rows: list[list[str | None]] = []
        super().__init__(login)
        self._wait_until(lambda: self.connected, timeout)

    @property
    def backend_pid(self) -> int:
        assert self._connection is not None
        return self._connection.backend_pid

    def rows(self, text: str, values: Sequence[object] = ()) -> list[list[str | None]]:
        """The rows of one statement with the values of $1, $2 and so on. Raises Lost."""
        assert self._connection is not None
        words = [None if value is None else str(value).encode() for value in values]
        self._asked, self._rows = True, []
        self._send(self._connection, messages.statement(text.encode(), words) + messages.SYNC)
        self._wait_until(lambda: not self._asked)
        return self._rows

    def pause(self, seconds: float) -> None:
        """Wait until there is something to be done, at most for so long."""
        if not self.more:
            poll = select.poll()
            poll.register(self.socket, EVENTS[self.wait])
            poll.poll(seconds * 1000)

    def _send(self, connection: Connected, data: bytes) -> None:
        """Send all of it: the server reads it before it answers. Raises Lost."""
        left = memoryview(data)
        try:
            while left:
                try:
                    left = left[connection.stream.write(left) :]
                except BlockingIOError:
                    self.wait = Wait.WRITE
                    self.pause(LONGEST_PAUSE)
        except OSError as error:
            self._fail(f"the connection is gone: {error.strerror}")
            raise Lost(self.failure) from None
        self.wait = Wait.READ

    def _wait_until(self, is_done: Callable[[], bool], timeout: float = float("inf")) -> None:
        until = time.monotonic() + timeout
        while not is_done():
            if not self.ended and time.monotonic() > until:
                self._fail(f"the server has not let it in within {timeout:g} seconds")
            if self.ended:
                raise Lost(self.failure)
            self.pause(LONGEST_PAUSE)
            self.step()

    def _take(self, kind: int, content: bytes) -> None:
        if kind == DATA_ROW:
            self._rows.append(messages.values(content))
            return
        if kind == ERROR_RESPONSE:
            self.error = messages.fields(content)
        super()._take(kind, content)
