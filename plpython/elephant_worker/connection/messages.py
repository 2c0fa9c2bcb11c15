"""Messages of PostgreSQL's protocol (PostgreSQL documentation, Frontend/Backend Protocol, version 3.0): those that a
client sends to execute statements are written, those of the server taken apart."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence

BIND_COMPLETE = ord("2")
COMMAND_COMPLETE = ord("C")
COPY_DATA = ord("d")
COPY_IN_RESPONSE = ord("G")
DATA_ROW = ord("D")
EMPTY_QUERY_RESPONSE = ord("I")
ERROR_RESPONSE = ord("E")
NOTICE_RESPONSE = ord("N")
PARAMETER_STATUS = ord("S")
PARSE_COMPLETE = ord("1")
READY_FOR_QUERY = ord("Z")
ROW_DESCRIPTION = ord("T")

# How much of a message is kept, in bytes: a row may have a gigabyte, and nobody reads it.
LONGEST = 1024 * 1024
LONGEST_DATA = 8192
DATA = {DATA_ROW, COPY_DATA}
# The kind of a message, and its length without it.
HEADER = struct.Struct("!Bi")


class Garbled(Exception):
    """What has come is no message."""


def message(kind: bytes, content: bytes = b"") -> bytes:
    """A message of the client.

    >>> message(b"S")
    b'S\\x00\\x00\\x00\\x04'
    """
    return kind + (len(content) + 4).to_bytes(4, "big") + content


SYNC = message(b"S")
EXECUTE = message(b"E", b"\0" + bytes(4))


def query(text: bytes) -> bytes:
    """Statements as psql sends them, without parameters."""
    return message(b"Q", text + b"\0")


def statement(text: bytes, values: Sequence[bytes | None] = ()) -> bytes:
    """One statement with the values of $1, $2 …. Those that follow it are executed unless it fails; after that,
    nothing is before SYNC."""
    return parse(text) + bind(values) + EXECUTE


def parse(text: bytes) -> bytes:
    return message(b"P", b"\0" + text + b"\0\0\0")


def bind(values: Sequence[bytes | None]) -> bytes:
    parts = [b"\0\0\0\0", len(values).to_bytes(2, "big")]
    for value in values:
        parts += (b"\xff\xff\xff\xff",) if value is None else (len(value).to_bytes(4, "big"), value)
    parts.append(b"\0\0")
    return message(b"B", b"".join(parts))


def copy_fail(reason: bytes) -> bytes:
    """There is nothing to copy from the client."""
    return message(b"f", reason + b"\0")


class Reader:
    """Takes apart what the server sends, however it is cut into pieces on its way; some kinds are passed over."""

    def __init__(self, passed_over: Collection[int] = ()) -> None:
        self._passed_over = passed_over
        # What has come of a message that is to be kept, and how much is still to come of one that is not.
        self._begun = b""
        self._skip = 0

    def messages(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The kind and the content of each message that has come; of a long one its beginning. Raises Garbled.

        >>> reader = Reader()
        >>> list(reader.messages(b"Z\\0\\0\\0\\5IC\\0\\0"))
        [(90, b'I')]
        >>> list(reader.messages(b"\\0\\4"))
        [(67, b'')]
        """
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        elif self._begun:
            data = self._begun + data
        start, end = 0, len(data)
        while end - start >= 5:
            kind, length = HEADER.unpack_from(data, start)
            if length < 4:
                raise Garbled
            following = start + 1 + length
            if following > end:
                longest = LONGEST_DATA if kind in DATA else LONGEST
                if end - start <= longest or length <= longest:
                    break
                self._skip = following - end
                following = end
            if kind not in self._passed_over:
                yield kind, data[start + 5 : following]
            start = following
        self._begun = data[start:]


def fields(content: bytes) -> dict[str, str]:
    """The fields of an error or a notice, by their letters (Error and Notice Message Fields).

    >>> fields(b"SERROR\\0C22012\\0Mdivision by zero\\0\\0")
    {'S': 'ERROR', 'C': '22012', 'M': 'division by zero'}
    """
    parts = [part.decode(errors="replace") for part in content.split(b"\0") if part]
    return {part[0]: part[1:] for part in parts}
