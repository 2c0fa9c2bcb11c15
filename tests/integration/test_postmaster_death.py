"""The postmaster is gone, by the out-of-memory killer say: worker and spare leave, and do nothing more meanwhile."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until


@pytest.fixture
def far(installation: Installation) -> Iterator[Cluster]:
    """Another cluster, on which jobs go on to count."""
    far = Cluster(installation)
    with far.connect() as admin:
        admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'beans'")
        admin.execute("CREATE TABLE witness AS SELECT clock_timestamp() AS moment WHERE false")
        admin.execute("GRANT ALL ON witness TO clerk")
    yield far
    far.stop()


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


def count_elsewhere(scheduler: Scheduler, far: Cluster) -> None:
    """A job of every second on the other server."""
    scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
    scheduler.execute(
        "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port {})",
        sql.Literal(str(far.port)),
    )
    scheduler.execute("CREATE USER MAPPING FOR current_user SERVER far OPTIONS (user 'clerk', password 'beans')")
    scheduler.insert(
        "INSERT INTO public.witness VALUES (clock_timestamp())", "postgres", schedule="1 second", server="far"
    )


def test_worker_and_spare_leave(own_cluster: Callable[..., Cluster], far: Cluster) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    count_elsewhere(scheduler, far)
    scheduler.start()
    spare = until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
    worker = scheduler.value("SELECT worker_pid()")
    with far.connect() as admin:

        def counted() -> int:
            row = admin.execute("SELECT count(*) FROM witness").fetchone()
            return int(row[0]) if row else 0

        until(lambda: counted() > 1, "the job to run on the other server")
        kill_postmaster(cluster)
        until(lambda: not is_process(worker) and not is_process(spare), "worker and spare to leave", 10)
        before = counted()
        # Nothing is left of the old server: a new one starts, and goes on with all of it.
        cluster.start()
        with cluster.connect(scheduler.dbname) as again:
            again.execute(sql.SQL("SELECT {}.start_worker(unattended := true)").format(sql.Identifier(SCHEMA)))
            until(lambda: counted() > before, "the job to go on")
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
