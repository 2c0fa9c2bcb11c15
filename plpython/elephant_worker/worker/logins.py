"""How the worker's sessions connect: to the same server, as a role that can only be the job's; to a foreign one,
as the role's user mapping says."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from functools import lru_cache

from ..connection.libpq import Unreadable, parse_conninfo, with_service
from ..connection.login import Login, required_methods
from ..connection.passfile import find_password
from ..connection.scram import Keys, random_keys
from ..database import login_role, server
from ..database.login_role import ServerLogin
from ..database.server import Server
from ..database.spi import Spi
from ..database.worker_setting import Settings
from ..errors import UserError
from ..jobs.run import Target
from ..system import postmaster

# The session of a run ends by itself when the worker has gone: it looks for that this often.
CHECK_CLIENT_INTERVAL = 1000  # milliseconds
# How long a session may take to connect.
CONNECT_TIMEOUT = 30.0  # seconds
# On other servers, unless their options say otherwise: a machine that has vanished is noticed within a minute.
ELSEWHERE = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
# The parameters that lead to another address than the server's own.
ADDRESS = frozenset(("host", "hostaddr", "port"))


class Logins:
    """The ways into places; `prepare` must have been committed before they are used."""

    def __init__(self, spi: Spi, own: Server) -> None:
        self._spi = spi
        self._server = own
        # Of each runner its name, and what it logs in with.
        self._runners: dict[int, str] = {}
        self._keys: dict[int, Keys] = {}
        self._elsewhere: dict[tuple[str, int], ServerLogin] = {}
        self._pulse: Settings | None = None
        self._parameters: dict[str, str] = {}
        self._wants_tls: set[str] = set()
        # Of each role that has been prepared, the version of its login.
        self._versions: dict[int, str] = {}
        # Names of roles and databases, as the catalogs have them.
        self._names: dict[str, bytes] = {}

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
        if ADDRESS.isdisjoint(self._parameters):
            own_address()
        if self._settings.connect_as == "runner":
            keys = self._keys.setdefault(target.role_oid, random_keys())
            most = self._settings.most_sessions_of_a_role
            self._runners[target.role_oid] = login_role.prepare_runner(self._spi, target.role_oid, keys.verifier, most)
        self._versions |= self.versions({target.role_oid})
        for name in (target.rolname, target.datname):
            self._names[name] = server.catalog_name(self._spi, name)
        return False

    def versions(self, role_oids: Collection[int]) -> dict[int, str]:
        """Of roles that have been prepared, the versions that their logins have now."""
        runners = {role_oid: self._runners.get(role_oid, "") for role_oid in role_oids}
        return login_role.versions(self._spi, runners) if runners else {}

    def login(self, target: Target) -> Login:
        """How to connect to a place."""
        return self._login_here(target) if target.server is None else self._login_elsewhere(target)

    def connect_timeout(self, target: Target) -> float:
        """How long a session for a place may take to connect, in seconds."""
        if target.server is None:
            return CONNECT_TIMEOUT
        given = self._elsewhere[target.server, target.role_oid].parameters.get("connect_timeout", "0")
        seconds = float(given) if given.isdecimal() else 0.0
        return min(seconds or CONNECT_TIMEOUT, CONNECT_TIMEOUT)

    def _login_here(self, target: Target) -> Login:
        """To this server; only where conninfo names another address it need not be its postmaster that listens."""
        given = self._parameters
        parameters = {
            "sslmode": "allow",
            **(own_address() if ADDRESS.isdisjoint(given) else _named_address(given, self._server.port)),
            **given,
            "user": self._in_bytes(target.rolname),
            **_session(target, given),
        }
        parameters["dbname"] = self._in_bytes(target.datname)
        to_postmaster = ADDRESS.isdisjoint(given) or is_own_address(parameters)
        # An address is that of nobody here once the postmaster is gone: it must not be taken for one of somebody else.
        postmaster.exit_if_dead()
        keys = None
        if self._settings.connect_as == "runner":
            parameters["user"], keys = self._runners[target.role_oid], self._keys[target.role_oid]
        return Login(
            parameters if keys is not None else _with_password(parameters),
            keys=keys,
            to_postmaster=to_postmaster,
            methods=required_methods(given.get("require_auth", "")),
            is_lenient="require_auth" in given,
            wants_tls=self._wants_tls,
            role=self._names[target.rolname],
            role_oid=target.role_oid,
            version=self._versions[target.role_oid],
        )

    def _in_bytes(self, name: str) -> str:
        """A name as the catalogs have it, as names of files are in Python."""
        return self._names[name].decode(errors="surrogateescape")

    def _login_elsewhere(self, target: Target) -> Login:
        assert target.server is not None
        login = self._elsewhere[target.server, target.role_oid]
        given = with_service(login.parameters)
        parameters = {**ELSEWHERE, "user": target.rolname, **given, **_session(target, given)}
        if ADDRESS.isdisjoint(given):
            parameters |= own_address(prefer_path=True)
        return Login(
            parameters if login.password_required else _with_password(parameters),
            password_required=login.password_required,
            methods=required_methods(given.get("require_auth", "")),
            is_lenient=login.is_lenient,
            role_oid=target.role_oid,
        )

    @property
    def _settings(self) -> Settings:
        assert self._pulse is not None
        return self._pulse


def _named_address(given: Mapping[str, str], port: str) -> dict[str, str]:
    """The address that a connection string names, with what it leaves out."""
    address = {name: given[name] for name in ADDRESS if name in given}
    return {"port": port, **({} if "hostaddr" in given else {"host": "127.0.0.1"}), **address}


def _session(target: Target, given: Mapping[str, str]) -> dict[str, str]:
    options = f"-c client_connection_check_interval={CHECK_CLIENT_INTERVAL} {given.get('options', '')}"
    return {
        "dbname": target.datname,
        "client_encoding": "UTF8",
        "application_name": "elephant_worker",
        "options": options.rstrip(),
    }


def _with_password(parameters: dict[str, str]) -> dict[str, str]:
    """The same, with the password that a file has for them."""
    return parameters if parameters.get("password") else {**parameters, "password": find_password(parameters)}


@lru_cache(maxsize=2)
def own_address(prefer_path: bool = False) -> dict[str, str]:
    """Where the postmaster of this process listens, as parameters of libpq; that stays so as long as it lives.
    Raises UserError (08001) where it listens nowhere, or the system does not tell."""
    tcp = [{"host": host, "hostaddr": host, "port": str(port)} for host, port in postmaster.listening_addresses()]
    paths = [{"host": os.path.dirname(path), "port": path.rpartition(".")[2]} for path in postmaster.listening_paths()]
    found = paths + tcp if prefer_path else tcp + paths
    if not found:
        raise UserError(
            "the worker finds no address at which this server listens",
            "It asks the operating system (Linux: /proc/self/net), so that it does not connect to somebody else.",
            "Set listen_addresses to localhost and restart the server; on another system than Linux, name the "
            "address in worker_setting.conninfo, as in host=127.0.0.1 port=5432.",
            "08001",
        )
    return found[0]


def is_own_address(parameters: Mapping[str, str]) -> bool:
    """Whether it is the postmaster of this process that listens there, and nobody else can as long as it lives."""
    host, port = parameters.get("hostaddr") or parameters.get("host", ""), parameters.get("port", "")
    return _is_own_address(host, port)


@lru_cache(maxsize=16)
def _is_own_address(host: str, port: str) -> bool:
    if host.startswith("/"):
        return f"{os.path.abspath(host)}/.s.PGSQL.{port}" in postmaster.listening_paths()
    return (host, port) in ((own, str(at)) for own, at in postmaster.listening_addresses())


def client_address() -> str | None:
    """From which address the sessions of runs come, as pg_hba.conf sees them; None: over a socket in the file
    system. Raises UserError like own_address()."""
    address = own_address()
    if "hostaddr" not in address:
        return None
    family = socket.AF_INET6 if ":" in address["hostaddr"] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address["hostaddr"], int(address["port"])))  # which sends nothing
        return str(probe.getsockname()[0])


def runner_address() -> dict[str, object]:
    """The function `runner_address`."""
    try:
        return {"address": client_address(), "user_error": None}
    except UserError as user_error:
        return {"address": None, "user_error": user_error.as_row()}


def conninfo_address(text: str, port: str) -> dict[str, object]:
    """The function `conninfo_address`."""
    try:
        given = _readable(text)
    except UserError:  # a service that is there no more; the worker says so
        given = {}
    if ADDRESS.isdisjoint(given):
        return {"address": None, "is_own": None}
    address = _named_address(given, port)
    where = address.get("hostaddr") or address["host"]
    return {"address": f"{where} port {address['port']}", "is_own": is_own_address(address)}


def check_conninfo(text: str) -> dict[str, str | None] | None:
    """The function `check_conninfo`: what is wrong with worker_setting.conninfo."""
    try:
        _readable(text)
    except UserError as user_error:
        return user_error.as_row()
    return None


def _readable(text: str) -> dict[str, str]:
    """The parameters of a connection string, those of a service among them. Raises UserError (22023)."""
    try:
        return with_service(parse_conninfo(text))
    except Unreadable as error:
        raise UserError(
            "worker_setting.conninfo cannot be read",
            str(error),
            "Write libpq parameters, as in host=/var/run/postgresql port=5432.",
        ) from None
