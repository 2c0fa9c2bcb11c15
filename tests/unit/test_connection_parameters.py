"""What connections are made with: files that libpq's parameters name, and who listens at the other end."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from elephant_worker.connection.connecting import Connected, Connecting
from elephant_worker.connection.libpq import parse_conninfo, with_service
from elephant_worker.connection.login import Login
from elephant_worker.connection.messages import TERMINATE
from elephant_worker.connection.passfile import find_password
from elephant_worker.connection.stream import PlainStream
from elephant_worker.connection.transport import Lost
from elephant_worker.system import postmaster


def test_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = tmp_path / "services"
    services.write_text("[jobs]\nhost=10.1.2.3\nport=6432\nsslmode=require\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    expected = {"host": "10.1.2.3", "port": "7777", "sslmode": "require"}
    assert with_service(parse_conninfo("service=jobs port=7777")) == expected
    assert with_service({"service": "jobs", "servicefile": str(services), "port": "7777"}) == expected
    assert with_service({"host": "here"}) == {"host": "here"}
    assert (os.environ["PGPORT"], os.environ["PGTZ"]) == ("1", "Asia/Tokyo")  # they are for others still


def test_a_passfile(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("# here:*:*:app:no\nhere:5432:*:app:a\\:b\nlocalhost:*:shop:*:socket\n*:*:*:*:any\n")
    file.chmod(0o600)
    given = {"passfile": str(file), "host": "here", "dbname": "shop", "user": "app"}
    assert find_password(given) == "a:b"
    assert find_password({**given, "host": "/var/run/postgresql"}) == "socket"
    assert find_password({**given, "user": "other"}) == "any"
    file.chmod(0o644)
    assert find_password(given) == ""
    assert find_password({**given, "passfile": "/nowhere"}) == ""


def connect(connecting: Connecting) -> None:
    while connecting.step() is None:
        pass


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


def test_a_socket_that_is_not_the_postmasters(place: Path) -> None:
    """Somebody has put one in its place; here it is the test."""
    path = place / ".s.PGSQL.5432"
    with closing(socket.socket(socket.AF_UNIX)) as impostor:
        impostor.bind(str(path))
        impostor.listen()
        login = Login({"host": str(place), "port": "5432", "user": "app", "password": "x"}, to_postmaster=True)
        connecting = Connecting(login)
        with pytest.raises(Lost, match="it is not this server that listens there"):
            connect(connecting)
        other = Connecting(Login({**login.parameters, "requirepeer": "nobody"}))
        with pytest.raises(Lost, match="does not belong to the user"):
            connect(other)
        told, _ = impostor.accept()
        with told:
            assert told.recv(100) == b""


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_an_address_that_has_moved_to_another_machine(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server listens there all the same; nothing is said to whoever has it now. Here that is the test, at an
    address that is taken for one of a network."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not Path("/proc/net/if_inet6").read_text():
        address, family = "127.0.0.3", socket.AF_INET  # a machine without IPv6
    monkeypatch.setattr(postmaster, "_is_loopback", lambda _: False)
    with (
        socket.create_server((address, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as end,
    ):
        own, other = end.getsockname()[:2], end.getpeername()[:2]
        assert postmaster.leads_here(end)
        assert postmaster.has_socket(other, own)
        assert not postmaster.has_socket((other[0], other[1] - 1), own)
        assert not postmaster.has_socket(other, (own[0], own[1] - 1))
        server.accept()[0].close()
        monkeypatch.setattr(postmaster, "leads_here", lambda _: False)
        connecting = Connecting(Login({"hostaddr": address, "port": str(other[1]), "user": "app"}, to_postmaster=True))
        with pytest.raises(Lost, match="it is not this server that listens there"):
            connect(connecting)
        told, _ = server.accept()
        with told:
            assert told.recv(100) == b""


def test_a_socket_for_which_many_wait(place: Path) -> None:
    """It is connected to when there is room; meanwhile no step waits."""
    with closing(socket.socket(socket.AF_UNIX)) as server, ExitStack() as others:
        server.bind(str(place / ".s.PGSQL.5432"))
        server.listen(0)
        for _ in range(100):
            other = others.enter_context(socket.socket(socket.AF_UNIX))
            other.setblocking(False)
            try:
                other.connect(str(place / ".s.PGSQL.5432"))
            except BlockingIOError:
                break
        else:
            raise AssertionError("the queue does not fill")
        connecting = Connecting(Login({"host": str(place), "port": "5432", "user": "app"}))
        for _ in range(3):
            assert connecting.step() is None
            assert connecting.more
        while connecting.more:
            server.accept()[0].close()
            assert connecting.step() is None
        told = b""
        while b"app" not in told:
            with server.accept()[0] as accepted:
                told = accepted.recv(100)
        connecting.close()


def test_a_connection_is_closed_once(place: Path) -> None:
    """Its number may be another one's already."""
    ends = socket.socketpair()
    connection = Connected(PlainStream(ends[0]), 0, {}, b"")
    connection.close()
    assert ends[1].recv(100) == TERMINATE
    next_one = socket.socketpair()
    connection.close()
    with next_one[0], next_one[1], ends[1]:
        for end in next_one:
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.recv(100)


def test_addresses_of_a_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of its own sockets alone, whatever else is listened at."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as first,
        closing(socket.create_server(("0.0.0.0", 0))) as any_address,
        closing(socket.socket(socket.AF_UNIX)) as path,
        closing(socket.socket()) as bound,
    ):
        bound.bind(("127.0.0.1", 0))
        path.bind(str(place / "socket"))
        path.listen()
        monkeypatch.setattr(postmaster, "PID", os.getpid())
        monkeypatch.setattr(postmaster, "is_alive", lambda: True)
        ports = {first.getsockname()[1], any_address.getsockname()[1]}
        assert {port for host, port in postmaster.listening_addresses() if host == "127.0.0.1"} >= ports
        assert bound.getsockname()[1] not in {port for _, port in postmaster.listening_addresses()}
        assert str(place / "socket") in postmaster.listening_paths()
        monkeypatch.setattr(postmaster, "is_alive", lambda: False)
        assert postmaster.listening_addresses() == postmaster.listening_paths() == []


def test_the_postmaster_is_known_when_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that loads this only then would take whoever has become its parent for the postmaster."""
    monkeypatch.chdir(tmp_path)
    assert postmaster._pid() == os.getppid()
    for line, number in (("4711", 4711), ("-4711", os.getppid()), ("", os.getppid())):
        Path("postmaster.pid").write_text(f"{line}\n/data\n")
        assert postmaster._pid() == number
