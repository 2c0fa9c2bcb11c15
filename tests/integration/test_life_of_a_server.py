"""What administrators do to a server: the worker goes on, or says why it does not and how it does again."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import LOST_CLIENT, USER, Cluster, Installation
from harness.remedies import alternatives
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler
from harness.waiting import until
from tests.integration.test_faults import Standby

UNATTENDED = "SELECT start_worker(unattended := true)"
# One that waits, and ones that send without end.
ENDLESS = (
    "SELECT pg_sleep(1000)",
    "SELECT pg_sleep(0.0001) FROM generate_series(1, 100000000)",
    "DO $$BEGIN LOOP RAISE NOTICE 'still here'; PERFORM pg_sleep(0.0001); END LOOP; END$$",
)


def launch(scheduler: Scheduler) -> tuple[int | None, list[str]]:
    """What a launcher does, and what it is told."""
    said: list[str] = []
    with closing(scheduler.connect()) as session:
        session.add_notice_handler(lambda notice: said.append(f"{notice.severity}: {notice.message_primary}"))
        row = session.execute(UNATTENDED).fetchone()
    assert row is not None
    return row[0], said


def status(scheduler: Scheduler) -> Any:
    return scheduler.execute("SELECT * FROM worker_status").fetchone()


def finding(scheduler: Scheduler, name: str = "worker") -> Any:
    return scheduler.execute("SELECT * FROM check_setup() WHERE check_name = {}", sql.Literal(name)).fetchone()


def goes_on(scheduler: Scheduler, job: int) -> None:
    seen = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > seen, "the job to go on")


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not tmp_path: the path of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "tmp").mkdir()
        yield Path(directory)


# --- the server's log ----------------------------------------------------------------------------


def test_the_log_says_who_starts_and_stops_and_nothing_that_looks_like_a_fault(scheduler: Scheduler) -> None:
    before = len(scheduler.cluster.log)
    role = scheduler.role("boss", "SUPERUSER LOGIN")
    first = scheduler.start()
    scheduler.kill()
    second = scheduler.start()
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    sessions = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker%'"
    spare, *left_behind = (scheduler.value("SELECT spare_pid FROM worker_state"), *scheduler.value(sessions))
    left_behind.remove(spare)
    scheduler.value("SELECT pg_terminate_backend(%s)", second)
    third = until(lambda: (pid := status(scheduler).pid) not in (None, second) and pid, "the spare to take over")
    there = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%s)"
    until(lambda: scheduler.value(there, left_behind) == 0, "what the other one had open to end")
    stopped = len(scheduler.cluster.log)  # a process that is terminated leaves connections behind
    scheduler.connect_as(role).execute("SELECT stop_worker()")
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker%'"
    until(lambda: scheduler.value(sessions) == 0, "all to leave")
    log = scheduler.cluster.log[before:]
    worker = f'elephant_worker: the worker of database "{scheduler.dbname}" (process '
    assert f"LOG:  {worker}{first}) has started" in log
    assert f"LOG:  {worker}{third}) has taken over from process {second}" in log
    assert f'LOG:  {worker}{third}) ends: stopped by role "{role}"' in log
    assert not LOST_CLIENT.search(scheduler.cluster.log[stopped:])


def test_a_spare_that_comes_too_late_looks_like_no_fault(scheduler: Scheduler) -> None:
    """The worker has asked for it, and was stopped before it could begin."""
    before = len(scheduler.cluster.log)
    for _ in range(3):
        with closing(scheduler.connect()) as session:
            pid = session.info.backend_pid
            session.pgconn.send_query(f"CALL \"{SCHEMA}\".run_worker('session', false)".encode())
            session.pgconn.flush()
        there = partial(scheduler.value, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid)
        until(lambda there=there: there() == 0, "its end")
    assert not LOST_CLIENT.search(scheduler.cluster.log[before:])


def test_sessions_of_runs_that_end_look_like_no_fault(worker: Scheduler) -> None:
    before = len(worker.cluster.log)
    with closing(worker.connect()) as session:
        first = session.info.backend_pid
    database, role = worker.database(), worker.role()
    job = worker.insert("SELECT 1", database, rolname=role)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"

    def run() -> None:
        assert worker.ended(worker.value("SELECT run_job(%s)", job)).state == "succeeded"

    # Those that nobody needs, that are too old, too many, or began with other settings than those of today.
    for setting in ("session_idle_time = '0'", "session_lifetime = '0'", "max_idle_sessions = 0"):
        run()
        worker.execute(f"UPDATE worker_setting SET {setting}")
        run()
        until(lambda: worker.value(sessions, database) == 0, "the sessions to end")
        worker.execute(
            "UPDATE worker_setting"
            " SET session_idle_time = DEFAULT, session_lifetime = DEFAULT, max_idle_sessions = DEFAULT"
        )
    run()
    worker.execute("ALTER DATABASE {} SET work_mem = '9MB'", sql.Identifier(database))
    run()
    for end in ("cancel_run({})", "restart_worker()"):
        runs = [worker.value("SELECT run_job(%s)", worker.insert(command, database)) for command in ENDLESS]
        until(lambda: worker.value("SELECT running_jobs FROM worker_status") == len(ENDLESS), "the runs")
        for number in runs:
            worker.execute(f"SELECT {end.format(number)}")
        assert {worker.ended(number).state for number in runs} <= {"cancelled", "lost"}
    until(lambda: worker.value("SELECT running FROM worker_status"), "the worker")
    run()
    # Those that there were before may be ending still.
    lines = re.findall(r"\[(\d+)\] (.*)", worker.cluster.log[before:])
    assert not [text for pid, text in lines if int(pid) >= first and LOST_CLIENT.search(text)]


@pytest.mark.parametrize("mode", ["fast", "smart"])
def test_a_stop_of_the_server_looks_like_no_fault(own_cluster: Callable[..., Cluster], mode: str) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second")
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state") and scheduler.log(job), "worker and spare")
    # A smart one waits for what is active; a fast one ends it and the worker, who is its client, at once.
    commands = ["SELECT pg_sleep(1000)" if mode == "fast" else "SELECT pg_sleep(1)"]
    runs = [scheduler.value("SELECT run_job(%s)", scheduler.insert(command)) for command in commands]
    active = "SELECT count(*) FROM job_log WHERE state = 'running' AND jl_id = ANY (%s)"
    until(lambda: scheduler.value(active, runs) == len(runs), "the runs")
    own = None
    if mode == "fast":  # the worker and the sessions whose client it is are ended at once, and either may be first
        (pids,) = scheduler.execute("SELECT worker_pid(), spare_pid FROM worker_state")
        own = set(map(str, pids))
    scheduler.admin.close()
    cluster.shut_down(mode)
    lines = re.findall(r"\[(\d+)\] (.*)", cluster.log)
    assert not [text for pid, text in lines if (own is None or pid in own) and LOST_CLIENT.search(text)]
    assert "Traceback" not in cluster.log
    cluster.start()
    scheduler = Scheduler(cluster, scheduler.dbname)
    scheduler.start()
    ends = {scheduler.ended(run).state for run in runs}
    assert ends == {"succeeded"} if mode == "smart" else ends <= {"failed", "lost"}
    scheduler.admin.close()


# --- other places --------------------------------------------------------------------------------


def test_a_moved_data_directory(own_cluster: Callable[..., Cluster], directory: Path) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    job = scheduler.insert("SELECT 1", schedule="1 second")
    scheduler.start()
    goes_on(scheduler, job)
    old, new = cluster.base_dir, str(directory / "moved")

    def move(to: str) -> Scheduler:
        scheduler.admin.close()
        cluster.shut_down("fast")
        os.rename(cluster.base_dir, to)
        cluster.base_dir = to
        cluster.start()
        scheduler.admin = scheduler.connect()
        return scheduler

    move(new)
    reason = f'it was started in data directory "{old}/data", and this one is "{new}/data"'
    assert launch(scheduler) == (None, [f"WARNING: the worker is not started: {reason}"])
    now = status(scheduler)
    assert (now.running, now.armed, now.launchable, now.reason) == (False, True, False, f"no worker runs: {reason}")
    found = finding(scheduler)
    assert (found.state, found.found) == ("error", now.reason)
    scheduler.execute(found.remedy)
    assert status(scheduler).reason is None
    goes_on(scheduler, job)
    # The way back needs nobody: a directory that was known stays known.
    move(old)
    pid, said = launch(scheduler)
    assert pid is not None
    assert said == []
    goes_on(scheduler, job)
    scheduler.stop()
    assert launch(scheduler) == (None, [])


@pytest.mark.slow
def test_pg_upgrade(own_cluster: Callable[..., Cluster], installation: Installation, directory: Path) -> None:
    old = own_cluster()
    scheduler = new_scheduler(old)
    job = scheduler.insert("SELECT 1", schedule="1 second")
    scheduler.start()
    goes_on(scheduler, job)
    scheduler.admin.close()
    old.shut_down("fast")
    new = Cluster(installation)
    new.shut_down("fast")
    try:
        bindir = str(installation.bindir)
        data = ("-d", old.get_data_directory(), "-D", new.get_data_directory())
        new.command("pg_upgrade", "-b", bindir, "-B", bindir, *data, "-s", str(directory), "-U", USER, cwd=directory)
        new.start()
        there = Scheduler(new, scheduler.dbname)
        pid, said = launch(there)
        assert pid is None
        assert re.fullmatch(
            "WARNING: the worker is not started: it was started in the cluster with system identifier [0-9]+ in "
            f'"{old.get_data_directory()}", and this is cluster [0-9]+ in "{new.get_data_directory()}"',
            said[0],
        )
        found = finding(there)
        assert found.found == status(there).reason
        there.execute(found.remedy)
        goes_on(there, job)
        there.close()
    finally:
        new.stop()
        old.start()


@pytest.mark.slow
def test_a_switchover_and_the_way_back(
    own_cluster: Callable[..., Cluster], installation: Installation, directory: Path
) -> None:
    primary = own_cluster()
    here = new_scheduler(primary)
    job, role = here.insert("SELECT 1", schedule="1 second"), here.role()
    here.start()
    goes_on(here, job)
    standby = Standby(installation, primary, directory)
    try:
        there = Scheduler(standby, here.dbname)
        # A standby says what launchers will do once it is promoted, and how they do more.
        now = status(there)
        assert now.launchable is False
        assert re.fullmatch(
            "this server is a standby: the worker runs on the primary, and launchers will not start it here after a "
            f'promotion, since it was started in data directory ".*", and this one is "{directory}/data"',
            now.reason,
        )
        assert launch(there) == (None, [])
        found = finding(there)
        assert (found.state, found.found) == ("warning", now.reason)
        assert there.value("SELECT problem FROM problem") == "worker off"
        with closing(there.connect_as(role)) as session:  # who may not see where it is
            row = session.execute("SELECT problem, remedy FROM problem").fetchone()
            assert row is not None
            assert (row.problem, "|| '...'::text; -- on the primary: what SHOW" in row.remedy) == ("worker off", True)
        here.execute(found.remedy)
        until(lambda: status(there).launchable, "the setting to arrive")
        promised = (
            "this server is a standby: the worker runs on the primary, and a launcher starts it here after a promotion"
        )
        assert status(there).reason == promised
        assert (finding(there).state, finding(there).found) == ("ok", promised)
        assert there.execute("SELECT FROM problem").fetchall() == []
        assert status(there).running_jobs == 0  # whatever runs on the primary
        there.admin.close()

        def by_launcher(scheduler: Scheduler) -> None:
            promote(scheduler)
            pid, said = launch(scheduler)
            assert pid is not None
            assert said == []

        def switch(leader: Cluster, follower: Cluster, start: Callable[[Scheduler], None]) -> Scheduler:
            """The follower leads from now on; the leader has to be told whom to follow."""
            leader.shut_down("fast")
            scheduler = Scheduler(follower, here.dbname)
            start(scheduler)
            goes_on(scheduler, job)
            return scheduler

        here.admin.close()
        there = switch(primary, standby, by_launcher)
        data = Path(primary.get_data_directory())
        (data / "standby.signal").touch()
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host={standby.socket_directory} port={standby.port} user={USER}'\n")
        primary.start()
        here = Scheduler(primary, there.dbname)
        until(lambda: there.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"), "the follower")
        assert status(here).reason == promised
        here.admin.close()
        there.admin.close()
        here = switch(standby, primary, by_callback)
        here.close()
    finally:
        standby.stop()


def promote(scheduler: Scheduler) -> None:
    scheduler.cluster.command("pg_ctl", "promote", "-D", scheduler.cluster.get_data_directory())
    until(lambda: not scheduler.value("SELECT pg_is_in_recovery()"), "the promotion")


def by_callback(scheduler: Scheduler) -> None:
    """As Patroni does, which calls the callback while the promotion goes on; here it has not begun yet."""
    cluster = scheduler.cluster
    program = cluster.installation.bindir / "elephant_worker_patroni"
    place = (cluster.socket_directory, str(cluster.port), scheduler.dbname, SCHEMA)

    def transaction(which: str) -> Any:
        return scheduler.value(f"SELECT xact_start FROM pg_stat_activity WHERE {which}")

    with subprocess.Popen([program, *place, "on_role_change", "primary", "batman"]) as callback:
        starting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'elephant_worker starting'"
        ahead = until(partial(scheduler.value, starting), "a session that loads what a worker needs")
        # What is still to be replayed waits for no transaction of theirs: each of them is a short one.
        for which in ("application_name = 'elephant_worker_patroni'", f"pid = {ahead}"):
            first = until(partial(transaction, which), "a transaction")
            until(lambda which=which, first=first: transaction(which) > first, "another one")
        promote(scheduler)
        assert callback.wait(60) == 0
    assert status(scheduler).pid == ahead


# --- numbers -------------------------------------------------------------------------------------


SEQUENCES = {
    "job_job_id_seq": "SELECT job_id FROM insert_job('SELECT 1', current_catalog)",
    "once_job_job_id_seq": "SELECT run_once('SELECT 1', current_catalog)",
    "worker_inbox_request_id_seq": "SELECT run_job({job})",
}


@pytest.mark.parametrize("worker", ["with a worker", "without a worker"])
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_that_was_left_behind(scheduler: Scheduler, sequence: str, worker: str) -> None:
    """As logical replication, pg_createsubscriber and partial restores leave it."""
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second")
    role = scheduler.role()
    call = SEQUENCES[sequence].format(job=scheduler.insert("SELECT 1", parallel=True))
    for _ in range(3):
        scheduler.value(call)
    scheduler.value("SELECT run_once('SELECT 1', current_catalog)")
    goes_on(scheduler, job)
    until(lambda: scheduler.value("SELECT count(*) FROM job_log WHERE state <> 'running'") > 3, "runs")
    if worker == "without a worker":
        scheduler.stop()
    before = scheduler.value("SELECT array_agg(jl_id) FROM job_log")
    jobs = scheduler.value("SELECT array_agg(job_id) FROM member_job")
    scheduler.execute(
        "SELECT setval({}, s.seqstart, false) FROM pg_sequence s WHERE s.seqrelid = {}::regclass",
        *[sql.Literal(sql.Identifier(SCHEMA, sequence).as_string())] * 2,
    )
    if worker == "without a worker":
        found = finding(scheduler, "sequences")
        assert found.state == "error"
        assert found.found.startswith(f"{sequence}: the next number is ")
    # An ordinary role, twice, and rolled back in between.
    connect = scheduler.connect if sequence == "worker_inbox_request_id_seq" else lambda: scheduler.connect_as(role)
    numbers = []
    with closing(connect()) as session:
        for _ in range(3):
            with session.transaction(force_rollback=True):
                session.execute(call)
            row = session.execute(call).fetchone()
            assert row is not None
            numbers.append(row[0])
    assert len(set(numbers)) == 3
    assert not set(numbers) & {*(jobs if sequence == "job_job_id_seq" else before)}
    if worker == "without a worker":
        scheduler.start()
    assert scheduler.run("SELECT 2").state == "succeeded"
    goes_on(scheduler, job)
    assert finding(scheduler, "sequences").state == "ok"
    count = len(scheduler.log(job))
    until(lambda: len(scheduler.log(job)) > count + 1, "two more due times")
    # No due time has gone without a row.
    due = scheduler.execute(
        "SELECT max(gap) FROM (SELECT scheduled_at - lag(coalesce(missed_until, scheduled_at))"
        " OVER (ORDER BY scheduled_at) AS gap FROM job_log WHERE job_id = {} AND cause = 'schedule') g",
        sql.Literal(job),
    ).fetchone()
    assert due is not None
    assert due[0].total_seconds() == 1


def test_the_remedy_for_sequences(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1")
    scheduler.execute("SELECT setval({}, 1, false)", sql.Literal(sql.Identifier(SCHEMA, "job_job_id_seq").as_string()))
    found = finding(scheduler, "sequences")
    assert (found.check_name, found.state) == ("sequences", "error")
    scheduler.execute(found.remedy)
    assert finding(scheduler, "sequences").state == "ok"


def test_a_logical_copy(own_cluster: Callable[..., Cluster], directory: Path) -> None:
    """As docs/scaling.md says it: what dumps carry is published, and the new place takes over with all of it."""
    source = new_scheduler(own_cluster(wal_level="logical"))
    target = new_scheduler(source.cluster)
    job = source.insert("SELECT 1", schedule="1 second", job_name="ours")
    source.execute("UPDATE worker_setting SET max_running_jobs = 7")
    source.start()
    goes_on(source, job)
    text = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
    publish, subscribe = re.findall(r"```sql\n(-- (?:there|here)\b[^`]*)```", text)
    (statement,) = source.execute(publish.replace("\\gexec", "")).fetchall()
    source.execute(statement[0])
    source.execute("SELECT pg_create_logical_replication_slot('jobs', 'pgoutput')")
    connection = (
        f"host={source.cluster.socket_directory} port={source.cluster.port} user={USER} dbname=''{source.dbname}''"
    )
    create = re.sub("CONNECTION '[^']*'", f"CONNECTION '{connection}'".replace("\\", "\\\\"), subscribe.strip("; \n"))
    # In one cluster the slot has to be there before.
    target.execute(f"{create} WITH (create_slot = false)")
    until(
        lambda: target.value("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"),
        "the copy to be complete",
    )
    seen = len(target.log(job))
    until(lambda: len(target.log(job)) > seen, "new rows to arrive")
    source.stop()
    until(lambda: len(target.log(job)) == len(source.log(job)), "the rest to arrive")
    target.execute("DROP SUBSCRIPTION jobs")
    assert target.value("SELECT max_running_jobs FROM worker_setting") == 32
    assert finding(target, "sequences").state == "error"
    target.start()
    goes_on(target, job)
    assert target.run("SELECT 1").jl_id > max(row.jl_id for row in source.log())
    target.close()
    source.close()


# --- a restore over it ---------------------------------------------------------------------------


def test_a_restore_over_the_database_of_a_running_worker(scheduler: Scheduler, tmp_path: Path) -> None:
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second", job_name="ours")
    goes_on(scheduler, job)
    dump = tmp_path / "dump"
    scheduler.cluster.command("pg_dump", "--format=custom", f"--file={dump}", scheduler.dbname)
    before = len(scheduler.cluster.log)
    scheduler.pause()  # so that the worker and DROP EXTENSION do not wait for each other
    scheduler.cluster.command("pg_restore", "--clean", "--if-exists", "-d", scheduler.dbname, str(dump))
    scheduler.admin.close()
    scheduler.admin = scheduler.connect()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker%'"
    until(lambda: scheduler.value(sessions) == 0, "worker and spare to leave")
    log = scheduler.cluster.log[before:]
    assert re.search(
        f'LOG:  elephant_worker: the worker of database "{scheduler.dbname}" .* ends: the extension was ', log
    )
    assert "Traceback" not in log
    assert "cache lookup failed" not in log
    now = status(scheduler)
    assert (now.running, now.reason) == (
        False,
        "no worker has been started since the extension was created in this database",
    )
    found = finding(scheduler)
    assert (found.state, found.found) == ("error", now.reason)
    scheduler.execute(found.remedy)
    goes_on(scheduler, job)


@pytest.mark.parametrize("how", ["template", "dump"])
def test_a_copy_of_the_database(scheduler: Scheduler, tmp_path: Path, how: str) -> None:
    """On the same server, beside the original: nothing runs twice, unless somebody says so."""
    scheduler.start()
    job = scheduler.insert("SELECT 1", schedule="1 second")
    goes_on(scheduler, job)
    scheduler.kill()  # a database that is copied has no sessions
    scheduler.admin.close()
    name = f"{scheduler.dbname} copy"
    with scheduler.cluster.connect() as admin:
        template = scheduler.dbname if how == "template" else "template0"
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    if how == "dump":
        dump = str(tmp_path / "dump")
        scheduler.cluster.command("pg_dump", "--format=custom", f"--file={dump}", scheduler.dbname)
        scheduler.cluster.command("pg_restore", "--exit-on-error", f"--dbname={name}", dump)
    scheduler.admin = scheduler.connect()
    assert launch(scheduler)[0] is not None
    copy = Scheduler(scheduler.cluster, name)
    pid, said = launch(copy)
    assert pid is None
    started = f'it was started in database "{scheduler.dbname}", of which this one is a copy'
    assert said == ([f"WARNING: the worker is not started: {started}"] if how == "template" else [])
    for call in ("SELECT start_worker()", "SELECT restart_worker()", "CALL run_worker()"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as raised:
            copy.execute(call)
        diag = raised.value.diag
        assert diag.message_primary == f'the jobs of this database are a copy of those of database "{scheduler.dbname}"'
    now = status(copy)
    assert (now.running, now.running_jobs, now.launchable) == (False, 0, False)
    assert now.reason == (
        f'no worker runs: the jobs of this database are a copy of those of database "{scheduler.dbname}",'
        " and would run twice"
    )
    found = finding(copy)
    assert (found.state, found.found) == ("warning", now.reason)
    assert copy.value("SELECT problem FROM problem WHERE job_id IS NULL") == "worker off"
    copied = len(copy.log(job))
    copy.execute(found.remedy)
    assert not status(copy).running
    remedy = alternatives(found.remedy)["to run them here all the same"]
    assert (diag.message_hint or "").partition(" there: ")[2] == remedy
    # Where a database has just been restored, its search_path has not been set.
    copy.execute("SET search_path = public")
    for call in remedy.split("; "):
        copy.execute(call)
    copy.execute("SET search_path = public, {}, {}", sql.Identifier(SCHEMA), sql.Identifier(INTERNAL))
    until(lambda: len(copy.log(job)) > copied, "the job to go on")
    # Of two that were confirmed, none is a copy.
    copy.kill()
    assert launch(copy)[0] is not None
    assert launch(scheduler)[0] is not None
    copy.close()


def test_a_restore_in_place_of_the_original(scheduler: Scheduler) -> None:
    """The original is renamed, and is still there; once it has been dropped, there is no copy any more."""
    scheduler.start()
    scheduler.stop()
    job = scheduler.insert("SELECT 1")
    scheduler.admin.close()
    names = [sql.Identifier(scheduler.dbname), sql.Identifier(f"{scheduler.dbname} before")]
    with scheduler.cluster.connect() as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    scheduler.admin = scheduler.connect()
    scheduler._databases.append(f"{scheduler.dbname} before")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        scheduler.start()
    # Without jobs nothing would run twice.
    with scheduler.admin.transaction(force_rollback=True):
        scheduler.execute("SELECT delete_job({})", sql.Literal(job))
        assert scheduler.value("SELECT copied_from()") is None
    # Confirmed and taken back.
    with scheduler.admin.transaction(force_rollback=True):
        scheduler.execute("SELECT confirm_copy()")
        assert scheduler.value("SELECT copied_from()") is None
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        scheduler.start()
    with scheduler.cluster.connect() as admin:
        admin.execute(sql.SQL("DROP DATABASE {}").format(names[1]))
    scheduler.start()
    assert scheduler.run("SELECT 1").state == "succeeded"


def test_start_worker_is_refused_on_a_standby(own_cluster: Callable[..., Cluster], directory: Path) -> None:
    primary = own_cluster()
    scheduler = new_scheduler(primary)
    standby = Standby(primary.installation, primary, directory)
    try:
        there = Scheduler(standby, scheduler.dbname)
        assert there.value("SELECT report_data() -> 'jobs_total' = '0' AND report_html() LIKE '<!DOCTYPE html>%'")
        for call in ("start_worker()", "restart_worker()"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as raised:
                there.execute(f"SELECT {call}")
            assert raised.value.diag.message_primary == "the worker cannot be started on a standby"
        assert finding(there).state == "ok"  # it was never started
        there.admin.close()
        scheduler.close()
    finally:
        standby.stop()
