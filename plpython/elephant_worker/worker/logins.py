"""How the worker's sessions connect: to the same server, as a role that can only be the job's; to a foreign one,
as the role's user mapping says."""

from __future__ import annotations

import secrets
from ipaddress import ip_address

from ..connection.libpq import Login, OperationalError, conninfo, parse_conninfo
from ..connection.scram import verifier
from ..database import login_role
from ..database.login_role import ServerLogin
from ..database.server import Server
from ..database.spi import Spi
from ..database.worker_setting import Settings
from ..errors import UserError
from ..jobs.run import Target

# The session of a run ends by itself when the worker has gone: looked for this often.
CHECK_CLIENT_MILLISECONDS = 1000
# How long a session may take to connect, in seconds.
CONNECT_TIMEOUT = 30.0
# On other servers, unless their options say otherwise: a machine that has vanished is noticed within a
# minute, and nothing of Kerberos, which libpq would wait for.
ELSEWHERE = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "gssencmode": "disable",
}


class Logins:
    """The connection strings of places; `prepare` must have been committed before they are used."""

    def __init__(self, spi: Spi, server: Server) -> None:
        self._spi = spi
        self._server = server
        self._secret = secrets.token_urlsafe(32)
        self._verifier = verifier(self._secret, secrets.token_bytes(16))
        self._logins: dict[int, str] = {}
        self._elsewhere: dict[tuple[str, int], ServerLogin] = {}
        self._pulse: Settings | None = None

    def use(self, pulse: Settings) -> bool:
        """Follow the settings; returns whether sessions are to connect in another way than before.

        Raises UserError (22023) where conninfo cannot be read.
        """
        before, self._pulse = self._pulse, pulse
        if before is not None and (before.connect_as, before.conninfo) == (pulse.connect_as, pulse.conninfo):
            return False
        self._parameters = _readable(pulse.conninfo)
        return True

    def prepare(self, target: Target) -> bool:
        """See to it that the place's role can log in; returns whether sessions that are open for it have
        been opened in another way. Raises UserError where there is no way."""
        if target.server is not None:
            key = target.server, target.role_oid
            login, before = login_role.server_login(self._spi, *key), self._elsewhere.get(key)
            if login.obstacle is not None:
                raise UserError(
                    f'role "{target.rolname}" cannot log in on foreign server "{target.server}" any more',
                    "The server, a right to it or the user mapping has just been changed.",
                    "The job's quarantined_reason will say more.",
                    "42501",
                )
            self._elsewhere[key] = login
            return before is not None and before.version != login.version
        if self._settings.connect_as == "runner":
            self._logins[target.role_oid] = login_role.prepare_runner(self._spi, target.role_oid, self._verifier)
        return False

    def login(self, target: Target) -> Login:
        """How to connect to a place."""
        if target.server is None:
            return Login(self.conninfo(target))
        login = self._elsewhere[target.server, target.role_oid]
        parameters = {**ELSEWHERE, "user": target.rolname, **login.parameters, **_session(target)}
        parameters["options"] += " " + login.parameters.get("options", "")
        return Login(conninfo(parameters), login.password_required)

    def connect_timeout(self, target: Target) -> float:
        """How long a session for a place may take to connect, in seconds."""
        if target.server is None:
            return CONNECT_TIMEOUT
        given = self._elsewhere[target.server, target.role_oid].parameters.get("connect_timeout", "0")
        seconds = float(given) if given.isdecimal() else 0.0
        return min(seconds or CONNECT_TIMEOUT, CONNECT_TIMEOUT)

    def conninfo(self, target: Target) -> str:
        """The connection string of a place."""
        defaults = {
            "host": loopback(self._server.listen_addresses),
            "port": self._server.port,
            "sslmode": "allow",
            "gssencmode": "disable",
        }
        login = {"user": target.rolname}
        if self._settings.connect_as == "runner":
            login = {"user": self._logins[target.role_oid], "password": self._secret}
        return conninfo(
            {
                **defaults,
                **self._parameters,
                **login,
                **_session(target),
            }
        )

    @property
    def _settings(self) -> Settings:
        assert self._pulse is not None
        return self._pulse


def _session(target: Target) -> dict[str, str]:
    return {
        "dbname": target.datname,
        "client_encoding": "UTF8",
        "application_name": "elephant_worker",
        "options": f"-c client_connection_check_interval={CHECK_CLIENT_MILLISECONDS}",
    }


def check_conninfo(text: str) -> dict[str, str] | None:
    """The function `check_conninfo`: what is wrong with worker_setting.conninfo."""
    try:
        _readable(text)
    except UserError as user_error:
        return user_error.as_row()
    return None


def _readable(text: str) -> dict[str, str]:
    """The parameters of a connection string. Raises UserError (22023)."""
    try:
        return parse_conninfo(text)
    except OperationalError as error:
        raise UserError(
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
