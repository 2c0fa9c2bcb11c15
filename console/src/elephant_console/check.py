"""elephant-console check: what is wrong with the configuration, and a test message to each receiver."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from .configuration import Configuration
from .database import Database
from .forward.delivery import Outlet, UnusableUrlError
from .forward.heartbeat import ping
from .forward.message import Message, one_line

TEST = Message(
    "test of elephant-console",
    "This is a test. Alerts of elephant_worker will arrive here.",
    "success",
)


def check(configuration: Configuration, send: bool) -> Iterator[tuple[bool, str]]:
    """Everything that was looked at: whether it is right, and a line about it."""
    yield from _check_database(configuration)
    for receiver in configuration.receivers:
        where = f"receivers.{receiver.name}"
        try:
            outlet = Outlet(receiver)
        except UnusableUrlError as error:
            yield False, f"{where}.url: {error}"
            continue
        if send:
            error_text = outlet.send(TEST)
            yield (
                error_text is None,
                f"{where}: " + (f"no test message: {error_text}" if error_text else "test message sent"),
            )
        else:
            yield True, f"{where}: the URL can be used"
    if configuration.heartbeat and send:
        problem = ping(configuration.heartbeat.url)
        yield problem is None, f"heartbeat: {problem or 'called'}"


def _check_database(configuration: Configuration) -> Iterator[tuple[bool, str]]:
    try:
        with Database(configuration.conninfo) as database:
            database.listen()
            yield True, "database: alerts can be read"
            reason = database.condition().reason
            yield True, f"worker: {reason or 'well'}"
            for receiver in configuration.receivers:
                for name in database.unknown_roles(receiver.roles):
                    yield False, f'receivers.{receiver.name}.roles: role "{name}" does not exist'
    except psycopg.Error as error:
        yield False, f"database: {one_line(str(error), 1000)}"
