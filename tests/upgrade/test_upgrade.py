"""From the oldest PostgreSQL to the newest by pg_upgrade, and from a standby to a subscriber by pg_createsubscriber."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER, Cluster, Installation
from harness.scheduler import Scheduler, new_scheduler, with_template
from harness.waiting import until
from tests.integration.test_faults import Standby
from tests.integration.test_life_of_a_server import finding, goes_on, launch, status

OLDEST = "/usr/lib/postgresql/15/bin/pg_config"
LEFT_ALONE = "WARNING: the worker is not started: it was started in the cluster with system identifier"


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not tmp_path: the path of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "tmp").mkdir()
        yield Path(directory)


@pytest.fixture
def oldest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cluster]:
    with monkeypatch.context() as patched:
        patched.setenv("PG_CONFIG", OLDEST)
        cluster = with_template(Cluster(Installation(tmp_path / "oldest")))
    yield cluster
    cluster.stop()


def test_pg_upgrade(oldest: Cluster, installation: Installation, directory: Path) -> None:
    scheduler = new_scheduler(oldest)
    assert scheduler.value("SHOW server_version").startswith("15")
    role = scheduler.role()
    with scheduler.connect_as(role) as session:
        session.execute(
            "SELECT insert_job('SELECT 1', current_catalog, '@daily', job_name => 'theirs', timezone => 'Asia/Tokyo')"
        )
        session.execute("SELECT update_job('theirs', job_description => 'changed')")
    job = scheduler.insert("SELECT 1", schedule="1 second")
    cut_off = scheduler.insert("SELECT pg_sleep(600)", schedule="@after 1 hour", max_retries=1)
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 7")
    scheduler.start()
    goes_on(scheduler, job)
    scheduler.value("SELECT run_job(%s)", cut_off)
    until(lambda: scheduler.log(cut_off), "the run")
    kept = {
        table: scheduler.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
        for table in ("member_job", "member_job_change", "worker_setting")
    }
    scheduler.admin.close()
    # With the worker, and a run, in it.
    oldest.shut_down("fast")
    scheduler.admin = None  # type: ignore[assignment]
    new = Cluster(installation)
    new.shut_down("fast")
    # PostgreSQL 18 has checksums unless it is told otherwise.
    oldest.command("pg_checksums", "--enable", "-D", oldest.get_data_directory())
    try:
        done = new.command(
            "pg_upgrade", "-b", str(oldest.installation.bindir), "-B", str(installation.bindir),
            "-d", oldest.get_data_directory(), "-D", new.get_data_directory(), "-s", str(directory), "-U", USER,
            cwd=directory, check=False,
        )  # fmt: skip
        logs = sorted(Path(new.get_data_directory()).glob("pg_upgrade_output.d/*/log/*"))
        assert done.returncode == 0, "\n".join([done.stdout, done.stderr, *(path.read_text() for path in logs)])
        new.start()
        there = Scheduler(new, scheduler.dbname)
        assert there.value("SELECT current_setting('server_version_num')::integer >= 180000")
        for table, rows in kept.items():
            found = there.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            assert [row[:4] for row in found] == [row[:4] for row in rows], table
        before = len(there.log())
        assert before > 0
        # It could be a copy: nothing runs before somebody says so.
        pid, said = launch(there)
        assert pid is None
        assert said[0].startswith(LEFT_ALONE)
        assert finding(there).found == status(there).reason
        assert there.value("SELECT start_worker()") is not None
        goes_on(there, job)
        assert there.log(cut_off)[0].state in ("lost", "failed")  # by the end of the server
        assert there.value("SELECT max(jl_id) FROM job_log") > before
        with there.connect_as(role) as session:
            row = session.execute("SELECT job_description, timezone FROM my_job WHERE job_name = 'theirs'").fetchone()
            assert row == ("changed", "Asia/Tokyo")
            assert session.execute("CALL wait_for_run(run_job('theirs'))").fetchone() == ("succeeded", None)
        new_job = there.insert("SELECT 1")
        assert new_job > cut_off
        there.stop()
        assert [row.check_name for row in there.execute("SELECT * FROM check_setup() WHERE state = 'error'")] == [
            "worker"
        ]
        there.admin.close()
    finally:
        new.stop()
        oldest.start()


def test_pg_createsubscriber(own_cluster: Callable[..., Cluster], installation: Installation, directory: Path) -> None:
    publisher_cluster = own_cluster(wal_level="logical")
    publisher = new_scheduler(publisher_cluster)
    job = publisher.insert("SELECT 1", schedule="1 second")
    publisher.start()
    goes_on(publisher, job)
    standby = Standby(installation, publisher_cluster, directory)
    standby.shut_down("fast")
    address = psycopg.conninfo.make_conninfo(
        host=publisher_cluster.socket_directory, port=publisher_cluster.port, user=USER, dbname=publisher.dbname
    )
    try:
        done = standby.command(
            "pg_createsubscriber", "-D", standby.get_data_directory(), "-P", address, "-d", publisher.dbname,
            "-s", str(directory), "-p", str(standby.port), "-U", USER, "--subscription", "everything", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        standby.start()
        subscriber = Scheduler(standby, publisher.dbname)
        # It is quiet, and learns what happens.
        pid, said = launch(subscriber)
        assert pid is None
        assert said[0].startswith(LEFT_ALONE)
        assert not status(subscriber).running
        goes_on(subscriber, job)
        publisher.execute("SELECT update_job({}, job_name => 'renamed')", sql.Literal(job))
        until(lambda: subscriber.value("SELECT job_name FROM member_job") == "renamed", "the change")
        # The switch-over.
        publisher.stop()
        last = publisher.value("SELECT max(jl_id) FROM job_log")
        until(lambda: subscriber.value("SELECT max(jl_id) FROM job_log") == last, "the last run")
        subscriber.execute("DROP SUBSCRIPTION everything")
        assert subscriber.value("SELECT start_worker()") is not None
        goes_on(subscriber, job)
        assert subscriber.value("SELECT count(*) = count(DISTINCT jl_id) FROM job_log WHERE jl_id > %s", last)
        assert subscriber.insert("SELECT 1") > job
        assert [row.check_name for row in subscriber.execute("SELECT * FROM check_setup() WHERE state = 'error'")] == []
        subscriber.stop()
        subscriber.admin.close()
    finally:
        standby.stop()
