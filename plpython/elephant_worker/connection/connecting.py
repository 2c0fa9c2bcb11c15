"""Makes a connection: finds the server, sees that it is the right one, and logs in.

The protocol is spoken without libpq, which waits for look-ups, computes as many SCRAM iterations as the server asks
for, keeps whatever it sends, and gives a password away to whoever asks. Nothing here waits, and everything that comes
from a server has a bound.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import random
import select
import socket
from collections.abc import Generator, Iterator
from contextlib import suppress
from enum import Enum
from ipaddress import ip_address
from typing import NamedTuple, TypeVar

from ..records import record
from ..system import postmaster
from . import messages
from .login import MD5, NONE, PASSWORD, SCRAM, Login
from .lookup import Lookup
from .messages import (
    AUTHENTICATION,
    BACKEND_KEY_DATA,
    COMMAND_COMPLETE,
    DATA_ROW,
    ERROR_RESPONSE,
    NEGOTIATE_PROTOCOL_VERSION,
    NOTICE_RESPONSE,
    NOTIFICATION_RESPONSE,
    PARAMETER_STATUS,
    READY_FOR_QUERY,
    ROW_DESCRIPTION,
)
from .scram import Derivation, Exchange, Keys, Untrusted
from .stream import PlainStream, Stream, TlsStream
from .transport import Lost

# How much a server may say before it is ready, in bytes, and how much is read at once.
MOST = 256 * 1024  # bytes
PIECE = 8192  # bytes
# How many addresses of a server are tried: many fail at once, without a turn for others in between.
MOST_ADDRESSES = 100  # addresses
# What a server may say at any time.
UNASKED = (NOTICE_RESPONSE, PARAMETER_STATUS, NOTIFICATION_RESPONSE)
# The keys of the passwords that were used last: each costs as many iterations as its server wants.
KEYS_KEPT = 256  # keys
_keys: dict[tuple[str, bytes, int], Keys] = {}

NOT_ASKED = "Its pg_hba.conf must ask this user for one, or a superuser set password_required = false in the mapping."
RUNNER_NOT_ASKED = (
    "Its pg_hba.conf must ask runners for scram-sha-256: at an address that worker_setting.conninfo names, the server "
    "must prove who it is."
)
IN_THE_OPEN = (
    "Have it ask for scram-sha-256; or verify it by TLS (sslmode = verify-full); or have a superuser allow this "
    "method, by require_auth in a foreign server of theirs or password_required = false in the mapping."
)


class Wait(Enum):
    """What is waited for."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"
    NOTHING = "nothing"


EVENTS = {
    Wait.READ: select.POLLIN,
    Wait.WRITE: select.POLLOUT,
    Wait.BOTH: select.POLLIN | select.POLLOUT,
}


@record(frozen=True)
class Connected:
    """A connection that is ready for use."""

    stream: Stream
    backend_pid: int
    # Where it leads, of the addresses that there may be; parameters of libpq.
    address: dict[str, str]
    # What has come of the next message.
    rest: bytes
    # The encoding of its database, as the server calls it.
    server_encoding: bytes = b""

    def close(self, politely: bool = True) -> None:
        """End it; `politely`: with a word to the server, which waits for one."""
        if politely:
            with suppress(OSError):
                self.stream.write(memoryview(messages.TERMINATE))
        self.stream.close()


class Endpoint(NamedTuple):
    """One address of a server; a path for a socket in the file system."""

    host: str
    address: str
    port: int

    @property
    def is_path(self) -> bool:
        return self.address.startswith(("/", "@"))

    def __str__(self) -> str:
        """As libpq calls it.

        >>> print(Endpoint("berlin", "10.1.2.3", 5432)), print(Endpoint("/tmp", "/tmp/.s.PGSQL.5432", 5432))
        server at "berlin" (10.1.2.3), port 5432
        server on socket "/tmp/.s.PGSQL.5432"
        (None, None)
        """
        if self.is_path:
            return f'server on socket "{self.address}"'
        return f'server at "{self.host}"{"" if self.host == self.address else f" ({self.address})"}, port {self.port}'

    @property
    def parameters(self) -> dict[str, str]:
        found = {"host": self.host, "port": str(self.port)}
        return found if self.is_path else {**found, "hostaddr": self.address}


