"""The way from an earlier release to this one."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, Cluster, Installation, pg_config
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until
from tests.catalog import catalogs
from tests.releases import DIRECTORY, add_release

ORIGIN = "1.0.0"


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Both releases side by side."""
    directory = Path(tempfile.mkdtemp(prefix="elephant"))
    installation = Installation(directory)
    add_release(installation, ORIGIN)
    yield installation
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def cluster(installation: Installation) -> Iterator[Cluster]:
    cluster = Cluster(installation)
    yield cluster
    cluster.stop()


def test_frozen() -> None:
    """What has been released never changes, neither what updates start from nor what they do."""
    frozen = {}
    for line in (DIRECTORY / "frozen.txt").read_text().splitlines():
        checksum, name = line.split()
        frozen[name] = checksum
    files = {str(path.relative_to(DIRECTORY)): path for path in DIRECTORY.glob("*.*.*/*")}
    assert frozen == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert (DIRECTORY / ORIGIN / f"elephant_worker--{ORIGIN}.sql").exists()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Callable[..., Scheduler]]:
    """Databases with the extension, each in a version."""
    schedulers: list[Scheduler] = []

    def make(version: str | None = None) -> Scheduler:
        dbname = f"database {len(schedulers)}"
        with cluster.connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
        with cluster.connect(dbname) as admin:
            admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
            wanted = sql.SQL("VERSION {}").format(version) if version else sql.SQL("")
            admin.execute(
                sql.SQL("CREATE EXTENSION elephant_worker SCHEMA {} {} CASCADE").format(sql.Identifier(SCHEMA), wanted)
            )
        schedulers.append(Scheduler(cluster, dbname))
        return schedulers[-1]

    yield make
    for scheduler in schedulers:
        scheduler.close()


UPDATE = "ALTER EXTENSION elephant_worker UPDATE"


def assert_same(fresh: Scheduler, upgraded: Scheduler) -> None:
    fresh_facts, upgraded_facts = set(catalogs(fresh.admin)), set(catalogs(upgraded.admin))
    assert fresh_facts == upgraded_facts, "\n".join(
        [
            "only after CREATE EXTENSION:",
            *sorted(fresh_facts - upgraded_facts),
            "only after ALTER EXTENSION … UPDATE:",
            *sorted(upgraded_facts - fresh_facts),
        ]
    )


def test_fresh_equals_upgraded(database: Callable[..., Scheduler]) -> None:
    fresh, upgraded = database(), database(ORIGIN)
    upgraded.execute(UPDATE)
    assert_same(fresh, upgraded)


def test_the_path_is_known(cluster: Cluster) -> None:
    with cluster.connect() as admin:
        paths = admin.execute(
            "SELECT path FROM pg_extension_update_paths('elephant_worker') p, pg_available_extensions a"
            " WHERE a.name = 'elephant_worker' AND p.source = %s AND p.target = a.default_version",
            (ORIGIN,),
        ).fetchone()
    assert paths is not None
    assert paths.path.startswith(f"{ORIGIN}--")


def test_under_load(database: Callable[..., Scheduler]) -> None:
    """Ten jobs every second run through the update: each due time once, and soon worker and spare are new."""
    scheduler = database(ORIGIN)
    scheduler.execute("CREATE TABLE done (job_id bigint, at timestamptz DEFAULT clock_timestamp())")
    jobs = []
    for _ in range(10):
        job = scheduler.insert("SELECT", schedule="* * * * * *", parallel=True)
        scheduler.execute(
            "UPDATE member_job SET job_command = {} WHERE job_id = {}",
            sql.Literal(f"INSERT INTO public.done (job_id) VALUES ({job})"),
            sql.Literal(job),
        )
        jobs.append(job)
    fresh = database()
    log = len(scheduler.cluster.log)
    before = scheduler.start()
    until(lambda: scheduler.value("SELECT count(*) FROM done") >= 20, "runs")
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")

    with scheduler.admin.transaction(force_rollback=True):
        scheduler.execute(UPDATE)
    scheduler.tick()
    assert scheduler.value("SELECT pid FROM worker_state") == before

    scheduler.execute(UPDATE)
    updated = scheduler.value("SELECT clock_timestamp()")
    until(lambda: scheduler.value("SELECT pid FROM worker_status") not in (before, None), "the new worker")
    until(
        lambda: scheduler.value(
            "SELECT true FROM worker_state s, pg_stat_get_activity(s.spare_pid) a"
            " WHERE a.backend_start = s.spare_start AND s.spare_pid <> %s",
            spare,
        ),
        "the new spare",
    )
    starts = scheduler.execute("SELECT backend_start, spare_start FROM worker_state").fetchone()
    assert starts is not None
    for start in starts:
        assert 0 < (start - updated).total_seconds() < 10
    runs = scheduler.value("SELECT count(*) FROM done")
    until(lambda: scheduler.value("SELECT count(*) FROM done") >= runs + 20, "runs of the new worker")
    until(
        lambda: scheduler.value("SELECT to_regclass('worker_inbox') IS NULL"),
        "what the old worker needed to be dropped",
    )
    assert_same(fresh, scheduler)
    scheduler.stop()

    audit = scheduler.execute(
        """SELECT l.job_id, count(*) AS rows, count(DISTINCT l.scheduled_at) AS due,
               date_part('epoch', max(l.scheduled_at) - min(l.scheduled_at)) + 1 AS seconds,
               (SELECT count(*) FROM done d WHERE d.job_id = l.job_id) AS done,
               array_agg(DISTINCT l.state) AS states
           FROM job_log l GROUP BY l.job_id ORDER BY l.job_id"""
    ).fetchall()
    assert [row.job_id for row in audit] == jobs
    for row in audit:
        assert row.rows == row.due == row.seconds == row.done, audit
        assert row.states == ["succeeded"], audit
    for word in ("ERROR", "WARNING"):
        assert word not in scheduler.cluster.log[log:]


