"""The bytes of a connection, which is encrypted or not. Nothing here waits: what cannot be done raises
BlockingIOError."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ssl import SSLContext


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
# How much is taken in and decrypted at once, however little of it is for the reader; and how much may wait to be sent.
TAKEN_IN = 16 * 1024  # bytes
MOST_UNSENT = 256 * 1024  # bytes


class TlsStream:
    """Encrypted by the system's OpenSSL, which is handed the bytes of the connection: left to read them itself, it
    would go on for as long as they are not for the reader, as session tickets and new keys are."""

    def __init__(self, connection: socket.socket, context: SSLContext, server_name: str | None) -> None:
        import ssl

        self._plain = PlainStream(connection)
        self._received, self._encrypted = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._received, self._encrypted, server_hostname=server_name)
        # What is encrypted and not sent, and how much of what write() was given that is.
        self._unsent = b""
        self._written = 0
        # What goes wrong after the last bytes that can be read.
        self._failure: OSError | None = None

    def fileno(self) -> int:
        return self._plain.fileno()

    @property
    def sending(self) -> bool:
        return bool(self._unsent)

    def shake_hands(self) -> bool:
        """Take the next step until both know the keys; returns whether they do."""
        import ssl

        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            self._take_in()
            return False
        except OSError:
            with suppress(OSError):  # the server may log why
                self._send()
            raise
        self._send()
        return True

    def read(self, size: int) -> bytes:
        import ssl

        if self._failure is not None:
            raise self._failure
        if not self.has_more():
            self._take_in()
        parts: list[bytes] = []
        left, ended = size, False
        try:
            while left > 0 and not ended:
                part = self.tls.read(min(left, RECORD))
                ended = not part
                parts.append(part)
                left -= len(part)
        except ssl.SSLWantReadError:
            with suppress(BlockingIOError, ConnectionError):  # there may be more to be read
                self._send()
            if not parts:
                raise BlockingIOError from None
        except ssl.SSLEOFError:
            pass
        except OSError as error:
            if not parts:
                raise
            self._failure = error
        return b"".join(parts)

    def has_more(self) -> bool:
        return self.tls.pending() > 0 or self._received.pending > 0 or self._failure is not None

    def write(self, data: memoryview) -> int:
        import ssl

        if not self._written:
            try:
                self._written = self.tls.write(data[:RECORD])
            except ssl.SSLWantReadError:
                raise BlockingIOError from None
        self._send()
        written, self._written = self._written, 0
        return written

    def close(self) -> None:
        self._plain.close()

    def _take_in(self) -> None:
        data = self._plain.read(TAKEN_IN)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _send(self) -> None:
        """Send all that is encrypted."""
        self._unsent += self._encrypted.read()
        if len(self._unsent) > MOST_UNSENT:
            raise OSError(errno.ENOBUFS, "the server has much answered and reads nothing")
        while self._unsent:
            self._unsent = self._unsent[self._plain.write(memoryview(self._unsent)) :]
