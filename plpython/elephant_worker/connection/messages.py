"""Messages of PostgreSQL's protocol (PostgreSQL documentation, Frontend/Backend Protocol, version 3.0): those that a
client sends to execute statements are written, those of the server taken apart."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence

AUTHENTICATION = ord("R")
BACKEND_KEY_DATA = ord("K")
BIND_COMPLETE = ord("2")
COMMAND_COMPLETE = ord("C")
COPY_DATA = ord("d")
COPY_BOTH_RESPONSE = ord("W")
COPY_DONE = ord("c")
COPY_IN_RESPONSE = ord("G")
COPY_OUT_RESPONSE = ord("H")
DATA_ROW = ord("D")
EMPTY_QUERY_RESPONSE = ord("I")
ERROR_RESPONSE = ord("E")
NEGOTIATE_PROTOCOL_VERSION = ord("v")
NOTICE_RESPONSE = ord("N")
NOTIFICATION_RESPONSE = ord("A")
PARAMETER_STATUS = ord("S")
PARSE_COMPLETE = ord("1")
READY_FOR_QUERY = ord("Z")
ROW_DESCRIPTION = ord("T")

# Version 3.0 of the protocol, and what a client asks for instead that wants TLS.
VERSION = b"\0\3\0\0"
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"

# How much of a message is kept, in bytes: a row may have a gigabyte, and nobody reads it; and as a server can write
# errors of any length, the log keeps the beginning.
LONGEST = 64 * 1024  # bytes
LONGEST_DATA = 8192  # bytes
DATA = {DATA_ROW, COPY_DATA}
# The protocol has 18 kinds of fields; what follows is no field.
MOST_FIELDS = 32  # fields
# An SQLSTATE, and the one of a message whose own is none (protocol_violation).
SQLSTATE = re.compile("[0-9A-Z]{5}")
NO_SQLSTATE = "08P01"
# The kind of a message, and its length without it.
HEADER = struct.Struct("!Bi")


NOT_THE_PROTOCOL = "what the server sends is not PostgreSQL's protocol"


class Garbled(Exception):
    """What has come is no message."""


def message(kind: bytes, content: bytes = b"") -> bytes:
    """A message of the client.

    >>> message(b"S")
    b'S\\x00\\x00\\x00\\x04'
    """
    return kind + (len(content) + 4).to_bytes(4, "big") + content


SYNC = message(b"S")
TERMINATE = message(b"X")
EXECUTE = message(b"E", b"\0" + bytes(4))


def query(text: bytes) -> bytes:
    """Statements as psql sends them, without parameters."""
    return message(b"Q", text + b"\0")


def statement(text: bytes, values: Sequence[bytes | None] = ()) -> bytes:
    """One statement with the values of $1, $2 and so on. Those that follow it are executed unless it fails; after that,
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


def first_value(row: bytes) -> bytes | None:
    """The first value of a row.

    >>> first_value(b"\\0\\1\\0\\0\\0\\2it"), first_value(b"\\0\\1\\xff\\xff\\xff\\xff")
    (b'it', None)
    """
    length = int.from_bytes(row[2:6], "big", signed=True)
    return row[6 : 6 + length] if length >= 0 else None


def values(row: bytes) -> list[str | None]:
    """The values of a row that is kept as a whole, of a session whose client_encoding is UTF8.

    >>> values(b"\\0\\2\\0\\0\\0\\2it\\xff\\xff\\xff\\xff")
    ['it', None]
    """
    found: list[str | None] = []
    start = 2
    for _ in range(int.from_bytes(row[:2], "big")):
        length = int.from_bytes(row[start : start + 4], "big", signed=True)
        start += 4
        found.append(row[start : start + length].decode() if length >= 0 else None)
        start += max(length, 0)
    return found


def copy_fail(reason: bytes) -> bytes:
    """There is nothing to copy from the client."""
    return message(b"f", reason + b"\0")


class Reader:
    """Takes apart what the server sends, however it is cut into pieces on its way; some kinds are passed over."""

    def __init__(self, passed_over: Collection[int] = (), begun: bytes = b"", longest_data: int = LONGEST_DATA) -> None:
        self._passed_over = passed_over
        self._longest_data = longest_data
        # What has come of a message that is to be kept, and how much is still to come of one that is not.
        self._begun = begun
        self._skip = 0

    @property
    def rest(self) -> bytes:
        """What has come of a message that is not complete."""
        return self._begun

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
                raise Garbled(NOT_THE_PROTOCOL)
            following = start + 1 + length
            if following > end:
                longest = self._longest_data if kind in DATA else LONGEST
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
    parts = [part.decode(errors="backslashreplace") for part in content.split(b"\0", MOST_FIELDS)[:MOST_FIELDS] if part]
    found = {part[0]: part[1:] for part in parts}
    if "C" in found and not SQLSTATE.fullmatch(found["C"]):
        found["C"] = NO_SQLSTATE
    return found


def startup(parameters: Mapping[str, str]) -> bytes:
    """The first message of a connection, which has no kind. Bytes that are no UTF-8 are as in names of files.

    >>> startup({"user": "app"})
    b'\\x00\\x00\\x00\\x12\\x00\\x03\\x00\\x00user\\x00app\\x00\\x00'
    """
    words = [word for pair in parameters.items() for word in pair]
    content = VERSION + b"".join(word.encode(errors="surrogateescape") + b"\0" for word in words) + b"\0"
    return (len(content) + 4).to_bytes(4, "big") + content


def sasl_initial(mechanism: bytes, response: bytes) -> bytes:
    """The first answer to a request for a SASL authentication."""
    return message(b"p", mechanism + b"\0" + len(response).to_bytes(4, "big") + response)


def sasl_response(response: bytes) -> bytes:
    return message(b"p", response)


def password(word: bytes) -> bytes:
    """A password as it is, or its MD5 hash."""
    return message(b"p", word + b"\0")


def describe(content: bytes) -> str:
    """What an error says, on one line as libpq has it.

    >>> describe(b"SFATAL\\0C28P01\\0Mpassword authentication failed\\0\\0")
    'FATAL:  password authentication failed'
    """
    found = fields(content)
    return f"{found.get('S', 'ERROR')}:  {found.get('M', '')}"
