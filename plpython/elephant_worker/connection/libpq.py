"""libpq, through the wrapper that psycopg has for it: it reads connection strings and files of services. Connections
are made in connecting.py.

Of psycopg only this wrapper is loaded: the rest would take 5 MB and a tenth of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from ..vendor import vendored


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


class Unreadable(Exception):
    """What libpq cannot read; it may repeat a password."""


@cache
def _wrapper() -> tuple[Any, type[Exception]]:
    """The class that reads, and the error that it raises.

    Loading them takes longer than loading all that the worker needs, and few servers have something to be read.
    """
    # Not the compiled wrapper of another release, which the system may have.
    chosen = os.environ.pop("PSYCOPG_IMPL", None)
    os.environ["PSYCOPG_IMPL"] = "python"
    try:
        with vendored():
            if "psycopg" not in sys.modules:
                spec = find_spec("psycopg")
                if spec is None or spec.submodule_search_locations is None:
                    raise ImportError("psycopg is not installed beside elephant_worker")
                package = sys.modules["psycopg"] = ModuleType("psycopg")
                package.__path__ = list(spec.submodule_search_locations)
            from psycopg.pq import Conninfo  # isort: skip # the wrapper must come first: they import each other
            from psycopg.errors import OperationalError
    finally:
        del os.environ["PSYCOPG_IMPL"]
        if chosen is not None:
            os.environ["PSYCOPG_IMPL"] = chosen
    return Conninfo, OperationalError


def parse_conninfo(text: str) -> dict[str, str]:
    """The parameters of a connection string or URI. Raises Unreadable.

    >>> parse_conninfo("host=/tmp port = 5433")
    {'host': '/tmp', 'port': '5433'}
    """
    return _given(lambda libpq: libpq.parse(text.encode())) if text else {}


def with_service(parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters, with those beside them that a service file has under the name that they give as `service`. Raises
    Unreadable."""
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
        return _given(lambda libpq: libpq.get_defaults())


def _given(read: Callable[[Any], Any]) -> dict[str, str]:
    """The parameters that have a value of those that libpq reads."""
    libpq, refusal = _wrapper()
    try:
        options = read(libpq)
    except refusal as error:
        raise Unreadable(str(error).strip()) from None
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}
