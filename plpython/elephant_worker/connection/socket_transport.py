"""Speaks the protocol over a connection, encrypted or not.

So a preparation and the command after it are one message to the server and one answer, which libpq cannot do; rows of
any size pass by without being kept; and each step takes in a piece, however much a server sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache

from . import messages
from .messages import (
    BIND_COMPLETE,
    COMMAND_COMPLETE,
    COPY_BOTH_RESPONSE,
    COPY_IN_RESPONSE,
    DATA_ROW,
    EMPTY_QUERY_RESPONSE,
    ERROR_RESPONSE,
    NOTICE_RESPONSE,
    NOTIFICATION_RESPONSE,
    PARAMETER_STATUS,
    PARSE_COMPLETE,
    READY_FOR_QUERY,
    ROW_DESCRIPTION,
)
from .stream import Stream
from .transport import NO_INPUT, Answer, Lost, Statement

# How much is taken in at once, in bytes: what returns much must not keep others waiting.
PIECE = 64 * 1024  # bytes
NOTHING = memoryview(b"")
# That the server has read a statement is known when it has executed it; what columns its rows have, and what the
# settings are, need not be known.
PASSED_OVER = frozenset((PARSE_COMPLETE, BIND_COMPLETE, ROW_DESCRIPTION, PARAMETER_STATUS))
SAID_AT_ANY_TIME = frozenset((NOTICE_RESPONSE, NOTIFICATION_RESPONSE, ERROR_RESPONSE))
# The longest tag of a command is that of INSERT, with a number of rows.
LONGEST_TAG = 64  # bytes


class SocketTransport:
    """A wire."""

    def __init__(self, stream: Stream, rest: bytes = b"") -> None:
        self.more = False
        self.spent = False
        self.answer = Answer()
        self._stream = stream
        self._reader = messages.Reader(PASSED_OVER, rest)
        self._unsent = NOTHING
        # How many statements of the preparation there are, and have been executed.
        self._preparation = 0
        self._prepared = 0
        self._with_values = False
        self._read_value = False
        # Whether the command has been told that there is no input.
        self._has_refused = False
        # Whether the server has been asked and has not answered.
        self._is_asked = False

    @property
    def sending(self) -> bool:
        return bool(self._unsent)

    def send(
        self, preparation: Sequence[Statement], command: Statement | None, begins: Callable[[], None], read_value: bool
    ) -> None:
        self.answer = Answer()
        self._preparation, self._prepared = len(preparation), 0
        self._read_value = read_value
        self._has_refused = False
        self._is_asked = True
        outgoing = [_prepared(text, values) for text, values in preparation]
        # Without SYNC between them a query, too, is passed over where the preparation has failed.
        if command is None:
            outgoing.append(messages.SYNC)
        elif command.values is None:
            outgoing.append(messages.query(command.text))
        else:
            outgoing += (messages.statement(command.text, command.values), messages.SYNC)
        self._with_values = command is not None and command.values is not None
        if command is not None:
            begins()
        self._write(b"".join(outgoing))

    def last_words(self) -> None:
        self._unsent = NOTHING
        with suppress(Lost):
            self.receive()

    def _write(self, data: bytes) -> None:
        """Send, after what is still to be sent."""
        beginning = not self._unsent
        self._unsent = memoryview(data if beginning else bytes(self._unsent) + data)
        self._write_on(beginning)

    def _write_on(self, beginning: bool = False) -> None:
        try:
            rest = self._unsent[self._stream.write(self._unsent) :]
            self._unsent = rest if rest else NOTHING
        except BlockingIOError:
            pass
        except OSError as error:
            raise Lost(f"could not send data to server: {error.strerror}", unread=beginning) from None

    def receive(self) -> bool:
        if self._unsent:
            self._write_on()
        try:
            data = self._stream.read(PIECE)
        except BlockingIOError:
            self.more = False
            return False
        except OSError as error:
            raise Lost(f"could not receive data from server: {error.strerror}") from None
        if not data:
            raise Lost("server closed the connection unexpectedly")
        self.more = len(data) == PIECE or self._stream.has_more()
        answered = False
        try:
            for kind, content in self._reader.messages(data):
                if self._take(kind, content):
                    answered = True
        except messages.Garbled as garbled:
            raise Lost(str(garbled)) from None
        return answered

    def _take(self, kind: int, content: bytes) -> bool:
        """Take in a message; returns whether it ends the answer."""
        answer = self.answer
        if not self._is_asked and kind not in SAID_AT_ANY_TIME:
            raise messages.Garbled(messages.NOT_THE_PROTOCOL)
        if kind in (COMMAND_COMPLETE, EMPTY_QUERY_RESPONSE):
            if self._prepared < self._preparation:
                self._prepared += 1
            elif kind == COMMAND_COMPLETE:
                answer.tag = content[:LONGEST_TAG].partition(b"\0")[0]
        elif kind == READY_FOR_QUERY:
            answer.idle = content == b"I"
            self._is_asked = False
            return True
        elif kind == DATA_ROW:
            if self._read_value and self._prepared == self._preparation:
                answer.value = messages.first_value(content)
        elif kind == ERROR_RESPONSE:
            if answer.error is None:
                answer.error = messages.fields(content)
            if self._prepared < self._preparation:
                answer.unprepared = self._prepared
                return True
        elif kind == NOTICE_RESPONSE:
            if self._prepared == self._preparation and answer.has_room:
                answer.notice(_text(messages.fields(content)).encode())
        elif kind in (COPY_IN_RESPONSE, COPY_BOTH_RESPONSE):
            if self._has_refused:
                raise messages.Garbled(messages.NOT_THE_PROTOCOL)  # the command has failed with the first refusal
            self._has_refused = True
            # A SYNC that has come already was passed over, unless COPY had failed by then: there may be two answers.
            self.spent = self.spent or self._with_values
            with suppress(Lost):  # which is found again when there is no more to be read
                self._write(messages.copy_fail(NO_INPUT) + (messages.SYNC if self._with_values else b""))
        return False


@lru_cache(maxsize=16)
def _constant(text: bytes) -> bytes:
    return messages.statement(text)


@lru_cache(maxsize=16)
def _parse(text: bytes) -> bytes:
    return messages.parse(text)


def _prepared(text: bytes, values: Sequence[bytes | None] | None) -> bytes:
    """The messages of a statement of which there are a few that come again and again."""
    return _parse(text) + messages.bind(values) + messages.EXECUTE if values else _constant(text)


def _text(notice: dict[str, str]) -> str:
    """What psql shows of a notice.

    >>> _text({"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": "one", "H": "two"})
    'NOTICE:  one\\nHINT:  two\\n'
    """
    parts = [(notice.get("S", ""), notice.get("M", "")), ("DETAIL", notice.get("D")), ("HINT", notice.get("H"))]
    return "".join(f"{name}:  {text}\n" for name, text in parts if text is not None)
