"""A run goes the same over a connection that is not encrypted and over one that is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.scheduler import Scheduler, new_scheduler
from harness.waiting import until

WIRES = ["plain", "tls"]


@pytest.fixture(scope="module")
def tls_cluster(
    installation: Installation, data_directory: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A server that lets nobody in over TCP without TLS."""
    directory = tmp_path_factory.mktemp("tls")
    options = "req -new -x509 -days 2 -nodes -subj /CN=localhost -newkey rsa:2048"
    files = ["-keyout", str(directory / "key.pem"), "-out", str(directory / "certificate.pem")]
    subprocess.run(["openssl", *options.split(" "), *files], check=True, capture_output=True)
    (directory / "key.pem").chmod(0o600)
    settings = {"ssl": "on", "ssl_cert_file": directory / "certificate.pem", "ssl_key_file": directory / "key.pem"}
    cluster = Cluster(
        installation, {name: str(value) for name, value in settings.items()}, copy_data_from=data_directory
    )
    hba = Path(cluster.get_data_directory(), "pg_hba.conf")
    hba.write_text(hba.read_text().replace("host  ", "hostssl"))
    cluster.command("pg_ctl", "reload", "-D", cluster.get_data_directory())
    yield cluster
    cluster.stop()


def workers_of(clusters: dict[str, Cluster]) -> Iterator[dict[str, Scheduler]]:
    workers = {wire: new_scheduler(cluster) for wire, cluster in clusters.items()}
    for worker in workers.values():
        worker.start()
    yield workers
    for worker in workers.values():
        worker.close()


@pytest.fixture
def workers(cluster: Cluster, tls_cluster: Cluster) -> Iterator[dict[str, Scheduler]]:
    """A scheduler for each wire, with a worker."""
    yield from workers_of({"plain": cluster, "tls": tls_cluster})


@pytest.fixture(scope="module")
def shared_workers(cluster: Cluster, tls_cluster: Cluster) -> Iterator[dict[str, Scheduler]]:
    """The same, for commands that leave nothing by which another one would go otherwise."""
    yield from workers_of({"plain": cluster, "tls": tls_cluster})


@pytest.fixture(params=WIRES)
def worker(request: pytest.FixtureRequest, cluster: Cluster, tls_cluster: Cluster) -> Iterator[Scheduler]:
    """A scheduler for one of the wires, with a worker."""
    for workers in workers_of({request.param: {"plain": cluster, "tls": tls_cluster}[request.param]}):
        yield workers[request.param]


def outcome(run: Any) -> dict[str, Any]:
    """What the log says of how a run went."""
    names = ("state", "job_sqlstate", "command_tag", "row_count", "notices")
    texts = ("message", "detail", "hint", "context")
    return {name: getattr(run, name) for name in (*names, *(f"exception_{text}" for text in texts))}


def test_the_wires_are_what_they_are_said_to_be(workers: dict[str, Scheduler]) -> None:
    encrypted = "SELECT FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
    assert {name: worker.run(encrypted).row_count for name, worker in workers.items()} == {"plain": 0, "tls": 1}


def test_a_server_that_wants_tls_is_asked_for_it(workers: dict[str, Scheduler]) -> None:
    """Once it has refused the first session; the certificate is part of the proof that one knows the runner."""
    worker = workers["tls"]
    assert worker.run("SELECT 1").state == "succeeded"
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query ~ '; LISTEN '"), "the listener")
    found = worker.execute("SELECT * FROM check_setup() WHERE check_name = 'authentication'").fetchall()
    assert {row.state for row in found} == {"ok"}, found
    refusals = worker.cluster.log.count("no encryption")
    assert refusals >= 1
    for _ in range(3):
        assert worker.run("SELECT 1", rolname=worker.role()).state == "succeeded"
    assert worker.cluster.log.count("no encryption") == refusals
    for name, state in (("tls", "succeeded"), ("plain", "failed")):
        workers[name].execute("UPDATE worker_setting SET conninfo = 'channel_binding=require'")
        assert workers[name].run("SELECT 1", rolname=workers[name].role()).state == state


