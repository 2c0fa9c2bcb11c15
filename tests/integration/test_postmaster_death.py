"""The postmaster is gone, by the out-of-memory killer say: worker and spare leave, and do nothing more meanwhile."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from harness.cluster import Cluster
from harness.scheduler import SCHEMA, new_scheduler
from harness.waiting import until
from harness.witness import Witness


def kill_postmaster(cluster: Cluster) -> None:
    cluster.child_process.send_signal(signal.SIGKILL)
    cluster.child_process.wait()
    cluster.child_process = None


def is_process(pid: int) -> bool:
    """Whether it runs, and is none that only waits to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_worker_and_spare_leave(own_cluster: Callable[..., Cluster], witness: Witness) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    witness.define_job(scheduler)
    scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    worker = scheduler.value("SELECT worker_pid()")
    until(lambda: len(witness.runs()) > 1, "the job to run on the other server")
    kill_postmaster(cluster)
    until(lambda: not is_process(worker) and not is_process(spare), "worker and spare to leave", 10)
    before = len(witness.runs())
    # Nothing is left of the old server: a new one starts, and goes on with all of it.
    cluster.start()
    with cluster.connect(scheduler.dbname) as again:
        again.execute(sql.SQL("SELECT {}.start_worker(unattended := true)").format(sql.Identifier(SCHEMA)))
        until(lambda: len(witness.runs()) > before, "the job to go on")
    scheduler.admin.close()


def test_the_worker_in_a_session_of_ones_own_leaves(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    session = scheduler.connect()
    pid = session.info.backend_pid
    ended: list[str] = []

    def work() -> None:
        try:
            session.execute("CALL run_worker()")
        except psycopg.OperationalError as error:
            ended.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: scheduler.value("SELECT running FROM worker_status"), "the worker")
    kill_postmaster(cluster)
    until(lambda: not is_process(pid), "the worker to leave", 10)
    thread.join()
    assert ended
    session.close()
    scheduler.admin.close()
    cluster.start()


def test_whoever_waits_for_a_successor_leaves(own_cluster: Callable[..., Cluster]) -> None:
    """start_worker() waits for a worker that has been told to stop, and that for a run; what is to be the next worker
    may load this package only when the postmaster is gone."""
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    scheduler.start()
    stubborn = """DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(100); EXCEPTION WHEN query_canceled THEN NULL; END;
                  END LOOP; END$$"""
    scheduler.value("SELECT run_job(%s)", scheduler.insert(stubborn))
    sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: scheduler.value(sleeps), "the run")
    until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    session = scheduler.connect()
    pid = session.info.backend_pid
    session.execute("SELECT stop_worker()")

    def start() -> None:
        with suppress(psycopg.OperationalError):
            session.execute("SELECT start_worker()")

    thread = threading.Thread(target=start)
    thread.start()
    waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'elephant_worker successor'"
    until(lambda: scheduler.value(waits), "the successor")
    processes = [row.pid for row in scheduler.execute("SELECT pid FROM pg_stat_activity WHERE datid IS NOT NULL")]
    assert pid in processes
    kill_postmaster(cluster)
    until(lambda: not any(map(is_process, processes)), "all sessions to end", 8)
    thread.join()
    session.close()
    scheduler.admin.close()
    cluster.start()
