"""How a session speaks with its server: it sends statements, and takes in the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import NamedTuple, Protocol

from ..records import record

NOTICE_BYTES = 8192  # bytes
NO_INPUT = b"a job has no input to copy from"
# Of a session that waited for a statement for longer than idle_session_timeout.
IDLE_SESSION_TIMEOUT = "57P05"


class Statement(NamedTuple):
    """A statement with the values of $1, $2 ...; without values, one or more as psql sends them."""

    text: bytes
    values: Sequence[bytes | None] | None = None


@record()
class Answer:
    """What the server has said to what was sent last."""

    # The fields of the first error, by the letters that the protocol has for them.
    error: dict[str, str] | None = None
    # Which statement of the preparation failed, so that the command has not been executed.
    unprepared: int | None = None
    # What the last statement of the command did, and the first value of the last row.
    tag: bytes | None = None
    value: bytes | None = None
    notices: bytearray = field(default_factory=bytearray)
    # Whether no transaction is open.
    idle: bool = True

    @property
    def is_fatal(self) -> bool:
        """Whether the server has ended the session."""
        return self.error is not None and self.error.get("V") in ("FATAL", "PANIC")

    @property
    def is_from_idle(self) -> bool:
        """Whether the server has ended the session before it has read anything of what was sent."""
        return self.is_fatal and self.error is not None and self.error.get("C") == IDLE_SESSION_TIMEOUT

    @property
    def has_room(self) -> bool:
        """Whether more of what the server remarks is kept."""
        return len(self.notices) < NOTICE_BYTES

    def notice(self, text: bytes) -> None:
        """Keep what the server remarks, as far as there is room."""
        room = NOTICE_BYTES - len(self.notices)
        if room > 0:
            self.notices += text[:room]


class Lost(Exception):
    """The connection is gone, or was never made; `unread`: before the server has read all of what was sent."""

    def __init__(self, reason: str, unread: bool = False, sqlstate: str | None = None, hint: str | None = None) -> None:
        super().__init__(reason)
        self.unread = unread
        self.sqlstate = sqlstate
        self.hint = hint


class Transport(Protocol):
    """A connection that is open. Its methods do not wait, and raise Lost."""

    # Whether something can be taken in without waiting.
    more: bool
    # Whether it is not to be used for another run.
    spent: bool
    answer: Answer

    @property
    def sending(self) -> bool:
        """Whether something is still to be sent."""

    def send(
        self, preparation: Sequence[Statement], command: Statement | None, begins: Callable[[], None], read_value: bool
    ) -> None:
        """Have statements executed, of which each has values, and then a command, if none of them has failed;
        `begins` is called when the command is sent. Whether the first value of its last row is wanted."""

    def receive(self) -> bool:
        """Take in what has come; returns whether all has been answered, or something of the preparation has
        failed, after which nothing more can be sent."""

    def last_words(self) -> None:
        """Take in what the server said before the connection broke."""
