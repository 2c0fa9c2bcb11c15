"""A database with the extension, servers that receive alerts, and forwarders."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from apprise import NotifyBase
from click.testing import CliRunner, Result
from psycopg import sql
from psycopg.conninfo import make_conninfo

from elephant_console.cli import main
from elephant_console.configuration import Configuration, Receiver
from elephant_console.forward import forwarder
from elephant_console.forward.forwarder import Forwarder
from elephant_console.forward.stop import Stop
from harness.cluster import ROOT, Cluster
from harness.scheduler import Scheduler, new_scheduler
from harness.waiting import until
from tests.console.receivers import MailServer, WebServer

RAISE = """
    INSERT INTO alert (alert_id, event, raised_at, job_id, job_name, jl_id, rolname, datname, attempt, explanation,
                       since, told_at)
    SELECT nextval('worker_inbox_request_id_seq'), %(event)s, m, 1 + abs(hashtext(%(job_name)s)::bigint), %(job_name)s,
           1, %(rolname)s, 'weborder', 1, %(explanation)s, m, m
    FROM generate_series(1, %(count)s), LATERAL (SELECT clock_timestamp() - %(ago)s::interval) x (m)
    RETURNING alert_id"""


class Alerts:
    """The alerts of a database, and the role that forwards them."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.role = scheduler.role("forwarder", scheduler=False)
        scheduler.execute("GRANT job_monitor TO {}", sql.Identifier(self.role))
        scheduler.execute("ALTER ROLE {} PASSWORD 'word of the forwarder'", sql.Identifier(self.role))
        self.conninfo = make_conninfo(
            "", host="127.0.0.1", port=scheduler.cluster.port, dbname=scheduler.dbname, user=self.role,
            password="word of the forwarder",
        )  # fmt: skip

    def raise_(
        self,
        count: int = 1,
        event: str = "failed",
        job_name: str | None = "import orders",
        explanation: str = "The run failed: division by zero (22012).",
        rolname: str = "app",
        ago: str = "0",
    ) -> list[int]:
        """Write alerts as the worker does; returns their numbers."""
        with self.scheduler.admin.transaction():
            rows = self.scheduler.admin.execute(
                RAISE,
                {
                    "count": count,
                    "event": event,
                    "job_name": job_name,
                    "explanation": explanation,
                    "rolname": rolname,
                    "ago": ago,
                },
            ).fetchall()
            self.scheduler.execute("NOTIFY elephant_worker, '{}'")
        return [row.alert_id for row in rows]

    def undelivered(self) -> int:
        """How many nobody has confirmed."""
        count: int = self.scheduler.value("SELECT count(*) FROM alert WHERE delivered_at IS NULL")
        return count

    def wait(self) -> None:
        """Wait until all have been delivered."""
        until(lambda: not self.undelivered(), "all alerts to be delivered")

    def rows(self) -> list[Any]:
        return self.scheduler.execute("SELECT * FROM all_alert ORDER BY alert_id").fetchall()


@pytest.fixture(scope="package")
def used(cluster: Cluster) -> Iterator[list[Scheduler]]:
    """Databases that tests have left as they were, but for the roles there."""
    used: list[Scheduler] = []
    yield used
    for scheduler in used:
        scheduler.close()


@pytest.fixture
def scheduler(cluster: Cluster, used: list[Scheduler]) -> Iterator[Scheduler]:
    """A database in which no worker has been started."""
    scheduler = used.pop() if used else new_scheduler(cluster)
    yield scheduler
    if scheduler.value("SELECT reason LIKE 'no worker has been started%' FROM worker_status"):
        scheduler.execute("TRUNCATE alert, alert_receiver")
        used.append(scheduler)
    else:
        scheduler.close()


@pytest.fixture
def alerts(scheduler: Scheduler) -> Alerts:
    return Alerts(scheduler)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    monkeypatch.setattr(NotifyBase, "request_rate_per_sec", 0)
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.stop()


Forward = Callable[..., Stop]


@pytest.fixture
def forward(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forward]:
    """Starts a forwarder in a thread of its own; returns what ends it."""
    monkeypatch.setattr(forwarder, "FIRST_RETRY", 0.1)
    threads: list[tuple[Thread, Stop]] = []

    def start(
        url: str, name: str = "people", filters: dict[str, tuple[str, ...]] | None = None, **times: float
    ) -> Stop:
        receiver = Receiver(name, url, **(filters or {}))
        configuration = Configuration(
            alerts.conninfo, (receiver,), None, **{"group_for": 0.1, "take_over_after": 1.0, **times}
        )
        stop = Stop()
        thread = Thread(target=Forwarder(configuration, receiver, stop).run)
        thread.start()
        threads.append((thread, stop))
        return stop

    yield start
    for _, stop in threads:
        stop.set()
    for thread, stop in threads:
        thread.join(30)
        assert not thread.is_alive()
        assert not stop.failed


class Console:
    """The program, started as a person would, with a configuration file."""

    def __init__(self, alerts: Alerts, directory: Path, stack: ExitStack) -> None:
        self.file = directory / "console.toml"
        self.log = directory / "console.log"
        self._conninfo = alerts.conninfo
        self._stack = stack

    def configure(self, receivers: str = "", **tables: str) -> None:
        """Write the file: the tables of the receivers, and others."""
        parts = [f'[database]\nconninfo = "{self._conninfo}"', receivers]
        parts += [f"[{name}]\n{lines}" for name, lines in tables.items()]
        self.file.write_text("\n".join(parts))
        self.file.chmod(0o600)

    def _command(self, *arguments: str) -> dict[str, Any]:
        return {
            "args": [sys.executable, "-m", "elephant_console", "--config", str(self.file), *arguments],
            "env": {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "console/src"), "LANG": "C.UTF-8"},
        }

    def run(self, *arguments: str) -> Result:
        """Run a command in this process."""
        handlers = logging.getLogger().handlers[:]
        try:
            return CliRunner().invoke(main, ["--config", str(self.file), *arguments])
        finally:
            logging.getLogger().handlers[:] = handlers
            logging.captureWarnings(False)

    def start(self) -> subprocess.Popen[bytes]:
        """Start `forward`; what it says goes to the file `log`."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(**self._command("forward"), stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture
def console(alerts: Alerts, tmp_path: Path) -> Iterator[Console]:
    with ExitStack() as stack:
        yield Console(alerts, tmp_path, stack)


def backends(alerts: Alerts) -> list[int]:
    """The server processes of forwarders that listen."""
    rows = alerts.scheduler.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'elephant-console' AND usename = {}",
        sql.Literal(alerts.role),
    )
    return [row.pid for row in rows]