COMMANDS = {
    "one row": "SELECT 1",
    "many rows": "SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n",
    "no result": "CREATE TABLE made (n int)",
    "rows that are changed": "CREATE TABLE t AS SELECT n FROM generate_series(1, 7) n; DELETE FROM t WHERE n > 4",
    "a row without columns": "SELECT",
    "a table": "VALUES (1), (2); VALUES (1)",
    "outside of transactions": "VACUUM",
    "transactions of its own": "DO $$BEGIN PERFORM 1; COMMIT; PERFORM 2; ROLLBACK; END$$",
    "a transaction": "BEGIN; SELECT 1; COMMIT",
    "not outside of transactions": "SELECT 1; VACUUM",
    "a transaction that is left open": "BEGIN; SELECT 1",
    "an error": "SELECT 1 / 0",
    "an error after a success": "SELECT 1; SELECT 1 / 0; SELECT 2",
    "a syntax error": "SELEC",
    "all that an error can have": "DO $$BEGIN RAISE 'ä' USING DETAIL = 'ö', HINT = 'ü', ERRCODE = 'XY123'; END$$",
    "notices": "DO $$BEGIN RAISE NOTICE 'one'; RAISE WARNING 'b' USING DETAIL = 'a', HINT = 'b'; RAISE INFO 'ü'; END$$",
    "a notice and an error": "DO $$BEGIN RAISE NOTICE 'one'; RAISE 'two'; END$$",
    "very many notices": "DO $$BEGIN FOR n IN 1..20000 LOOP RAISE NOTICE 'number %', n; END LOOP; END$$",
    "copies out": "COPY (SELECT n, repeat('x', 1000) FROM generate_series(1, 2000) n) TO STDOUT",
    "wants input": "CREATE TABLE c (n int); COPY c FROM STDIN; SELECT 1",
    "is told of something": "LISTEN here; NOTIFY here, 'something'; SELECT 1",
    "a wide row": "SELECT repeat('x', 3000000), 1",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_runs_end_in_the_same_way(shared_workers: dict[str, Scheduler], command: str) -> None:
    plain, tls = (outcome(worker.run(command)) for worker in shared_workers.values())
    assert plain == tls


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("SELECT $1::int + $2::int", "[1, 2]"),
        ("SELECT $1::int", '["x"]'),
        ("SELECT $1; SELECT 2", "[1]"),
        ("VACUUM", "[]"),
        ("COPY pg_temp.c FROM STDIN", "[]"),
        ("COPY (SELECT 1) TO STDOUT", "[]"),
        ("SELECT $1::text IS NULL", "[null]"),
    ],
)
def test_commands_with_parameters(shared_workers: dict[str, Scheduler], command: str, parameters: str) -> None:
    plain, tls = (outcome(worker.run(command, parameters=parameters)) for worker in shared_workers.values())
    assert plain == tls
    for worker in shared_workers.values():
        assert worker.run("SELECT 1").state == "succeeded"


def test_copying_from_nowhere_fails_and_the_session_goes_on(workers: dict[str, Scheduler]) -> None:
    for worker in workers.values():
        worker.execute("CREATE TABLE c (n int)")
        role = worker.role()
        worker.execute("GRANT ALL ON c TO {}", sql.Identifier(role))
        for parameters in (None, "[]"):
            run = worker.run("COPY public.c FROM STDIN", rolname=role, parameters=parameters)
            assert (run.state, run.job_sqlstate) == ("failed", "57014")
            assert "a job has no input to copy from" in run.exception_message
            assert worker.run("SELECT 1", rolname=role).state == "succeeded"


def test_copying_that_fails_before_it_wants_input(workers: dict[str, Scheduler]) -> None:
    for worker in workers.values():
        worker.execute("CREATE TABLE c (n int)")
        worker.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$")
        worker.execute("CREATE TRIGGER no BEFORE INSERT ON c FOR EACH STATEMENT EXECUTE FUNCTION no()")
        role = worker.role()
        worker.execute("GRANT ALL ON c TO {}", sql.Identifier(role))
        for parameters in (None, "[]"):
            copy = worker.insert("COPY public.c FROM STDIN", rolname=role, parameters=parameters)
            after = worker.insert("SELECT 1 / 0", rolname=role)
            for _ in range(5):
                failed = worker.ended(worker.value("SELECT run_job(%s)", copy))
                assert (failed.state, failed.exception_message) == ("failed", "no")
                assert worker.ended(worker.value("SELECT run_job(%s)", after)).job_sqlstate == "22012"


def test_copying_out_slowly(workers: dict[str, Scheduler]) -> None:
    for worker in workers.values():
        run = worker.run("COPY (SELECT n, pg_sleep(0.1) FROM generate_series(1, 5) n) TO STDOUT")
        assert (run.state, run.command_tag, run.row_count) == ("succeeded", "COPY 5", 5)


