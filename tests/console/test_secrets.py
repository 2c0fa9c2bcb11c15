"""What is secret in the configuration is in no log, no row and no traceback, whatever goes wrong."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import pytest
from apprise import Apprise

from elephant_console.configuration import Configuration, Heartbeat, Receiver
from elephant_console.forward.delivery import Outlet, UnusableUrlError
from elephant_console.forward.heartbeat import ping
from elephant_console.forward.message import Message
from elephant_console.redaction import RedactingFormatter
from harness.waiting import until
from tests.console.conftest import Alerts, Console, backends
from tests.console.receivers import MailServer, WebServer

MESSAGE = Message("title", "body", "failure")
SECRET = "s3cr3t"
URLS: list[Callable[[int], str]] = [
    lambda port: f"json://{SECRET}-user:{SECRET}%20pw@127.0.0.1:{port}/{SECRET}-path?key={SECRET}",
    lambda port: f"jsons://user:{SECRET}@127.0.0.1:{port}/{SECRET}",
    lambda port: f"form://127.0.0.1:{port}/{SECRET}/?%2BX-Token={SECRET}&method=put",
    lambda port: f"xml://{SECRET}:{SECRET}@127.0.0.1:{port}",
    lambda port: f"mailto://{SECRET}:{SECRET}@127.0.0.1:{port}?from={SECRET}@example.org&to={SECRET}@example.org",
    lambda port: f"mailtos://{SECRET}:{SECRET}@127.0.0.1:{port}?from=a@example.org&to=b@example.org",
    lambda port: f"json://{SECRET}.invalid:{port}/x",
    lambda port: f"gotify://127.0.0.1:{port}/{SECRET}",
    lambda port: f"ntfy://{SECRET}:{SECRET}@127.0.0.1:{port}/{SECRET}",
]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("url", URLS)
def test_no_reason_shows_a_secret(url: Callable[[int], str], mail: MailServer, web: WebServer) -> None:
    """Where nobody listens, where something else does, and where the answer repeats what it was asked."""
    web.status = 500
    mail.refusal = f"550 {SECRET} is not welcome"
    for port in (closed_port(), mail.port if url(1).startswith("mailto") else web.port):
        try:
            reason = Outlet(Receiver("people", url(port))).send(MESSAGE)
        except UnusableUrlError as error:
            reason = str(error)
        assert reason
        assert SECRET not in reason


def test_the_name_of_a_receiver_is_none() -> None:
    """As of one that is called like the mailbox that it writes to."""
    configuration = Configuration("", (Receiver("ops", "mailto://u:pw1@example.org?to=ops@example.org"),))
    assert configuration.redactor()("receivers.ops: u, pw1 at example.org") == "receivers.ops: ***, *** at ***"


def test_an_exception_of_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"json://{SECRET}@localhost/{SECRET}-path"

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot connect to {url}")

    outlet = Outlet(Receiver("people", url))
    monkeypatch.setattr(Apprise, "notify", broken)
    reason = outlet.send(MESSAGE)
    assert reason == "RuntimeError: cannot connect to ***"
    monkeypatch.setattr(Apprise, "instantiate", broken)
    with pytest.raises(UnusableUrlError) as raised:
        Outlet(Receiver("people", url))
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_traceback_and_what_objects_look_like() -> None:
    receiver = Receiver("people", f"json://{SECRET}@localhost")
    configuration = Configuration(f"host=db password={SECRET}-word", (receiver,), Heartbeat(f"http://x/{SECRET}-ping"))
    assert SECRET not in repr(configuration)
    try:
        raise RuntimeError(f"{receiver.url} {SECRET}-word /{SECRET}-ping")
    except RuntimeError as error:
        record = logging.LogRecord(
            "elephant_console", logging.ERROR, "x", 1, "a fault", None, (type(error), error, error.__traceback__)
        )
    shown = RedactingFormatter(configuration.redactor()).format(record)
    assert "RuntimeError: *** *** /***" in shown
    assert SECRET not in shown


def test_the_heartbeat(web: WebServer) -> None:
    web.status = 404
    for port in (web.port, closed_port()):
        problem = ping(f"http://me:{SECRET}@127.0.0.1:{port}/{SECRET}")
        assert problem
        assert SECRET not in problem
    web.status = 200
    assert ping(f"http://127.0.0.1:{web.port}/{SECRET}") is None


def test_neither_the_log_nor_the_table(alerts: Alerts, web: WebServer, console: Console) -> None:
    """Of the program as it runs, at whatever it fails."""
    web.status = 500
    tables = f'[receivers.web]\nurl = "{web.url(f"{SECRET}:{SECRET}@", SECRET)}"\n'
    tables += (
        f'[receivers.mail]\nurl = "mailto://{SECRET}:{SECRET}@127.0.0.1:{closed_port()}?from=a@b.de&to={SECRET}@b.de"'
    )
    console.configure(
        tables,
        forward='give_up_after = "1 second"',
        heartbeat=f'url = "http://127.0.0.1:{web.port}/{SECRET}"\nevery = "1 second"',
    )
    alerts.scheduler.start()
    console.start()
    until(lambda: len(backends(alerts)) == 3, "forwarders and heartbeat to connect")
    alerts.raise_()
    until(lambda: alerts.scheduler.value("SELECT bool_or(delivery_error IS NOT NULL) FROM alert"))
    until(lambda: "heartbeat: the answer was HTTP 500" in console.said())
    until(lambda: "web: gave up 1 alerts" in console.said())
    assert "web: 1 alerts not sent, trying again in 1 s: " in console.said()
    assert SECRET not in console.said()
    assert SECRET not in str(alerts.rows())
