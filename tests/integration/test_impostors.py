"""The sessions of runs go to this server and to nobody else, whoever listens where it might be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from elephant_worker.connection.client import NO_TIMEOUTS
from harness.cluster import USER, Cluster
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until
from tests.fake_server import CLEARTEXT, MD5, Dialogue, fake_server, relay

WHO = "DO $$BEGIN RAISE NOTICE '% %', current_user, inet_server_addr(); END$$"


def cleartext(dialogue: Dialogue) -> None:
    dialogue.startup()
    dialogue.send(CLEARTEXT)
    dialogue.wait()


def restarted(cluster: Cluster, scheduler: Scheduler) -> Scheduler:
    """The scheduler, of a server that has been stopped and started."""
    scheduler.admin.close()
    cluster.start()
    again = Scheduler(cluster, scheduler.dbname)
    again.start()
    return again


def set_rules(cluster: Cluster, rules: str) -> None:
    Path(cluster.get_data_directory(), "pg_hba.conf").write_text(rules)
    cluster.command("pg_ctl", "reload", "-D", cluster.get_data_directory())


# --- where the server listens -------------------------------------------------------------------


@pytest.mark.parametrize("impostor", ["cleartext", "relay"])
def test_a_port_that_is_taken_during_a_restart(own_cluster: Callable[..., Cluster], impostor: str) -> None:
    cluster = own_cluster(listen_addresses="127.0.0.1,127.0.0.2")
    scheduler = new_scheduler(cluster)
    scheduler.start()
    role = scheduler.role()
    scheduler.stop()
    cluster.shut_down("fast")
    script = cleartext if impostor == "cleartext" else relay("127.0.0.2", cluster.port)
    with fake_server(script, port=cluster.port) as server:
        again = restarted(cluster, scheduler)
        assert again.run(WHO, rolname=role).notices == f"NOTICE:  {role} 127.0.0.2"
        until(lambda: again.value("SELECT count(*) FROM pg_stat_activity WHERE query ~ '^LISTEN|; LISTEN'"), "the ear")
        assert server.told == []
        again.stop()
        again.admin.close()


def test_a_server_that_listens_nowhere(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(listen_addresses="")
    scheduler = new_scheduler(cluster)
    with fake_server(cleartext, port=cluster.port) as server:
        scheduler.start()
        role = scheduler.value("SELECT current_user")
        run = scheduler.run("SELECT 1")
        # pg_hba.conf as it comes lets in the users of the operating system only.
        assert (run.state, run.job_sqlstate) == ("failed", "08001")
        assert "Peer authentication failed for user" in run.exception_message
        rules = Path(cluster.get_data_directory(), "pg_hba.conf").read_text()
        set_rules(cluster, f"local all {USER} peer\nlocal all all scram-sha-256\n{rules}")
        assert scheduler.run(WHO).notices == f"NOTICE:  {role} <NULL>"
        assert server.told == []
        scheduler.stop()
        scheduler.admin.close()


@pytest.mark.parametrize("addresses", ["localhost", "*", "127.0.0.2", "127.0.0.2,127.0.0.1", "::1", "0.0.0.0"])
def test_listen_addresses(own_cluster: Callable[..., Cluster], addresses: str) -> None:
    if addresses == "::1" and not Path("/proc/net/if_inet6").read_text():
        addresses = "127.0.0.3"  # a machine without IPv6
    cluster = own_cluster(listen_addresses=addresses)
    scheduler = new_scheduler(cluster)
    scheduler.start()
    assert scheduler.run("SELECT 1").state == "succeeded"
    found = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = 'authentication'").fetchall()
    assert {row.state for row in found} == {"ok"}, found
    # The client's address counts there, not the server's.
    rules = Path(cluster.get_data_directory(), "pg_hba.conf").read_text()
    address = scheduler.value("SELECT host(loopback_address())")
    set_rules(cluster, f"host all all {address}/{128 if ':' in address else 32} reject\n{rules}")
    found = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = 'authentication'").fetchall()
    assert {row.state for row in found} == {"error"}, found
    until(lambda: scheduler.run("SELECT 1", rolname=scheduler.role()).state == "failed", "the rule to hold")
    scheduler.stop()
    scheduler.admin.close()


def test_a_server_that_trusts_everybody(own_cluster: Callable[..., Cluster]) -> None:
    """As in containers: nothing secret is sent, and the kernel tells who listens, also if conninfo has the address."""
    cluster = own_cluster()
    set_rules(cluster, "local all all trust\nhost all all 127.0.0.1/32 trust\n")
    scheduler = new_scheduler(cluster)
    scheduler.start()
    role = scheduler.role()
    for conninfo in ("", f"host=127.0.0.1 port={cluster.port}", f"host='{cluster.socket_directory}'"):
        scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal(conninfo))
        assert scheduler.run(WHO, rolname=role).notices.startswith(f"NOTICE:  {role} ")
    with fake_server(relay("127.0.0.1", cluster.port)) as server:
        scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal(f"host=127.0.0.1 port={server.port}"))
        run = scheduler.run(WHO, rolname=role)
        assert (run.state, run.job_sqlstate) == ("failed", "2F003")
        assert "runners" in run.exception_hint
        scheduler.stop()
    scheduler.admin.close()


def test_a_postmaster_that_is_gone_gets_no_successor(own_cluster: Callable[..., Cluster]) -> None:
    """Whoever listens at its address when it is gone is told nothing."""
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    scheduler.start()
    scheduler.insert("SELECT 1", schedule="1 second")
    worker, spare = (
        scheduler.value("SELECT worker_pid()"),
        until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare"),
    )
    process = cluster.child_process
    assert process is not None
    process.kill()
    process.wait()
    cluster.child_process = None
    with fake_server(cleartext, port=cluster.port) as server:
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (worker, spare)), "worker and spare to leave")
        assert server.told == []
    scheduler.admin.close()


# --- an address that conninfo names -------------------------------------------------------------


def lets_in(dialogue: Dialogue) -> None:
    dialogue.startup()
    dialogue.let_in()
    dialogue.wait()


def md5(dialogue: Dialogue) -> None:
    dialogue.startup()
    dialogue.send(MD5)
    dialogue.wait()


IMPOSTORS = {"cleartext": cleartext, "md5": md5, "lets everybody in": lets_in}


@pytest.mark.parametrize("name", IMPOSTORS)
def test_an_impostor_at_the_address_of_conninfo(scheduler: Scheduler, name: str) -> None:
    with fake_server(IMPOSTORS[name]) as server:
        scheduler.execute(
            "UPDATE worker_setting SET conninfo = {}", sql.Literal(f"host=127.0.0.1 port={server.port} sslmode=disable")
        )
        scheduler.start()
        run = scheduler.run("SELECT 'nothing for strangers'")
        assert (run.state, run.job_sqlstate) == ("failed", "2F003" if name == "lets everybody in" else "28000")
        scheduler.stop()
        assert server.told
        assert all(b"strangers" not in told for told in server.told)
        assert all(told.count(b"elephant_worker_") == 1 for told in server.told)  # the name of the runner, and no more


def test_a_pooler(scheduler: Scheduler) -> None:
    """One that lets the sessions through, but with numbers of its own in place of their processes'."""

    def renumber(data: bytes) -> bytes:
        start = data.find(b"K\0\0\0\x0c")
        return data if start < 0 else data[: start + 5] + b"\0\0\0\1" + data[start + 9 :]

    with fake_server(relay("127.0.0.1", scheduler.cluster.port, renumber)) as pooler:
        scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal(f"host=127.0.0.1 port={pooler.port}"))
        scheduler.start()
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(600)'"
        for _ in range(2):
            number = scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT pg_sleep(600)"))
            until(lambda: scheduler.value(sleeping), "the run")
            scheduler.execute("SELECT cancel_run({})", sql.Literal(number))
            run = scheduler.ended(number)
            assert (run.state, run.exception_detail) == ("cancelled", "canceling statement due to user request")
        scheduler.stop()


