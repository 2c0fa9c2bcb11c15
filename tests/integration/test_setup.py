"""check_setup(): each fault is made for real, found, and mended by the remedy that is given."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, USER, Cluster, Installation
from harness.remedies import alternatives, mend
from harness.scheduler import SCHEMA, TEMPLATE, Scheduler, new_scheduler, with_template
from harness.waiting import until
from tests.fake_server import certificate

CHECKS = {
    "locks",
    "roles",
    "schema",
    "worker",
    "launcher",
    "files",
    "package",
    "time zones",
    "listen_addresses",
    "authentication",
    "connections",
    "jobs",
    "runners",
    "local login",
    "triggers",
    "sequences",
    "replication",
}


def findings(scheduler: Scheduler, name: str) -> list[Any]:
    """What a session of its own is told by one of the checks."""
    with scheduler.connect() as session:
        return session.execute("SELECT * FROM check_setup() WHERE check_name = %s", (name,)).fetchall()


def finding(scheduler: Scheduler, name: str) -> Any:
    (row,) = findings(scheduler, name)
    return row


@pytest.fixture
def shell(tmp_path: Path, scheduler: Scheduler) -> Callable[..., None]:
    """Executes a remedy as a shell command; who runs the tests needs no sudo for their own files."""
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" != -u ] || shift 2\nexec "$@"\n')
    sudo.chmod(0o755)
    # Files of the system's are written here; those of the server, at whose end something is added, where they are.
    tee = tmp_path / "tee"
    tee.write_text(f'#!/bin/sh\n[ "$1" != -a ] || exec /usr/bin/tee "$@"\ncat > {tmp_path}/"$(basename "$1")"\n')
    tee.chmod(0o755)

    def run(remedy: str, cluster: Cluster = scheduler.cluster) -> None:
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}:{cluster.installation.bindir}:{os.environ['PATH']}",
            "PG_CONFIG": str(cluster.installation.bindir / "pg_config"),
            "PGHOST": cluster.socket_directory,
            "PGDATABASE": "postgres",
            "MAKEFLAGS": f" -- BUILD={cluster.installation.build}",
        }
        done = subprocess.run(["sh", "-ec", remedy], env=environment, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def own(own_cluster: Callable[..., Cluster]) -> Iterator[Scheduler]:
    """A scheduler on a server of its own that takes all settings from its files."""
    cluster = own_cluster()
    cluster.settings["postgres_args"] = cluster.settings["postgres_args"].replace("-h 127.0.0.1", "")
    restart(cluster)
    scheduler = new_scheduler(cluster)
    yield scheduler
    scheduler.admin.close()


def restart(cluster: Cluster, **settings: str) -> None:
    with cluster.connect() as admin:
        for name, value in settings.items():
            admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.shut_down("fast")
    cluster.start()


def reconnect(scheduler: Scheduler) -> None:
    scheduler.admin.close()
    scheduler.admin = scheduler.connect()


def note_launcher(scheduler: Scheduler) -> None:
    """What a launcher does each minute: it does not wait for the row that the worker is writing."""

    def noted() -> Any:
        scheduler.value("SELECT start_worker(unattended := true)")
        return scheduler.value("SELECT launcher_seen FROM worker_status")

    until(noted, "the launcher to be noted")


def test_all_is_well(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1", rolname=scheduler.role(), timezone="America/New_York")
    scheduler.start()
    note_launcher(scheduler)
    rows = scheduler.execute("SELECT * FROM check_setup()").fetchall()
    assert [row for row in rows if row.state != "ok" or row.remedy is not None] == []
    assert {row.check_name for row in rows} == CHECKS


def test_no_worker(scheduler: Scheduler) -> None:
    row = finding(scheduler, "worker")
    assert (row.state, row.found) == (
        "error",
        "no worker has been started since the extension was created in this database",
    )
    mend(scheduler, row.remedy)
    assert finding(scheduler, "worker").state == "ok"
    scheduler.kill()
    row = finding(scheduler, "worker")
    assert row.state == "error"
    assert row.found.startswith("the worker has ended, and no launcher has been seen since the server was started at ")
    mend(scheduler, row.remedy)
    assert finding(scheduler, "worker").state == "ok"


def test_a_worker_that_is_paused(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.execute("SELECT pause_jobs()")
    row = finding(scheduler, "worker")
    assert row.state == "warning"
    mend(scheduler, row.remedy)
    assert finding(scheduler, "worker").state == "ok"


def test_a_worker_that_does_not_go_on(scheduler: Scheduler, shell: Callable[..., None]) -> None:
    scheduler.start()
    scheduler.tick()
    pid = scheduler.halt()  # one that holds locks is found by the check of these
    try:
        (row,) = until(lambda: [row for row in findings(scheduler, "worker") if row.state == "error"], "the finding")
        assert f"the worker (process {pid}) was halted by a signal (SIGSTOP)" in row.found
        shell(row.remedy)
        until(lambda: [row.state for row in findings(scheduler, "worker")] == ["ok"], "the worker to go on")
        assert scheduler.value("SELECT pid FROM worker_status") == pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("lock", ["job_log IN SHARE MODE", "worker_setting IN ACCESS EXCLUSIVE MODE"])
def test_a_table_that_is_locked(scheduler: Scheduler, lock: str) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT 1")
    with closing(scheduler.connect()) as blocker:
        blocker.execute("BEGIN")
        blocker.execute(f"LOCK TABLE {lock}")
        scheduler.value("SELECT run_job(%s)", job)
        found = "SELECT * FROM check_locks('5 seconds') WHERE state = 'error'"
        row = until(lambda: scheduler.execute(found).fetchone(), "the lock to be old")
        assert scheduler.execute("SELECT * FROM check_setup()").fetchall() == [row]
        assert f"process {blocker.info.backend_pid} " in row.found
        assert f"keeps {lock.split()[0]} locked" in row.found
        mend(scheduler, row.remedy)
    until(lambda: scheduler.successes(job))
    assert finding(scheduler, "locks").state == "ok"


def test_what_the_server_does_not_track_is_no_fault(own: Scheduler) -> None:
    own.execute("ALTER SYSTEM SET track_activities = off")
    own.execute("SELECT pg_reload_conf()")
    until(lambda: own.value("SHOW track_activities") == "off")
    own.start()
    until(lambda: own.value("SELECT last_tick FROM worker_status"), "the worker's last tick")
    assert own.run("SELECT 1").state == "succeeded"
    assert finding(own, "worker").state == "ok"
    assert findings(own, "track_activities") == []
    own.stop()


def test_no_launcher(scheduler: Scheduler, shell: Callable[..., None], tmp_path: Path) -> None:
    scheduler.start()
    row = finding(scheduler, "launcher")
    assert (row.state, row.found[:25]) == ("warning", "no launcher has been seen")
    # What cron would execute every minute.
    _, line, _ = row.remedy.splitlines()
    oid = scheduler.value("SELECT oid FROM pg_database WHERE datname = current_database()")
    file = f"/etc/cron.d/elephant_worker_{scheduler.cluster.port}_{oid}"
    assert row.remedy.startswith(f"sudo tee {file} <<'END'\n* * * * * ")
    shell(row.remedy)
    # As cron reads it: a name of letters, digits, underscores and hyphens, and a line of five fields, user and command.
    written = tmp_path / Path(file).name
    assert re.fullmatch("[A-Za-z0-9_-]+", written.name)
    assert written.read_text() == f"{line}\n"
    user, command = line.removeprefix("* * * * * ").split(" ", 1)
    assert user == scheduler.value("SELECT current_user")

    def launch() -> bool:
        """As cron does each minute: a launcher does not wait for the row that the worker is writing."""
        arguments = ["/bin/sh", "-ec", command.replace(r"\%", "%")]
        done = subprocess.run(arguments, env={"PATH": "/nowhere"}, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        return bool(finding(scheduler, "launcher").state == "ok")

    until(launch, "the launcher to be seen")
    scheduler.execute("UPDATE worker_state SET launcher_seen = now() - interval '1 hour'")
    row = finding(scheduler, "launcher")
    assert (row.state, row.found[:26]) == ("warning", "the launcher was last seen")
    until(launch, "the launcher to be seen again")


def test_a_newer_version_is_installed(scheduler: Scheduler, shell: Callable[..., None]) -> None:
    directory = Path(scheduler.cluster.installation.make("-s", "--eval=where: ; @echo $(datadir)", "where").strip())
    control = directory / "extension/elephant_worker.control"
    before = control.read_text()
    version = scheduler.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'")
    update = directory / f"extension/elephant_worker--{version}--{version}.1.sql"
    try:
        control.write_text(before.replace(f"'{version}'", f"'{version}.1'"))
        update.write_text("")
        row = finding(scheduler, "files")
        assert (row.state, row.found) == (
            "warning",
            f"version {version}.1 is installed, this database uses version {version}",
        )
        mend(scheduler, row.remedy)
        assert finding(scheduler, "files").state == "ok"
        control.unlink()
        row = finding(scheduler, "files")
        assert row.state == "error"
        assert "elephant_worker.control" in row.found
        shell(row.remedy)
        # It is there again: the one before that of this database.
        assert finding(scheduler, "files").found.startswith(f"version {version} is installed")
    finally:
        control.write_text(before)
        update.unlink()


def test_the_package_is_missing(scheduler: Scheduler, shell: Callable[..., None]) -> None:
    installation = scheduler.cluster.installation
    package = Path(installation.make("-s", "--eval=where: ; @echo $(PYTHON_DIRECTORY)", "where").strip())
    kept = package.rename(package.with_name("kept"))
    try:
        row = finding(scheduler, "package")
        assert row.state == "error"
        assert "the Python package cannot be loaded" in row.found
        worker = finding(scheduler, "worker")
        assert (worker.state, worker.found[:27]) == ("error", "no worker can run: the file")
        assert worker.remedy == row.remedy
        shell(row.remedy)
        assert finding(scheduler, "package").state == "ok"
        scheduler.start()
        assert finding(scheduler, "worker").state == "ok"
    finally:
        shutil.rmtree(package, ignore_errors=True)
        kept.rename(package)


def test_time_zones(own_cluster: Callable[..., Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zones = Path("/usr/share/zoneinfo")
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe/Berlin").write_text("no zone")
    shutil.copy(zones / "UTC", tmp_path / "UTC")
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
    scheduler = new_scheduler(own_cluster())
    row = finding(scheduler, "time zones")
    assert (row.state, "does not know Europe/Berlin" in row.found) == ("error", True)
    shutil.copy(zones / "America/New_York", tmp_path / "Europe/Berlin")
    row = finding(scheduler, "time zones")
    assert (row.state, "differ about Europe/Berlin" in row.found) == ("warning", True)
    assert row.remedy == "sudo apt-get install --reinstall tzdata"
    # What that does, where the server looks.
    shutil.copy(zones / "Europe/Berlin", tmp_path / "Europe/Berlin")
    assert finding(scheduler, "time zones").state == "ok"
    scheduler.admin.close()


def test_a_rule_that_is_read_in_different_ways(own: Scheduler) -> None:
    """No package mends that."""
    zone = "<-05:30>0abc,M1.1.0/2:30,M1.1.3"
    job = own.insert("SELECT 1", schedule="@daily", timezone=zone)
    row = finding(own, "time zones")
    assert (row.state, row.found) == ("warning", f"schedules and the server read time zone {zone} in different ways")
    assert [row.job_id for row in own.execute(row.remedy)] == [job]
    own.admin.execute("UPDATE all_job SET timezone = 'UTC' WHERE job_id = %s", (job,))
    assert finding(own, "time zones").state == "ok"


def test_the_server_does_not_listen(own: Scheduler, shell: Callable[..., None]) -> None:
    restart(own.cluster, listen_addresses="")
    reconnect(own)
    own.start()
    row = finding(own, "listen_addresses")
    assert (row.state, row.found) == ("ok", "runs connect over the socket")
    assert own.run("SELECT 1").state == "failed"
    row = finding(own, "authentication")
    assert row.state == "error"
    shell(row.remedy, own.cluster)
    until(lambda: finding(own, "authentication").state == "ok")
    job_id = own.insert("SELECT 1")
    # A session that was being opened before may take its whole time to connect.
    until(lambda: own.ended(own.value("SELECT run_job(%s)", job_id), 90).state == "succeeded", seconds=90)
    own.stop()


def test_conninfo_says_where_the_server_is(scheduler: Scheduler) -> None:
    pooler = (
        "worker_setting.conninfo leads to {}; a pooler there must keep the session of a client (pool_mode = session)"
    )
    port = scheduler.cluster.port
    for conninfo, found in {
        "host=/tmp": pooler.format(f"/tmp port {port}"),
        "port=6432": pooler.format("127.0.0.1 port 6432"),
        "host=db.example.org hostaddr=192.0.2.1 port=6432": pooler.format("192.0.2.1 port 6432"),
        "host=127.0.0.1": f"worker_setting.conninfo names 127.0.0.1 port {port}, where this server listens",
        "connect_timeout=5": "runs connect from 127.0.0.1",
    }.items():
        scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal(conninfo))
        row = finding(scheduler, "listen_addresses")
        assert (row.state, row.found) == ("ok", found)
        assert ("conninfo says how" in finding(scheduler, "authentication").found) == ("runs connect" not in found)


def test_conninfo_by_which_nothing_can_connect(scheduler: Scheduler) -> None:
    """Only the runs can tell."""
    scheduler.start()
    job_id = scheduler.insert("SELECT 1")
    monitor = scheduler.connect_as(scheduler.role("monitor", "LOGIN IN ROLE job_monitor", scheduler=False))
    for conninfo, state in (("port=1", "failed"), ("host=127.0.0.1", "succeeded"), ("host=nosuchhost", "failed")):
        scheduler.configure(f"conninfo = '{conninfo}'")
        run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id))
        assert run.state == state
        row = finding(scheduler, "authentication")
        assert row.state == ("ok" if state == "succeeded" else "warning")
        if state == "failed":
            assert (
                row.found == f"run {run.jl_id}, the last one on this server, got no connection: {run.exception_message}"
            )
            (shown,) = monitor.execute(row.remedy.encode()).fetchall()
            assert shown.exception_message == run.exception_message


def test_too_few_connections(own: Scheduler) -> None:
    assert finding(own, "connections").state == "ok"
    own.execute("UPDATE worker_setting SET max_running_jobs = 1000")
    row = finding(own, "connections")
    assert row.state == "warning"
    mend(own, row.remedy)
    assert finding(own, "connections").state == "ok"
    own.execute("UPDATE worker_setting SET spare_connections = 150")
    row = finding(own, "connections")
    assert row.state == "error"
    mend(own, row.remedy)
    restart(own.cluster)
    reconnect(own)
    assert finding(own, "connections").state == "ok"


def test_jobs_of_several_definers_with_the_same_in_their_way(scheduler: Scheduler) -> None:
    """They are told as one, unless it is about who defined them."""
    app, gone = scheduler.role(), scheduler.database("gone")
    scheduler.insert("SELECT 1", gone, rolname=app)
    scheduler.connect_as(app).execute("SELECT insert_job('SELECT 1', %s)", (gone,))
    scheduler.execute("DROP DATABASE {}", sql.Identifier(gone))
    assert finding(scheduler, "jobs").found.startswith(f'2 jobs of role "{app}" in database "{gone}" cannot run: ')


def test_what_is_in_the_way_of_jobs(scheduler: Scheduler) -> None:
    """Whoever pastes a remedy whole changes nothing."""

    def mend_all() -> None:
        before = scheduler.execute("SELECT * FROM job ORDER BY job_id").fetchall()
        rows = findings(scheduler, "jobs")
        for row in rows:
            mend(scheduler, row.remedy)
        assert findings(scheduler, "jobs") == rows
        assert scheduler.execute("SELECT * FROM job ORDER BY job_id").fetchall() == before
        for row in rows:
            offered = alternatives(row.remedy)
            mend(scheduler, offered["to disable them"])
        assert finding(scheduler, "jobs").state == "ok"

    gone, closed, full, private = (scheduler.database(name) for name in ("go'ne", 'clo"sed', "full", "private"))
    dropped, kept = scheduler.role("dro'pped"), scheduler.role('ke"pt', "NOLOGIN")
    definer, boss, team = scheduler.role("definer"), scheduler.role("boss"), scheduler.role("team", "NOLOGIN", False)
    for role in (definer, boss):
        scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(role))
        scheduler.connect_as(role).execute(
            "SELECT insert_job('SELECT 1', current_catalog, rolname := %s, job_name := %s)", (team, role)
        )
    for database in (gone, closed, full):
        scheduler.insert("SELECT 1", database)
    scheduler.insert("SELECT 1", private, rolname=kept)
    scheduler.insert("SELECT 1", rolname=dropped)
    assert finding(scheduler, "jobs").state == "ok"

    scheduler.execute("DROP DATABASE {}", sql.Identifier(gone))
    scheduler.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql.Identifier(closed))
    scheduler.execute("ALTER DATABASE {} CONNECTION LIMIT 0", sql.Identifier(full))
    scheduler.execute("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", sql.Identifier(private))
    scheduler.execute("DROP ROLE {}", sql.Identifier(dropped))
    scheduler.execute("REVOKE job_scheduler FROM {}", sql.Identifier(definer))
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(team), sql.Identifier(boss))

    rows = findings(scheduler, "jobs")
    assert {row.state for row in rows} == {"error"}
    assert sorted(row.found.split(" cannot run: ")[1] for row in rows) == sorted(
        [
            f'role "{dropped}" does not exist',
            f'database "{gone}" does not exist',
            f'database "{closed}" does not accept connections',
            f'database "{full}" has CONNECTION LIMIT 0',
            f'role "{kept}" may not connect to database "{private}"',
            f'role "{definer}", which defined the job, does not have the rights of job_scheduler',
            f'role "{boss}", which defined the job, may not act as role "{team}"',
        ]
    )
    mend_all()
    assert scheduler.value("SELECT count(*) FROM member_job") == 7
    assert scheduler.value("SELECT bool_or(enabled) FROM member_job") is False


# What is done to the role, database, definer or foreign server of a job, by the code of the obstacle that it is.
CAUSES = {
    "role": "ALTER ROLE {role} RENAME TO {new}",
    "other role": "ALTER ROLE {role} RENAME TO {new}; CREATE ROLE {role}",
    "other database": "ALTER DATABASE {database} RENAME TO {new}; CREATE DATABASE {database}",
    "other owner": "CREATE ROLE {new}; ALTER DATABASE {database} OWNER TO {new}",
    "other definer": "ALTER ROLE {definer} RENAME TO {new}; CREATE ROLE {definer}; "
    "GRANT {role}, job_scheduler TO {definer}",
    "database": "ALTER DATABASE {database} RENAME TO {new}",
    "closed": "ALTER DATABASE {database} ALLOW_CONNECTIONS false",
    "full": "ALTER DATABASE {database} CONNECTION LIMIT 0",
    "broken": "UPDATE pg_database SET datconnlimit = -2 WHERE datname = {database_text}; CREATE DATABASE {new}",
    "connect": "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
    "server": "ALTER SERVER {server} RENAME TO {new}",
    "other server": "ALTER SERVER {server} RENAME TO {new}; "
    "CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw; GRANT USAGE ON FOREIGN SERVER {server} TO {role}; "
    "CREATE USER MAPPING FOR {role} SERVER {server} OPTIONS (user 'x', password 'x')",
    "usage": "REVOKE USAGE ON FOREIGN SERVER {server} FROM {role}",
    "mapping": "DROP USER MAPPING FOR {role} SERVER {server}",
    "long option": f"ALTER USER MAPPING FOR {{role}} SERVER {{server}} OPTIONS (SET password '{'x' * 10_001}')",
    "option": "ALTER SERVER {server} OPTIONS (ADD sslcert '/etc/x'); ALTER SERVER {server} OWNER TO {definer}",
    "password": "ALTER USER MAPPING FOR {role} SERVER {server} OPTIONS (DROP password)",
    "login": "UPDATE worker_setting SET connect_as = 'role'; ALTER ROLE {role} NOLOGIN",
    "full role": "UPDATE worker_setting SET connect_as = 'role'; ALTER ROLE {role} CONNECTION LIMIT 0",
    "definer": "ALTER ROLE {definer} RENAME TO {new}",
    "scheduler": "REVOKE job_scheduler FROM {definer}",
    "member": "REVOKE {role} FROM {definer}",
}
ON_SERVERS = {"server", "other server", "usage", "mapping", "long option", "option", "password"}
OF_DEFINERS = {"other definer", "definer", "scheduler", "member"}
# What has to be done before, or once one has seen what it is about.
BEFORE = {"once nothing refers to it": "UPDATE member_job SET datname = {new_text}"}
AFTERWARDS = {
    "to see how long they are": "ALTER USER MAPPING FOR {role} SERVER {server} OPTIONS (SET password 'x')",
    "to see its options": "ALTER SERVER {server} OPTIONS (DROP sslcert)",
}


def test_each_way_out_of_an_obstacle(scheduler: Scheduler) -> None:
    """Each statement that a remedy offers, but to disable the jobs, is executed in the state that it is for."""
    codes = "SELECT array_agg(obstacle) FROM describe_obstacles('a', 'b', 'c', 'd')"
    assert set(scheduler.value(codes)) == set(CAUSES)
    scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
    scheduler.execute("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO PUBLIC")
    obstacles = "SELECT array_agg(obstacle) FROM job_for_worker WHERE obstacle IS NOT NULL"
    for code, causes in CAUSES.items():
        number, offered = 0, ["unknown"]
        while number < len(offered):
            role, definer = scheduler.role("ro'le", scheduler=False), scheduler.role("definer")
            is_about_a_database = "DATABASE" in causes
            database = scheduler.database('data"base') if is_about_a_database else scheduler.dbname
            new = f"{role} then"
            given = {"role": role, "definer": definer, "database": database, "server": f"{role}'s", "new": new}
            names = {name: sql.Identifier(value) for name, value in given.items()}
            texts = {f"{name}_text": sql.Literal(value) for name, value in given.items()}

            def execute(statements: str, parts: dict[str, sql.Composable] = {**names, **texts}) -> None:  # noqa: B006
                for statement in filter(None, statements.split("; ")):
                    scheduler.admin.execute(sql.SQL(statement).format(**parts))  # type: ignore[arg-type]

            execute("GRANT {role} TO {definer}")
            if code in ON_SERVERS:
                execute(
                    "CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw; GRANT USAGE ON FOREIGN SERVER {server}"
                    " TO {role}; CREATE USER MAPPING FOR {role} SERVER {server} OPTIONS (user 'x', password 'x')"
                )
            with closing(scheduler.connect_as(definer) if code in OF_DEFINERS else scheduler.connect()) as session:
                session.execute(
                    "SELECT insert_job('SELECT 1', %s, rolname => %s, server => %s)",
                    (database, role, given["server"] if code in ON_SERVERS else None),
                )
            assert scheduler.value(obstacles) is None
            execute(causes)
            scheduler._roles.append(new)
            scheduler._databases.append(new)
            assert scheduler.value(obstacles) == [code]
            (row,) = scheduler.execute("SELECT * FROM check_jobs()").fetchall()
            assert row.state == "error"
            ways = alternatives(row.remedy)
            offered = [way for way in ways if way != "to disable them"]
            assert len(ways) == len(offered) + 1
            way = offered[number]
            # Words in place of which somebody writes others.
            statement = re.sub("(user|password) '...'", r"\1 'x'", ways[way]).replace("'...'", sql.quote(new))
            execute(BEFORE.get(way, ""))
            mend(scheduler, statement)
            execute(AFTERWARDS.get(way, ""))
            assert scheduler.value(obstacles) is None, (code, way)
            assert scheduler.value("SELECT state FROM check_jobs()") == "ok"
            scheduler.execute("DELETE FROM member_job")
            scheduler.execute("UPDATE worker_setting SET connect_as = 'runner'")
            number += 1


def test_no_remedy_gives_back_what_was_revoked(scheduler: Scheduler) -> None:
    """Whoever lost a role on purpose must not get it back by the command that check_setup() shows."""
    for obstacle in ("scheduler", "member", "definer", "option"):
        remedy = scheduler.value("SELECT remedy FROM describe_obstacle(%s, 'victim', 'shop', 'far', 'thief')", obstacle)
        assert re.findall("^(?!--).*$", remedy, re.MULTILINE) == [remedy.splitlines()[0]]
        assert remedy.startswith("SELECT job_id, ")


def test_every_obstacle_is_described(scheduler: Scheduler) -> None:
    sources = scheduler.value("SELECT pg_get_viewdef('job_for_worker'::regclass)").partition("LATERAL")[2]
    sources += scheduler.value("SELECT prosrc FROM pg_proc WHERE proname = 'server_login'")
    codes = set(re.findall(r"THEN '([a-z ]+)'", sources))
    assert len(codes) > 10
    described = scheduler.value("SELECT prosrc FROM pg_proc WHERE proname = 'describe_obstacles'")
    assert codes == set(re.findall(r"^ +\('([a-z ]+)', '\w{5}'", described, re.MULTILINE))
    reference = (ROOT / "docs/reference.md").read_text().partition("### Quarantine")[2].partition("\n## ")[0]
    for code in codes:
        row = scheduler.admin.execute(
            "SELECT (d.error).*, d.remedy FROM describe_obstacle(%s, 'team', 'shop', 'far', 'definer') d",
            (code,),
        ).fetchone()
        assert row is not None
        assert all(row), code
        assert "%" not in "".join(row), code
        assert row.message[0].islower(), code
        assert row.detail.endswith("."), code
        reason = re.sub(r'"[a-z]+"', '"…"', row.message)
        assert re.search(rf"^\| {row.sqlstate} \| {re.escape(reason)} (\|$|\()", reference, re.MULTILINE), reason
    assert len(re.findall(r"^\| \w{5} \| ", reference, re.MULTILINE)) == len(codes) + 1  # the last: no time zone


def test_who_defined_a_job_is_gone(scheduler: Scheduler) -> None:
    definer, team = scheduler.role("definer"), scheduler.role("team", "NOLOGIN", False)
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(definer))
    session = scheduler.connect_as(definer)
    session.execute("SELECT insert_job('SELECT 1', current_catalog, rolname := %s)", (team,))
    session.close()
    scheduler.execute("DROP ROLE {}", sql.Identifier(definer))
    row = finding(scheduler, "jobs")
    assert row.found.endswith(f'role "{definer}", which defined the job, does not exist')
    mend(scheduler, alternatives(row.remedy)["to answer for them yourself"])
    assert finding(scheduler, "jobs").state == "ok"


def test_runners(scheduler: Scheduler) -> None:
    scheduler.start()
    role = scheduler.role()
    assert scheduler.run("SELECT 1", rolname=role).state == "succeeded"
    assert finding(scheduler, "runners").state == "ok"
    runner = scheduler.value("SELECT runner_name(oid) FROM pg_roles WHERE rolname = %s", role)
    intruder = scheduler.role("intruder")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(runner), sql.Identifier(intruder))
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(role), sql.Identifier(runner))
    row = finding(scheduler, "runners")
    assert row.state == "error"
    assert f'the runs of role "{role}" are refused' in row.found
    mend(scheduler, row.remedy)
    assert finding(scheduler, "runners").state == "ok"
    assert scheduler.run("SELECT 1", rolname=role).state == "succeeded"
    # By whoever may grant a role of theirs; that is no reason to refuse the runs.
    club = scheduler.role('cl"ub')
    scheduler.execute("GRANT {} TO {} WITH ADMIN OPTION", sql.Identifier(club), sql.Identifier(intruder))
    scheduler.connect_as(intruder).execute(
        sql.SQL("GRANT {} TO {}").format(sql.Identifier(club), sql.Identifier(runner))
    )
    row = finding(scheduler, "runners")
    assert row.state == "warning"
    assert f'a member of role "{club}" too' in row.found
    mend(scheduler, row.remedy)
    assert finding(scheduler, "runners").state == "ok"


# Lines of pg_hba.conf, and whether the runs of the role "app" in the database "shop" get in.
HBA = {
    "host all all 127.0.0.1/32 scram-sha-256": True,
    "host all all 127.0.0.1/32 md5": True,
    "host all all 127.0.0.1/32 trust": True,
    "host all all localhost scram-sha-256": True,
    "host all all samehost scram-sha-256": True,
    "host all all all reject": False,
    "host all all 127.0.0.1/32 ident": False,
    "host all all ::1/128 scram-sha-256": False,
    "host all all 10.0.0.0/8 scram-sha-256\nhost all all 127.0.0.0 255.0.0.0 scram-sha-256": True,
    "host shop all 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256": False,
    "host all app 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256": True,
    "host all +app 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256": False,
    "host all +staff 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256": False,
    "host samerole all 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256": True,
    "host replication all 127.0.0.1/32 scram-sha-256": False,
    "hostssl all all 127.0.0.1/32 scram-sha-256": False,
    "hostnossl all all 127.0.0.1/32 scram-sha-256": True,
    "": False,
}
# Since PostgreSQL 16.
PATTERNS = {
    "host all /^elephant_worker_ 127.0.0.1/32 scram-sha-256": True,
    'host "/^shop$" all 127.0.0.1/32 scram-sha-256': True,
}
# Before that they are names, and need be no regular expressions.
NAMES = dict.fromkeys([*PATTERNS, "host all /( 127.0.0.1/32 scram-sha-256"], False)


def test_pg_hba_is_read_as_the_server_reads_it(own: Scheduler, shell: Callable[..., None]) -> None:
    for statement in ("CREATE ROLE app", "CREATE ROLE staff", "GRANT staff TO app", "CREATE DATABASE shop"):
        own.execute(statement)
    own.execute("UPDATE worker_setting SET session_idle_time = '0'")
    job = own.insert("SELECT 1", "shop", rolname="app")
    hba = Path(own.value("SHOW hba_file"))
    own.start()
    slashes = PATTERNS if own.admin.info.server_version >= 160000 else NAMES
    for lines, expected in {**HBA, **slashes}.items():
        hba.write_text(f"local all all peer\n{lines}\n")
        own.execute("SELECT pg_reload_conf()")
        # A session of its own waits until the server has read the file.
        until(
            lambda: own.value("SELECT pg_conf_load_time() > (pg_stat_file(current_setting('hba_file'))).modification")
        )
        run = own.ended(own.value("SELECT run_job(%s)", job))
        rule = own.value("SELECT runner_hba_rule('app', 'shop', '127.0.0.1')")
        method = own.value("SELECT auth_method FROM hba_rules() WHERE number = %s", rule)
        lets_in = method in ("scram-sha-256", "md5", "trust")
        assert (run.state == "succeeded", lets_in) == (expected, expected), (lines, run, method)
        rows = own.execute("SELECT * FROM check_authentication()").fetchall()
        if not expected:
            assert all(row.state == "error" for row in rows), lines
            assert "check_setup()" in run.exception_hint, lines
        for row in rows:
            if row.state == "error":
                shell(row.remedy, own.cluster)
        assert [row.state for row in own.execute("SELECT * FROM check_authentication()")] == ["ok"], lines
    until(lambda: own.ended(own.value("SELECT run_job(%s)", job)).state == "succeeded")
    own.stop()


def test_the_role_and_the_database_that_are_named_belong_together(own: Scheduler, shell: Callable[..., None]) -> None:
    for statement in ("CREATE ROLE app", "CREATE DATABASE shop"):
        own.execute(statement)
    own.insert("SELECT 1", "shop", rolname="app")
    Path(own.value("SHOW hba_file")).write_text("local all all peer\n")
    own.execute("SELECT pg_reload_conf()")
    row = until(lambda: [row for row in findings(own, "authentication") if row.state == "error"])[0]
    assert row.found.endswith('(role "app" in database "shop" and 1 more)')
    shell(row.remedy, own.cluster)
    assert finding(own, "authentication").state == "ok"


def test_password_encryption_does_not_matter(own: Scheduler) -> None:
    own.execute("ALTER SYSTEM SET password_encryption = 'md5'")
    own.execute("SELECT pg_reload_conf()")
    own.start()
    assert own.run("SELECT 1").state == "succeeded"
    own.stop()


def test_who_may_check_the_setup(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1", rolname=scheduler.role())
    scheduler.start()
    note_launcher(scheduler)
    monitor = scheduler.connect_as(scheduler.role("monitor", "LOGIN IN ROLE job_monitor", scheduler=False))
    rows = monitor.execute("SELECT * FROM check_setup()").fetchall()
    assert {row.check_name for row in rows} == CHECKS
    (limited,) = [row for row in rows if row.state != "ok"]
    assert (limited.check_name, limited.state) == ("authentication", "warning")
    try:
        mend(scheduler, limited.remedy)
        assert {row.state for row in monitor.execute("SELECT * FROM check_setup()")} == {"ok"}
    finally:
        scheduler.execute("REVOKE EXECUTE ON FUNCTION pg_hba_file_rules() FROM job_monitor")
        scheduler.execute("REVOKE SELECT ON pg_hba_file_rules FROM job_monitor")
    app = scheduler.connect_as(scheduler.role())
    functions = [
        row.proname
        for row in scheduler.admin.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'check\\_%%' AND prorettype = %s::regtype",
            (f'"{SCHEMA}".setup_finding',),
        )
    ]
    assert len(functions) == 1 + len(CHECKS)
    for function in functions:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"SELECT * FROM {function}()")


# --- the login of the worker itself -----------------------------------------------------------------


def set_rules(scheduler: Scheduler, rules: str) -> None:
    """Write pg_hba.conf; a session that is open stays so."""
    Path(scheduler.value("SHOW hba_file")).write_text(rules)
    scheduler.execute("SELECT pg_reload_conf()")
    until(lambda: is_read(scheduler), "the server to read its file")


def is_read(scheduler: Scheduler) -> bool:
    """Whether the server has read pg_hba.conf since it was changed."""
    read = "SELECT pg_conf_load_time() > (pg_stat_file(current_setting('hba_file'))).modification"
    return bool(scheduler.value(read))


def check(scheduler: Scheduler, name: str) -> Any:
    """The finding of a check that has only one, in a session that is open."""
    (row,) = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = {}", sql.Literal(name)).fetchall()
    return row


PASSWORDS = "host all all 127.0.0.1/32 scram-sha-256\n"


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (PASSWORDS, "no line of pg_hba.conf lets role"),
        (f"local all all scram-sha-256\n{PASSWORDS}", "line 1 of pg_hba.conf asks role"),
        (f"local all nobody peer\nlocal all all reject\n{PASSWORDS}", "line 2 of pg_hba.conf asks role"),
        (f'local postgres all peer\nlocal "nothing" all trust\n{PASSWORDS}', "no line of pg_hba.conf lets role"),
    ],
)
def test_the_socket_lets_the_server_s_own_user_in(
    own: Scheduler, shell: Callable[..., None], rules: str, found: str
) -> None:
    set_rules(own, rules)
    row = check(own, "local login")
    assert (row.state, row.found[: len(found)]) == ("error", found)
    with pytest.raises(psycopg.errors.SqlclientUnableToEstablishSqlconnection):
        own.start()
    shell(row.remedy, own.cluster)
    until(lambda: is_read(own), "the server to read its file")
    assert check(own, "local login").state == "ok"
    own.start()
    assert own.run("SELECT 1").state == "succeeded"
    own.stop()


def starts(scheduler: Scheduler, shell: Callable[..., None], expected: str) -> None:
    """The worker starts once the remedy for what is found has been executed; without a word of it, at once."""
    row = check(scheduler, "local login")
    assert (row.state, row.found[: len(expected)]) == ("error" if expected else "ok", expected)
    if expected:
        with pytest.raises(psycopg.errors.SqlclientUnableToEstablishSqlconnection):
            scheduler.start()
        shell(row.remedy, scheduler.cluster)
        until(lambda: is_read(scheduler), "the server to read its files")
        assert check(scheduler, "local login").state == "ok"
    scheduler.start()
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    scheduler.stop()


def test_a_superuser_is_a_member_of_what_it_was_granted(own: Scheduler, shell: Callable[..., None]) -> None:
    own.execute("CREATE ROLE dba")
    set_rules(own, f"local all +dba reject\nlocal all all peer\n{PASSWORDS}")
    starts(own, shell, "")
    own.execute("GRANT dba TO {}", sql.Identifier(USER))
    starts(own, shell, "line 1 of pg_hba.conf asks role")


def test_a_superuser_of_another_name(own: Scheduler, shell: Callable[..., None]) -> None:
    """Than that of the operating system's user, whom the method peer lets in as the role of the same name alone."""
    set_rules(own, f"local all all peer\n{PASSWORDS}")
    boss = own.role("boss", "SUPERUSER LOGIN")
    own.connect_as(boss).execute(sql.SQL('ALTER ROLE {} RENAME TO "o\'ld boss"').format(sql.Identifier(USER)))
    starts(own, shell, f'line 1 of pg_hba.conf does not let the operating system\'s user "{USER}" be role "o\'ld boss"')
    user, command = check(own, "launcher").remedy.splitlines()[1].removeprefix("* * * * * ").split(" ", 1)
    assert user == USER
    shell(command.replace(r"\%", "%"), own.cluster)
    assert check(own, "launcher").state == "ok"
    # A map that lets it in is understood, and one that does not is left alone.
    ident = Path(own.value("SHOW ident_file"))
    has_patterns = own.admin.info.server_version >= 160000
    for line, lets_in in (
        (r"/^(.*)$ \1", False),
        ('/^.*$ "o\'ld boss"', True),
        (f"{USER} all", has_patterns),
        (f"{USER} /boss$", has_patterns),
        (f"{USER} nobody", False),
    ):
        ident.write_text(f"ours {line}\n")
        set_rules(own, f"local all all peer map=ours\n{PASSWORDS}")
        login = own.cluster.command("psql", "-Xqc", "", "-U", "o'ld boss", "-d", own.dbname, check=False)
        assert (login.returncode == 0) == lets_in, line
        assert check(own, "local login").state == ("ok" if lets_in else "error"), line
    starts(own, shell, "line 1 of pg_hba.conf does not let")


