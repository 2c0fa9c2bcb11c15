"""Foreign servers that mean harm: the worker goes on with the jobs of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from elephant_worker.connection.messages import NO_SQLSTATE, message
from harness.cluster import Cluster
from harness.remedies import alternatives
from harness.scheduler import Scheduler
from harness.waiting import TIMEOUT, until
from tests.fake_server import (
    COPY_IN,
    PREPARED,
    READY,
    ROW,
    SASL,
    STATUS,
    Dialogue,
    certificate,
    complete,
    fake_server,
    keys_of,
    tls,
)

PASSWORD = "rosebud's 1941"
KEYS = keys_of(PASSWORD)


class Abroad:
    """A scheduler with a role that may use foreign servers, and a job of somebody else's that must go on."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.role = scheduler.role("mallory")
        scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
        scheduler.execute("UPDATE worker_setting SET cancel_grace = '0.2 seconds'")
        self.victim = scheduler.insert("SELECT 1", schedule="1 second", rolname=scheduler.role("victim"))
        scheduler.start()
        self.worker = scheduler.value("SELECT worker_pid()")

    def server(self, name: str, port: int, **options: str) -> None:
        given = {"host": "localhost", "hostaddr": "127.0.0.1", "port": str(port), "sslmode": "disable", **options}
        self.scheduler.execute(
            "CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (" + written(given) + ")", sql.Identifier(name)
        )
        for statement in (
            "GRANT USAGE ON FOREIGN SERVER {0} TO {1}",
            "CREATE USER MAPPING FOR {1} SERVER {0} OPTIONS (user 'clerk', password {2})",
        ):
            self.scheduler.execute(statement, sql.Identifier(name), sql.Identifier(self.role), sql.Literal(PASSWORD))

    def start(self, name: str, **options: Any) -> int:
        job = self.scheduler.insert("SELECT 1", "postgres", rolname=self.role, server=name, **options)
        run: int = self.scheduler.value("SELECT run_job(%s)", job)
        return run

    def run(self, name: str, **options: Any) -> Any:
        return self.scheduler.ended(self.start(name, **options), 60)

    def others_go_on(self) -> None:
        succeeded = "SELECT count(*) FROM member_job_log WHERE job_id = %s AND state = 'succeeded'"
        before = self.scheduler.value(succeeded, self.victim)
        until(lambda: self.scheduler.value(succeeded, self.victim) >= before + 2, "the victim's job to go on")
        assert self.scheduler.value("SELECT worker_pid()") == self.worker


def written(options: dict[str, str]) -> str:
    parts = [f"{name} {sql.Literal(value).as_string(None)}" for name, value in options.items()]
    return ", ".join(parts)


@pytest.fixture
def abroad(scheduler: Scheduler) -> Abroad:
    return Abroad(scheduler)


def let_in(dialogue: Dialogue, encryption: Any) -> None:
    dialogue.startup(encryption)
    dialogue.scram(KEYS)
    dialogue.let_in()
    dialogue.read()


def flooding(data: bytes, prepared: bool = True) -> Callable[[Any], Callable[[Dialogue], None]]:
    def with_encryption(encryption: Any) -> Callable[[Dialogue], None]:
        def script(dialogue: Dialogue) -> None:
            let_in(dialogue, encryption)
            dialogue.send(*PREPARED if prepared else ())
            dialogue.flood(data)

        return script

    return with_encryption


def talking(encryption: Any) -> Callable[[Dialogue], None]:
    """It is never ready."""

    def script(dialogue: Dialogue) -> None:
        dialogue.startup(encryption)
        dialogue.scram(KEYS)
        dialogue.send(message(b"R", bytes(4)))
        dialogue.flood(STATUS)

    return script


def iterating(encryption: Any) -> Callable[[Dialogue], None]:
    """It wants half an hour of work."""

    def script(dialogue: Dialogue) -> None:
        dialogue.startup(encryption)
        dialogue.send(SASL)
        nonce = dialogue.read().partition(b"r=")[2]
        dialogue.send(message(b"R", b"\0\0\0\x0br=" + nonce + b"x,s=c2FsdA==,i=2147483647"))
        dialogue.wait()

    return script


HOSTILE = {
    "rows": flooding(ROW),
    "columns": flooding(message(b"T", b"\0\0")),
    "a row of gigabytes": flooding(b"D\x7f\xff\xff\xff" + bytes(2**16)),
    "copying in": flooding(COPY_IN),
    "copying out": flooding(message(b"H", b"\0\0\0") + message(b"d", b"x")),
    "results": flooding(complete("SELECT 1")),
    "notices": flooding(message(b"N", b"SNOTICE\0C00000\0Mx\0\0")),
    "notices before the command": flooding(message(b"N", b"SNOTICE\0C00000\0Mx\0\0"), prepared=False),
    "settings while it connects": talking,
    "iterations": iterating,
}


