"""Databases of other encodings than UTF-8: their jobs, their names, and the extension in them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster
from harness.scheduler import SCHEMA, Scheduler

NAME = "caf\u00e9"
RAISE = "DO $$BEGIN RAISE NOTICE 'na%ve', {0}; RAISE EXCEPTION 'caf%', {0} USING DETAIL = {0}, HINT = {0}; END$$"


@pytest.fixture
def latin(cluster: Cluster) -> Iterator[Scheduler]:
    """A control database whose encoding is LATIN1, of a name that is written in UTF-8 in the catalogs."""
    name = f"latin {NAME}"
    with cluster.connect() as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").format(sql.Identifier(name))
        )
    with cluster.connect(name) as admin:
        admin.execute(
            sql.SQL("CREATE SCHEMA {0}; CREATE EXTENSION elephant_worker SCHEMA {0} CASCADE").format(
                sql.Identifier(SCHEMA)
            )
        )
    scheduler = Scheduler(cluster, name)
    yield scheduler
    for role in scheduler._roles:  # whose names are other bytes where the encoding is UTF-8
        scheduler.execute("DROP ROLE {}", sql.Identifier(role))
    scheduler.close()


def test_bytes_that_are_no_text(scheduler: Scheduler) -> None:
    """In a database of the encoding SQL_ASCII any bytes are text."""
    database = "bytes of all kinds"
    scheduler.execute(
        "CREATE DATABASE {} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
        sql.Identifier(database),
    )
    scheduler._databases.append(database)
    role = scheduler.role(NAME)
    scheduler.start()
    for _ in range(2):  # in a new session, and in one that has been used
        run = scheduler.run("SELECT chr(233)", database, role)
        assert run.state == "succeeded", (run.job_sqlstate, run.exception_message, run.exception_context)
        run = scheduler.run(RAISE.format("chr(233)"), database, role)
        assert (run.job_sqlstate, run.exception_message) == ("P0001", r"caf\xe9")
        assert (run.exception_detail, run.exception_hint) == (r"\xe9", r"\xe9")
        assert r"na\xe9ve" in run.notices
    # What is UTF-8 stays as it is.
    run = scheduler.run(RAISE.format("$1").replace("$1", "'\u00e9'"), database, role)
    assert run.exception_message == NAME
    run = scheduler.run("SELECT 1/(octet_length($1) - 2)", database, role, parameters='["\u00e9"]')
    assert run.job_sqlstate == "22012"
    job = scheduler.insert(RAISE.format("chr(233)"), database)
    trial = scheduler.execute("SELECT * FROM try_job({})", sql.Literal(job)).fetchone()
    assert trial is not None
    assert trial.exception_message == r"caf\xe9"


def test_names_in_another_encoding(latin: Scheduler, scheduler: Scheduler) -> None:
    """Roles and databases belong to all databases, and their names are the same bytes in all of them."""
    latin.execute('CREATE DATABASE "from latin \u00e9"')
    latin._databases.append("from latin \u00e9")
    scheduler.database(NAME)
    scheduler.role(NAME)
    own_role = latin.role(NAME)
    latin.start()
    databases = latin.execute(
        "SELECT oid, datname FROM pg_database WHERE datname ~ '[^ -~]' OR datname = current_database()"
    ).fetchall()
    assert len(databases) == 3
    roles = latin.execute("SELECT oid, rolname FROM pg_roles WHERE rolname ~ '[^ -~]'").fetchall()
    assert len(roles) == 2
    for role in roles:
        for database in databases:
            if role.rolname == own_role and database.datname != latin.dbname:
                continue  # its name is no UTF-8
            command = f"""SELECT 1/(count(*) - 1) FROM pg_roles r, pg_database d
                WHERE r.rolname = current_user AND r.oid = {role.oid}
                AND d.datname = current_database() AND d.oid = {database.oid}"""
            for _ in range(2):  # in a new session, and in one that has been used
                run = latin.run(command, database.datname, role.rolname)
                assert run.job_sqlstate == "22012", (role, database, run.exception_message)


def test_a_control_database_in_another_encoding(cluster: Cluster) -> None:
    """Where not every character can be written the extension is created, and says what is wrong all the same."""
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE euc_jp ENCODING 'EUC_JP' LOCALE 'C' TEMPLATE template0")
    with cluster.connect("euc_jp") as session:
        session.execute("CREATE SCHEMA scheduler; CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE")
        session.execute("SET search_path = scheduler")
        said: list[str] = []
        session.add_notice_handler(lambda notice: said.append(f"{notice.message_primary} {notice.message_hint}"))
        session.execute("SELECT insert_job('SELECT 1', 'euc_jp') FROM generate_series(1, 11)")
        session.execute("SELECT export_jobs()")
        assert "10 ..." in said[-1]
        assert "job_name => '...'" in said[-1]
        session.execute(f"SELECT insert_job('SELECT {'1, ' * 50} SELECT', 'euc_jp')")
        assert any("is not valid SQL" in text for text in said)
        for wrong, hint in {
            """apply_jobs('[{"job_name": "a", "job_command": "SELECT 1"}]', prune => true)""": "apply_jobs(..., ",
            "insert_job('SELECT 1', 'nowhere')": "To list them",
            f"insert_job('SELECT 1', 'euc_jp', '{{\"{'x' * 100}\"}}')": "",
        }.items():
            with pytest.raises(psycopg.Error) as raised:
                session.execute(f"SELECT {wrong}".encode("euc_jp"))
            assert raised.value.sqlstate[:2] in ("22", "3D", "42")
            assert hint in (raised.value.diag.message_hint or "")
    with cluster.connect() as admin:
        admin.execute("DROP DATABASE euc_jp (FORCE)")