def test_a_file_has_the_password(
    own_cluster: Callable[..., Cluster], shell: Callable[..., None], tmp_path: Path
) -> None:
    scheduler = new_scheduler(own_cluster(environment={"HOME": str(tmp_path)}))
    scheduler.execute("ALTER ROLE {} PASSWORD 'x'", sql.Identifier(USER))
    passwords = tmp_path / ".pgpass"
    passwords.write_text(f"*:*:*:{USER}:x\n")
    passwords.chmod(0o600)
    set_rules(scheduler, f"local all all scram-sha-256\n{PASSWORDS}")
    starts(scheduler, shell, "")
    passwords.unlink()
    starts(scheduler, shell, "line 1 of pg_hba.conf asks role")
    scheduler.admin.close()


def test_files_that_pg_hba_conf_includes(own: Scheduler, shell: Callable[..., None]) -> None:
    """Whose lines have numbers of their own: since PostgreSQL 16."""
    hba = Path(own.value("SHOW hba_file"))
    lines = f"\n\nlocal all all reject\n{PASSWORDS.replace('scram-sha-256', 'reject')}"
    if own.admin.info.server_version >= 160000:
        hba.with_name("ours.conf").write_text(lines)
        lines = "\ninclude ours.conf\n"
    set_rules(own, f"{lines}local all all peer\n{PASSWORDS}")
    file = "ours" if "include" in lines else "pg_hba"
    job = own.insert("SELECT 1")
    row = check(own, "authentication")
    assert (row.state, row.found[:20]) == ("error", f"line 4 of {file}.conf asks"[:20])
    shell(row.remedy, own.cluster)
    starts(own, shell, f"line 3 of {file}.conf asks role")
    own.start()
    assert own.ended(own.value("SELECT run_job(%s)", job)).state == "succeeded"
    assert check(own, "authentication").state == "ok"
    own.stop()