class Unreachable(Lost):
    """Not this one, but perhaps the next one."""


class Rejected(Lost):
    """The server does not let in whoever comes in this way, encrypted or not."""


class NoConnectionLeft(Lost):
    """The server, the database or the role has as many connections as it may have."""


class Unencrypted(Rejected):
    """The server does not support TLS."""


Socket = socket.socket
T = TypeVar("T")
# What is waited for, and whether there is more to be done without waiting.
Steps = Generator[tuple[Wait, bool], None, T]
READABLE, WRITABLE, BUSY = (Wait.READ, False), (Wait.WRITE, False), (Wait.READ, True)


class Connecting:
    """A connection that is being made."""

    def __init__(self, login: Login, asks_process: bool = False) -> None:
        """`asks_process`: whether to ask which process executes what is sent; behind a pooler it is another one than
        the connection's."""
        self.wait = Wait.WRITE
        self.more = False
        self._login = login
        self._asks_process = asks_process
        self._parameters = login.parameters
        self._source: Socket | Stream | Lookup | None = None
        self._steps = self._connect()

    @property
    def socket(self) -> int:
        return -1 if self._source is None else self._source.fileno()

    def step(self) -> Connected | None:
        """Do what can be done without waiting; the connection, once it is made. Raises Lost."""
        try:
            self.wait, self.more = next(self._steps)
        except StopIteration as end:
            connected: Connected = end.value
            return connected
        except Lost:
            self.close()
            raise
        except (OSError, messages.Garbled, Untrusted) as error:
            self.close()
            raise Lost(str(error)) from None
        return None

    def close(self) -> None:
        self._steps.close()
        self._leave()

    def _leave(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    # --- where to ---------------------------------------------------------------------------

    def _connect(self) -> Steps[Connected]:
        if self._parameters.get("gssencmode") == "require":
            raise Lost("Kerberos is not spoken here, which gssencmode = require asks for")
        failures: list[str] = []
        endpoints: list[Endpoint] = []
        for named in self._named():
            try:
                endpoints += yield from self._look_up(named)
            except Unreachable as failure:
                failures.append(str(failure))
        endpoints = endpoints[:MOST_ADDRESSES]
        for wanted in _wanted(self._parameters.get("target_session_attrs", "any")):
            for endpoint in endpoints:
                try:
                    return (yield from self._connect_to(endpoint, wanted))
                except Unreachable as failure:
                    failures.append(str(failure))
        raise Lost("\n".join(failures) or "there is no address to connect to")

    def _named(self) -> list[Endpoint]:
        """What host, hostaddr and port say, each one or several with commas between them."""
        hosts, addresses, ports = (self._parameters.get(name, "").split(",") for name in ("host", "hostaddr", "port"))
        if len(hosts) == len(addresses) == len(ports) == 1 and _is_port(ports[0]):
            return [Endpoint(hosts[0] or addresses[0] or "localhost", addresses[0], int(ports[0]))]
        count = max(len(hosts), len(addresses))
        if count > MOST_ADDRESSES:
            raise Lost(f"more than {MOST_ADDRESSES} hosts are named")
        if any(len(part) not in (1, count) for part in (hosts, addresses, ports)):
            raise Lost("the numbers of hosts, addresses and ports do not fit")
        named = []
        for number in range(count):
            host, address, port = (part[min(number, len(part) - 1)].strip() for part in (hosts, addresses, ports))
            if port and not _is_port(port):
                raise Lost(f'invalid port number: "{port}"')
            named.append(Endpoint(host or address or "localhost", address, int(port or 5432)))
        if self._parameters.get("load_balance_hosts") == "random":
            random.shuffle(named)
        return named

    def _look_up(self, named: Endpoint) -> Steps[list[Endpoint]]:
        host = named.host
        if self._login.to_postmaster and named.address:
            return [named]
        if host.startswith(("/", "@")):
            return [named._replace(address=f"{host}/.s.PGSQL.{named.port}")]
        with suppress(ValueError):
            ip_address(named.address or host)
            return [named._replace(address=named.address or host)]
        if named.address:
            raise Unreachable(f'could not parse network address "{named.address}"')
        self._source = lookup = Lookup(host, self._login.role_oid)
        yield READABLE
        self._leave()
        if lookup.failure:
            raise Unreachable(lookup.failure)
        return [named._replace(address=address) for address in lookup.addresses]

    def _connect_to(self, endpoint: Endpoint, wanted: str) -> Steps[Connected]:
        """Over TLS or without, in the order that sslmode says."""
        mode = "disable" if endpoint.is_path else self._parameters.get("sslmode", "prefer")
        ways = {"disable": (False,), "allow": (False, True), "prefer": (True, False)}.get(mode, (True,))
        if mode == "allow" and endpoint.address in self._login.wants_tls:
            ways = (True, False)
        why: Rejected | None = None
        for number, encrypt in enumerate(ways):
            try:
                made = yield from self._try(endpoint, encrypt, mode)
                if wanted not in made.roles:
                    raise Unreachable(f"{endpoint} is not what target_session_attrs asks for: {wanted}")
            except Rejected as rejected:
                self._leave()
                if why is None or not isinstance(rejected, Unencrypted):
                    why = rejected  # that TLS was no way out does not say what it was to be a way out of
                if number == len(ways) - 1:
                    raise Lost(_failed(endpoint, why)) from None
            except Lost as lost:
                self._leave()
                raise type(lost)(_failed(endpoint, lost), sqlstate=lost.sqlstate, hint=lost.hint) from None
            except (OSError, messages.Garbled, Untrusted) as error:
                self._leave()
                raise Lost(_failed(endpoint, error)) from None
            else:
                if encrypt and mode == "allow":
                    self._login.wants_tls.add(endpoint.address)
                self._source = None  # it is not this one's any more
                return made.connected
        raise AssertionError("one of the ways leads somewhere")

    def _try(self, endpoint: Endpoint, encrypt: bool, mode: str) -> Steps[_Attempt]:
        stream, is_known = yield from self._reach(endpoint)
        attempt = _Attempt(self._login, stream, is_known)
        if encrypt:
            encrypted = yield from self._encrypt(endpoint, attempt, mode)
            if encrypted is not None:
                self._source = attempt.stream = encrypted
        yield from attempt.log_in()
        if self._asks_process:
            yield from attempt.ask_process()
        attempt.address = endpoint.parameters
        return attempt

    def _reach(self, endpoint: Endpoint) -> Steps[tuple[PlainStream, bool]]:
        """A socket that is connected, and whether it is known who listens."""
        family = socket.AF_UNIX if endpoint.is_path else socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
        self._source = made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            if endpoint.is_path:
                yield from self._connect_path(made, endpoint.address)
            else:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not self._login.to_postmaster:
                    self._keep_alive(made)
                made.connect((endpoint.address, endpoint.port))
        except BlockingIOError:
            yield WRITABLE
            failure = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure:
                raise Unreachable(os.strerror(failure)) from None
        except OSError as error:
            raise Unreachable(error.strerror or str(error)) from None
        return PlainStream(made), self._is_known(made, endpoint)

    def _connect_path(self, made: Socket, path: str) -> Steps[None]:
        while True:
            try:
                made.connect("\0" + path[1:] if path.startswith("@") else path)
                return
            except BlockingIOError:  # as many wait for the server as can (connect(2), EAGAIN): no poll tells when not
                yield BUSY

    def _is_known(self, made: Socket, endpoint: Endpoint) -> bool:
        """Whether the one that listens is known, who must be the postmaster where the login says so."""
        if self._login.to_postmaster:
            # Its addresses are its own on this machine while it lives; a path could be another one's meanwhile.
            is_its_own = postmaster.is_postmaster if endpoint.is_path else postmaster.leads_here
            if not (is_its_own(made) and postmaster.is_alive()):
                raise Lost("it is not this server that listens there")
            return True
        wanted = self._parameters.get("requirepeer")
        if not endpoint.is_path or not wanted:
            return False
        try:
            number = pwd.getpwnam(wanted).pw_uid
        except (KeyError, ValueError):
            raise Lost(f'there is no user "{wanted}" of the operating system') from None
        if not postmaster.is_owned_by(made, number):
            raise Lost(f'the server does not belong to the user "{wanted}" of the operating system')
        # Which user that should be may have been said by the very one who listens.
        return False

    def _keep_alive(self, made: Socket) -> None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, self._parameters.get("keepalives") != "0")
        for name, option in (
            ("keepalives_idle", "TCP_KEEPIDLE"),
            ("keepalives_interval", "TCP_KEEPINTVL"),
            ("keepalives_count", "TCP_KEEPCNT"),
            ("tcp_user_timeout", "TCP_USER_TIMEOUT"),
        ):
            value, number = self._parameters.get(name, "")[:10], getattr(socket, option, None)
            if value.isdecimal() and int(value) > 0 and number is not None:
                made.setsockopt(socket.IPPROTO_TCP, number, min(int(value), 2**31 - 1))

    # --- TLS --------------------------------------------------------------------------------

    def _encrypt(self, endpoint: Endpoint, attempt: _Attempt, mode: str) -> Steps[TlsStream | None]:
        """The same connection, encrypted; none where the server cannot and need not."""
        import ssl

        from . import tls

        stream = attempt.stream
        if self._parameters.get("sslnegotiation") != "direct":
            yield from attempt.write(messages.SSL_REQUEST)
            while True:
                try:
                    answer = stream.read(1)  # what came after it in the clear would be somebody else's
                    break
                except BlockingIOError:
                    yield READABLE
            if answer == b"N" and mode == "prefer":
                return None
            if answer != b"S":
                raise Unencrypted("the server does not support TLS")
        made = tls.context(self._parameters)
        assert isinstance(self._source, socket.socket)
        try:
            encrypted = TlsStream(self._source, made, tls.server_name(endpoint.host, self._parameters, made))
            while True:
                try:
                    if encrypted.shake_hands():
                        break
                    yield BUSY
                except BlockingIOError:
                    yield (Wait.BOTH if encrypted.sending else Wait.READ, False)
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"the server's certificate is not accepted: {error.verify_message}") from None
        except (OSError, ValueError) as error:
            raise Rejected(f"TLS failed: {error}") from None
        attempt.is_encrypted = True
        attempt.is_known = attempt.is_known or tls.is_verified(self._parameters, made)
        attempt.binding = tls.channel_binding(encrypted.tls)
        return encrypted


