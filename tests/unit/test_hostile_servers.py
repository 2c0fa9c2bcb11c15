"""Whatever a server says, the worker goes on: it waits for nothing, keeps little, and gives nothing away."""

from __future__ import annotations

import fcntl
import os
import pwd
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elephant_worker.connection import lookup, scram
from elephant_worker.connection.connecting import MOST, Wait
from elephant_worker.connection.login import METHODS, Login
from elephant_worker.connection.messages import NO_SQLSTATE, message
from elephant_worker.connection.poller import Poller
from elephant_worker.connection.pool import Pool
from elephant_worker.connection.stream import TAKEN_IN, PlainStream, TlsStream
from elephant_worker.connection.tls import context as tls_context
from elephant_worker.connection.transport import NOTICE_BYTES, Lost
from elephant_worker.jobs.run import Outcome, Run, RunState, Target
from elephant_worker.system.clock import Clock
from elephant_worker.worker.remote_cancel import RemoteCancel
from harness.waiting import ends_within
from tests.fake_server import (
    ANSWER,
    CLEARTEXT,
    COPY_IN,
    LET_IN,
    MD5,
    OK,
    PREPARED,
    PROCESS,
    READY,
    ROW,
    SASL,
    STATUS,
    Dialogue,
    FakeServer,
    Gone,
    certificate,
    complete,
    error,
    fake_server,
    keys_of,
    tls,
)

Script = Callable[[Dialogue], None]
PASSWORD = "rosebud's 1941"
KEYS = keys_of(PASSWORD)
TLS = "tls"


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """What a server needs for TLS, and its certificate."""
    directory = tmp_path_factory.mktemp("certificate")
    return tls(certificate(directory)), str(directory / "certificate.pem")


@pytest.fixture(autouse=True)
def impatience() -> Iterator[None]:
    """A step that never ends ends the test."""
    with ends_within(120):
        yield


def login(server: FakeServer, **parameters: str) -> Login:
    """As a user of a foreign server, who has a password."""
    given = {"host": "127.0.0.1", "port": str(server.port), "user": "clerk", "dbname": "shop", "sslmode": "disable"}
    return Login({**given, "password": PASSWORD, **parameters}, password_required=True)


def runner(server: FakeServer, **parameters: str) -> Login:
    """As a runner, at an address that conninfo names."""
    return Login({**login(server, **parameters).parameters, "password": ""}, keys=KEYS)


class Loop:
    """A pool, as the worker has it."""

    def __init__(self, login: Login) -> None:
        self.clock = Clock()
        self.pool = Pool(Poller(self.clock), self.clock, lambda target: login)
        self.pool.lifetime = 3600.0
        self.turns = 0

    def start(self, number: int = 1, not_before: float = 0.0) -> Run:
        run = Run(number, 1, Target(0, "clerk", "shop", "far"), "schedule", "SELECT 1", 0.0, 60.0)
        run.not_before = not_before
        self.pool.start(run)
        return run

    def turn(self, seconds: float = 0.01) -> None:
        self.turns += 1
        self.pool.turn(seconds)

    def outcome(self, turns: int = 10_000, seconds: float = 0.01) -> Outcome:
        """How a run ends; one that does not is given up after so many turns, each as short as this if nothing
        comes."""
        run = self.start()
        while run.outcome is None and self.turns < turns:
            self.turn(seconds)
        if run.outcome is None:
            self.pool.abandon(run, Outcome(RunState.FAILED, "57014", message="given up"))
        self.pool.close_all()
        assert run.outcome is not None
        return run.outcome


def end(login: Login, turns: int = 10_000, seconds: float = 0.01) -> Outcome:
    return Loop(login).outcome(turns, seconds)


def by_scram(dialogue: Dialogue, keys: scram.Keys = KEYS, encryption: ssl.SSLContext | None = None) -> None:
    dialogue.startup(encryption)
    dialogue.scram(keys)
    dialogue.let_in()
    dialogue.read()


def answering(*answers: bytes, keys: scram.Keys = KEYS, encryption: ssl.SSLContext | None = None) -> Script:
    """A server that answers a run in this way, and waits for more."""

    def script(dialogue: Dialogue) -> None:
        by_scram(dialogue, keys, encryption)
        dialogue.send(*answers)
        dialogue.wait()

    return script


