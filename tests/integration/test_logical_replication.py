"""A subscription to everything, between two clusters that both have the extension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER, Cluster
from harness.scheduler import TEMPLATE, Scheduler
from harness.waiting import until

CONTROL = "control"
FINDING = "SELECT * FROM check_setup() WHERE check_name = 'replication'"
RUNNERS = "SELECT * FROM check_setup() WHERE check_name = 'runners'"
STATE = "SELECT s.pid, s.armed, s.system_identifier, c.max_running_jobs FROM worker_state s, worker_setting c"


def control(cluster: Cluster, filler: int) -> Scheduler:
    """The same roles and databases in each cluster, with OIDs of its own."""
    with cluster.connect() as admin:
        for number in range(filler):
            admin.execute(f"CREATE ROLE filler_{number}")
        admin.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
        admin.execute("GRANT job_scheduler TO app")
        admin.execute("CREATE DATABASE shop")
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (CONTROL, TEMPLATE))))
    scheduler = Scheduler(cluster, CONTROL)
    scheduler.start()
    until(lambda: scheduler.value("SELECT running FROM worker_status"), "the worker")
    return scheduler


@pytest.fixture
def clusters(own_cluster: Callable[..., Cluster]) -> tuple[Scheduler, Scheduler]:
    publisher, subscriber = control(own_cluster(wal_level="logical"), 0), control(own_cluster(), 5)
    publisher.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    return publisher, subscriber


def subscribe(publisher: Scheduler, subscriber: Scheduler, copy_data: bool) -> None:
    connection = psycopg.conninfo.make_conninfo(
        host=publisher.cluster.socket_directory, port=publisher.cluster.port, user=USER, dbname=CONTROL
    )
    subscriber.execute(
        "CREATE SUBSCRIPTION everything CONNECTION {} PUBLICATION everything WITH (copy_data = {})",
        sql.Literal(connection),
        sql.Literal(copy_data),
    )


def seen(subscriber: Scheduler, query: str, expected: Any) -> None:
    until(lambda: subscriber.value(query) == expected, f"{query} to be {expected}")


@pytest.mark.slow
def test_the_worker_of_the_subscriber_stays_its_own(clusters: tuple[Scheduler, Scheduler]) -> None:
    publisher, subscriber = clusters
    publisher.execute("UPDATE worker_setting SET max_running_jobs = 7")
    subscriber.execute("UPDATE worker_setting SET max_running_jobs = 9")
    app = publisher.connect_as("app")
    first = app.execute("SELECT job_id FROM insert_job('SELECT 1', 'shop', job_name => 'first')").fetchone()
    assert first is not None
    assert app.execute("CALL wait_for_run(run_job('first'))").fetchone() == ("succeeded", None)
    before = subscriber.execute(STATE).fetchall()

    # Roles that are copied while the worker runs include its own logins, of which the other worker knows nothing.
    roles = publisher.cluster.command("pg_dumpall", "--roles-only").stdout
    subscriber.cluster.command("psql", "-X", "-d", "postgres", input=roles)
    copied = subscriber.execute(RUNNERS).fetchall()
    assert {row.state for row in copied} == {"warning"}
    for row in copied:
        subscriber.execute(row.remedy)
    assert subscriber.execute(RUNNERS).fetchone().state == "ok"  # type: ignore[union-attr]

    # The first copy of all tables comes to its end, and what follows is applied.
    subscribe(publisher, subscriber, copy_data=True)
    seen(subscriber, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", 0)
    assert subscriber.value("SELECT count(*) FROM member_job_log WHERE state = 'succeeded'") == 1
    app.execute("SELECT insert_job('SELECT 2', 'shop', job_name => 'second')")
    app.execute("SELECT update_job('first', job_description => 'changed')")
    seen(subscriber, "SELECT string_agg(concat(job_name, job_description), ' ' ORDER BY job_id) FROM member_job",
         "firstchanged second")  # fmt: skip
    # Names mean here what they mean here.
    assert subscriber.value(
        """SELECT count(*) FROM job j JOIN pg_database d ON (d.datname, d.oid) = (j.datname, j.database_oid)
           JOIN known_role k USING (rolname) JOIN pg_roles r ON (r.rolname, r.oid) = (k.rolname, k.role_oid)"""
    ) == 2  # fmt: skip
    assert subscriber.value("SELECT count(*) FROM member_job WHERE quarantined_reason IS NOT NULL") == 0
    # It would run the jobs of the other cluster, and is told so; what is said helps.
    (finding,) = subscriber.execute(FINDING).fetchall()
    assert finding.state == "warning"
    assert '"everything"' in finding.found
    # That of a role whose rows are refused is no reason to stop the worker.
    with subscriber.admin.transaction(force_rollback=True):
        subscriber.execute("CREATE ROLE nobody SUPERUSER; ALTER SUBSCRIPTION everything OWNER TO nobody")
        subscriber.execute("ALTER ROLE nobody NOSUPERUSER")
        (other,) = subscriber.execute(FINDING).fetchall()
        assert other.state == "ok"
    # One-off runs, requests and stops are those of the publisher alone.
    publisher.execute("SELECT pause_jobs()")
    app.execute("SELECT run_once('SELECT 3'), run_job('first')")
    publisher.stop()
    app.execute("SELECT update_job('second', job_description => 'last')")
    seen(subscriber, "SELECT count(*) FROM member_job WHERE job_description = 'last'", 1)
    assert subscriber.execute(STATE).fetchall() == before
    assert subscriber.value("SELECT count(*) FROM once_job") == 0
    assert subscriber.value("SELECT running FROM worker_status")
    until(lambda: subscriber.value("SELECT count(*) FROM worker_request") == 0, "the worker to know what has changed")

    # Without the first copy, changes are all that comes.
    subscriber.execute("DROP SUBSCRIPTION everything")
    subscribe(publisher, subscriber, copy_data=False)
    publisher.execute("SELECT resume_jobs()")
    publisher.start()
    publisher.execute("UPDATE worker_setting SET max_running_jobs = 8")
    app.execute("SELECT delete_job('second')")
    seen(subscriber, "SELECT count(*) FROM member_job", 1)
    assert subscriber.execute(STATE).fetchall() == before
    assert subscriber.value("SELECT running FROM worker_status")
    subscriber.execute(subscriber.execute(FINDING).fetchone().remedy)  # type: ignore[union-attr]
    until(lambda: subscriber.execute(FINDING).fetchone().state == "ok", "the worker to stop")  # type: ignore[union-attr]
    # Once it has been cut off it goes on with the jobs.
    subscriber.execute("DROP SUBSCRIPTION everything")
    subscriber.start()
    there = subscriber.connect_as("app")
    assert there.execute("CALL wait_for_run(run_job('first'))").fetchone() == ("succeeded", None)
    assert subscriber.execute(FINDING).fetchone().state == "ok"  # type: ignore[union-attr]
    for scheduler in clusters:
        scheduler.close()


@pytest.mark.slow
def test_a_subscription_of_an_ordinary_role_writes_no_jobs(own_cluster: Callable[..., Cluster]) -> None:
    """Which since PostgreSQL 16 the members of pg_create_subscription make: from a server of theirs."""
    publisher, subscriber = own_cluster(wal_level="logical"), control(own_cluster(), 0)
    with publisher.connect() as forger:
        forger.execute('CREATE SCHEMA "Elephant Test"')
        forger.execute(
            """CREATE TABLE "Elephant Test".job (
                   job_id bigint, datname name, rolname name, defined_by name, job_command text, timezone text,
                   schedule text, schedule_set_at timestamptz, first_run_at timestamptz)"""
        )
        forger.execute('CREATE PUBLICATION forged FOR TABLE "Elephant Test".job')
    subscriber.execute("CREATE ROLE mallory SUPERUSER LOGIN PASSWORD 'mallory'")
    with subscriber.connect_as("mallory") as session:
        options = "copy_data = false"
        if session.info.server_version >= 160000:
            options += ", password_required = false, run_as_owner = true"
        connection = f"host={publisher.socket_directory} port={publisher.port} user={USER} dbname=postgres"
        session.execute(
            sql.SQL("CREATE SUBSCRIPTION forged CONNECTION {} PUBLICATION forged WITH (" + options + ")").format(
                sql.Literal(connection)
            )
        )
    subscriber.execute("ALTER ROLE mallory NOSUPERUSER; GRANT pg_write_all_data, pg_read_all_data TO mallory")
    with publisher.connect() as forger:
        forger.execute(
            """INSERT INTO "Elephant Test".job VALUES
                   (4711, 'shop', %s, %s, 'ALTER ROLE mallory SUPERUSER', 'UTC', '1 second', now(), now())""",
            (USER, USER),
        )
    refused = "permission denied for table job"
    until(lambda: refused in subscriber.cluster.log, "the row to be refused")
    assert subscriber.value("SELECT count(*) FROM job") == 0
