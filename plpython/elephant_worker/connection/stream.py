"""The bytes of a connection, which is encrypted or not. Nothing here waits: what cannot be done raises
BlockingIOError."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ssl import SSLSocket


class Stream(Protocol):
    """Its methods raise OSError when the connection is gone."""

    def fileno(self) -> int: ...

    def read(self, size: int) -> bytes:
        """At most so many bytes; none where the server has ended the connection."""

    def has_more(self) -> bool:
        """Whether something can be read that the socket does not show."""

    def write(self, data: memoryview) -> int:
        """Send the beginning; returns how much that was."""

    def close(self) -> None: ...


class PlainStream:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._number = connection.fileno()

    def fileno(self) -> int:
        return self._number

    def read(self, size: int) -> bytes:
        return os.read(self._number, size)

    def has_more(self) -> bool:
        return False

    def write(self, data: memoryview) -> int:
        return os.write(self._number, data)

    def close(self) -> None:
        self._number = -1  # the next connection may get the same
        self._connection.close()


# The longest record of TLS.
RECORD = 16 * 1024  # bytes


class TlsStream:
    """Encrypted by the system's OpenSSL."""

    def __init__(self, connection: SSLSocket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self, size: int) -> bytes:
        import ssl

        parts: list[bytes] = []
        left = size
        try:
            while left > 0:
                part = self._connection.recv(min(left, RECORD))
                if not part:
                    break
                parts.append(part)
                left -= len(part)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not parts:
                raise BlockingIOError from None
        except OSError:
            if not parts:  # what has come before is read first
                raise
        return b"".join(parts)

    def has_more(self) -> bool:
        return self._connection.pending() > 0

    def write(self, data: memoryview) -> int:
        import ssl

        try:
            return self._connection.send(data[:RECORD])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def close(self) -> None:
        self._connection.close()