def test_a_line_that_asks_for_a_certificate(
    own_cluster: Callable[..., Cluster], shell: Callable[..., None], tmp_path: Path
) -> None:
    files = {"ssl_cert_file": certificate(tmp_path), "ssl_key_file": tmp_path / "server.pem"}
    cluster = own_cluster(ssl="on", ssl_ca_file=str(tmp_path / "server.pem"), **{n: str(f) for n, f in files.items()})
    scheduler = new_scheduler(cluster)
    set_rules(scheduler, "local all all peer\nhostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n")
    scheduler.start()
    assert scheduler.run("SELECT 1").state == "failed"
    row = check(scheduler, "authentication")
    assert (row.state, "asks the sessions of runs from 127.0.0.1 for a certificate" in row.found) == ("error", True)
    shell(row.remedy, cluster)
    until(lambda: check(scheduler, "authentication").state == "ok", "the server to read its file")
    assert scheduler.run("SELECT 1").state == "succeeded"
    scheduler.stop()
    scheduler.admin.close()


class OverTcp(Cluster):
    """A cluster whose socket is where its settings say."""

    def get_server_commandline(self) -> list[str]:
        command = super().get_server_commandline()
        place = command.index("-k")
        return command[:place] + command[place + 2 :]

    def initialize_database(self) -> None:
        super().initialize_database()
        Path(self.get_data_directory(), "pg_hba.conf").write_text(
            f"local all all peer\nhost all {USER} 127.0.0.1/32 trust\n{PASSWORDS}"
        )

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[Any]:
        return self.connect_as(USER, dbname)


