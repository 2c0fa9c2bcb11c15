"""No command is sent before the synchronous standbys know of its run, however the wait for them ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.remedies import alternatives
from harness.scheduler import Scheduler, new_scheduler, with_template
from harness.waiting import until
from harness.witness import Witness

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'elephant_worker'"
# A run whose end is to be logged is in the log already.
CLAIMS = """SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND relation = 'job_log'::regclass
                         AND mode = 'RowExclusiveLock')
                AND NOT EXISTS (SELECT FROM job_log WHERE state = 'running')"""


class Waiting:
    """A worker that waits for a standby that does not exist to confirm the claim of a run on the other server."""

    def __init__(self, cluster: Cluster, witness: Witness) -> None:
        self.cluster = cluster
        self.scheduler = scheduler = new_scheduler(cluster)
        # Of another database, which has no worker yet.
        self.other = new_scheduler(cluster)
        self._witness = witness
        witness.forget()
        self.job = witness.define_job(scheduler)
        scheduler.execute("UPDATE worker_setting SET pause_after_stall = '0'")
        scheduler.start()
        until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
        until(lambda: len(self.witnessed()) > 1, "the job to run on the other server")
        self.pid = until(self._claim, "the worker to wait for the standby with a claim")

    def _claim(self) -> int | None:
        self.require("nobody")
        pid: int = until(lambda: self.scheduler.value(WAITING), "the worker to wait for the standby")
        if self.scheduler.value(CLAIMS, pid):
            return pid
        self.require("")
        until(lambda: self.scheduler.value(WAITING) is None, "the worker to go on")
        return None

    def require(self, standbys: str) -> None:
        self.scheduler.execute("ALTER SYSTEM SET synchronous_standby_names = {}", sql.Literal(standbys))
        self.scheduler.execute("SELECT pg_reload_conf()")

    def witnessed(self) -> set[int]:
        return set(self._witness.runs())

    def states(self) -> dict[int, str]:
        return {row.jl_id: row.state for row in self.scheduler.log(self.job)}

    def audit(self) -> None:
        """The other server has seen the runs that succeeded, and no other."""
        scheduler = self.scheduler
        seen = self.witnessed()
        until(lambda: len(self.witnessed()) > len(seen), "the job to go on")
        scheduler.stop()
        assert self.witnessed() == {run for run, state in self.states().items() if state == "succeeded"}

    def close(self) -> None:
        self.require("")
        self.scheduler.close()
        self.other.close()


@pytest.fixture(scope="module")
def home(installation: Installation) -> Iterator[Cluster]:
    home = with_template(Cluster(installation))
    yield home
    home.stop()


@pytest.fixture
def waiting(home: Cluster, witness: Witness) -> Iterator[Waiting]:
    waiting = Waiting(home, witness)
    yield waiting
    waiting.close()


def test_the_worker_is_terminated(waiting: Waiting) -> None:
    scheduler = waiting.scheduler
    assert scheduler.value("SELECT pg_terminate_backend(%s, 10000)", waiting.pid)
    # The spare wants to be the worker, and waits too.
    until(lambda: scheduler.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1)
    waiting.require("")
    waiting.audit()
    assert "lost" in waiting.states().values()


def test_the_worker_is_cancelled(waiting: Waiting) -> None:
    scheduler = waiting.scheduler
    assert scheduler.value("SELECT pg_cancel_backend(%s)", waiting.pid)
    # Another one does not shorten the wait either.
    assert scheduler.value("SELECT pg_cancel_backend(%s)", waiting.pid)
    waiting.require("")
    until(lambda: not scheduler.value("SELECT worker_pid() = %s", waiting.pid), "the worker to leave")
    (run,) = [row for row in scheduler.log(waiting.job) if row.state == "cancelled"]
    assert (run.exception_message, run.exception_detail) == ("the worker was cancelled", "It had not started.")
    scheduler.start()
    waiting.audit()


def test_the_server_is_stopped(waiting: Waiting) -> None:
    scheduler = waiting.scheduler
    scheduler.execute("ALTER SYSTEM SET synchronous_standby_names = ''")  # which is not read before the start
    scheduler.admin.close()
    waiting.other.admin.close()
    waiting.cluster.shut_down("fast")
    waiting.cluster.start()
    scheduler.admin = scheduler.connect()
    waiting.other.admin = waiting.other.connect()
    assert scheduler.value("SELECT start_worker(unattended := true)")
    waiting.audit()
    assert "lost" in waiting.states().values()


@pytest.mark.slow
def test_which_wait_it_is_and_how_it_ends(waiting: Waiting) -> None:
    scheduler = waiting.scheduler
    expected = f"the worker (process {waiting.pid}) waits since "
    reason = until(lambda: scheduler.value("SELECT reason FROM worker_status"), "the reason")
    assert reason.startswith(expected)
    assert "for a synchronous standby to confirm a commit (synchronous_standby_names = 'nobody')" in reason
    finding = scheduler.execute("SELECT * FROM check_setup() WHERE check_name = 'worker'").fetchone()
    assert finding is not None
    assert (finding.state, finding.found) == ("error", reason)
    worker_that_cannot_begin(waiting.other)
    # A wait that is long enough to be missed time.
    until(lambda: scheduler.value("SELECT clock_timestamp() > last_tick + interval '11 seconds' FROM worker_status"))
    first, last = scheduler.execute("SELECT last_tick, clock_timestamp() FROM worker_status").fetchone() or ()
    for statement in alternatives(finding.remedy)["to do without"].split(";")[:-1]:
        scheduler.execute(statement)
    query = "SELECT state FROM check_setup() WHERE check_name = 'worker'"
    until(lambda: scheduler.value(query) == "ok", "all to be well")
    until(lambda: waiting.other.value("SELECT running FROM worker_status"), "the other worker to begin")
    waiting.audit()
    # What was due meanwhile was missed, and nothing was skipped for a run that had not been sent.
    log = scheduler.log(waiting.job)
    assert {row.state for row in log} - {"skipped"} == {"succeeded", "missed"}
    second = timedelta(seconds=1)
    assert not [r for r in log if r.state == "skipped" and first + second < r.scheduled_at < last - second]


def worker_that_cannot_begin(scheduler: Scheduler) -> None:
    """It waits for the standby too, and others that would be the worker wait for it."""
    with closing(scheduler.connect()) as session:
        session.pgconn.send_query(b"SELECT start_worker()")
        session.pgconn.flush()
        query = "SELECT reason FROM worker_status WHERE reason LIKE '%standby%'"
        reason = until(lambda: scheduler.value(query), "the reason")
        assert re.fullmatch(
            "no worker runs yet: process [0-9]+ becomes the worker, and waits since .* for a synchronous standby to "
            "confirm a commit \\(synchronous_standby_names = 'nobody'\\)",
            reason,
        )
        assert scheduler.value("SELECT problem FROM problem") == "worker stuck"
        with pytest.raises(psycopg.errors.SystemError) as raised:
            scheduler.start()
    assert raised.value.diag.message_primary == reason
