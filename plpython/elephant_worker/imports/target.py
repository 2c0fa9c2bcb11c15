"""Where a connection string of psql or of another scheduler leads; nothing here repeats its password."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from ..connection.libpq import Unreadable, parse_conninfo

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Elsewhere(Exception):
    """Why jobs cannot do what is done through a connection."""


class Target(NamedTuple):
    """What a connection says of database, role and settings."""

    database: str | None
    role: str | None
    settings: dict[str, str]


def is_local(host: str) -> bool:
    """Whether libpq reaches this machine by the name; the empty one is that of its default socket."""
    return not host or host.startswith(("/", "@")) or host in LOCAL_HOSTS


def is_connection_string(text: str) -> bool:
    """Whether libpq takes what is given as a database for a connection string."""
    return "=" in text or text.startswith(("postgresql://", "postgres://"))


def parameters_of(text: str) -> dict[str, str]:
    """The parameters of a connection string or URI. Raises Elsewhere.

    >>> parameters_of("postgresql://app@localhost/shop")["user"]
    'app'
    """
    try:
        return parse_conninfo(text)
    except Unreadable:
        # What libpq says may repeat the password.
        raise Elsewhere("its connection string cannot be read") from None


def target(parameters: Mapping[str, str], port: str) -> Target:
    """Where the parameters lead on this server, which listens at a port. Raises Elsewhere.

    >>> target({"host": "db2", "dbname": "shop"}, "5432")
    Traceback (most recent call last):
    elephant_worker.imports.target.Elsewhere: it runs on the server "db2": make that a foreign server, and define ...
    """
    for name in ("service", "servicefile"):
        if parameters.get(name):
            raise Elsewhere(f'the connection service "{parameters[name]}" says where it runs')
    host = parameters.get("hostaddr") or parameters.get("host") or ""
    if not is_local(host):
        raise Elsewhere(_on_server(f'the server "{host}"'))
    if parameters.get("port", port) not in ("", port):
        raise Elsewhere(_on_server(f"the server at port {parameters['port']}"))
    return Target(parameters.get("dbname") or None, parameters.get("user") or None, _settings(parameters))


def _on_server(server: str) -> str:
    return f"it runs on {server}: make that a foreign server, and define the job with its name as server"


def _settings(parameters: Mapping[str, str]) -> dict[str, str]:
    """The settings of the session that the parameters ask for."""
    settings = {}
    try:
        words = iter(shlex.split(parameters.get("options", "")))
    except ValueError:
        raise Elsewhere("its options cannot be read") from None
    for word in words:
        assigned = next(words, "") if word == "-c" else word[2:]
        name, equals, value = assigned.partition("=")
        if word[:2] not in ("-c", "--") or not equals:
            raise Elsewhere(f"the server's option {word} has no counterpart in a job")
        settings[name.replace("-", "_")] = value
    if parameters.get("application_name"):
        settings["application_name"] = parameters["application_name"]
    return settings