@pytest.mark.parametrize("place", ["", ".."])
def test_where_the_socket_is(
    installation: Installation, shell: Callable[..., None], place: str, tmp_path: Path
) -> None:
    cluster = with_template(OverTcp(installation, {"unix_socket_directories": place}, {"HOME": str(tmp_path)}))
    try:
        scheduler = new_scheduler(cluster)
        if place:
            assert check(scheduler, "local login").state == "ok"
        else:
            # What is given to the program itself cannot be altered in a session.
            cluster.settings["postgres_args"] = cluster.settings["postgres_args"].replace(
                "-c unix_socket_directories=", ""
            )
            with Path(cluster.get_data_directory(), "postgresql.conf").open("a") as conf:
                conf.write("unix_socket_directories = ''\n")
            restart(cluster)
            reconnect(scheduler)
            # Over TCP it comes in as the tests do, or by the password that a file of the server's own user has.
            assert check(scheduler, "local login").state == "ok"
            scheduler.start()
            scheduler.stop()
            set_rules(scheduler, f"local all all peer\n{PASSWORDS}")
            scheduler.execute("ALTER ROLE {} PASSWORD {}", sql.Identifier(USER), sql.Literal(USER))
            row = check(scheduler, "local login")
            assert (row.state, row.found[:32]) == ("error", "unix_socket_directories is empty")
            with pytest.raises(psycopg.OperationalError) as refused:
                scheduler.start()
            hint = "in from 127.0.0.1 by a password, which .pgpass of the server's own user must have"
            assert hint in (refused.value.diag.message_hint or "")
            passwords = tmp_path / ".pgpass"
            passwords.write_text(f"127.0.0.1:*:*:{USER}:{USER}\n")
            passwords.chmod(0o600)
            assert check(scheduler, "local login").state == "ok"
            scheduler.start()
            scheduler.stop()
            passwords.unlink()
            row = check(scheduler, "local login")
            scheduler.execute(row.remedy)
            restart(cluster)
            reconnect(scheduler)
            assert check(scheduler, "local login").state == "ok"
        scheduler.start()
        assert scheduler.run("SELECT 1").state == "succeeded"
        row = check(scheduler, "launcher")
        _, line, _ = row.remedy.splitlines()
        command = line.removeprefix("* * * * * ").split(" ", 1)[1].replace(r"\%", "%")

        def is_noted() -> bool:
            """As cron does it, again and again: what the worker keeps locked is not waited for."""
            shell(command, cluster)
            return bool(check(scheduler, "launcher").state == "ok")

        until(is_noted, "the launcher to be noted")
        scheduler.stop()
        scheduler.admin.close()
    finally:
        cluster.stop()