class _Attempt:
    """A connection to one address, from the first message to the server's being ready."""

    def __init__(self, login: Login, stream: Stream, is_known: bool) -> None:
        self.stream = stream
        self.is_known = is_known
        self.is_encrypted = False
        # How SCRAM names the TLS channel.
        self.binding: bytes | None = None
        self.address: dict[str, str] = {}
        self._login = login
        self._parameters = login.parameters
        self._reader = messages.Reader()
        self._messages: Iterator[tuple[int, bytes]] = iter(())
        self._received = 0
        self._backend_pid = 0
        self._reported: dict[bytes, bytes] = {}

    @property
    def connected(self) -> Connected:
        return Connected(
            self.stream, self._backend_pid, self.address, self._reader.rest, self._reported.get(b"server_encoding", b"")
        )

    @property
    def roles(self) -> set[str]:
        """Of what target_session_attrs can ask for, what the server is."""
        standby = self._reported.get(b"in_hot_standby") == b"on"
        read_only = standby or self._reported.get(b"default_transaction_read_only") == b"on"
        return {"any", "standby" if standby else "primary", "read-only" if read_only else "read-write"}

    def log_in(self) -> Steps[None]:
        names = ("user", "dbname", "application_name", "client_encoding", "options")
        given = {"database" if name == "dbname" else name: self._parameters.get(name, "") for name in names}
        yield from self.write(messages.startup({name: value for name, value in given.items() if value}))
        yield from self._authenticate()
        while True:
            kind, content = yield from self._read()
            if kind == BACKEND_KEY_DATA:
                self._backend_pid = int.from_bytes(content[:4], "big", signed=True)
            elif kind == PARAMETER_STATUS:
                name, _, value = content.partition(b"\0")
                if name in (b"in_hot_standby", b"default_transaction_read_only", b"server_encoding"):
                    self._reported[name] = value.rstrip(b"\0")
            elif kind == READY_FOR_QUERY:
                break
            elif kind == ERROR_RESPONSE:
                raise self._error(content)
            elif kind not in UNASKED:
                raise messages.Garbled(messages.NOT_THE_PROTOCOL)
        self._check_rest()

    def ask_process(self) -> Steps[None]:
        yield from self.write(messages.query(b"SELECT pg_catalog.pg_backend_pid()"))
        while True:
            kind, content = yield from self._read()
            if kind == DATA_ROW:
                number = messages.first_value(content) or b""
                if number.isdigit() and len(number) < 10:
                    self._backend_pid = int(number)
            elif kind == READY_FOR_QUERY:
                break
            elif kind == ERROR_RESPONSE:
                raise self._error(content)
            elif kind not in (*UNASKED, ROW_DESCRIPTION, COMMAND_COMPLETE):
                raise messages.Garbled(messages.NOT_THE_PROTOCOL)
        self._check_rest()

    def _check_rest(self) -> None:
        """See that a server that has answered says no more, but for the reason why it ends the session."""
        for kind, content in self._messages:
            if kind == ERROR_RESPONSE:
                raise self._error(content)
            if kind not in UNASKED:
                raise messages.Garbled(messages.NOT_THE_PROTOCOL)

    # --- authentication ---------------------------------------------------------------------

    def _authenticate(self) -> Steps[None]:
        code, content = yield from self._request()
        if code == 0:
            self._check(NONE)
            return
        if code == 3:
            yield from self.write(messages.password(self._password(PASSWORD)))
        elif code == 5:
            word, user = self._password(MD5), self._parameters.get("user", "").encode(errors="surrogateescape")
            inner = hashlib.md5(word + user, usedforsecurity=False).hexdigest().encode()
            outer = hashlib.md5(inner + content[:4], usedforsecurity=False).hexdigest().encode()
            yield from self.write(messages.password(b"md5" + outer))
        elif code == 10:
            yield from self._prove(content.split(b"\0"))
        else:
            raise Lost("the server asks for an authentication that is not spoken here, as Kerberos")
        code, content = yield from self._request()
        if code != 0:
            raise Untrusted("the server does not answer to the authentication")

    def _prove(self, mechanisms: list[bytes]) -> Steps[None]:
        """Log in by SCRAM: the server, too, proves that it knows who logs in."""
        self._check(SCRAM)
        wanted = self._parameters.get("channel_binding", "prefer")
        can_bind = self.binding is not None and wanted != "disable"
        binds = can_bind and b"SCRAM-SHA-256-PLUS" in mechanisms
        if wanted == "require" and not binds:
            raise Lost("channel binding is required, and the server does not offer it")
        exchange = Exchange(self.binding if binds else None, can_bind and not binds)
        if exchange.mechanism not in mechanisms:
            raise Lost("the server asks for an authentication that is not spoken here")
        yield from self.write(messages.sasl_initial(exchange.mechanism, exchange.first()))
        challenge = yield from self._request(11)
        keys = yield from self._derive(*exchange.challenge(challenge[1]))
        yield from self.write(messages.sasl_response(exchange.proof(keys)))
        signature = yield from self._request(12)
        exchange.check_signature(signature[1])

    def _derive(self, salt: bytes, iterations: int) -> Steps[Keys]:
        keys = self._login.keys
        if keys is not None:
            if (keys.salt, keys.iterations) != (salt, iterations):
                raise Untrusted("the server does not know who logs in: it asks for another SCRAM proof")
            return keys
        key = self._password(SCRAM).decode(), salt, iterations
        keys = _keys.get(key)
        if keys is None:
            derivation = Derivation(*key)
            while (keys := derivation.step()) is None:
                yield BUSY
            while len(_keys) >= KEYS_KEPT:
                del _keys[next(iter(_keys))]
            _keys[key] = keys
        return keys

    def _request(self, expected: int | None = None) -> Steps[tuple[int, bytes]]:
        """What the server asks for, or that it is content (0)."""
        while True:
            kind, content = yield from self._read()
            if kind == AUTHENTICATION and len(content) >= 4:
                code = int.from_bytes(content[:4], "big")
                if expected is not None and code != expected:
                    raise Untrusted("the server does not finish the authentication that it has begun")
                return code, content[4:]
            if kind == ERROR_RESPONSE:
                raise self._error(content)
            if kind not in (NOTICE_RESPONSE, NEGOTIATE_PROTOCOL_VERSION):
                raise messages.Garbled(messages.NOT_THE_PROTOCOL)

    def _check(self, method: str) -> None:
        """See that the server may ask in this way. Raises Lost."""
        if self._login.accepts(method, self.is_known, self._login.to_postmaster):
            return
        if method == NONE:
            hint = NOT_ASKED if self._login.keys is None else RUNNER_NOT_ASKED
            raise Lost("the server did not ask for the password", sqlstate="2F003", hint=hint)
        raise Lost(
            f"the server asks for an authentication that it may not ask for: {method}",
            sqlstate="28000",
            hint=IN_THE_OPEN if self._login.keys is None else None,
        )

    def _password(self, method: str) -> bytes:
        self._check(method)
        word = self._parameters.get("password", "")
        if not word:
            raise Lost("no password supplied")
        return word.encode()

    # --- messages ---------------------------------------------------------------------------

    def _error(self, content: bytes) -> Lost:
        text = messages.describe(content)
        sqlstate = messages.fields(content).get("C")
        if sqlstate == "28000":  # no line of pg_hba.conf for this way in, perhaps for another one
            return Rejected(text)
        if sqlstate == "57P03":
            return Unreachable(text)
        return NoConnectionLeft(text) if sqlstate == "53300" else Lost(text)

    def write(self, data: bytes) -> Steps[None]:
        left = memoryview(data)
        while left:
            try:
                left = left[self.stream.write(left) :]
            except BlockingIOError:
                yield (Wait.BOTH, False)

    def _read(self) -> Steps[tuple[int, bytes]]:
        """The next message. Raises Lost where a server talks and talks."""
        while True:
            for message in self._messages:
                return message
            try:
                data = self.stream.read(PIECE)
            except BlockingIOError:
                yield READABLE
                continue
            if not data:
                raise Lost("server closed the connection unexpectedly")
            self._received += len(data)
            if self._received > MOST:
                raise Lost(f"the server sent more than {MOST // 1024} kB before it was ready")
            self._messages = self._reader.messages(data)


def _is_port(text: str) -> bool:
    return text.isdecimal() and len(text) <= 5 and int(text) <= 65535


def _wanted(attributes: str) -> tuple[str, ...]:
    """What a server should be, and what will do otherwise."""
    return ("standby", "any") if attributes == "prefer-standby" else (attributes,)


def _failed(endpoint: Endpoint, error: Exception) -> str:
    return f"connection to {endpoint} failed: {error}"
