"""libpq, through the wrapper that psycopg has for it.

Of psycopg only this wrapper is loaded: the rest would take the worker 5 MB and a tenth of a second.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import ModuleType
from unittest.mock import patch

if "psycopg" not in sys.modules:
    _spec = find_spec("psycopg")
    if _spec is None or _spec.submodule_search_locations is None:
        raise ImportError("psycopg is not installed beside elephant_worker")
    _package = ModuleType("psycopg")
    _package.__path__ = list(_spec.submodule_search_locations)
    sys.modules["psycopg"] = _package

# Not the compiled wrapper of another release, which the system may have.
with patch.dict(os.environ, {"PSYCOPG_IMPL": "python"}):
    from psycopg.pq import (
        Conninfo,
        ConnStatus,
        DiagnosticField,
        Escaping,
        ExecStatus,
        PGconn,
        PollingStatus,
        TransactionStatus,
    )
    from psycopg.pq.misc import find_libpq_full_path

from psycopg.errors import OperationalError  # the wrapper must come first: they import each other
from psycopg.pq.abc import PGconn as Connection
from psycopg.pq.abc import PGresult as Result

__all__ = [
    "ConnStatus",
    "Connection",
    "DiagnosticField",
    "Escaping",
    "ExecStatus",
    "Login",
    "OperationalError",
    "PGconn",
    "PollingStatus",
    "Result",
    "TransactionStatus",
    "conninfo",
    "is_encrypted",
    "parse_conninfo",
]


# The wrapper lacks it.
_gss_encrypted = ctypes.CDLL(find_libpq_full_path()).PQgssEncInUse
_gss_encrypted.argtypes = [ctypes.c_void_p]
_gss_encrypted.restype = ctypes.c_int


def is_encrypted(connection: Connection) -> bool:
    """Whether what goes over a connection is encrypted, by TLS or GSSAPI."""
    return connection.ssl_in_use or bool(
        _gss_encrypted(connection.pgconn_ptr)  # type: ignore[attr-defined]  # the pure wrapper has it
    )


@dataclass(frozen=True, slots=True)
class Login:
    """How to connect, and whether it must be the password that lets the session in, and nothing that is
    the worker's own."""

    conninfo: str = field(repr=False)
    password_required: bool = False

    def accepts(self, connection: Connection) -> bool:
        """Whether a connection that has just been made may be used."""
        return not self.password_required or connection.used_password

    def at(self, address: dict[str, str]) -> Login:
        """The same, at the address of another connection."""
        return Login(f"{self.conninfo} {conninfo(address)}", self.password_required)


def parse_conninfo(text: str) -> dict[str, str]:
    """The parameters of a connection string or URI. Raises OperationalError.

    >>> parse_conninfo("host=/tmp port = 5433")
    {'host': '/tmp', 'port': '5433'}
    """
    options = Conninfo.parse(text.encode())
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


def conninfo(parameters: dict[str, str]) -> str:
    """A connection string (PostgreSQL documentation, Keyword/Value Connection Strings).

    >>> conninfo({"dbname": "it's", "user": "app"})
    "dbname='it\\\\'s' user='app'"
    """
    return " ".join(
        "{}='{}'".format(keyword, value.replace("\\", "\\\\").replace("'", "\\'"))
        for keyword, value in parameters.items()
    )
