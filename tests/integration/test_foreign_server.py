"""Jobs run on other servers, as the user that the foreign server's mapping names, and nothing more is lent to them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, Cluster, Installation
from harness.documents import blocks
from harness.remedies import alternatives
from harness.scheduler import Scheduler
from harness.waiting import until

SECRET = "rosebud's 1941"


@pytest.fixture(scope="module")
def far(installation: Installation, new_data_directory: str) -> Iterator[Cluster]:
    """Another cluster, with the user "clerk" and the database "far shop"."""
    cluster = Cluster(installation, copy_data_from=new_data_directory)
    with cluster.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE clerk LOGIN PASSWORD {}").format(sql.Literal(SECRET)))
        admin.execute('CREATE DATABASE "far shop" OWNER clerk')
    yield cluster
    cluster.stop()


class Fleet:
    """A scheduler with a foreign server, and a role that may use it."""

    def __init__(self, scheduler: Scheduler, far: Cluster) -> None:
        self.scheduler = scheduler
        self.far = far
        self.role = scheduler.role()
        scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
        self.server("berlin", host="127.0.0.1", port=str(far.port))

    def server(self, name: str, **options: str) -> None:
        """A foreign server that the role may use, with a mapping to clerk."""
        self.scheduler.execute(
            "CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (" + written(options) + ")",
            sql.Identifier(name),
        )
        self.scheduler.execute(
            "GRANT USAGE ON FOREIGN SERVER {} TO {}", sql.Identifier(name), sql.Identifier(self.role)
        )
        self.map(name, user="clerk", password=SECRET)

    def map(self, name: str, **options: str) -> None:
        self.scheduler.execute(
            "CREATE USER MAPPING FOR {} SERVER {} OPTIONS (" + written(options) + ")",
            sql.Identifier(self.role),
            sql.Identifier(name),
        )

    def insert(self, command: str, server: str = "berlin", **options: Any) -> int:
        return self.scheduler.insert(command, "far shop", rolname=self.role, server=server, **options)

    def start(self, command: str, server: str = "berlin", **options: Any) -> int:
        """Start a run; returns its number."""
        run: int = self.scheduler.value("SELECT run_job(%s)", self.insert(command, server, **options))
        return run

    def run(self, command: str, server: str = "berlin", **options: Any) -> Any:
        return self.scheduler.ended(self.start(command, server, **options))

    def sleeping(self) -> list[Any]:
        """The sessions there that execute pg_sleep()."""
        with self.far.connect() as admin:
            query = (
                "SELECT pid FROM pg_stat_activity WHERE usename = 'clerk' AND state = 'active' AND query ~ 'pg_sleep'"
            )
            return admin.execute(query).fetchall()


def written(options: dict[str, str]) -> str:
    parts = [f"{name} {sql.Literal(value).as_string(None)}" for name, value in options.items()]
    return ", ".join(parts).replace("{", "{{").replace("}", "}}")


@pytest.fixture
def fleet(scheduler: Scheduler, far: Cluster) -> Fleet:
    return Fleet(scheduler, far)


def test_a_run_on_another_server(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    scheduler.start()
    here = until(lambda: scheduler.value("SELECT sessions FROM worker_status"), "the worker to listen")
    run = fleet.run(
        """DO $$ BEGIN RAISE NOTICE '% % % % %', session_user, current_user, current_database(), inet_server_port(),
               current_setting('elephant_worker.job_id') || current_setting('work_mem'); END $$""",
        settings='{"work_mem": "7MB"}',
    )
    assert (run.state, run.exception_message) == ("succeeded", None)
    assert run.notices == f"NOTICE:  clerk clerk far shop {fleet.far.port} {run.job_id}7MB"
    assert (run.server, run.datname, run.rolname) == ("berlin", "far shop", fleet.role)
    assert scheduler.value("SELECT sessions FROM worker_status") == here
    # A session is used for one run after another, and is clean each time.
    scheduler.execute("UPDATE worker_setting SET session_idle_time = '1 hour'")
    report = (
        "DO $$ BEGIN RAISE NOTICE '% %', pg_backend_pid(), current_setting('work_mem'); SET work_mem = '9MB'; END $$"
    )
    assert len({fleet.run(report).notices for _ in range(3)}) == 1
    failed = fleet.run("SELECT 1/0")
    assert (failed.state, failed.job_sqlstate, failed.exception_message) == ("failed", "22012", "division by zero")
    assert fleet.run("SELECT $1::int", parameters="[7]").row_count == 1


def test_by_schedule_once_and_on_trial(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    scheduler.start()
    with scheduler.connect_as(fleet.role) as session:
        once = session.execute("SELECT run_once('SELECT 1', 'far shop', server := 'berlin')").fetchone()
        assert once is not None
        assert scheduler.ended(once[0]).state == "succeeded"
    job = fleet.insert("SELECT 1", schedule="1 second", max_retries=0, on_failure_command="SELECT 2")
    until(lambda: scheduler.successes(job) >= 2, "two runs")
    trial = scheduler.execute("SELECT * FROM try_job({})", sql.Literal(job)).fetchone()
    assert (trial.state, trial.row_count) == ("succeeded", 1)
    scheduler.execute("UPDATE member_job SET job_command = 'SELECT 1/0'")
    after = until(
        lambda: scheduler.execute("SELECT * FROM member_job_log WHERE cause = 'failure'").fetchone(),
        "what is to be run after a failure",
    )
    assert (after.server, scheduler.ended(after.jl_id).state) == ("berlin", "succeeded")


def test_update_and_move(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    job = scheduler.insert("SELECT 1", rolname=fleet.role)
    assert (
        scheduler.value("SELECT server FROM update_job(%s, datname := 'far shop', server := 'berlin')", job) == "berlin"
    )
    with pytest.raises(psycopg.errors.InvalidCatalogName):
        scheduler.execute("UPDATE member_job SET server = NULL")
    scheduler.execute("UPDATE member_job SET server = NULL, datname = current_catalog")
    with pytest.raises(psycopg.errors.UndefinedObject, match='foreign server "nowhere" does not exist'):
        scheduler.execute("UPDATE member_job SET server = 'nowhere'")


def test_who_may_not(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    role, server = sql.Identifier(fleet.role), sql.Identifier("berlin")
    session = scheduler.connect_as(fleet.role)

    def refused(sqlstate: str, message: str) -> None:
        for query in (
            "SELECT insert_job('SELECT 1', 'far shop', server := 'berlin')",
            "SELECT run_once('SELECT 1', 'far shop', server := 'berlin')",
            """INSERT INTO dry_run (datname, rolname, job_command, job_timeout, server)
               VALUES ('far shop', current_user, 'SELECT 1', '1 s', 'berlin')""",
        ):
            with pytest.raises(psycopg.Error, match=message) as raised:
                session.execute(query)
            assert raised.value.sqlstate == sqlstate
            assert raised.value.diag.message_detail
            assert raised.value.diag.message_hint
            assert SECRET not in str(raised.value)

    scheduler.execute("REVOKE USAGE ON FOREIGN SERVER {} FROM {}", server, role)
    refused("42501", "may not use foreign server")
    scheduler.execute("GRANT USAGE ON FOREIGN SERVER {} TO {}", server, role)
    scheduler.execute("DROP USER MAPPING FOR {} SERVER {}", role, server)
    refused("42704", "has no user mapping")
    fleet.map("berlin", user="clerk")
    refused("2F003", "has no password")
    scheduler.execute("ALTER USER MAPPING FOR {} SERVER {} OPTIONS (ADD password '')", role, server)
    refused("2F003", "has no password")
    scheduler.execute(
        "ALTER USER MAPPING FOR {} SERVER {} OPTIONS (SET password 'x', ADD sslkey '/etc/key')", role, server
    )
    session.execute("SELECT insert_job('SELECT 1', 'far shop', server := 'berlin')")  # a superuser has said so
    owner = sql.Identifier(scheduler.role("owner"))
    scheduler.execute("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {}", owner)
    scheduler.execute("ALTER SERVER {} OWNER TO {}", server, owner)
    session.execute("SELECT insert_job('SELECT 1', 'far shop', server := 'berlin')")
    scheduler.execute("ALTER SERVER {} OPTIONS (ADD passfile '/etc/passwd')", server)
    refused("42501", "use its own files or credentials")

    # Nobody tells others what is in the mapping.
    for query in ("SELECT server_login('berlin', {})", "SELECT server_obstacle('berlin', {})"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for function"):
            session.execute(sql.SQL(query).format(sql.Literal(scheduler.value("SELECT 10::oid"))))


def test_only_a_password_lets_in(fleet: Fleet) -> None:
    """A server that lets in by what the worker is does not serve who has no superuser's word for it."""
    scheduler = fleet.scheduler
    fleet.server("socket", host=fleet.far.socket_directory, port=str(fleet.far.port))
    with fleet.far.connect() as admin:
        superuser = admin.execute("SELECT current_user").fetchone()[0]  # type: ignore[index]
    scheduler.execute(
        "ALTER USER MAPPING FOR {} SERVER socket OPTIONS (SET user {})",
        sql.Identifier(fleet.role),
        sql.Literal(superuser),
    )
    scheduler.start()
    run = fleet.run("SELECT 1", "socket")
    assert (run.state, run.job_sqlstate) == ("failed", "2F003")
    assert "did not ask for the password" in run.exception_message
    assert run.exception_hint
    scheduler.execute(
        "ALTER USER MAPPING FOR {} SERVER socket OPTIONS (ADD password_required 'false')", sql.Identifier(fleet.role)
    )
    assert fleet.run("SELECT 1", "socket").state == "succeeded"

    # Where nobody watches over the mappings' options, their word does not count.
    scheduler.execute("CREATE FOREIGN DATA WRAPPER plain")
    scheduler.execute(
        "CREATE SERVER plain FOREIGN DATA WRAPPER plain OPTIONS (host '127.0.0.1', port {})",
        sql.Literal(str(fleet.far.port)),
    )
    scheduler.execute("GRANT USAGE ON FOREIGN SERVER plain TO {}", sql.Identifier(fleet.role))
    fleet.map("plain", user="clerk", password_required="false")
    with pytest.raises(psycopg.Error, match="has no password"):
        fleet.insert("SELECT 1", "plain")
    scheduler.execute(
        "ALTER USER MAPPING FOR {} SERVER plain OPTIONS (ADD password {})",
        sql.Identifier(fleet.role),
        sql.Literal(SECRET),
    )
    assert fleet.run("SELECT 1", "plain").state == "succeeded"


