"""Throwaway PostgreSQL clusters like those of a stock server, with the extension installed.

The server's files are copied and the extension is installed into the copy, which PostgreSQL
allows: it finds everything relative to its programs. So nothing of the system is touched, and no
rights are needed.
"""

from __future__ import annotations

import os
import pwd
import random
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import testing.postgresql
from psycopg.rows import namedtuple_row

ROOT = Path(__file__).resolve().parent.parent
USER = pwd.getpwuid(os.geteuid()).pw_name

# What pg_createcluster of Debian writes: the operating system's users over the socket, passwords
# over the loopback address.
INITDB = ("--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-sync")

# What a server logs where it takes the end of a connection for a fault.
LOST_CLIENT = re.compile("could not (send data to|receive data from) client|connection to client lost|Broken pipe")


def pg_config(*options: str) -> str:
    """What pg_config of the server to test says."""
    program = os.environ.get("PG_CONFIG", "pg_config")
    return subprocess.run([program, *options], check=True, capture_output=True, text=True).stdout.strip()


class Installation:
    """A copy of the server's files, with the extension in it."""

    def __init__(self, directory: Path) -> None:
        self.root = directory
        self.build = directory / "build"  # not where others build at the same time
        for option in ("--bindir", "--pkglibdir", "--sharedir"):
            source = Path(pg_config(option))
            shutil.copytree(source, self.moved(source), symlinks=True, ignore=self._left_out, dirs_exist_ok=True)
        self.bindir = self.moved(Path(pg_config("--bindir")))
        self.moved(Path(pg_config("--libdir"))).mkdir(parents=True, exist_ok=True)
        self.make("install")

    @staticmethod
    def _left_out(directory: str, names: list[str]) -> set[str]:
        """What is large and not needed, and this extension where the system has it."""
        return {name for name in names if name == "bitcode" or name.startswith("elephant_worker")}

    def moved(self, path: str | Path) -> Path:
        """Where the copy has what the server has at this path."""
        return self.root / Path(path).relative_to("/")

    def make(self, *arguments: str, **environment: str) -> str:
        """Run make in the checkout for this installation; returns what it prints."""
        done = subprocess.run(
            [
                "make",
                "--no-print-directory",
                f"PG_CONFIG={self.bindir / 'pg_config'}",
                f"BUILD={self.build}",
                *arguments,
            ],
            cwd=ROOT,
            env={**os.environ, "MAKEFLAGS": "", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"make {' '.join(arguments)} failed:\n{done.stdout}")
        return done.stdout


def free_port() -> int:
    """A port that is free, and that the system gives to nobody who does not ask for it: neither to the client's end of
    a connection nor to another test, also while a server that had it is being restarted."""
    (first_given, _) = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    chance = random.SystemRandom()  # tests that run at the same time may have the same seed
    while True:
        port = chance.randrange(10_000, max(first_given, 20_000))
        with socket.socket() as attempt, suppress(OSError):
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(("", port))
            return port


class Cluster(testing.postgresql.Postgresql):  # type: ignore[misc]
    """A running server. Its superuser is named after the operating system's user, as on a stock server."""

    # The machine may be busy.
    DEFAULT_BOOT_TIMEOUT = 60.0  # seconds
    DEFAULT_KILL_TIMEOUT = 60.0  # seconds

    child_process: subprocess.Popen[bytes] | None

    def __init__(
        self,
        installation: Installation,
        settings: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        **arguments: Any,
    ) -> None:
        self.installation = installation
        self.environment = environment or {}
        self._connections: list[psycopg.Connection[Any]] = []
        options = {"fsync": "off", "timezone": "UTC", **(settings or {})}
        super().__init__(
            initdb=str(installation.bindir / "initdb"),
            postgres=str(installation.bindir / "postgres"),
            initdb_args=" ".join((f"--username={USER}", *INITDB)),
            postgres_args=" ".join(["-h 127.0.0.1", *(f"-c {name}={value}" for name, value in options.items())]),
            **arguments,
        )

    @property
    def port(self) -> int:
        return int(self.settings["port"])

    @property
    def socket_directory(self) -> str:
        return os.path.join(self.base_dir, "tmp")

    def get_server_commandline(self) -> list[str]:
        # Without the virtual environment of the tests, whose packages the server's Python would find.
        path = [entry for entry in os.environ["PATH"].split(":") if not Path(entry, "../pyvenv.cfg").exists()]
        environment = {"PATH": ":".join(path), **self.environment}
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["env", *variables, *super().get_server_commandline()]

    def is_server_available(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def prestart(self) -> None:
        if self.settings["port"] is None:
            self.settings["port"] = free_port()

    def poststart(self) -> None:
        """The parent class creates a database here, by a way in that a stock server does not have."""

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[Any]:
        """A session of the superuser, over the socket; each statement is a transaction."""
        return self._connect(host=self.socket_directory, user=USER, dbname=dbname)

    def connect_as(self, user: str, dbname: str = "postgres", password: str | None = None) -> psycopg.Connection[Any]:
        """A session of an ordinary role, whose password is its name, over the loopback address."""
        return self._connect(
            host="127.0.0.1", user=user, password=user if password is None else password, dbname=dbname
        )

    def _connect(self, **parameters: Any) -> psycopg.Connection[Any]:
        connection = psycopg.connect(port=self.port, autocommit=True, row_factory=namedtuple_row, **parameters)
        self._connections = [other for other in self._connections if not other.closed]
        self._connections.append(connection)
        return connection

    def stop(self, *arguments: Any) -> None:
        for connection in self._connections:  # or each complains when it is collected, in whatever test runs then
            connection.close()
        super().stop(*arguments)

    def command(
        self, program: str, *arguments: str, check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL against this server as the superuser."""
        environment = {
            **os.environ,
            "PGHOST": self.socket_directory,
            "PGPORT": str(self.port),
            "PGUSER": USER,
            "PATH": f"{self.installation.bindir}:{os.environ['PATH']}",
        }
        return subprocess.run(
            [str(self.installation.bindir / program), *arguments],
            env=environment,
            check=check,
            capture_output=True,
            text=True,
            **options,
        )

    def shut_down(self, mode: str, seconds: int = 60) -> None:
        """Stop the server as pg_ctl does; fails where that takes longer. start() starts it again."""
        self.command("pg_ctl", "stop", "-m", mode, "-t", str(seconds), "-D", self.get_data_directory())
        assert self.child_process is not None
        self.child_process.wait()
        self.child_process = None

    @property
    def log(self) -> str:
        return Path(self.base_dir, f"{self.name}.log").read_text(errors="replace")

    def warnings(self, since: int) -> list[str]:
        """What the server has warned of in its log after that position, as it does of what is deprecated."""
        return [line for line in self.log[since:].splitlines() if "WARNING: " in line]