# --- what the worker itself says ----------------------------------------------------------------


RESIST = "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"


def test_a_worker_that_was_stopped(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET cancel_grace = '1 minute'")
    scheduler.start()
    scheduler.value("SELECT run_job(%s)", scheduler.insert(RESIST))
    resisting = until(lambda: scheduler.value("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    scheduler.execute("SELECT stop_worker()")
    row = finding(scheduler, "worker")
    assert (row.state, "waits for its runs to end" in row.found) == ("warning", True)
    (told,) = scheduler.execute("SELECT problem, since FROM problem WHERE job_id IS NULL").fetchall()
    assert told == ("worker off", scheduler.value("SELECT date_trunc('second', stopped_at) FROM worker_state"))
    # The worker that is to follow waits for the run, which ends then.
    mended = threading.Thread(target=mend, args=(scheduler, row.remedy))
    mended.start()
    successor = "SELECT pid FROM pg_stat_activity WHERE application_name = 'elephant_worker successor'"
    until(lambda: scheduler.value(successor), "the worker that is to follow")
    scheduler.value("SELECT pg_terminate_backend(%s)", resisting)
    mended.join()
    until(lambda: finding(scheduler, "worker").state == "ok")
    assert scheduler.execute("SELECT FROM problem WHERE job_id IS NULL").fetchall() == []
    scheduler.stop()
    row = finding(scheduler, "worker")
    assert (row.state, row.found[:31]) == ("error", "the worker was stopped by role ")
    mend(scheduler, row.remedy)
    assert finding(scheduler, "worker").state == "ok"


@pytest.mark.parametrize("change", ["data_directory = '/srv/another'", "system_identifier = system_identifier + 1"])
def test_a_worker_of_another_place(scheduler: Scheduler, change: str) -> None:
    scheduler.start()
    scheduler.kill()
    scheduler.execute(f"UPDATE worker_state SET {change}")
    row = finding(scheduler, "worker")
    assert (row.state, row.found[:32]) == ("error", "no worker runs: it was started i")
    mend(scheduler, row.remedy)
    assert finding(scheduler, "worker").state == "ok"


@pytest.mark.slow
def test_a_synchronous_standby_that_is_missing(own: Scheduler) -> None:
    own.start()
    job = own.insert("SELECT 1")
    own.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    own.execute("SELECT pg_reload_conf()")
    own.execute("SET synchronous_commit = local")
    until(lambda: own.value("SHOW synchronous_standby_names") == "nobody")
    run = own.value("SELECT run_job(%s)", job)
    found = "SELECT * FROM check_worker() WHERE state <> 'ok'"
    row = until(lambda: own.execute(found).fetchone())
    assert (row.state, "for a synchronous standby to confirm a commit" in row.found) == ("error", True)
    mend(own, row.remedy)
    assert own.value("SHOW synchronous_standby_names") == "nobody"
    mend(own, alternatives(row.remedy)["to do without"])
    assert own.ended(run).state == "succeeded"
    assert finding(own, "worker").state == "ok"
    own.stop()


def test_a_lock_that_somebody_waits_for(scheduler: Scheduler) -> None:
    scheduler.start()
    with closing(scheduler.connect()) as reader, closing(scheduler.connect()) as changer:
        reader.execute("BEGIN")
        reader.execute("SELECT FROM my_job")
        waits = threading.Thread(target=lambda: refused(changer, "ALTER TABLE job ADD COLUMN more integer"))
        waits.start()
        waiting = "SELECT * FROM check_locks('0') WHERE found ~ ' waits since '"
        row = until(lambda: scheduler.execute(waiting).fetchone(), "the one that waits")
        assert f"process {changer.info.backend_pid} " in row.found
        assert f"process {reader.info.backend_pid} " in row.found
        mend(scheduler, row.remedy)
        waits.join()
        assert scheduler.execute(waiting).fetchall() == []


@pytest.mark.parametrize(
    ("statement", "relation"),
    [
        ("ALTER VIEW job_for_worker SET (security_barrier = false)", "job_for_worker"),
        ("ALTER VIEW all_job SET (security_barrier = false)", "all_job"),
        ("ALTER SEQUENCE worker_inbox_request_id_seq CACHE 1", "worker_inbox_request_id_seq"),
        ("LOCK TABLE pg_auth_members", "pg_auth_members"),
    ],
)
def test_what_else_can_be_locked(own: Scheduler, statement: str, relation: str) -> None:
    """By a transaction that has just begun: nothing is said to be well that was not looked at."""
    own.start()
    job = own.insert("SELECT 1", schedule="1 second")
    until(lambda: own.successes(job), "a run")
    with closing(own.connect()) as blocker:
        blocker.execute("BEGIN")
        blocker.execute(statement)
        found = "SELECT * FROM check_locks('0', true) WHERE state <> 'ok'"
        asked = "SELECT * FROM check_setup()" if "SEQUENCE" not in statement else found
        (row,) = own.execute(asked).fetchall()
        assert row.check_name == "locks"
        assert row.state == "error"
        assert f"process {blocker.info.backend_pid} " in row.found
        assert f"keeps {relation} locked" in row.found
        mend(own, row.remedy)
    assert check(own, "locks").state == "ok"
    seen = own.successes(job)
    until(lambda: own.successes(job) > seen, "the job to go on")
    own.stop()


@pytest.mark.parametrize("relation", ["pg_database", "pg_db_role_setting", "pg_depend", "pg_roles", "pg_stat_activity"])
def test_what_is_the_systems_can_be_waited_for_by_anybody(own: Scheduler, relation: str) -> None:
    """PostgreSQL asks for the lock of CREATE RULE before it looks at privileges. Who is in the way is named."""
    own.start()
    role = own.role(scheduler=False)
    with (
        closing(own.connect()) as admin,
        closing(own.connect_as(role)) as reader,
        closing(own.connect_as(role)) as changer,
    ):
        for view in ("problem", "worker_status", "check_setup()"):
            admin.execute(f"SELECT * FROM {view}")
        reader.execute("BEGIN")
        reader.execute(f"PREPARE named AS SELECT FROM {relation}")
        changer.pgconn.send_query(f"CREATE RULE mine AS ON INSERT TO {relation} DO NOTHING".encode())
        waiting = "SELECT FROM pg_lock_status() l WHERE l.pid = %s AND NOT l.granted"
        until(lambda: admin.execute(waiting, (changer.info.backend_pid,)).fetchone() is not None, "it to wait")
        found = (
            rf"process {changer.info.backend_pid} \(active\) waits since 2.* for a lock on {relation}"
            "(, and the worker behind it)?: .*"
            rf"process {reader.info.backend_pid} \(idle in transaction\) has read or changed that table"
        )
        (row,) = admin.execute("SELECT * FROM check_setup()").fetchall()
        assert (row.check_name, row.state) == ("locks", "error")
        assert re.search(found, row.found), row
        told = admin.execute("SELECT * FROM problem").fetchall()
        assert {row.problem for row in told} <= {"worker stuck"}
        assert relation in ("pg_depend", "pg_stat_activity") or re.search(found, told[0].what), told
        (status,) = admin.execute("SELECT * FROM worker_status").fetchall()
        assert status.running or re.search(found, status.reason), status
        admin.execute(row.remedy.encode())
        changer.pgconn.get_result()
        until(lambda: check(own, "locks").state == "ok", "it to be over")
    own.stop()


def refused(session: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(statement)


def test_a_prepared_transaction_that_keeps_a_table_locked(own_cluster: Callable[..., Cluster]) -> None:
    scheduler = new_scheduler(own_cluster(max_prepared_transactions="2"))
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second")
    until(lambda: scheduler.successes(job), "a run")

    def prepare() -> None:
        with closing(scheduler.connect()) as session:
            session.execute("BEGIN; LOCK TABLE job_log; PREPARE TRANSACTION 'it''s open'")

    prepare()
    for way in ("or", "its application knows which"):
        row = finding(scheduler, "locks")
        prepared = scheduler.value("SELECT prepared::text FROM pg_prepared_xacts")
        assert row.state == "error"
        holder = "the prepared transaction 'it''s open'"
        assert (
            row.found == f"{holder} keeps job_log locked since {prepared}, for which the worker waits again and again"
        )
        told = scheduler.execute("SELECT problem, since, what, remedy FROM problem").fetchall()
        assert [(row.problem, row.what) for row in told] == [
            ("worker stuck", f"the jobs cannot be looked at: {holder} keeps job_log locked since {prepared}")
        ]
        assert (str(told[0].since)[:19], told[0].remedy) == (prepared[:19], row.remedy)
        expected = (
            rf"the worker \(process \d+\) waits for a lock, which {holder}, prepared at {re.escape(prepared)}, holds"
        )
        until(lambda: re.fullmatch(expected, scheduler.value("SELECT reason FROM worker_status") or ""), "the reason")  # noqa: B023
        (worker,) = scheduler.execute(
            "SELECT r.remedy FROM worker_condition() c, worker_remedy(c.code, c.blockers) r"
        ).fetchall()
        assert worker.remedy == row.remedy
        mend(scheduler, row.remedy)
        assert finding(scheduler, "locks").state == "error"
        mend(scheduler, alternatives(row.remedy)[way])
        assert finding(scheduler, "locks").state == "ok"
        if way == "or":
            prepare()
    scheduler.stop()
    scheduler.admin.close()


def test_sequences_that_were_left_behind(scheduler: Scheduler) -> None:
    scheduler.start()
    run = scheduler.run("SELECT 1")
    scheduler.run("SELECT 1")
    scheduler.value("SELECT run_once('SELECT 1')")
    scheduler.stop()
    for name, start in (("job_job_id_seq", 1), ("worker_inbox_request_id_seq", 1), ("once_job_job_id_seq", -1)):
        scheduler.value("SELECT setval(%s::regclass, %s, false)", f'"{SCHEMA}".{name}', start)
    rows = findings(scheduler, "sequences")
    assert [row.state for row in rows] == ["error"] * 3
    mend(scheduler, rows[0].remedy)
    assert finding(scheduler, "sequences").state == "ok"
    scheduler.start()
    assert scheduler.run("SELECT 1").jl_id > run.jl_id


def test_a_role_of_the_extension_that_was_renamed(worker: Scheduler) -> None:
    """Jobs go on, and whatever fails then names the role."""
    with closing(worker.connect_as(worker.role())) as session:
        session.execute("SELECT insert_job('SELECT 1', current_catalog, '1 second')")
    for role in ("job_scheduler", "job_monitor", "job_view_owner"):
        worker.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(role), sql.Identifier('an "other'))
        try:
            for call in ("SELECT * FROM my_job", "SELECT * FROM problem", "SELECT export_jobs()"):
                with suppress(psycopg.errors.UndefinedObject):
                    worker.execute(call)
            if role == "job_scheduler":
                run = "SELECT count(*) FROM job_log WHERE job_started > %s AND state = 'succeeded'"
                renamed = worker.value("SELECT clock_timestamp()")
                until(lambda: worker.value(run, renamed), "the job to go on")  # noqa: B023
            (found,) = worker.execute("SELECT * FROM check_setup() WHERE state <> 'ok'").fetchall()
            assert (found.check_name, found.state) == ("roles", "warning")
            assert found.found.startswith(f'role "an "other" was {role}: ')
            mend(worker, found.remedy)
        finally:
            if worker.value("SELECT to_regrole(%s) IS NULL", role):
                worker.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier('an "other'), sql.Identifier(role))
        assert finding(worker, "roles").state == "ok"


def test_a_role_of_the_extension_that_was_dropped(own_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    """Its rights are dropped before it, and what was taken away is in a dump too."""
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    role = scheduler.role()
    job = scheduler.insert("SELECT 1", rolname=role, job_name="kept")
    with cluster.connect(TEMPLATE) as admin:
        admin.execute("DROP EXTENSION elephant_worker; DROP OWNED BY job_scheduler")
    scheduler.execute("DROP OWNED BY job_scheduler")
    scheduler.execute("DROP ROLE job_scheduler")
    (found,) = scheduler.execute("SELECT * FROM check_setup() WHERE state <> 'ok'").fetchall()
    assert (found.check_name, found.state, found.found) == (
        "roles",
        "error",
        'role "job_scheduler" has been dropped, and its rights on the extension with it',
    )
    said = re.match("-- dump this database and restore it into a new one by pg_restore (--[a-z-]+): ", found.remedy)
    assert said
    dump = tmp_path / "dump"
    cluster.command("pg_dump", "--format=custom", f"--file={dump}", scheduler.dbname)
    scheduler.execute("CREATE DATABASE restored TEMPLATE template0")
    cluster.command("pg_restore", "--exit-on-error", said[1], "--dbname=restored", str(dump))
    restored = Scheduler(cluster, "restored")
    assert finding(restored, "roles").state == "ok"
    restored.execute("GRANT job_scheduler TO {}", sql.Identifier(role))
    with closing(restored.connect_as(role)) as session:
        assert session.execute("SELECT job_id FROM my_job WHERE job_name = 'kept'").fetchall() == [(job,)]
    restored.admin.close()


# --- no finding without a test of its remedy ----------------------------------------------------

# How what is found begins, and the test in which that is found and its remedy executed.
TESTED = {
    "the package": {
        "no worker can run: the file": "test_the_package_is_missing",
        "the Python package cannot be loaded": "test_the_package_is_missing",
        "the server does not find elephant_worker.control": "test_a_newer_version_is_installed",
        "version %s is installed": "test_a_newer_version_is_installed",
    },
    "the worker": {
        "no worker has been started": "test_no_worker",
        "the worker has ended": "test_no_worker",
        "a launcher, last seen at": "test_no_launcher",
        "no launcher has been seen since": "test_no_worker",
        "the worker was stopped": "test_a_worker_that_was_stopped",
        "the worker (process %s) was told to stop": "test_a_worker_that_was_stopped",
        'role "%s", which owns the extension, is not': "test_the_owner_is_not_a_superuser_any_more",
        "no worker runs": "test_a_worker_of_another_place",
        "no worker runs yet": "test_another_one_is_about_to_begin",
        "no worker runs: the jobs of this database are a copy": "test_a_copy_of_the_database",
        "the worker (process %s) waits since %s for a synchronous": "test_a_synchronous_standby_that_is_missing",
        "the worker (process %s) is of an earlier version": "test_long_runs_are_told",
        "the worker (process %s) waits for a lock": "test_a_lock",
        "the worker (process %s) was halted by a signal": "test_a_worker_that_does_not_go_on",
        "the worker (process %s) has not looked": "test_a_worker_that_does_not_go_on",
        "the worker (process %s), or the machine, stood still": "test_nothing_is_started_after_a_stall",
        "the transactions of the worker (process %s) fail": "test_the_log_cannot_be_written",
        "the disk is full": "test_the_log_cannot_be_written",
        "the subscription": "test_the_worker_of_the_subscriber_stays_its_own",
        "this server is a standby": "test_a_standby_is_quiet_and_takes_over_when_promoted",
        "a launcher starts it here": "test_a_standby_is_quiet_and_takes_over_when_promoted",
        "launchers will not start it here": "test_a_standby_is_quiet_and_takes_over_when_promoted",
        "it was stopped, or never started": "test_a_standby_is_quiet_and_takes_over_when_promoted",
        "%s keeps %s locked": "test_a_table_that_is_locked",
        "which process %s holds": "test_a_lock",
        "which the prepared transaction": "test_a_prepared_transaction_that_keeps_a_table_locked",
        "the prepared transaction": "test_a_prepared_transaction_that_keeps_a_table_locked",
        "%s waits%s for a lock": "test_a_lock_that_somebody_waits_for",
        "no launcher has been seen yet": "test_no_launcher",
        "the launcher was last seen": "test_no_launcher",
    },
    "logins": {
        "this role may not see pg_hba.conf": "test_who_may_check_the_setup",
        "no line of pg_hba.conf lets the sessions": "test_pg_hba_is_read_as_the_server_reads_it",
        "%s asks the sessions": "test_pg_hba_is_read_as_the_server_reads_it",
        "run %s, the last one on this server": "test_conninfo_by_which_nothing_can_connect",
        "unix_socket_directories is empty": "test_where_the_socket_is",
        "no line of pg_hba.conf lets role": "test_the_socket_lets_the_server_s_own_user_in",
        "%s asks role": "test_the_socket_lets_the_server_s_own_user_in",
        "%s does not let the operating system": "test_a_superuser_of_another_name",
        'role "%s" is not what it should be': "test_runners",
        'role "%s" has been made a member': "test_runners",
        'role "%s" owns %s %s%s': "test_what_a_run_has_left_to_its_runner",
        'role "%s" was made by a worker': "test_runners_out_of_a_dump_of_roles",
    },
    "the rest": {
        "runs connect over the socket": "test_the_server_does_not_listen",
        "the server has %s connections": "test_too_few_connections",
        "of the server''s %s connections": "test_others_take_all_connections",
        'database "%s" has CONNECTION LIMIT %s, of': "test_the_connection_limit_of_the_control_database",
        'database "%s" has CONNECTION LIMIT %s, and': "test_what_others_leave_of_a_connection_limit",
        '%s %s of role "%s" in database': "test_each_way_out_of_an_obstacle",
        'jobs in database "%s" wait': "test_what_is_due_waits_for_a_database_that_is_closed",
        "drops, renames or copies it": "test_what_is_due_waits_for_a_database_that_is_closed",
        "waits for a lock on it": "test_a_lock_on_a_database_that_is_waited_for",
        'role "%s" has been dropped': "test_a_role_of_the_extension_that_was_dropped",
        'role "%s" was %s: views': "test_a_role_of_the_extension_that_was_renamed",
        'role "%s" owns the schema': "test_a_schema_that_somebody_owns",
        "%s may create functions in": "test_a_schema_that_somebody_owns",
        "the schema of the extension holds": "test_a_schema_that_somebody_owns",
        "%s: the next number": "test_sequences_that_were_left_behind",
        "%s of the extension''s triggers": "test_triggers_that_a_restore_has_left_disabled",
        "the system''s time zone database does not know": "test_time_zones",
        "the system''s time zone database and the server": "test_time_zones",
        "schedules and the server read time zone": "test_a_rule_that_is_read_in_different_ways",
    },
}


def sentences(script: str) -> set[str]:
    """What the checks of a script may find: literals of several words that do not begin like SQL, but for what is
    well, and for comments."""
    script = re.sub(r"COMMENT ON .*?';\n", "", script, flags=re.DOTALL)
    tokens = [token for token in re.findall(r"--[^\n]*|'(?:[^']|'')*'", script) if not token.startswith("--")]
    after_ok = {tokens[number + 1] for number, token in enumerate(tokens[:-1]) if token == "'ok'"}
    return {
        token[1:-1]
        for token in tokens
        if re.match(r"'(?!sudo|local %s|%s all)[a-z%]", token) and token.count(" ") >= 3 and token not in after_ok
    }


def test_every_remedy_is_tested() -> None:
    scripts = [*(ROOT / "sql/diagnostics").glob("*.sql"), ROOT / "sql/worker/worker_condition.sql"]
    found = {sentence for path in scripts for sentence in sentences(path.read_text())}
    begins = {begin: test for group in TESTED.values() for begin, test in group.items()}
    tested = "".join(path.read_text() for path in (ROOT / "tests/integration").glob("test_*.py"))
    assert [sentence for sentence in found if not any(sentence.startswith(begin) for begin in begins)] == []
    for begin, test in begins.items():
        assert any(sentence.startswith(begin) for sentence in found), begin
        body = re.search(rf"^def {test}\(.*?(?=^(?:def |@|class |# ---)|\Z)", tested, re.DOTALL | re.MULTILINE)
        assert body is not None, test
        assert re.search(r"remedy|remedied\(|shell\(", body[0]), test