def test_servers_that_do_not_answer_harm_nobody_else(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody else gets this port
        fleet.server("silent", host="127.0.0.1", port=str(silent.getsockname()[1]), connect_timeout="60")
        fleet.server("hurried", host="127.0.0.1", port=str(silent.getsockname()[1]), connect_timeout="2")
        fleet.server("down", host="127.0.0.1", port=str(closed.getsockname()[1]))
        fleet.server("wrong", host="127.0.0.1", port=str(fleet.far.port))
        scheduler.execute(
            "ALTER USER MAPPING FOR {} SERVER wrong OPTIONS (SET password 'open sesame')", sql.Identifier(fleet.role)
        )
        scheduler.start()
        waits = [fleet.start("SELECT 1", "silent") for _ in range(5)]
        until(lambda: len([run for run in scheduler.log() if run.state == "running"]) == 5, "five runs that connect")
        assert scheduler.run("SELECT 1").state == "succeeded"
        assert fleet.run("SELECT 1").state == "succeeded"
        assert {row.state for row in scheduler.log() if row.jl_id in waits} == {"running"}

        down, wrong, late = (fleet.run("SELECT 1", name) for name in ("down", "wrong", "hurried"))
        assert (down.state, down.job_sqlstate) == ("failed", "08001")
        assert "Connection refused" in down.exception_message
        assert 'on server "down"' in down.exception_detail
        assert (wrong.state, wrong.job_sqlstate) == ("failed", "08001")
        assert 'password authentication failed for user "clerk"' in wrong.exception_message
        assert (late.state, late.job_sqlstate) == ("failed", "08001")
        assert late.exception_message == "no connection within 2 seconds"

        def cancel() -> None:
            """A run that has no connection yet is cancelled at once."""
            for run in waits:
                scheduler.execute("SELECT cancel_run({})", sql.Literal(run))
            assert {scheduler.ended(run).state for run in waits} == {"cancelled"}

        cancel()
        # However many there are, they take half of the slots only.
        scheduler.configure("max_running_jobs = 4")
        waits = [fleet.start("SELECT 1", "silent") for _ in range(6)]
        running = "SELECT count(*) FROM all_job_log WHERE state = 'running'"
        until(lambda: scheduler.value(running) == 2, "two runs that connect")
        assert scheduler.run("SELECT 1").state == "succeeded"
        assert scheduler.value(running) == 2
        cancel()
    assert scheduler.run("SELECT 1").state == "succeeded"


def test_stopping(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    scheduler.start()
    run = fleet.run("SELECT pg_sleep(600)", job_timeout="0.3 seconds")
    assert (run.state, run.job_sqlstate) == ("timed out", "57014")
    assert run.exception_detail == "canceling statement due to user request"
    until(lambda: not fleet.sleeping(), "the statement to end there")

    number = fleet.start("SELECT pg_sleep(600)")
    until(fleet.sleeping, "the statement to begin there")
    scheduler.execute("SELECT cancel_run({})", sql.Literal(number))
    assert scheduler.ended(number).state == "cancelled"
    assert not fleet.sleeping()

    # One that does not let itself be cancelled is terminated.
    scheduler.execute("UPDATE worker_setting SET cancel_grace = '0.2 seconds'")
    stubborn = """DO $$ BEGIN LOOP
        BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN END;
    END LOOP; END $$"""
    run = fleet.run(stubborn, job_timeout="1 second")  # enough to get into its loop
    assert (run.state, run.exception_detail) == ("timed out", "terminating connection due to administrator command")
    until(lambda: not fleet.sleeping(), "the session to end there")


def test_a_server_that_can_not_be_told_to_stop(fleet: Fleet) -> None:
    """Its user may have one session only: the run is given up, and the session ends for lack of a client."""
    scheduler = fleet.scheduler
    with fleet.far.connect() as admin:
        admin.execute("ALTER ROLE clerk CONNECTION LIMIT 1")
        try:
            scheduler.execute("UPDATE worker_setting SET cancel_grace = '0.2 seconds'")
            scheduler.start()
            number = fleet.start("SELECT pg_sleep(600)")
            until(fleet.sleeping, "the statement to begin there")
            scheduler.execute("SELECT cancel_run({})", sql.Literal(number))
            run = scheduler.ended(number)
            assert (run.state, run.exception_detail) == ("cancelled", "The session did not end, and was given up.")
            until(lambda: not fleet.sleeping(), "the session to miss its client")
        finally:
            admin.execute("ALTER ROLE clerk CONNECTION LIMIT -1")


@pytest.mark.parametrize("name", ["usage", "mapping", "server"])
def test_quarantine(fleet: Fleet, name: str) -> None:
    scheduler = fleet.scheduler
    role = sql.Identifier(fleet.role)
    job = fleet.insert("SELECT 1", schedule="1 second")
    scheduler.start()
    until(lambda: scheduler.log(job), "a run")
    if name == "usage":
        scheduler.execute("REVOKE USAGE ON FOREIGN SERVER berlin FROM {}", role)
    elif name == "mapping":
        scheduler.execute("DROP USER MAPPING FOR {} SERVER berlin", role)
    else:
        scheduler.execute("DROP SERVER berlin CASCADE")
    until(lambda: scheduler.value("SELECT quarantined_reason FROM all_job"), "quarantine")
    reason = scheduler.value("SELECT quarantined_reason FROM all_job")
    assert 'foreign server "berlin"' in reason
    (finding,) = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = 'jobs'").fetchall()
    assert finding.state == "error"
    assert 'on server "berlin"' in finding.found
    if name == "usage":
        scheduler.execute(alternatives(finding.remedy)["to let it use the server"])
    elif name == "mapping":
        fleet.map("berlin", user="clerk", password=SECRET)
    else:
        with scheduler.admin.transaction():
            fleet.server("berlin", host="127.0.0.1", port=str(fleet.far.port))
            scheduler.execute("UPDATE member_job SET defined_by = current_user")  # though it is another one
    until(lambda: scheduler.value("SELECT quarantined_reason IS NULL FROM all_job"), "its end")
    until(lambda: scheduler.log(job)[-1].state == "succeeded", "the job to run again")
    assert len({run.exception_message for run in scheduler.log(job) if run.state == "failed"} - {reason}) <= 1


def test_a_changed_mapping_holds_at_once(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    with fleet.far.connect() as admin:
        admin.execute("CREATE ROLE accountant LOGIN PASSWORD 'beans'")
    try:
        scheduler.execute("UPDATE worker_setting SET session_idle_time = '1 hour'")
        scheduler.start()
        job = fleet.insert("DO $$ BEGIN RAISE NOTICE '%', current_user; END $$")
        assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).notices == "NOTICE:  clerk"
        scheduler.execute(
            "ALTER USER MAPPING FOR {} SERVER berlin OPTIONS (SET user 'accountant', SET password 'beans')",
            sql.Identifier(fleet.role),
        )
        assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).notices == "NOTICE:  accountant"
        # Without an own mapping the one for PUBLIC holds.
        scheduler.execute("DROP USER MAPPING FOR {} SERVER berlin", sql.Identifier(fleet.role))
        scheduler.execute(
            "CREATE USER MAPPING FOR PUBLIC SERVER berlin OPTIONS (user 'clerk', password {})", sql.Literal(SECRET)
        )
        assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).notices == "NOTICE:  clerk"
    finally:
        with fleet.far.connect() as admin:
            until(
                lambda: not admin.execute("SELECT FROM pg_stat_activity WHERE usename = 'accountant'").fetchall(),
                "its sessions to go",
            )
            admin.execute("DROP ROLE accountant")