# --- the environment of the server --------------------------------------------------------------


def test_variables_of_libpq(own_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    nobody = str(tmp_path / "none")
    cluster = own_cluster(
        environment={
            "PGHOST": "192.0.2.1",
            "PGHOSTADDR": "192.0.2.1",
            "PGPORT": "1",
            "PGUSER": "nobody",
            "PGPASSWORD": "nothing",
            "PGPASSFILE": nobody,
            "PGSERVICE": "none",
            "PGSERVICEFILE": nobody,
            "PGREQUIREPEER": "nobody",
            "PGREQUIREAUTH": "md5",
            "PGTARGETSESSIONATTRS": "standby",
            "PGCHANNELBINDING": "require",
            "PGGSSENCMODE": "require",
            "PGSSLMODE": "verify-full",
            "PGTZ": "Asia/Tokyo",
            "PGDATESTYLE": "SQL, DMY",
            "PGOPTIONS": "-c work_mem=123kB",
        }
    )
    scheduler = new_scheduler(cluster)
    role = scheduler.role()
    scheduler.execute("ALTER ROLE {} SET timezone = 'Europe/Berlin'", sql.Identifier(role))
    scheduler.start()
    show = """DO $$BEGIN RAISE NOTICE '% % %', current_setting('timezone'), current_setting('datestyle'),
        current_setting('work_mem'); END$$"""
    assert scheduler.run(show, rolname=role).notices == "NOTICE:  Europe/Berlin ISO, MDY 4MB"
    trial = scheduler.execute("SELECT * FROM try_job({})", sql.Literal(scheduler.insert(show, rolname=role))).fetchone()
    assert (trial.state, trial.notices) == ("succeeded", "NOTICE:  Europe/Berlin ISO, MDY 4MB")
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    scheduler.stop()
    scheduler.admin.close()


# --- limits of sessions -------------------------------------------------------------------------


def test_timeouts_of_the_server(own_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are for others: what the worker has open stays, and it says nothing of being terminated."""
    cluster = own_cluster(idle_session_timeout="1s", idle_in_transaction_session_timeout="1s")
    # The sessions of this test may be slow.
    patient = "-c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0 -c statement_timeout=0"
    monkeypatch.setenv("PGOPTIONS", patient)
    scheduler = new_scheduler(cluster)
    # The second one is too short to load Python.
    names = {"statement_timeout": "1s", "transaction_timeout": "20ms"}
    known = scheduler.execute("SELECT name FROM pg_settings WHERE name = ANY ({})", sql.Literal(list(names))).fetchall()
    for name in (row.name for row in known):
        scheduler.execute(
            "ALTER DATABASE {} SET {} = {}",
            *(sql.Identifier(scheduler.dbname), sql.Identifier(name)),
            sql.Literal(names[name]),
        )
    if len(known) == 2:
        monkeypatch.setenv("PGOPTIONS", f"{patient} -c transaction_timeout=0")
    with cluster.connect(scheduler.dbname) as admin:
        admin.execute(NO_TIMEOUTS)  # whoever starts the worker takes the time for it
        admin.execute(sql.SQL("SELECT {}.start_worker()").format(sql.Identifier(SCHEMA)))

    def state() -> tuple[Any, ...]:
        with cluster.connect(scheduler.dbname) as admin:
            admin.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(SCHEMA)))
            row = admin.execute(
                """SELECT elephant_worker_internal.worker_pid(), (SELECT spare_pid FROM worker_state),
                       (SELECT max(pid) FROM pg_stat_activity
                        WHERE query LIKE '%; LISTEN elephant_worker_wake')"""
            ).fetchone()
            return tuple(row or ())

    until(lambda: None not in state(), "worker, spare and listener")
    before = state()
    with cluster.connect() as other:
        other.execute("SELECT pg_sleep(4)")
    assert state() == before
    with cluster.connect(scheduler.dbname) as admin:
        admin.execute(sql.SQL("SELECT {}.stop_worker()").format(sql.Identifier(SCHEMA)))
    scheduler.admin.close()
