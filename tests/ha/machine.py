"""Machines of their own, as far as processes and the network go: namespaces, joined by a bridge. All of it is inside of
the network namespace of the tests, and gone with it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.process import children
from harness.waiting import until

HUB = "10.47.0.254"
# The operating system's user of the server.
USER = "postgres"


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make_hub() -> None:
    """The bridge, at which the tests themselves have an address too."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "hub", "type", "bridge")
    run("ip", "address", "add", f"{HUB}/24", "dev", "hub")
    run("ip", "link", "set", "hub", "up")


class Machine:
    """A machine that runs commands of the shell as long as it lives: services, each restarted when it ends."""

    def __init__(self, number: int, directory: Path) -> None:
        self.number = number
        self.name = f"node{number}"
        self.address = f"10.47.0.{number}"
        self.directory = directory / self.name
        self.directory.mkdir()
        run("chown", USER, str(self.directory))
        self.log = self.directory / "log"
        self.services: list[list[str]] = []
        self._outside: subprocess.Popen[bytes] | None = None
        self._log: Any = None

    def boot(self) -> None:
        services = "".join(f"(while :; do {shlex.join(command)}; sleep 1; done) & " for command in self.services)
        script = f"""
            mount -t proc proc /proc
            mount -t tmpfs shm /dev/shm
            ip link set lo up
            until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
            ip address add {self.address}/24 dev eth0
            {services}
            wait"""
        self._log = self.log.open("ab")
        self._outside = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "--propagation=unchanged",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                script,
            ],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": str(self.directory)},
            cwd=self.directory,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        until(self._is_apart, f"the namespaces of {self.name}")
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", str(self._outside.pid))
        run("ip", "link", "set", self.name, "master", "hub", "up")

    def _is_apart(self) -> bool:
        assert self._outside is not None
        return os.readlink(f"/proc/{self._outside.pid}/ns/net") != os.readlink("/proc/self/ns/net") and bool(
            self._children()
        )

    def _children(self) -> list[int]:
        assert self._outside is not None
        return children(self._outside.pid)

    @property
    def is_running(self) -> bool:
        return self._outside is not None

    def processes(self, name: Callable[[list[str]], bool] = lambda _: True) -> Iterator[int]:
        """The processes of this machine, those whose command line is like that."""
        (init,) = self._children()
        namespace = os.readlink(f"/proc/{init}/ns/pid")
        for directory in Path("/proc").iterdir():
            with suppress(OSError):
                if directory.name.isdigit() and os.readlink(directory / "ns/pid") == namespace:
                    line = (directory / "cmdline").read_text(errors="replace").split("\0")
                    if name(line):
                        yield int(directory.name)

    def die(self) -> None:
        """As if the power had gone."""
        assert self._outside is not None
        run("ip", "link", "delete", self.name)
        (init,) = self._children()
        os.kill(init, signal.SIGKILL)  # all others of its namespace end with it
        self._outside.wait()
        self._log.close()
        self._outside = None

    def plug(self, state: str) -> None:
        """Have the network cable be up or down."""
        run("ip", "link", "set", self.name, state)

    def freeze(self) -> None:
        """As a hypervisor does: nothing runs, and nobody gets an answer."""
        self.plug("down")
        frozen: set[int] = set()
        while new := set(self.processes()) - frozen:
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            frozen |= new

    def thaw(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.plug("up")

    def shell(self, command: str) -> str:
        """Run a command of the shell there, as the server's user."""
        (init,) = self._children()
        inside = ["nsenter", f"--target={init}", "--net", "--pid", "--mount", "--root", "--wd"]
        done = subprocess.run(
            [*inside, "runuser", "-u", USER, "--", "sh", "-c", command], capture_output=True, text=True, cwd="/"
        )
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            done.check_returncode()
        return done.stdout