def test_the_fake_is_a_server() -> None:
    """What the others are variations of: whoever knows the keys gets in, and the run succeeds."""
    with fake_server(answering(*PREPARED, *ANSWER)) as server:
        for login_of in (login, runner):
            outcome = end(login_of(server))
            assert (outcome.state, outcome.command_tag, outcome.row_count) == ("succeeded", "SELECT 1", 1), outcome


def test_a_server_on_a_socket_may_answer_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where the worker has to wait for a processor."""
    answered = [threading.Event(), threading.Event()]

    def serve() -> None:
        connection, _ = listener.accept()
        with suppress(Gone), connection:
            dialogue = Dialogue(connection, bytearray())
            for answer, event in zip((LET_IN, b"".join(PROCESS)), answered):
                dialogue.read()
                dialogue.send(answer)
                event.set()
            dialogue.read()
            dialogue.send(*PREPARED, *ANSWER)
            dialogue.wait()

    def write(stream: PlainStream, data: memoryview) -> int:
        sent = written(stream, data)
        if waiting:
            assert waiting.pop(0).wait(60)
        return sent

    waiting, written = list(answered), PlainStream.write
    monkeypatch.setattr(PlainStream, "write", write)
    host = f"@elephant_worker.{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{host[1:]}/.s.PGSQL.5432")
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        outcome = end(Login({"host": host, "port": "5432", "user": "clerk", "dbname": "shop"}))
        assert outcome.state == "succeeded", outcome
        thread.join()


@pytest.mark.parametrize("step", ["login", "watch"])
def test_a_defect_ends_the_run_and_not_the_loop(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise ValueError("a defect")

    def watch(poller: Poller, socket: Any) -> None:
        watched(poller, socket) if socket.wait is Wait.NOTHING else fail()

    watched = Poller.watch
    loop = Loop(Login({"host": "127.0.0.1", "port": "1", "user": "clerk", "dbname": "shop"}))
    if step == "login":
        monkeypatch.setattr(loop.pool, "_login", fail)
    else:
        monkeypatch.setattr(Poller, "watch", watch)
    loop.pool.open(Target(0, "clerk", "shop"))
    run = loop.start()
    assert run.outcome is not None
    assert (run.outcome.sqlstate, run.outcome.message) == ("XX000", "the run could not go on: ValueError('a defect')")
    assert loop.pool.take_ended() == [run]


# --- who is asked for what ----------------------------------------------------------------------


def asking(*requests: bytes) -> Script:
    def script(dialogue: Dialogue) -> None:
        dialogue.startup()
        dialogue.send(*requests)
        dialogue.wait()

    return script


def challenging(challenge: Callable[[str], str], *then: bytes) -> Script:
    def script(dialogue: Dialogue) -> None:
        dialogue.startup()
        dialogue.send(SASL)
        nonce = dialogue.read().partition(b"r=")[2].decode()
        dialogue.send(message(b"R", b"\0\0\0\x0b" + challenge(nonce).encode()), *then)
        dialogue.wait()

    return script


def wrong_signature(dialogue: Dialogue) -> None:
    dialogue.startup()
    dialogue.scram(KEYS, signature=bytes(32))
    dialogue.let_in()
    dialogue.wait()


IMPOSTORS = {
    "cleartext": asking(CLEARTEXT),
    "md5": asking(MD5),
    "nothing": asking(LET_IN),
    "Kerberos": asking(message(b"R", b"\0\0\0\7")),
    "another mechanism": asking(message(b"R", b"\0\0\0\x0aSCRAM-SHA-1\0\0")),
    "the end first": asking(message(b"R", b"\0\0\0\x0cv=c2ln")),
    "content before the proof": challenging(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=4096", LET_IN),
    "no end": asking(SASL + LET_IN),
    "wrong signature": wrong_signature,
    "another salt": challenging(lambda nonce: f"r={nonce}x,s=cGVwcGVy,i=4096"),
    "fewer iterations": challenging(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=1"),
    "more iterations": challenging(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=4097"),
    "iterations without end": challenging(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=2147483647"),
    "the client's nonce only": challenging(lambda nonce: f"r={nonce},s=c2FsdA==,i=4096"),
    "another nonce": challenging(lambda nonce: "r=abc,s=c2FsdA==,i=4096"),
    "an extension": challenging(lambda nonce: f"m=x,r={nonce}x,s=c2FsdA==,i=4096"),
    "no number": challenging(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=x"),
    "no base64": challenging(lambda nonce: f"r={nonce}x,s==,i=4096"),
}
# What does not show that a server is another one than the runner's.
GUESSES = ("another salt", "fewer iterations", "more iterations")


@pytest.mark.parametrize("name", IMPOSTORS)
def test_an_impostor_learns_nothing(name: str) -> None:
    with fake_server(IMPOSTORS[name]) as server:
        for who in (runner(server), *(() if name in GUESSES else (login(server),))):
            outcome = end(who)
            assert (outcome.state, outcome.command_tag) == ("failed", None)
            assert outcome.sqlstate in ("08001", "28000", "2F003"), outcome
            assert outcome.message is not None
            assert outcome.message.startswith('connection to server at "127.0.0.1", port'), outcome
        for told in server.told:
            assert PASSWORD.encode() not in told
            assert b"SELECT" not in told
            assert KEYS.client_key not in told
            if name not in ("wrong signature", "content before the proof", *GUESSES):
                assert b",p=" not in told


@pytest.mark.parametrize("request_", [CLEARTEXT, MD5], ids=["cleartext", "md5"])
def test_a_password_is_shown_to_known_servers_only(request_: bytes, context: tuple[Any, str]) -> None:
    def script(encryption: Any = None) -> Script:
        def follow(dialogue: Dialogue) -> None:
            dialogue.startup(encryption)
            dialogue.send(request_)
            dialogue.read()
            dialogue.let_in()
            dialogue.read()
            dialogue.send(*PREPARED, *ANSWER)
            dialogue.wait()

        return follow

    with fake_server(script(), script(), script()) as server:
        refused = end(login(server))
        assert (refused.state, refused.sqlstate) == ("failed", "28000")
        assert refused.hint is not None
        assert "sslmode = verify-full" in refused.hint
        allowed = Login(login(server).parameters, password_required=True, is_lenient=True)
        assert end(allowed).state == "succeeded"
        narrowed = Login(allowed.parameters, is_lenient=True, methods=METHODS - {"md5", "password"})
        assert end(narrowed).state == "failed"
        assert (PASSWORD.encode() in server.told[1]) is (request_ == CLEARTEXT)
    # Whose socket that is has been said by whoever made the foreign server.
    with tempfile.TemporaryDirectory(dir="/tmp") as place, fake_server(script(), host=place, port=5432) as server:
        peer = pwd.getpwuid(os.geteuid()).pw_name
        assert end(login(server, host=place, requirepeer=peer)).state == "failed"
        assert all(PASSWORD.encode() not in told for told in server.told)
        assert server.told
    encryption, root = context
    with fake_server(script(encryption)) as server:
        for mode, state in (("require", "failed"), ("prefer", "failed"), ("verify-full", "succeeded")):
            files = {"sslrootcert": root} if mode.startswith("verify") else {}
            outcome = end(login(server, host="localhost", hostaddr="127.0.0.1", sslmode=mode, **files))
            assert outcome.state == state, outcome
        other = end(login(server, host="elsewhere", hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=root))
        assert other.message is not None
        assert "certificate is not accepted" in other.message
    assert all(PASSWORD.encode() not in told for told in server.told[:-2])


def test_a_server_that_wants_no_tls(context: tuple[Any, str]) -> None:
    with fake_server(answering(*PREPARED, *ANSWER)) as server:
        assert end(login(server, sslmode="prefer")).state == "succeeded"
        outcome = end(login(server, sslmode="require"))
        assert outcome.message is not None
        assert "does not support TLS" in outcome.message
        outcome = end(login(server, sslmode="verify-full", sslrootcert="/nowhere"))
        assert outcome.state == "failed"


def test_why_the_server_lets_nobody_in() -> None:
    """TLS is tried as well where the server refuses without; that it has none is not the reason."""

    def script(dialogue: Dialogue) -> None:
        dialogue.startup()
        dialogue.send(error("FATAL", "28000", "pg_hba.conf rejects connection"))

    with fake_server(script) as server:
        for mode in ("allow", "prefer"):
            outcome = end(login(server, sslmode=mode))
            assert outcome.message is not None
            assert outcome.message.endswith("pg_hba.conf rejects connection"), mode


def test_what_came_in_the_clear_does_not_count(context: tuple[Any, str]) -> None:
    """Somebody on the way puts messages in front of those that are encrypted."""

    def script(dialogue: Dialogue) -> None:
        dialogue.connection.recv(8)
        dialogue.send(b"S" + LET_IN)
        dialogue.wait()

    with fake_server(script) as server:
        assert end(login(server, sslmode="require")).state == "failed"


class Encrypted:
    """A connection that is encrypted, whose server writes what it likes."""

    def __init__(self, encryption: Any) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
        self.stream = TlsStream(self.near, tls_context({"sslmode": "require"}), None)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = encryption.wrap_bio(self.incoming, self.outgoing, server_side=True)
        ready = 0
        while ready < 2:
            ready = 0
            with suppress(BlockingIOError):
                ready += self.stream.shake_hands()
            with suppress(BlockingIOError):
                self.incoming.write(self.far.recv(65536, socket.MSG_DONTWAIT))
            with suppress(ssl.SSLWantReadError):
                self.server.do_handshake()
                ready += 1
            self.send()

    def send(self) -> None:
        """Send what the server has encrypted, as far as the socket can hold that."""
        self.far.sendall(self.outgoing.read()[:170_000])

    def unread(self) -> int:
        """How many bytes the client has not taken in."""
        return int.from_bytes(fcntl.ioctl(self.near, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize("what", ["records of one byte", "session tickets"])
def test_what_is_encrypted_is_taken_in_piece_by_piece(what: str, context: tuple[Any, str]) -> None:
    """Also where next to nothing of it, or nothing, is for the reader."""
    encryption = context[0]
    if what == "session tickets":
        encryption = tls(Path(context[1]).with_name("server.pem"))
        encryption.num_tickets = 1000
    encrypted = Encrypted(encryption)
    if what == "records of one byte":
        for _ in range(7000):
            encrypted.server.write(b"x")
        encrypted.send()
    read, begun = 0, encrypted.unread()
    assert begun > 2 * TAKEN_IN
    with suppress(BlockingIOError):
        while True:
            before = encrypted.unread()
            if before == 0:
                break
            with suppress(BlockingIOError):
                read += len(encrypted.stream.read(1_000_000))
            assert before - encrypted.unread() <= TAKEN_IN
    assert read == (7000 if what == "records of one byte" else 0)
    encrypted.stream.close()
    encrypted.far.close()


def test_a_server_that_does_not_read(context: tuple[Any, str]) -> None:
    """What is encrypted waits, and is sent as it was given."""
    encrypted = Encrypted(context[0])
    data, sent = memoryview(random.randbytes(2_000_000)), 0
    with suppress(BlockingIOError):
        while sent < len(data):
            sent += encrypted.stream.write(data[sent:])
    assert encrypted.stream.sending
    got = bytearray()
    while len(got) < len(data):
        with suppress(BlockingIOError):
            while sent < len(data):
                sent += encrypted.stream.write(data[sent:])
        encrypted.incoming.write(encrypted.far.recv(65536))
        with suppress(ssl.SSLWantReadError):
            while True:
                got += encrypted.server.read(65536)
    assert got == data
    encrypted.stream.close()
    encrypted.far.close()


def test_a_server_that_chooses_numbers_to_compute_with(context: tuple[Any, str], tmp_path: Path) -> None:
    """By DHE the client computes with one of up to 10000 bits; the other ways have sizes of their own."""
    certificate_file = Path(context[1]).with_name("server.pem")
    slow, quick = tls(certificate_file), tls(certificate_file)
    file = tmp_path / "dh.pem"
    subprocess.run(["openssl", "dhparam", "-out", str(file), "-dsaparam", "2048"], check=True, capture_output=True)
    slow.load_dh_params(str(file))
    slow.set_ciphers("DHE")
    for encryption, state in ((slow, "failed"), (quick, "succeeded")):
        encryption.maximum_version = ssl.TLSVersion.TLSv1_2
        with fake_server(answering(*PREPARED, *ANSWER, encryption=encryption)) as server:
            outcome = end(login(server, sslmode="require"))
        assert outcome.state == state, outcome
        assert state == "succeeded" or "TLS failed" in (outcome.message or "")


# --- SCRAM takes time ---------------------------------------------------------------------------


def test_many_iterations_hold_up_nobody() -> None:
    iterations = 200_000
    with fake_server(answering(*PREPARED, *ANSWER, keys=keys_of("slow", iterations))) as server:
        loop = Loop(login(server, password="slow"))
        assert loop.outcome().state == "succeeded"
        assert loop.turns > iterations / scram.ITERATIONS_PER_STEP / 2
        # The next time they are known.
        again = Loop(login(server, password="slow"))
        assert again.outcome().state == "succeeded"
        assert again.turns < 30


# --- too much -----------------------------------------------------------------------------------


def test_a_server_that_talks_before_it_is_ready() -> None:
    def script(dialogue: Dialogue) -> None:
        dialogue.startup()
        dialogue.scram(KEYS)
        dialogue.send(OK)
        dialogue.flood(STATUS)

    with fake_server(script) as server:
        outcome = end(login(server))
        assert outcome.message is not None
        assert f"more than {MOST // 1024} kB" in outcome.message


@pytest.mark.parametrize("step", ["versions", "notices", "processes"])
def test_floods_before_it_is_ready(step: str) -> None:
    def script(dialogue: Dialogue) -> None:
        dialogue.startup()
        if step == "processes":
            dialogue.scram(KEYS)
            dialogue.send(OK)
        dialogue.flood(OTHERS[step])

    with fake_server(script) as server:
        outcome = end(login(server), turns=100)
    assert outcome.message is not None
    assert f"more than {MOST // 1024} kB" in outcome.message


def test_a_message_without_end_before_it_is_ready() -> None:
    def script(dialogue: Dialogue) -> None:
        dialogue.startup()
        dialogue.send(b"R\x7f\xff\xff\xff" + bytes(8))
        dialogue.flood(bytes(4096))

    with fake_server(script) as server:
        assert end(login(server)).state == "failed"


FLOODS = {
    "copy in": COPY_IN,
    "copy both": message(b"W", b"\0\0\0"),
    "rows": ROW,
    "columns": message(b"T", b"\0\0"),
    "results": complete("SELECT 1"),
    "errors": error(),
    "notices": message(b"N", b"SNOTICE\0C00000\0Mx\0\0"),
    "notifications": message(b"A", b"\0\0\0\1here\0\0"),
    "settings": STATUS,
    "empty": message(b"I"),
    "parsed": message(b"1"),
    "unknown": message(b"?"),
    "ready": READY,
    "copied": message(b"d", b"x"),
}
OTHERS = {
    **FLOODS,
    "processes": message(b"K", b"\0\0\0\7\0\0\0\7"),
    "versions": message(b"v", b"\0\3\0\0\0\0\0\0"),
    "results of functions": message(b"V", b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("prepared", [False, True])
def test_floods(flood: str, prepared: bool) -> None:
    def script(dialogue: Dialogue) -> None:
        by_scram(dialogue)
        if prepared:
            dialogue.send(*PREPARED)
        dialogue.flood(FLOODS[flood])

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with fake_server(script) as server:
        outcome = end(login(server), turns=100)
    assert len(outcome.notices or "") <= NOTICE_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_session_that_is_not_asked_and_talks_is_closed() -> None:
    def script(dialogue: Dialogue) -> None:
        by_scram(dialogue)
        dialogue.send(*PREPARED, *ANSWER)
        dialogue.read()  # what resets it
        dialogue.send(PREPARED[0], complete("DISCARD ALL"), READY)
        dialogue.flood(ROW)

    with fake_server(script) as server:
        loop = Loop(login(server))
        loop.pool.idle_timeout, loop.pool.max_idle = 3600.0, 10
        run = loop.start()
        while run.outcome is None or loop.pool.idle_by_target():
            loop.turn()
        assert run.outcome.state == "succeeded"
        loop.pool.close_all()


def test_a_server_that_loses_each_session_before_the_command() -> None:
    """A run gets another session for one that it had not begun with; not for ever."""

    def script(dialogue: Dialogue) -> None:
        by_scram(dialogue)
        dialogue.send(*PREPARED, READY)

    with fake_server(script) as server:
        loop = Loop(login(server))
        run = loop.start(not_before=loop.clock.steady() + 3600.0)
        while run.outcome is None:
            loop.turn()
        loop.pool.close_all()
        assert (run.outcome.state, run.outcome.sqlstate) == ("failed", "08006")
        assert len(server.told) < 10


TEXTS = {
    "an SQLSTATE of a megabyte": message(b"E", b"SERROR\0C" + b"X" * 900_000 + b"\0Mno\0\0"),
    "an SQLSTATE of other characters": message(b"E", b"SERROR\0C\xff\xc3\xbc'\"x\0Mno\0\0"),
    "no SQLSTATE": message(b"E", b"SERROR\0Mno\0\0"),
    "no fields": message(b"E", b"\0"),
    "nothing": message(b"E"),
    "very many fields": message(b"E", b"".join(b"%cx\0" % (65 + number % 26) for number in range(20_000)) + b"\0"),
    "a tag with zeros": message(b"C", b"SELECT\0 1\0" * 100),
    "a tag that is long": complete("x" * 100_000),
    "a number of rows that is long": complete("SELECT " + "9" * 50_000),
    "a row that lies": message(b"D", b"\0\1\x7f\xff\xff\xff"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_kept_fits(text: str) -> None:
    with fake_server(answering(*PREPARED, TEXTS[text], READY)) as server:
        outcome = end(login(server))
    assert len(outcome.sqlstate) == 5 or outcome.sqlstate == ""
    assert len(outcome.command_tag or "") <= 64
    for value in outcome:
        assert "\0" not in str(value)
        assert len(str(value)) <= 65536
    if text.startswith("an SQLSTATE"):
        assert outcome.sqlstate == NO_SQLSTATE


def test_a_cancellation_that_is_answered_with_nonsense() -> None:
    def script(dialogue: Dialogue) -> None:
        by_scram(dialogue)
        dialogue.flood(COPY_IN)

    def flooded(name: str) -> Script:
        def follow(dialogue: Dialogue) -> None:
            by_scram(dialogue)
            dialogue.flood(OTHERS[name])

        return follow

    clock = Clock()
    poller = Poller(clock)
    pool = Pool(poller, clock, lambda target: login(server))
    with fake_server(script) as server:
        cancels = RemoteCancel(poller, clock)
        cancels.send(login(server), "pg_cancel_backend", 7)
        while cancels._sent:
            pool.turn(0.01)
            cancels.sweep()
    for flood in ("copy both", "notices", "processes", "results of functions"):
        with fake_server(flooded(flood)) as server:
            cancels.send(login(server), "pg_cancel_backend", 7)
            while cancels._sent:
                pool.turn(0.01)
                cancels.sweep()
    with fake_server(answering(*[ROW] * 100_000)) as server:
        cancels.send(login(server), "pg_cancel_backend", 7)
        while cancels._sent:
            pool.turn(0.01)
            cancels.sweep()


def test_a_session_that_is_ended_when_it_has_just_begun() -> None:
    """As by pg_terminate_backend(), or where the server is being stopped: what it says then counts."""

    def script(dialogue: Dialogue) -> None:
        dialogue.startup(None)
        dialogue.scram(KEYS)
        dialogue.send(LET_IN + error("FATAL", "57P01", "terminating connection due to administrator command"))

    with fake_server(script) as server:
        outcome = end(login(server))
        assert outcome.state == "failed"
        assert outcome.message.endswith("FATAL:  terminating connection due to administrator command"), outcome


# --- names --------------------------------------------------------------------------------------


def test_look_ups_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    blocked: list[set[int]] = []

    def look_up(host: str, *_: object, **__: object) -> list[Any]:
        blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        answer.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with fake_server(answering(*PREPARED, *ANSWER)) as server:
        slow = Loop(login(server, host="slow.example"))
        runs = [slow.start(number) for number in range(lookup.MAX_LOOKUPS_OF_ONE + 2)]
        for _ in range(20):
            slow.turn()
        refused = [run.outcome for run in runs if run.outcome is not None]
        assert [outcome.state for outcome in refused] == ["failed"] * 2
        assert end(login(server)).state == "succeeded"
        others = [
            lookup.Lookup("slow.example", role_oid=1 + number // lookup.MAX_LOOKUPS_OF_ONE)
            for number in range(lookup.MAX_LOOKUPS - lookup.MAX_LOOKUPS_OF_ONE)
        ]
        with pytest.raises(Lost, match="look-ups of host names are not answered"):
            lookup.Lookup("slow.example", role_oid=99)
        slow.pool.abandon(runs[0], Outcome(RunState.FAILED, "57014"))  # while its look-up goes on
        answer.set()
        while any(run.outcome is None for run in runs):
            slow.turn()
        assert {run.outcome.state for run in runs[1:-2] if run.outcome} == {"succeeded"}
        slow.pool.close_all()
        for other in others:
            other.close()
    assert {signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM} <= blocked[0]  # they are the server's


def test_names_that_are_none() -> None:
    with fake_server(answering(*PREPARED, *ANSWER)) as server:
        for wrong in (
            {"hostaddr": "slow.example"},
            {"host": "x" * 300},
            {"port": "http"},
            {"port": "65536"},
            {"port": "1" * 5000},
            {"host": "a,b", "port": "1,2,3"},
            # Each fails at once: many of them would take their time without a break.
            {"host": "", "hostaddr": ",".join(["255.255.255.255"] * 101)},
            {"gssencmode": "require"},
        ):
            outcome = end(login(server, **wrong))
            assert (outcome.state, outcome.sqlstate) == ("failed", "08001"), outcome
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0elephant_worker.{os.getpid()}/.s.PGSQL.5432")
        listener.listen()
        parameters = {"host": f"@elephant_worker.{os.getpid()}", "port": "5432", "user": "clerk", "dbname": "shop"}
        outcome = end(Login({**parameters, "requirepeer": "nobody of that name"}))
        assert (outcome.state, outcome.sqlstate) == ("failed", "08001"), outcome


# --- anything -----------------------------------------------------------------------------------

KINDS = st.sampled_from([bytes([kind]) for kind in b"123ACDEGHIKNRSTVWZcdnstv?\0\xff"])
CONTENT = st.one_of(st.binary(max_size=40), st.just(b"I"), st.just(bytes(4)), st.just(b"\0\0\0\x0c"))
MESSAGES = st.builds(message, KINDS, CONTENT)
LIES = st.builds(
    lambda kind, length, content: kind + length.to_bytes(4, "big") + content,
    KINDS,
    st.sampled_from([0, 3, 4, 5, 1000, 2**20, 2**31 - 1, 2**31, 2**32 - 1]),
    CONTENT,
)


@st.composite
def changes(draw: st.DrawFn) -> Callable[[bytes], list[bytes]]:
    """What becomes of a message."""
    kind = draw(st.sampled_from(["replaced", "preceded", "repeated", "cut", "enlarged", "dropped"]))
    other = draw(st.one_of(MESSAGES, LIES, st.binary(min_size=1, max_size=60)))
    number = draw(st.integers(1, 2000))
    return {
        "replaced": lambda said: [other],
        "preceded": lambda said: [other, said],
        "repeated": lambda said: [said] * number,
        "cut": lambda said: [said[: number % max(1, len(said))]],
        "enlarged": lambda said: [
            said[:1] + (len(said) + number * 100).to_bytes(4, "big") + said[5:] + bytes(number * 100)
        ],
        "dropped": lambda said: [],
    }[kind]


class Changed:
    """A dialogue of which one message is changed."""

    def __init__(self, number: int, change: Callable[[bytes], list[bytes]], cut: int) -> None:
        self.number, self.change, self.cut = number, change, cut
        self.said = 0
        self.proved = False

    def follow(self, dialogue: Dialogue) -> None:
        encrypted = self.encryption
        self.said = 0

        def say(*parts: bytes) -> None:
            for part in parts:
                changed = self.change(part) if self.said == self.number else [part]
                self.said += 1
                data = b"".join(changed)
                for start in range(0, len(data), self.cut):
                    dialogue.send(data[start : start + self.cut])

        dialogue.startup(encrypted)
        dialogue.scram(KEYS, say)
        say(OK, message(b"K", b"\0\0\0\7\0\0\0\7"), STATUS, READY)
        dialogue.read()
        say(*PROCESS)
        while True:
            dialogue.read()
            say(*PREPARED, *ANSWER)

    encryption: Any = None


@pytest.mark.slow
@pytest.mark.parametrize("wire", ["plain", TLS])
def test_a_dialogue_of_which_one_message_is_another(wire: str, context: tuple[Any, str]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(max_examples=150 if wire == "plain" else 60)
    @given(st.integers(0, 23), changes(), st.sampled_from([1, 7, 65536]))
    def explore(number: int, change: Callable[[bytes], list[bytes]], cut: int) -> None:
        dialogue = Changed(number, change, max(cut, 1))
        dialogue.encryption = context[0] if wire == TLS else None
        with fake_server(dialogue.follow) as server:
            outcome = end(login(server, sslmode="require" if wire == TLS else "disable"), 60, 0.002)
            assert outcome.state in ("succeeded", "failed")
            assert len(outcome.sqlstate) == 5 or not outcome.sqlstate
            # Whoever does not prove to know the password is told nothing.
            if number in (1, 2) and SASL not in change(SASL):
                assert outcome.state == "failed"
                assert all(b"SELECT" not in told for told in server.told)

    explore()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