def test_a_dump_names_the_server(fleet: Fleet, tmp_path: Path) -> None:
    scheduler = fleet.scheduler
    fleet.insert("SELECT 1")
    dump = tmp_path / "dump"
    scheduler.cluster.command("pg_dump", f"--file={dump}", scheduler.dbname)
    restored = Scheduler(scheduler.cluster, scheduler.database("restored"))
    scheduler.cluster.command("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", str(dump), "-d", restored.dbname)
    with scheduler.cluster.connect(restored.dbname) as admin:
        admin.execute('SET search_path = "Elephant Test"')
        (row,) = admin.execute("SELECT server, datname FROM all_job").fetchall()
        assert row == ("berlin", "far shop")
        assert admin.execute("SELECT obstacle FROM elephant_worker_internal.job_for_worker").fetchone() == (None,)
    restored.admin.close()


def test_the_example_of_the_documentation(scheduler: Scheduler) -> None:
    text = (ROOT / "docs/scaling.md").read_text()
    parts = [part.partition("```")[0] for part in text.split("```sql\n")[1:]]
    for block in parts:
        if not block.startswith(("CREATE ROLE nightly", "-- here")) and "\\gexec" not in block and "node_" not in block:
            scheduler.execute(block)
    scheduler._roles.append("fleet")
    rows = scheduler.execute("SELECT job_name, server FROM all_job ORDER BY job_name").fetchall()
    assert [tuple(row) for row in rows] == [(f"roll up shop_{number}", f"shop_{number}") for number in (1, 2, 3)]
    assert scheduler.value("SELECT count(*) FROM job_for_worker WHERE obstacle IS NULL") == 3


