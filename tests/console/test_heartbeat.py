"""The sign of life: it stays away when the worker is not well."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from elephant_console.configuration import Configuration, Heartbeat
from elephant_console.forward.heartbeat import Beating
from elephant_console.forward.stop import Stop
from harness.waiting import until
from tests.console.conftest import Alerts
from tests.console.receivers import WebServer


@pytest.fixture
def beating(alerts: Alerts, web: WebServer) -> Iterator[None]:
    stop = Stop()
    heartbeat = Heartbeat(f"http://127.0.0.1:{web.port}/ping", 0.1)
    configuration = Configuration(alerts.conninfo, (), heartbeat)
    thread = Thread(target=Beating(configuration, heartbeat, stop).run)
    thread.start()
    yield
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert not stop.failed


@pytest.mark.usefixtures("beating")
def test_it_is_given_while_the_worker_is_well(alerts: Alerts, web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = alerts.scheduler
    until(lambda: "no heartbeat, since the worker is not well: " in caplog.text)
    assert web.pings == []
    scheduler.start()
    until(lambda: len(web.pings) >= 3)
    assert set(web.pings) == {"/ping"}
    scheduler.execute("SELECT pause_jobs()")
    until(lambda: caplog.text.count("no heartbeat") == 2)
    paused = len(web.pings)
    scheduler.execute("SELECT resume_jobs()")
    until(lambda: len(web.pings) > paused)
    scheduler.stop()
    until(lambda: caplog.text.count("no heartbeat") == 3)
    assert "no worker" in caplog.text or "stopped" in caplog.text