def rows(scheduler: Scheduler, name: str) -> Any:
    """What check_setup() says in a session of its own."""
    with scheduler.connect() as session:
        return session.execute("SELECT * FROM check_setup() WHERE check_name = %s", (name,)).fetchone()


def execute_remedy(installation: Installation, scheduler: Scheduler, remedy: str) -> None:
    """Do what check_setup() advises, as SQL or in the shell; who runs the tests needs no sudo for their own files."""
    if not remedy.startswith("#"):
        with scheduler.connect() as session:
            session.execute(remedy.encode())
        return
    environment = {**os.environ, "PG_CONFIG": str(installation.bindir / "pg_config"), "MAKEFLAGS": ""}
    subprocess.run(
        ["sh", "-ec", f'sudo() {{ "$@"; }}\n{remedy}'], env=environment, cwd=ROOT, check=True, capture_output=True
    )


@pytest.fixture
def installed(installation: Installation) -> Iterator[Callable[[str], None]]:
    """Makes the files of one version those that are installed, and the only ones."""
    scripts = installation.moved(pg_config("--sharedir")) / "extension"
    packages = installation.moved(pg_config("--pkglibdir")) / "elephant_worker"
    control = scripts / "elephant_worker.control"
    present = control.read_text()

    def make(version: str) -> None:
        control.write_text(re.sub("default_version = '.*'", f"default_version = '{version}'", present))
        for path in [*scripts.glob("elephant_worker--*.sql"), *packages.iterdir()]:
            # The vendor directory of the release of the past is that of the present one.
            if not re.search(rf"(^|--){re.escape(version)}(\.sql)?$", path.name):
                if path.is_dir():
                    shutil.rmtree(path / "elephant_worker")
                else:
                    path.unlink()

    yield make
    shutil.rmtree(packages)
    for script in scripts.glob("elephant_worker--*.sql"):
        script.unlink()
    installation.make("install")
    add_release(installation, ORIGIN)


def test_new_files_under_an_old_version(
    installation: Installation, database: Callable[..., Scheduler], installed: Callable[[str], None]
) -> None:
    scheduler = database(ORIGIN)
    before = scheduler.start()
    job = scheduler.insert("SELECT", schedule="* * * * * *")
    until(lambda: scheduler.log(job))
    version = scheduler.value("SELECT default_version FROM pg_available_extensions WHERE name = 'elephant_worker'")
    installed(version)
    # The worker goes on.
    runs = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > runs + 2)
    assert scheduler.value("SELECT pid FROM worker_status") == before
    # What a new session cannot do, it says, and what to do about it.
    with scheduler.connect() as session, pytest.raises(psycopg.Error, match=f"elephant_worker/{ORIGIN}"):
        session.execute("SELECT * FROM next_runs('@daily')")
    assert rows(scheduler, "package").state == "error"
    row = rows(scheduler, "files")
    assert (row.state, row.remedy) == ("warning", "ALTER EXTENSION elephant_worker UPDATE;")
    execute_remedy(installation, scheduler, row.remedy)
    for name in ("files", "package"):
        assert rows(scheduler, name).state == "ok"
    until(lambda: scheduler.value("SELECT pid FROM worker_status") not in (before, None), "the new worker")
    runs = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > runs + 2)
    assert {row.state for row in scheduler.log(job)} <= {"succeeded", "running"}


def test_old_files_under_a_new_version(
    installation: Installation, database: Callable[..., Scheduler], installed: Callable[[str], None]
) -> None:
    scheduler = database()
    version = scheduler.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'")
    before = scheduler.start()
    job = scheduler.insert("SELECT", schedule="* * * * * *")
    until(lambda: scheduler.log(job))
    installed(ORIGIN)
    runs = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > runs + 2)
    assert scheduler.value("SELECT pid FROM worker_status") == before
    with scheduler.connect() as session, pytest.raises(psycopg.errors.UndefinedFile) as raised:
        session.execute("SELECT * FROM next_runs('@daily')")
    message = raised.value.diag.message_primary or ""
    assert message.endswith(f"the Python package of elephant_worker {version} is not installed")  # PL/Python names a type
    found = {name: rows(scheduler, name) for name in ("files", "package")}
    assert [(row.state, row.remedy) for row in found.values()] == [
        (state, f"# in a clone of elephant_worker {version}\nmake && sudo make install")
        for state in ("warning", "error")
    ]
    with scheduler.connect() as session, pytest.raises(psycopg.errors.InvalidParameterValue):
        session.execute(UPDATE)  # which would be no remedy
    execute_remedy(installation, scheduler, found["package"].remedy)
    for name in found:
        assert rows(scheduler, name).state == "ok"
    assert scheduler.value("SELECT count(*) FROM next_runs('@daily')") > 0
    assert scheduler.value("SELECT pid FROM worker_status") == before


def test_a_worker_cannot_start_without_its_files(
    installation: Installation, database: Callable[..., Scheduler], installed: Callable[[str], None]
) -> None:
    scheduler = database()
    installed(ORIGIN)
    with pytest.raises(psycopg.errors.UndefinedFile):
        scheduler.start()
    execute_remedy(installation, scheduler, rows(scheduler, "package").remedy)
    scheduler.start()
