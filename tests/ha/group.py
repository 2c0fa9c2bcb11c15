"""Three machines with etcd and Patroni, configured as Patroni's own samples are, and what the documents add to that."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.rows import namedtuple_row

from harness.cluster import ROOT, Installation
from harness.waiting import until
from tests.ha.machine import USER, Machine, run

PORT = 5432
PASSWORD = "patroni"
# Of each node the setting, and the directory that it means, seen from the one above the data directory. Patroni's
# samples have the first one.
SOCKETS = {1: ("..", "."), 2: (None, "socket"), 3: ("../socket", "socket")}
# Where each node listens.
LISTEN = {1: "0.0.0.0", 2: "10.47.0.2", 3: "127.0.0.1,10.47.0.3"}
# What Patroni's samples have, for nodes on more than one machine.
SAMPLE = [
    "host replication replicator 127.0.0.1/32 md5",
    "host replication replicator 10.47.0.0/24 md5",
    "host all all 0.0.0.0/0 md5",
]
SECONDS = 120.0
PATRONI = ROOT / "build/patroni/bin/python"
DOCUMENT = ROOT / "docs/high-availability.md"
LAUNCHER = ROOT / "launcher/elephant_worker.cron"
READY = re.compile(r"^(\S+ \S+) UTC .*database system is ready to accept connections$", re.MULTILINE)


def launcher_command(socket: Path) -> str:
    """What cron runs each minute, on a server whose socket is here."""
    (line,) = re.findall(r"^\* \* \* \* \* postgres (.*)$", LAUNCHER.read_text(), re.MULTILINE)
    return line.replace("PGHOST=/var/run/postgresql PGPORT=5432", f"PGHOST={socket} PGPORT={PORT}")


class Node(Machine):
    """A machine with a member of etcd and of Patroni's cluster."""

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def socket(self) -> Path:
        return (self.directory / SOCKETS[self.number][1]).resolve()

    def connect(self) -> psycopg.Connection[Any]:
        """A session of the superuser; each statement is a transaction."""
        return psycopg.connect(
            host=self.address,
            port=PORT,
            user="postgres",
            password=PASSWORD,
            dbname="postgres",
            connect_timeout=3,
            autocommit=True,
            row_factory=namedtuple_row,
            options="-c search_path=public,scheduler -c statement_timeout=20s",
        )

    def value(self, query: str) -> Any:
        with self.connect() as session:
            row = session.execute(query).fetchone()
            return None if row is None else row[0]

    def postmaster(self) -> int:
        """Its process, as it is seen from outside."""
        (pid,) = self.processes(lambda line: line[0].endswith("/postgres") and "-D" in line)
        return pid

    def patroni(self) -> list[int]:
        return list(self.processes(lambda line: line[1:3] == ["-m", "patroni"]))

    def ready(self) -> list[float]:
        """When its server began to accept changes, or reads, in seconds since 1970."""
        moments = READY.findall(self.log.read_text(errors="replace"))
        return [datetime.fromisoformat(m).replace(tzinfo=timezone.utc).timestamp() for m in moments]