def test_the_nodes_of_citus_become_foreign_servers(fleet: Fleet) -> None:
    """As docs/scaling.md says it, beside a table that stands in for the catalog of Citus."""
    scheduler, port = fleet.scheduler, fleet.far.port
    with fleet.far.connect("far shop") as admin:
        admin.execute("CREATE PROCEDURE tidy_up() LANGUAGE sql AS 'SELECT 1'")
    scheduler.execute(
        """CREATE TABLE public.pg_dist_node (nodeid serial, groupid int, nodename text, nodeport int, isactive boolean,
                                             noderole text)"""
    )
    add = "INSERT INTO pg_dist_node (nodename, nodeport, isactive, noderole) VALUES (%s, %s, %s, %s)"
    for name, active, kind in (
        ("127.0.0.1", True, "primary"),
        ("localhost", True, "primary"),
        ("10.0.0.3", True, "secondary"),
        ("10.0.0.4", False, "primary"),
    ):
        scheduler.admin.execute(add, (name, port, active, kind))
    statements = [block.code for block in blocks(ROOT / "docs/scaling.md") if block.run_by and "node_" in block.code]
    assert len(statements) == 2

    def paste() -> None:
        text = "".join(statements)
        for given, here in (
            ("TO fleet", f'TO "{fleet.role}"'),
            ("FOR fleet", f'FOR "{fleet.role}"'),
            ("'fleet'", f"'{fleet.role}'"),
            ("'nightly', 'a long one'", f"'clerk', {sql.Literal(SECRET).as_string()}"),
            ("'shop'", "'far shop'"),
        ):
            assert given in "".join(statements)
            text = text.replace(given, here)
        path = 'SET search_path = public, "Elephant Test";\n'
        scheduler.cluster.command("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", scheduler.dbname, input=path + text)

    def jobs() -> list[Any]:
        rows = scheduler.execute(
            "SELECT server, job_id FROM member_job WHERE job_name LIKE 'tidy up %' ORDER BY server"
        )
        return rows.fetchall()

    paste()
    first = jobs()
    assert [row.server for row in first] == ["node_1", "node_2"]
    scheduler.start()
    for row in first:
        run = scheduler.ended(scheduler.value("SELECT run_job(%s)", row.job_id))
        assert (run.state, run.server) == ("succeeded", row.server), run
    scheduler.admin.execute(add, ("127.0.0.1", port, True, "primary"))
    paste()
    assert jobs()[:2] == first
    assert [row.server for row in jobs()] == ["node_1", "node_2", "node_5"]