@pytest.mark.parametrize("wire", ["plain", "tls"])
def test_floods(abroad: Abroad, tmp_path: Path, wire: str) -> None:
    """All of them at once, which is half of the slots."""
    encryption = tls(certificate(tmp_path)) if wire == "tls" else None
    with ExitStack() as servers:
        runs = {}
        for name, script in HOSTILE.items():
            server = servers.enter_context(fake_server(script(encryption)))
            abroad.server(name, server.port, sslmode="disable" if encryption is None else "require")
            runs[name] = abroad.start(name, job_timeout="3 seconds")
        abroad.others_go_on()
        ended = {name: abroad.scheduler.ended(run, 60) for name, run in runs.items()}
        assert {run.state for run in ended.values()} <= {"failed", "timed out"}
        assert "SCRAM iterations" in ended["iterations"].exception_message
        assert "before it was ready" in ended["settings while it connects"].exception_message
        assert "not PostgreSQL's protocol" in ended["copying in"].exception_message
        abroad.others_go_on()
    memory = Path(f"/proc/{abroad.worker}/status").read_text()
    assert int(memory.partition("VmHWM:")[2].split()[0]) < 150_000  # kB
    abroad.scheduler.stop()


def test_a_server_that_does_not_want_to_cancel(abroad: Abroad) -> None:
    def never(dialogue: Dialogue) -> None:
        let_in(dialogue, None)
        dialogue.wait()

    with fake_server(never, flooding(COPY_IN)(None)) as server:
        abroad.server("bad", server.port)
        run = abroad.run("bad", job_timeout="0.3 seconds")
        assert (run.state, run.exception_detail) == ("timed out", "The session did not end, and was given up.")
        assert len(server.told) == 3
        abroad.others_go_on()
    abroad.scheduler.stop()


def test_an_sqlstate_that_is_none(abroad: Abroad) -> None:
    """It is the log's, and part of an alert, which is sent together with those of others."""

    def script(dialogue: Dialogue) -> None:
        let_in(dialogue, None)
        dialogue.send(*PREPARED, message(b"E", b"SERROR\0C" + b"X" * 900_000 + b"\0Mno\0\0"), READY)
        dialogue.wait()

    before = len(abroad.scheduler.cluster.log)  # of all that share the cluster
    with fake_server(script) as server, abroad.scheduler.connect() as listener:
        abroad.server("bad", server.port)
        listener.execute("LISTEN elephant_worker")
        run = abroad.run("bad")
        assert (run.state, run.job_sqlstate) == ("failed", NO_SQLSTATE)
        own = abroad.scheduler.run("SELECT 1 / 0")
        # A busy machine has other alerts, too.
        wanted, told = {run.jl_id, own.jl_id}, set()
        for alert in listener.notifies(timeout=TIMEOUT):
            told.add(json.loads(alert.payload).get("jl_id"))
            if wanted <= told:
                break
        assert wanted <= told
    assert "could not send alerts" not in abroad.scheduler.cluster.log[before:]


def test_options_that_are_too_long(abroad: Abroad) -> None:
    """Whoever may use a server can write into the own mapping: a password of a megabyte would be read for each run, and
    prepared letter by letter."""
    scheduler = abroad.scheduler
    abroad.server("far", 1)
    app = scheduler.connect_as(abroad.role)
    job = scheduler.insert("SELECT 1", "postgres", rolname=abroad.role, server="far", schedule="1 second")
    for password in (
        "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i)",
        "repeat('\u00e4', 5100)",
        "repeat('\u00e4', 5000000)",
    ):
        app.execute(
            f"""DO $$BEGIN EXECUTE format('ALTER USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (SET password %L)',
                                          {password}); END$$"""
        )
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="options that are too long"):
            app.execute("SELECT insert_job('SELECT 1', 'postgres', server := 'far')")
    reason = "SELECT quarantined_reason FROM all_job WHERE job_id = %s"
    until(lambda: "options that are too long" in (scheduler.value(reason, job) or ""), "the job to be quarantined")
    remedy = scheduler.value("SELECT remedy FROM check_setup() WHERE check_name = 'jobs'")
    shown = scheduler.execute(alternatives(remedy)["to see how long they are"]).fetchall()
    assert ("password", 5_000_000) in shown
    app.execute("ALTER USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (SET password 'short')")  # as the hint says
    until(lambda: scheduler.value(reason, job) is None, "the job to leave quarantine")
    abroad.others_go_on()
    scheduler.stop()


def test_a_password_for_a_server_that_is_not_known(abroad: Abroad, own_cluster: Callable[..., Cluster]) -> None:
    """MD5 and cleartext are for servers that TLS has verified, and those that a superuser lets ask."""
    far = own_cluster(password_encryption="md5")
    hba = Path(far.get_data_directory(), "pg_hba.conf")
    with far.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE clerk LOGIN PASSWORD {}").format(sql.Literal(PASSWORD)))
    for method, state in (("md5", "succeeded"), ("password", "succeeded")):
        hba.write_text(f"local all all peer\nhost all all 127.0.0.1/32 {method}\n")
        far.command("pg_ctl", "reload", "-D", far.get_data_directory())
        abroad.server(method, far.port)
        refused = abroad.run(method)
        assert (refused.state, refused.job_sqlstate) == ("failed", "28000")
        assert method in refused.exception_message
        # As the hint says.
        assert "password_required = false in the mapping" in refused.exception_hint
        abroad.scheduler.execute(
            "ALTER USER MAPPING FOR {} SERVER {} OPTIONS (ADD password_required 'false')",
            sql.Identifier(abroad.role),
            sql.Identifier(method),
        )
        assert abroad.run(method).state == state
    if int(abroad.scheduler.value("SELECT current_setting('server_version_num')")) >= 160000:
        abroad.server("allowed", far.port, require_auth="password")
        assert abroad.run("allowed").state == "succeeded"