def documented(node: Node, bindir: Path) -> dict[str, Any]:
    """What the documents add to Patroni's configuration, with the directories of this node."""
    (text,) = re.findall(r"^```yaml\n(postgresql:\n.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    text = text.replace("/usr/lib/postgresql/15/bin", str(bindir)).replace("/var/run/postgresql", str(node.socket))
    found: dict[str, Any] = yaml.safe_load(text)["postgresql"]
    assert sorted(found) == ["callbacks", "pg_hba"]
    return found


class Group:
    """A Patroni cluster whose database postgres has the extension, and a worker."""

    def __init__(self, installation: Installation, directory: Path, synchronous: bool) -> None:
        self.installation = installation
        self.synchronous = synchronous
        self.directory = directory
        # In memory, since it writes through all the time.
        self.etcd = directory / "etcd"
        self.etcd.mkdir()
        run("mount", "-t", "tmpfs", "etcd", str(self.etcd))
        run("chown", USER, str(self.etcd))
        self.nodes = [Node(number, directory) for number in SOCKETS]
        for node in self.nodes:
            self.configure(node, callbacks=True)

    def configure(self, node: Node, callbacks: bool) -> None:
        """Write its file of Patroni, with or without this extension's callback."""
        setting, _ = SOCKETS[node.number]
        setting = setting or str(node.socket)
        run("install", "-d", "-o", USER, str(node.socket))
        # Or Patroni makes it together with the directory of the socket, and open to all.
        run("install", "-d", "-o", USER, "-m", "700", str(node.data))
        ours = documented(node, self.installation.bindir)
        parameters: dict[str, Any] = {"unix_socket_directories": setting}
        settings = {
            "scope": "batman",
            "name": node.name,
            "restapi": {"listen": f"{node.address}:8008", "connect_address": f"{node.address}:8008"},
            "etcd3": {"hosts": [f"{other.address}:2379" for other in self.nodes]},
            "bootstrap": {
                "dcs": {
                    "ttl": 20,
                    "loop_wait": 2,
                    "retry_timeout": 3,
                    "maximum_lag_on_failover": 1048576,
                    "synchronous_mode": self.synchronous,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {
                            "wal_keep_size": "128MB",
                            "shared_buffers": "32MB",
                            "max_connections": 60,
                            "fsync": "off",
                            "log_line_prefix": "%m [%p] %q%a ",
                            "log_timezone": "UTC",
                            "log_min_messages": "log",
                        },
                    },
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"{LISTEN[node.number]}:{PORT}",
                "connect_address": f"{node.address}:{PORT}",
                "data_dir": str(node.data),
                "bin_dir": str(self.installation.bindir),
                "pgpass": str(node.directory / "pgpass"),
                "authentication": {
                    "replication": {"username": "replicator", "password": "rep-pass"},
                    "superuser": {"username": "postgres", "password": PASSWORD},
                    "rewind": {"username": "rewind_user", "password": "rewind_password"},
                },
                "pg_hba": [*ours["pg_hba"], *SAMPLE],
                "callbacks": ours["callbacks"] if callbacks else {},
                "parameters": parameters,
            },
        }
        (node.directory / "patroni.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
        members = ",".join(f"{other.name}=http://{other.address}:2380" for other in self.nodes)
        etcd = [
            "/usr/bin/etcd",
            f"--name={node.name}",
            f"--data-dir={self.etcd / node.name}",
            f"--listen-client-urls=http://{node.address}:2379",
            f"--advertise-client-urls=http://{node.address}:2379",
            f"--listen-peer-urls=http://{node.address}:2380",
            f"--initial-advertise-peer-urls=http://{node.address}:2380",
            f"--initial-cluster={members}",
            "--log-level=error",
        ]
        as_user = ["runuser", "-u", USER, "--"]
        launcher = ["sh", "-c", f"sleep $((60 - $(date +%-S))); {launcher_command(node.socket)}"]
        node.services = [
            [*as_user, *etcd],
            [*as_user, str(PATRONI), "-m", "patroni", str(node.directory / "patroni.yml")],
            [*as_user, *launcher],
        ]

    def start(self) -> None:
        for node in self.nodes:
            node.boot()
        self.await_health()

    def stop(self) -> None:
        for node in self.nodes:
            if node.is_running:
                node.die()
        run("umount", str(self.etcd))

    def heal(self) -> None:
        """Have all nodes run and be connected, whatever has happened to them."""
        for node in self.nodes:
            if node.is_running:
                node.thaw()
            else:
                node.boot()

    # --- what Patroni says --------------------------------------------------------------------

    def members(self) -> dict[str, Any]:
        """The members by name, as one of them has them all."""
        for node in self.nodes:
            if not node.is_running:
                continue
            with (
                suppress(OSError, ValueError),
                urllib.request.urlopen(f"http://{node.address}:8008/cluster", timeout=2) as answer,
            ):
                return {member["name"]: member for member in json.load(answer)["members"]}
        return {}

    def leader(self) -> Node | None:
        """The one that is said to lead, and does accept changes."""
        members = self.members()
        for node in self.nodes:
            if members.get(node.name, {}).get("role") == "leader":
                with suppress(psycopg.Error):
                    if node.value("SELECT NOT pg_is_in_recovery()"):
                        return node
        return None

    def is_healthy(self) -> bool:
        """Whether two others stream from the leader, one of them synchronously where that is asked for."""
        members = self.members()
        leader = self.leader()
        if leader is None or len(members) < len(self.nodes):
            return False
        with suppress(psycopg.Error), leader.connect() as session:
            states = session.execute("SELECT state, sync_state FROM pg_stat_replication").fetchall()
            streaming = [row for row in states if row.state == "streaming"]
            synchronous = [row for row in streaming if row.sync_state in ("sync", "quorum")]
            known = [m for m in members.values() if m["role"] == "sync_standby"]
            enough = not self.synchronous or (synchronous and known)
            return len(streaming) == len(self.nodes) - 1 and bool(enough)
        return False

    def await_health(self) -> Node:
        try:
            until(self.is_healthy, "a leader and two standbys", SECONDS)
            return until(self.leader, "a leader", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.members()}") from None

    def await_leader(self, besides: Node) -> Node:
        """Another leader than this."""

        def other() -> Node | None:
            leader = self.leader()
            return leader if leader is not besides else None

        return until(other, f"another leader than {besides.name}", SECONDS)

    def candidates(self) -> list[Node]:
        """The nodes that can become the leader now."""
        role = "sync_standby" if self.synchronous else "replica"
        members = self.members()
        return [node for node in self.nodes if members.get(node.name, {}).get("role") == role]

    @contextmanager
    def without_standbys(self, leader: Node) -> Iterator[None]:
        """Only the leader's server runs, while all nodes and what Patroni keeps in etcd are there."""
        others = [node for node in self.nodes if node is not leader]
        for node in others:
            for pid in node.patroni():
                os.kill(pid, signal.SIGSTOP)
            node.shell(f"{self.installation.bindir}/pg_ctl stop -s -m immediate -D {node.data}")
        yield
        for node in others:
            for pid in node.patroni():
                os.kill(pid, signal.SIGCONT)

    def use_callbacks(self, callbacks: bool) -> None:
        """Whether Patroni calls this extension's callback from now on."""
        for node in self.nodes:
            self.configure(node, callbacks)
            self._ask(node, "/reload", {})

    def change(self, **settings: Any) -> None:
        """Change what Patroni's members have in common."""
        self._ask(self.await_health(), "/config", settings, "PATCH")

    def set_parameter(self, name: str, value: str) -> None:
        """Set a parameter of all servers."""
        leader = self.await_health()
        self.change(postgresql={"parameters": {name: value}})
        until(lambda: leader.value(f"SHOW {name}") == value, f"{name} = {value}", SECONDS)

    @staticmethod
    def _ask(node: Node, path: str, body: Any, method: str = "POST") -> None:
        request = urllib.request.Request(
            f"http://{node.address}:8008{path}", data=json.dumps(body).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status in (200, 202), answer.read()

    def restart(self, node: Node) -> None:
        """What patronictl restart asks for."""
        self._ask(node, "/restart", {})

    def switch_over(self, leader: Node, candidate: Node) -> None:
        """What patronictl switchover asks for."""
        self._ask(leader, "/switchover", {"leader": leader.name, "candidate": candidate.name})
