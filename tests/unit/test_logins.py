"""To whom the worker's sessions lead."""

from __future__ import annotations

import os
from typing import Any, cast

import pytest

from elephant_worker.connection.scram import random_keys
from elephant_worker.database.server import Server
from elephant_worker.database.spi import Spi
from elephant_worker.database.worker_setting import Settings
from elephant_worker.jobs.run import Target
from elephant_worker.system import postmaster
from elephant_worker.worker import logins
from elephant_worker.worker.logins import Logins

ADDRESS = {"host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": "5432"}


class Namespace:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Logins:
    """The logins of a worker that knows its address, and whose postmaster ends right after that: it has no sockets any
    more."""

    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(logins, "own_address", lambda: ADDRESS)
    monkeypatch.setattr(postmaster, "listening_addresses", list)
    monkeypatch.setattr(os, "_exit", leave)
    logins._is_own_address.cache_clear()
    ready = Logins(cast(Spi, None), cast(Server, Namespace(port="5432")))
    ready._pulse = cast(Settings, Namespace(connect_as="runner"))
    ready._runners, ready._keys, ready._versions = {1: "runner"}, {1: random_keys()}, {1: ""}
    ready._names = {"app": b"app", "shop": b"shop"}
    return ready


def test_the_own_address_is_the_postmasters_also_when_that_ends(ready: Logins) -> None:
    """As long as it is not known that it has ended; who listens is looked at when there is a connection."""
    assert ready.login(Target(1, "app", "shop")).to_postmaster


@pytest.mark.parametrize("given", [{}, ADDRESS])
def test_nobody_logs_in_when_the_postmaster_has_ended(
    ready: Logins, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that conninfo names is nobody else's because of that."""
    ready._parameters = given
    monkeypatch.setattr(postmaster, "is_alive", lambda: False)
    with pytest.raises(SystemExit):
        ready.login(Target(1, "app", "shop"))
