"""Debian's pgbouncer: the functions through it in transaction mode, and the sessions of runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import namedtuple_row

from harness.cluster import free_port
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until
from tests.integration.test_no_traceback import CALLS

Pooler = Callable[..., int]


@pytest.fixture
def pooler(scheduler: Scheduler, tmp_path: Path) -> Iterator[Pooler]:
    """Starts a pooler before the scheduler's cluster; returns its port."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(mode: str, roles: tuple[str, ...], **settings: str) -> int:
        port = free_port()
        users = tmp_path / "users"
        users.write_text("".join(f'"{role}" "{role}"\n' for role in roles))
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(users),
            "pool_mode": mode,
            "logfile": str(tmp_path / "log"),
            **settings,
        }
        where = f"host=127.0.0.1 port={scheduler.cluster.port}"
        configuration = tmp_path / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = {where}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in options.items())
        )
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "tools/prepare.sh installs pgbouncer"
        processes.append(subprocess.Popen([program, "-q", configuration]))

        def listens() -> bool:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                return True
            return False

        until(listens, "the pooler")
        return port

    yield start
    for process in processes:
        process.terminate()
        process.wait()


def client(scheduler: Scheduler, port: int, role: str) -> psycopg.Connection[Any]:
    """A session with the pooler, which sets nothing that would have to be kept."""
    return psycopg.connect(
        host="127.0.0.1", port=port, user=role, password=role, dbname=scheduler.dbname, autocommit=True,
        row_factory=namedtuple_row, prepare_threshold=None,
    )  # fmt: skip


def outcome(connection: psycopg.Connection[Any], statement: str) -> str:
    """How a statement ends that is rolled back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"
    return "00000"


# What a session has that another client of a pooler would get.
LEFT = """
    SELECT pg_backend_pid() AS pid, pg_my_temp_schema() AS temporary,
           (SELECT count(*) FROM pg_prepared_statements) AS prepared,
           (SELECT count(*) FROM pg_listening_channels()) AS channels,
           (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
           (SELECT array_agg(name || setting ORDER BY name) FROM pg_settings WHERE source = 'session') AS settings
"""


def test_all_functions_in_transaction_mode(scheduler: Scheduler, pooler: Pooler) -> None:
    """Of two clients, each transaction gets the one session that the server has for them, and leaves nothing in it."""
    log = len(scheduler.cluster.log)
    scheduler.start()
    role = scheduler.role()
    scheduler.execute(
        "ALTER ROLE {} IN DATABASE {} SET search_path = {}, public",
        *map(sql.Identifier, (role, scheduler.dbname, SCHEMA)),
    )
    port = pooler("transaction", (role,), default_pool_size="1", ignore_startup_parameters="extra_float_digits")
    with closing(client(scheduler, port, role)) as one, closing(client(scheduler, port, role)) as other:
        row = one.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog, job_name => 'ours')").fetchone()
        assert row is not None
        before = other.execute(LEFT).fetchone()
        direct = scheduler.connect_as(role)
        for calls in CALLS.values():
            for call in calls:
                statement = f"SELECT {call}".format(job=row.job_id)
                assert outcome(other, statement) == outcome(direct, statement)
                assert one.execute(LEFT).fetchone() == before, statement
        assert other.execute("CALL wait_for_run(run_job('ours'))").fetchone() == ("succeeded", None)
        other.execute("UPDATE my_job SET schedule = '@daily'")
        one.execute("SELECT update_job('ours', 'SELECT pg_sleep(600)')")
        number = other.execute("SELECT run_job('ours')").fetchone()
        assert number is not None
        until(lambda: other.execute("SELECT 1 FROM my_job_log WHERE state = 'running'").fetchone(), "the run")
        other.execute("SELECT cancel_run(%s)", number)
        assert one.execute("CALL wait_for_run(%s)", number).fetchone() == (
            "cancelled",
            "the run was cancelled by cancel_run()",
        )
        assert other.execute("SELECT job_name, schedule FROM delete_job('ours')").fetchone() == ("ours", "@daily")
        assert one.execute(LEFT).fetchone() == before
    assert scheduler.cluster.warnings(log) == []


def test_the_sessions_of_runs(scheduler: Scheduler, pooler: Pooler) -> None:
    """As the reference says: sessions are kept, options are left out, and the runners' keys come from the catalog."""
    role, lookup = scheduler.role(), scheduler.role("pooler", "LOGIN SUPERUSER", scheduler=False)
    port = pooler(
        "session",
        (lookup,),
        auth_user=lookup,
        auth_query="SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
        ignore_startup_parameters="options",
    )
    scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal(f"host=127.0.0.1 port={port}"))
    scheduler.start()
    for command in ("SELECT 1", "VACUUM pg_class", "BEGIN; SELECT 1; COMMIT", "SELECT 1"):
        assert scheduler.run(command, rolname=role).state == "succeeded"
    found = scheduler.value("SELECT found FROM check_setup() WHERE check_name = 'listen_addresses'")
    assert f"127.0.0.1 port {port}; a pooler" in found
    # It is stopped before the pooler, whose end would end its sessions.
    scheduler.stop()
