"""Servers that do what a server should not: what they answer is a script, what they are told is kept."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from elephant_worker.connection.messages import SSL_REQUEST, message
from elephant_worker.connection.scram import Keys

READY = message(b"Z", b"I")
OK = message(b"R", bytes(4))
CLEARTEXT = message(b"R", b"\0\0\0\3")
MD5 = message(b"R", b"\0\0\0\5salt")
SASL = message(b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")
COPY_IN = message(b"G", b"\0\0\0")
ROW = message(b"D", b"\0\1\0\0\0\1x")
STATUS = message(b"S", b"application_name\0elephant\0")


def error(severity: str = "ERROR", sqlstate: str = "XX000", text: str = "no") -> bytes:
    return message(b"E", f"S{severity}\0V{severity}\0C{sqlstate}\0M{text}\0\0".encode())


def complete(tag: str) -> bytes:
    return message(b"C", tag.encode() + b"\0")


PARSED = message(b"1") + message(b"2")
# The answers to what goes before a command, and to a command that returns a row.
PREPARED = [PARSED, complete("BEGIN"), PARSED, ROW, complete("SELECT 1"), PARSED]
PREPARED += [complete("COMMIT")]
ANSWER = [message(b"T", b"\0\0"), ROW, complete("SELECT 1"), READY]


LET_IN = OK + message(b"K", b"\0\0\0\7\0\0\0\7") + READY
PROCESS = [message(b"T", b"\0\0"), message(b"D", b"\0\1\0\0\0\00212"), complete("SELECT 1"), READY]


class Gone(Exception):
    """The client has closed the connection."""


class Dialogue:
    """One connection, from the server's side. What waits for the client raises Gone when it has left."""

    def __init__(self, connection: socket.socket, told: bytearray) -> None:
        self.connection = connection
        self.told = told

    def read(self, size: int = 65536) -> bytes:
        try:
            data = self.connection.recv(size)
        except OSError:
            data = b""
        if not data:
            raise Gone
        self.told += data
        return data

    def send(self, *data: bytes) -> None:
        try:
            self.connection.sendall(b"".join(data))
        except OSError:
            raise Gone from None

    def flood(self, data: bytes) -> None:
        """Say the same for as long as the client listens."""
        piece = data * max(1, 65536 // len(data))
        while True:
            self.send(piece)

    def wait(self) -> None:
        """Say nothing for as long as the client is there."""
        while True:
            self.read()

    def startup(self, tls: ssl.SSLContext | None = None) -> None:
        """Read the first message of the client; it can have TLS."""
        if self.connection.recv(8, socket.MSG_PEEK) == SSL_REQUEST:
            self.connection.recv(8)
            self.send(b"N" if tls is None else b"S")
            if tls is not None:
                try:
                    self.connection = tls.wrap_socket(self.connection, server_side=True)
                except OSError:
                    raise Gone from None
        self.read()

    def let_in(self) -> None:
        """Say that all is well, and which process the client has."""
        self.send(LET_IN)
        self.read()
        self.send(*PROCESS)

    def scram(self, keys: Keys, send: Callable[[bytes], None] | None = None, signature: bytes | None = None) -> None:
        """Let in who knows the keys, as a server does that knows their verifier."""
        send = send or self.send
        send(SASL)
        first = self.read().partition(b"n=,")[2].decode()
        salt = b64encode(keys.salt).decode()
        challenge = f"r={first.partition('r=')[2]}nonce,s={salt},i={keys.iterations}"
        send(message(b"R", b"\0\0\0\x0b" + challenge.encode()))
        final = self.read()[5:].partition(b",p=")[0].decode()
        exchanged = f"n=,{first},{challenge},{final}".encode()
        signature = signature or hmac.digest(keys.server_key, exchanged, "sha256")
        send(message(b"R", b"\0\0\0\x0cv=" + b64encode(signature)))


def keys_of(password: str, iterations: int = 4096) -> Keys:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", iterations)
    client_key, server_key = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    return Keys(b"salt", iterations, client_key, server_key)


class FakeServer:
    """Follows one script after another, for each connection the next one and the last one again and again."""

    def __init__(self, *scripts: Callable[[Dialogue], None], host: str = "127.0.0.1", port: int = 0) -> None:
        self.told: list[bytearray] = []
        self._scripts = scripts
        if host.startswith("/"):
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(f"{host}/.s.PGSQL.{port}")
            self._listener.listen()
            self.port = port
        else:
            self._listener = socket.create_server((host, port))
            self.port = self._listener.getsockname()[1]
        self._connections: list[Dialogue] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for dialogue in self._connections:
            with suppress(OSError):
                dialogue.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(len(self.told), len(self._scripts) - 1)]
            self.told.append(bytearray())
            self._connections.append(Dialogue(connection, self.told[-1]))
            self._start(self._follow, script, self._connections[-1])

    @staticmethod
    def _follow(script: Callable[[Dialogue], None], dialogue: Dialogue) -> None:
        try:
            script(dialogue)
        except Gone:
            pass
        finally:
            dialogue.connection.close()


@contextmanager
def fake_server(*scripts: Callable[[Dialogue], None], host: str = "127.0.0.1", port: int = 0) -> Iterator[FakeServer]:
    server = FakeServer(*scripts, host=host, port=port)
    try:
        yield server
    finally:
        server.close()


def relay(host: str, port: int, change: Callable[[bytes], bytes] = bytes) -> Callable[[Dialogue], None]:
    """Pass everything on to a server, and back what it says, changed."""

    def script(dialogue: Dialogue) -> None:
        with socket.create_connection((host, port)) as server:

            def back() -> None:
                with suppress(OSError):
                    while data := server.recv(65536):
                        dialogue.connection.sendall(change(data))
                with suppress(OSError):
                    dialogue.connection.shutdown(socket.SHUT_RDWR)

            thread = threading.Thread(target=back)
            thread.start()
            try:
                while True:
                    server.sendall(dialogue.read())
            except OSError:
                pass
            finally:
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                thread.join()

    return script


def certificate(directory: Path, name: str = "localhost") -> Path:
    """A certificate that nobody has signed, and its key, in one file."""
    file = directory / "server.pem"
    options = f"req -new -x509 -days 2 -nodes -subj /CN={name} -addext subjectAltName=DNS:{name} -newkey rsa:2048"
    arguments: Sequence[str] = [*options.split(" "), "-keyout", str(file), "-out", str(directory / "certificate.pem")]
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    file.write_text(file.read_text() + (directory / "certificate.pem").read_text())
    file.chmod(0o600)
    return file


def tls(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