def test_no_secret_is_visible(fleet: Fleet) -> None:
    scheduler = fleet.scheduler
    scheduler.execute("SET log_statement = 'none'")
    fleet.server("down", host="127.0.0.1", port="1")
    scheduler.start()
    number = fleet.start("SELECT pg_sleep(600)")
    until(fleet.sleeping, "a run")
    fleet.run("SELECT 1", "down")
    fleet.run("SELECT", job_timeout="0.001 seconds")
    visible = [str(row) for row in scheduler.execute("SELECT * FROM pg_stat_activity").fetchall()]
    with fleet.far.connect() as admin:
        visible += [str(row) for row in admin.execute("SELECT * FROM pg_stat_activity").fetchall()]
    scheduler.execute("SELECT cancel_run({})", sql.Literal(number))
    scheduler.ended(number)
    views = scheduler.execute(
        """SELECT c.oid::regclass::text AS name FROM pg_class c
           WHERE c.relkind IN ('r', 'v') AND c.relnamespace IN (
               (SELECT relnamespace FROM pg_class WHERE oid = 'job'::regclass),
                      'elephant_worker_internal'::regnamespace)"""
    ).fetchall()
    assert len(views) > 15
    for view in views:
        visible += [str(row) for row in scheduler.admin.execute(f"SELECT * FROM {view.name}").fetchall()]
    for word in (SECRET, SECRET.replace("'", "''"), "rosebud"):
        assert not [text for text in visible if word in text]
        assert [line for line in fleet.far.log.splitlines() if word in line] == []
        assert [line for line in scheduler.cluster.log.splitlines() if word in line] == []
