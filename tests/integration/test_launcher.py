"""The launchers of launcher/, run as cron and systemd would run them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from psycopg import sql

from harness.cluster import ROOT, USER
from harness.scheduler import SCHEMA, Scheduler


def cron_command() -> list[str]:
    """The command of the crontab line: what follows the five fields and the user."""
    lines = (ROOT / "launcher/elephant_worker.cron").read_text().splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    *fields, user, command = line.split(" ", 6)
    assert (fields, user) == (["*"] * 5, "postgres")
    assert "%" not in command  # cron would end the command there
    return ["/bin/sh", "-c", command]


def systemd_command() -> list[str]:
    """The commands of the unit, the second one executed where the first one succeeds; its own failure is none."""
    lines = (ROOT / "launcher/elephant_worker@.service").read_text().splitlines()
    unit = [tuple(line.replace("%i", "postgres").split("=", 1)) for line in lines if "=" in line and line[0] != "#"]
    service = dict(unit)
    assert service["Type"] == "oneshot"
    # Its own variables are put in, and what PostgreSQL's programs read is said by options.
    variables = dict(value.split("=") for name, value in unit if name == "Environment")
    assert (variables.pop("PGHOST"), variables.pop("PGPORT")) == ("/var/run/postgresql", "5432")
    words = [
        shlex.split(service["ExecCondition"]),
        [*shlex.split(service["ExecStart"]), "-d", variables.pop("PGDATABASE")],
    ]
    for name, value in variables.items():
        words = [[word.replace(f"${{{name}}}", value) for word in line] for line in words]
    return ["/bin/sh", "-c", " && ".join(map(shlex.join, words))]


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
    server = f"-h {scheduler.cluster.socket_directory} -p {scheduler.cluster.port}"
    *shell, line = command
    line = line.replace("-d postgres", f"-d '{scheduler.dbname}'").replace("-h /var/run/postgresql -p 5432", server)

    def launch(status: int = 0) -> None:
        done = subprocess.run([*shell, line], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (status, "")

    launch()
    assert scheduler.value("SELECT running FROM worker_status") is False
    pid = scheduler.start()
    launch()
    assert scheduler.value("SELECT pid FROM worker_status") == pid
    scheduler.kill()
    launch()
    assert scheduler.value("SELECT running FROM worker_status") is True
    scheduler.stop()
    launch()
    assert scheduler.value("SELECT running FROM worker_status") is False
    # No word while the server is down.
    environment["PGPORT"] = "1"
    line = line.replace(f"-p {scheduler.cluster.port}", "-p 1")
    launch(status=2)


def test_the_callback_of_patroni(scheduler: Scheduler, tmp_path: Path) -> None:
    """It starts the worker on a primary, whatever is in the environment of Patroni, and does nothing on a standby."""
    cluster = scheduler.cluster
    # A directory of somebody's, whose programs are not to be found, nor the files.
    for name in ("psql", ".psqlrc"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PGHOST": "nowhere.invalid",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "PGUSER": "nobody",
    }
    scheduler.execute("ALTER DATABASE {} SET statement_timeout = 1", sql.Identifier(scheduler.dbname))

    def call(role: str, place: str = cluster.socket_directory, schema: str = SCHEMA) -> tuple[int, str]:
        done = subprocess.run(
            [
                cluster.installation.bindir / "elephant_worker_patroni",
                *(place, str(cluster.port), scheduler.dbname, schema),
                *("on_role_change", role, "batman"),
            ],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    running = "SELECT running FROM worker_status"
    scheduler.execute("SELECT arm_worker()")
    assert call("replica") == (0, "")
    assert scheduler.value(running) is False
    assert call("primary") == (0, "")
    assert scheduler.value(running) is True
    assert call("master") == (0, "")
    scheduler.stop()
    assert call("primary") == (0, "")
    assert scheduler.value(running) is False
    # Nothing that it is told is taken for SQL, or for the name of a machine.
    status, said = call("primary", schema='x"; SELECT 1/0; --')
    assert status == 3
    assert 'schema "x"; SELECT 1/0; --" does not exist' in said
    status, said = call("primary", place="localhost")
    assert (status, "must be an absolute path" in said) == (2, True)
