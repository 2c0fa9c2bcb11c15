"""The launchers of launcher/, run as cron and systemd would run them."""

from __future__ import annotations

import configparser
import os
import shlex
import subprocess

import pytest
from psycopg import sql

from harness.cluster import ROOT, USER
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until


def cron_command() -> list[str]:
    """The command of the crontab line: what follows the five fields and the user."""
    lines = (ROOT / "launcher/elephant_worker.cron").read_text().splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    *fields, user, command = line.split(" ", 6)
    assert (fields, user) == (["*"] * 5, "postgres")
    assert "%" not in command  # cron would end the command there
    return ["/bin/sh", "-c", command]


def systemd_command() -> list[str]:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(ROOT / "launcher/elephant_worker.service")
    assert unit["Service"]["Type"] == "oneshot"
    return shlex.split(unit["Service"]["ExecStart"])


@pytest.mark.parametrize("command", [cron_command(), systemd_command()], ids=["cron", "systemd"])
def test_launcher(scheduler: Scheduler, command: list[str]) -> None:
    # The launchers name the schema and the database of the documentation.
    scheduler.execute("CREATE SCHEMA scheduler")
    scheduler.execute(
        """CREATE FUNCTION scheduler.start_worker(unattended boolean) RETURNS integer
           LANGUAGE sql AS 'SELECT {}.start_worker(unattended)'""",
        sql.Identifier(SCHEMA),
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": scheduler.cluster.socket_directory,
        "PGPORT": str(scheduler.cluster.port),
        "PGUSER": USER,
    }
    command = [part.replace("-d postgres", f"-d '{scheduler.dbname}'") for part in command]
    command = [scheduler.dbname if part == "postgres" else part for part in command]

    def launch() -> None:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""

    launch()
    assert scheduler.value("SELECT running FROM worker_status") is False
    pid = scheduler.start()
    launch()
    assert scheduler.value("SELECT pid FROM worker_status") == pid
    scheduler.value("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: scheduler.value("SELECT pid FROM worker_status") is None)
    launch()
    assert scheduler.value("SELECT running FROM worker_status") is True
    scheduler.stop()
    launch()
    assert scheduler.value("SELECT running FROM worker_status") is False