def test_a_session_keeps_nothing_of_a_run(worker: Scheduler) -> None:
    worker.execute("UPDATE worker_setting SET session_idle_time = '1 hour'")
    worker.execute("CREATE TABLE seen (pid int, what text)")
    worker.execute("GRANT ALL ON seen TO PUBLIC")
    role = worker.role()
    leave = (
        "CREATE TEMP TABLE left_over (); SET work_mem = '7MB'; PREPARE p AS SELECT 1; SELECT pg_advisory_lock(1); "
        "LISTEN here; SET ROLE NONE"
    )
    look = """INSERT INTO public.seen SELECT pg_backend_pid(), concat_ws(' ', to_regclass('pg_temp.left_over'),
        nullif(current_setting('work_mem'), '4MB'), (SELECT count(*) FROM pg_prepared_statements WHERE name = 'p'),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_listening_channels()),
        current_user, current_setting('elephant_worker.attempt'))"""
    for _ in range(3):
        assert worker.run(f"{leave}", rolname=role).state == "succeeded"
        assert worker.run(look, rolname=role).state == "succeeded"
    assert worker.execute("SELECT DISTINCT what FROM seen").fetchall() == [(f"0 0 0 {role} 1",)]
    assert worker.value("SELECT count(DISTINCT pid) FROM seen") == 1  # it was one session


@pytest.mark.parametrize("used", [False, True])
def test_where_the_preparation_fails_the_command_is_not_executed(worker: Scheduler, used: bool) -> None:
    worker.execute("CREATE TABLE witness (n int)")
    worker.execute("GRANT ALL ON witness TO PUBLIC")
    role = worker.role()
    worker.execute("CREATE TEXT SEARCH CONFIGURATION public.mine (COPY = simple)")
    settings = '{"default_text_search_config": "public.mine"}'
    job = worker.insert("INSERT INTO public.witness VALUES (1)", rolname=role, settings=settings)
    worker.execute("DROP TEXT SEARCH CONFIGURATION public.mine")
    if used:
        assert worker.run("SELECT 1", rolname=role).state == "succeeded"
    run = worker.ended(worker.value("SELECT run_job(%s)", job))
    assert (run.state, run.job_sqlstate, run.job_started) == ("failed", "22023", None)
    assert 'invalid value for parameter "default_text_search_config"' in run.exception_message
    assert worker.value("SELECT count(*) FROM witness") == 0
    assert worker.run("INSERT INTO public.witness VALUES (2)", rolname=role).state == "succeeded"


def test_a_session_that_is_terminated_says_why(worker: Scheduler) -> None:
    run = worker.run("SELECT pg_terminate_backend(pg_backend_pid()); SELECT pg_sleep(60)")
    assert (run.state, run.job_sqlstate) == ("failed", "57P01")
    assert run.exception_message == "terminating connection due to administrator command"


def test_trials_count_rows(worker: Scheduler) -> None:
    worker.execute("CREATE TABLE tried (n int)")
    for parameters in (None, "[5]"):
        number = "5" if parameters is None else "$1::int"
        job = worker.insert(f"INSERT INTO public.tried SELECT generate_series(1, {number})", parameters=parameters)
        tried = worker.execute("SELECT * FROM try_job({})", sql.Literal(job)).fetchone()
        assert (tried.state, tried.row_count) == ("succeeded", 5)
    job = worker.insert("SELECT $1::text", parameters='["five"]')
    tried = worker.execute("SELECT * FROM try_job({})", sql.Literal(job)).fetchone()
    assert (tried.state, tried.row_count) == ("succeeded", 1)
    assert worker.value("SELECT count(*) FROM tried") == 0


@pytest.mark.slow
def test_rows_of_any_size_pass_by(worker: Scheduler) -> None:
    pid = worker.value("SELECT worker_pid()")
    for command in ("SELECT repeat('x', 300000000)", "COPY (SELECT repeat('x', 300000000)) TO STDOUT"):
        run = worker.run(command)
        assert (run.state, run.row_count) == ("succeeded", 1)
    assert worker.value("SELECT worker_pid()") == pid
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
    assert peak < 150


def test_a_run_that_takes_long_is_cancelled(worker: Scheduler) -> None:
    job = worker.insert("SELECT pg_sleep(60)")
    run = worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"))
    assert worker.value("SELECT cancel_job(%s)", job) == 1
    assert worker.ended(run).state == "cancelled"
