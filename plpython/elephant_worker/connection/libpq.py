"""libpq, through the wrapper that psycopg has for it: it reads connection strings, and opens the sessions in which
SQL functions wait for the worker. The worker's own connections are made in connecting.py.

Of psycopg only this wrapper is loaded: the rest would take 5 MB and a tenth of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """The environment, of libpq's variables with these alone: those of the server are for its own start."""
    before = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    try:
        for name in before:
            del os.environ[name]
        os.environ.update(variables)
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


if "psycopg" not in sys.modules:
    _spec = find_spec("psycopg")
    if _spec is None or _spec.submodule_search_locations is None:
        raise ImportError("psycopg is not installed beside elephant_worker")
    _package = ModuleType("psycopg")
    _package.__path__ = list(_spec.submodule_search_locations)
    sys.modules["psycopg"] = _package

_chosen = os.environ.get("PSYCOPG_IMPL")
# Not the compiled wrapper of another release, which the system may have.
os.environ["PSYCOPG_IMPL"] = "python"
try:
    from psycopg.pq import Conninfo, ConnStatus, DiagnosticField, ExecStatus, PGconn  # isort: skip
    from psycopg.errors import OperationalError  # the wrapper must come first: they import each other
    from psycopg.pq.abc import PGconn as Connection
finally:
    del os.environ["PSYCOPG_IMPL"]
    if _chosen is not None:
        os.environ["PSYCOPG_IMPL"] = _chosen

__all__ = [
    "Connection",
    "DiagnosticField",
    "ExecStatus",
    "OperationalError",
    "connect",
    "parse_conninfo",
    "with_service",
]


def connect(parameters: Mapping[str, str]) -> Connection:
    """Open a session, and wait for it. Raises OperationalError."""
    with environment():
        connection = PGconn.connect(conninfo(parameters).encode(errors="surrogateescape"))
    if connection.status != ConnStatus.OK:
        raise OperationalError(connection.get_error_message())
    return connection


def parse_conninfo(text: str) -> dict[str, str]:
    """The parameters of a connection string or URI. Raises OperationalError.

    >>> parse_conninfo("host=/tmp port = 5433")
    {'host': '/tmp', 'port': '5433'}
    """
    options = Conninfo.parse(text.encode())
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


def with_service(parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters, with those beside them that a service file has under the name that they give as `service`."""
    named = {
        variable: parameters[name]
        for name, variable in (("service", "PGSERVICE"), ("servicefile", "PGSERVICEFILE"))
        if parameters.get(name)
    }
    others = {name: value for name, value in parameters.items() if name not in ("service", "servicefile")}
    if "PGSERVICE" not in named:
        return others
    found = dict(_defaults(named).items() - _defaults({}).items())
    del found["service"]
    return {**found, **others}


def _defaults(variables: Mapping[str, str]) -> dict[str, str]:
    files = {name: os.environ[name] for name in ("PGSERVICEFILE", "PGSYSCONFDIR") if name in os.environ}
    with environment(**{**files, **variables}):
        options = Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


def conninfo(parameters: Mapping[str, str]) -> str:
    """A connection string (PostgreSQL documentation, Keyword/Value Connection Strings).

    >>> conninfo({"dbname": "it's", "user": "app"})
    "dbname='it\\\\'s' user='app'"
    """
    return " ".join(
        "{}='{}'".format(keyword, value.replace("\\", "\\\\").replace("'", "\\'"))
        for keyword, value in parameters.items()
    )
