"""How the worker's sessions connect: to the same server, as a role that can only be the job's."""

from __future__ import annotations

import secrets
from ipaddress import ip_address

from .errors import Refusal
from .libpq import OperationalError, conninfo, parse_conninfo
from .run import Place
from .scram import verifier
from .store import Pulse, Server, Store

# The session of a run ends by itself when the worker has gone: looked for this often.
CHECK_CLIENT_MILLISECONDS = 1000


class Access:
    """The connection strings of places; `prepare` must have been committed before they are used."""

    def __init__(self, store: Store, server: Server) -> None:
        self._store = store
        self._server = server
        self._secret = secrets.token_urlsafe(32)
        self._verifier = verifier(self._secret, secrets.token_bytes(16))
        self._logins: dict[int, str] = {}
        self._pulse: Pulse | None = None

    def use(self, pulse: Pulse) -> bool:
        """Follow the settings; returns whether sessions are to connect in another way than before.

        Raises Refusal (22023) where conninfo cannot be read.
        """
        before, self._pulse = self._pulse, pulse
        if before is not None and (before.connect_as, before.conninfo) == (pulse.connect_as, pulse.conninfo):
            return False
        self._parameters = _readable(pulse.conninfo)
        return True

    def prepare(self, place: Place) -> None:
        """See to it that the place's role can log in."""
        if self._settings.connect_as == "runner":
            self._logins[place.role_oid] = self._store.prepare_runner(place.role_oid, self._verifier)

    def conninfo(self, place: Place) -> str:
        """The connection string of a place."""
        defaults = {
            "host": loopback(self._server.listen_addresses),
            "port": self._server.port,
            "sslmode": "allow",
            "gssencmode": "disable",
        }
        login = {"user": place.rolname}
        if self._settings.connect_as == "runner":
            login = {"user": self._logins[place.role_oid], "password": self._secret}
        return conninfo(
            {
                **defaults,
                **self._parameters,
                **login,
                "dbname": place.datname,
                "client_encoding": "UTF8",
                "application_name": "elephant_worker",
                "options": f"-c client_connection_check_interval={CHECK_CLIENT_MILLISECONDS}",
            }
        )

    @property
    def _settings(self) -> Pulse:
        assert self._pulse is not None
        return self._pulse


def check_conninfo(text: str) -> dict[str, str] | None:
    """The function `check_conninfo`: what is wrong with worker_setting.conninfo."""
    try:
        _readable(text)
    except Refusal as refusal:
        return refusal.as_row()
    return None


def _readable(text: str) -> dict[str, str]:
    """The parameters of a connection string. Raises Refusal (22023)."""
    try:
        return parse_conninfo(text)
    except OperationalError as error:
        raise Refusal(
            "worker_setting.conninfo cannot be read",
            str(error).strip(),
            "Write libpq parameters, as in host=/var/run/postgresql port=5432.",
        ) from None


def loopback(listen_addresses: str) -> str:
    """The address at which a server that listens on these addresses can be reached from its own host.

    >>> loopback("localhost"), loopback("*"), loopback("::1"), loopback("10.1.2.3, ::1")
    ('127.0.0.1', '127.0.0.1', '::1', '::1')
    >>> loopback("10.1.2.3")
    '10.1.2.3'
    """
    addresses = [address.strip() for address in listen_addresses.split(",") if address.strip()]
    for address in addresses:
        if address in ("*", "0.0.0.0", "localhost"):
            return "127.0.0.1"
        if address == "::" or _is_loopback(address):
            return "::1" if address == "::" else address
    return addresses[0] if addresses else "127.0.0.1"


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
