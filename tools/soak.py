"""Many jobs, faults at random, and afterwards an audit: is every due time accounted for, once?

`make soak MINUTES=10` runs it for as long as one likes, make test for some seconds.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from harness.audit import ENDED, ROWS, account
from harness.cluster import Cluster, Installation
from harness.scheduler import new_scheduler, with_template
from harness.server_clock import ServerClock, without_hung_processes
from harness.waiting import until

JOBS = 200
# How often a fault is injected, in seconds.
FAULTS_EVERY = 1.5
RECORD = "INSERT INTO public.witness VALUES ({0}, current_setting('elephant_worker.scheduled_at')::timestamptz)"
# What jobs do beside recording that they ran.
COMMANDS = ["{}", "{}; SELECT pg_sleep(0.3)", "{}; SELECT 1/0", "SELECT pg_sleep(0.1); {}", "{}; SELECT pg_sleep(30)"]
SCHEDULES = ["1 second", "3 seconds", "*/2 * * * * *", "1-59/7 * * * * *", "@every 5 seconds", "10 seconds"]
# Jobs in a database that is copied and renamed meanwhile: they are in nobody's way.
GUESTS = 10
# A file system that is smaller than this may be filled.
SMALL = 2**30  # bytes


class Soak:
    """A cluster under stress."""

    def __init__(self, cluster: Cluster, seed: int, clock: ServerClock | None) -> None:
        self.cluster = cluster
        # The clock of the server, where it can be set, and how far it is ahead.
        self.clock = clock
        self.ahead = 0.0  # seconds
        self.random = random.Random(seed)
        self.scheduler = new_scheduler(cluster)
        self.faults: Counter[str] = Counter()
        self.guest = ""
        self.guests: list[int] = []
        # How long statements took that the worker must not hold up, in seconds.
        self.waits: list[float] = []

    # --- jobs ---------------------------------------------------------------------------------

    def define(self) -> None:
        scheduler, chance = self.scheduler, self.random
        scheduler.execute("CREATE TABLE witness (job_id bigint, due timestamptz)")
        scheduler.execute("GRANT INSERT ON witness TO PUBLIC")
        roles = [scheduler.role() for _ in range(4)]
        for number in range(1, JOBS + 1):
            scheduler.insert(
                chance.choices(COMMANDS, weights=[20, 4, 2, 4, 1])[0].format(RECORD.format(number)),
                schedule=chance.choice(SCHEDULES),
                rolname=chance.choice(roles),
                job_timeout=chance.choice(["1 second", "1 hour"]),
                parallel=chance.random() < 0.3,
                catch_up=chance.choice(["skip", "once", "all"]),
                catch_up_limit=chance.choice([1, 5, 100]),
                timezone="UTC",
            )
        self.guest = scheduler.database("guest")
        for _ in range(GUESTS):
            self.guests.append(
                scheduler.insert("SELECT 1", self.guest, schedule="1 second", rolname=chance.choice(roles))
            )
        scheduler.execute(
            "UPDATE worker_setting SET start_grace = '1 second', cancel_grace = '500 ms',"
            " pause_after_stall = '1 second', log_max_rows = NULL"  # of which the audit wants all
        )

    # --- faults -------------------------------------------------------------------------------

    def inject(self) -> None:
        """One fault, chosen at random."""
        kinds: list[tuple[int, Callable[[], None]]] = [
            (4, self.terminate_runs),
            (2, self.terminate_worker),
            (1, self.kill_worker),
            (1, self.restart_server),
            (3, self.cancel_jobs),
            (3, self.lock_log),
            (2, self.hold_transaction),
            (2, self.change_settings),
            (2, self.stop_and_start),
            (2, self.halt_worker),
            (1, self.copy_database),
            (1, self.rename_database),
            (1, self.drop_database),
            (1, self.restore),
        ]
        if self.clock is not None:
            kinds.append((2, self.set_clock))
        if is_small(self.cluster.base_dir):
            kinds.append((2, self.fill_disk))
        (fault,) = self.random.choices([fault for _, fault in kinds], weights=[weight for weight, _ in kinds])
        self.faults[fault.__name__] += 1
        fault()

    def terminate_runs(self) -> None:
        self.scheduler.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE usename LIKE 'elephant_worker_%%' AND random() < 0.3 AND %s",
            True,
        )

    def terminate_worker(self) -> None:
        self.scheduler.value("SELECT pg_terminate_backend(worker_pid(), 10000)")

    def kill_worker(self) -> None:
        pid = self.scheduler.value("SELECT worker_pid()")
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            until(self._is_cut_off, "the server to notice")
            self._reconnect()

    def restart_server(self) -> None:
        self.scheduler.admin.close()
        self.cluster.shut_down(self.random.choice(["fast", "immediate"]))
        self.cluster.start()
        self._reconnect()

    def cancel_jobs(self) -> None:
        self.scheduler.execute("SELECT cancel_job(job_id) FROM member_job WHERE random() < 0.2")

    def lock_log(self) -> None:
        with self.scheduler.admin.transaction():
            self.scheduler.execute("LOCK TABLE job_log IN ACCESS EXCLUSIVE MODE")
            time.sleep(0.5)

    def hold_transaction(self) -> None:
        with self.scheduler.admin.transaction():
            self.scheduler.execute("UPDATE member_job SET job_description = 'held'")
            time.sleep(0.5)

    def change_settings(self) -> None:
        self.scheduler.value(
            "UPDATE worker_setting SET max_running_jobs = %s, max_idle_sessions = %s RETURNING true",
            self.random.randint(2, 40),
            self.random.randint(0, 40),
        )

    def stop_and_start(self) -> None:
        statement = self.random.choice(
            [
                "SELECT stop_worker(); SELECT start_worker()",
                "SELECT restart_worker()",
                "SELECT stop_worker(), start_worker()",
            ]
        )
        self.scheduler.execute(statement)

    def halt_worker(self) -> None:
        """Now and then for so long that what was due meanwhile is missed time."""
        pid = self.scheduler.value("SELECT worker_pid()")
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.random.choice([0.2, 1.0, 3.0, 11.0]))
            os.kill(pid, signal.SIGCONT)

    def copy_database(self) -> None:
        """While jobs of every second run in it."""
        self._time('CREATE DATABASE "a copy" TEMPLATE "{}"')
        self.scheduler.execute('DROP DATABASE "a copy"')

    def rename_database(self) -> None:
        self._time('ALTER DATABASE "{}" RENAME TO "another name"')
        self.scheduler.execute(f'ALTER DATABASE "another name" RENAME TO "{self.guest}"')

    def drop_database(self) -> None:
        """Its jobs wait for another one of its name, and for somebody to say that it is theirs."""
        self._time('DROP DATABASE "{}"')
        self.scheduler.execute(f'CREATE DATABASE "{self.guest}"')
        self.scheduler.execute("UPDATE member_job SET defined_by = rolname WHERE datname = {}", sql.Literal(self.guest))

    def _time(self, statement: str) -> None:
        begun = time.monotonic()
        self.scheduler.execute(statement.format(self.guest))
        self.waits.append(time.monotonic() - begun)

    def restore(self) -> None:
        """A backup is restored over the database: what has happened since it was taken has not happened.

        Now and then over that of a worker that runs and starts nothing: what it ran meanwhile would run again.
        """
        scheduler = self.scheduler
        over_a_worker = self.random.random() < 0.5
        if over_a_worker:
            scheduler.execute("SELECT pause_jobs()")
            until(self._is_idle, "all runs to end")
        dump = os.path.join(self.cluster.base_dir, "dump")
        self.cluster.command("pg_dump", "--format=custom", f"--file={dump}", scheduler.dbname)
        if not over_a_worker:
            scheduler.stop()
        scheduler.admin.close()
        self.cluster.command("pg_restore", "--clean", "--if-exists", "-d", scheduler.dbname, dump)
        os.unlink(dump)
        self._reconnect()
        scheduler.start()
        scheduler.execute("SELECT resume_jobs()")

    def _is_idle(self) -> bool:
        """Whether nothing runs, cancelling what does."""
        self.scheduler.execute("SELECT cancel_job(job_id) FROM member_job")
        return not self.scheduler.value("SELECT running_jobs FROM worker_status")

    def set_clock(self) -> None:
        """Forward or back, as when it is corrected, and now and then forward by so much that it is missed time."""
        assert self.clock is not None
        self.ahead += self.random.choice([-4.0, -1.5, -0.3, 0.3, 1.5, 4.0, 30.0])
        self.clock.set_ahead(self.ahead)

    def fill_disk(self) -> None:
        filler = os.path.join(self.cluster.base_dir, "filler")
        try:
            with open(filler, "wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(2**20)):
                    pass
            time.sleep(self.random.choice([0.5, 2.0]))
        finally:
            os.unlink(filler)
        # PostgreSQL gives up where it cannot write WAL, and may not even recover before there is room.
        child = self.cluster.child_process
        if child is not None and child.poll() is not None:
            self.cluster.child_process = None
            self.cluster.start()
        self._reconnect()

    def _is_cut_off(self) -> bool:
        try:
            self.scheduler.value("SELECT 1")
        except psycopg.OperationalError:
            return True
        return False

    def _reconnect(self) -> None:
        def connected() -> bool:
            try:
                self.scheduler.admin = self.scheduler.connect()
                return True
            except psycopg.OperationalError:
                return False

        self.scheduler.admin.close()
        until(connected, "the server to recover")

    @contextmanager
    def crashes_are_borne(self) -> Iterator[None]:
        """Recover from a crash that was not injected, where the clock is set. libfaketime opens a file whenever a
        process asks for the time, also in signal handlers, where one of the server dies or hangs of that now and then.
        """
        try:
            yield
        except psycopg.OperationalError:
            if self.clock is None:
                raise
            self._recover()

    def _recover(self) -> None:
        self.faults["crash"] += 1
        self._reconnect()
        self.scheduler.execute('DROP DATABASE IF EXISTS "a copy"')
        databases = "SELECT count(*) FROM pg_database WHERE datname IN (%s, 'another name')"
        if not self.scheduler.value(databases, self.guest):
            self.scheduler.execute(f'CREATE DATABASE "{self.guest}"')
        if self.scheduler.value("SELECT count(*) FROM pg_database WHERE datname = %s", "another name"):
            self.scheduler.execute(f'ALTER DATABASE "another name" RENAME TO "{self.guest}"')

    def look_after(self) -> None:
        """What a launcher does."""
        self.scheduler.value("SELECT start_worker(unattended := true)")

    # --- audit --------------------------------------------------------------------------------

    def audit(self) -> None:
        """Compare what was due, what the log says and what the jobs wrote."""
        scheduler = self.scheduler
        rows = scheduler.admin.execute(ROWS).fetchall()
        assert {row.state for row in rows} <= ENDED, "a run is said to be active still"
        rows = [row for row in rows if row.job_id not in self.guests]
        witness = Counter(
            (row.job_id, row.due)
            for row in scheduler.admin.execute("SELECT job_id, extract(epoch FROM due)::float8 AS due FROM witness")
        )
        assert not [entry for entry, times in witness.items() if times > 1], "a due time was run twice"
        state = {(row.job_id, row.due): row.state for row in rows}
        assert {state.get(entry) for entry in witness} <= ENDED - {"skipped", "missed"}, "a run is not in the log"
        for row in scheduler.admin.execute("SELECT * FROM job WHERE datname <> %s ORDER BY job_id", (self.guest,)):
            account(row, [entry for entry in rows if entry.job_id == row.job_id])
        commands = {row.job_id: row.job_command for row in scheduler.admin.execute("SELECT * FROM job")}
        # A command that records first and then does something in the same transaction, or nothing.
        forgotten = [key for key, how in state.items() if how == "succeeded" and key not in witness]
        assert not forgotten, f"a run is said to have succeeded and has not: {forgotten[:3]}, {len(commands)} jobs"
        assert witness, "nothing has run"

    def leaks(self) -> None:
        """Once the worker has been stopped, nothing of it is left."""
        left = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'elephant\\_worker\\_%'"
        until(lambda: self.scheduler.admin.execute(left).fetchone() == (0,), "the sessions of runs to end")
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert self.scheduler.value(locks) == 0


def is_small(directory: str) -> bool:
    """Whether a directory is on a file system that may be filled."""
    system = os.statvfs(directory)
    return system.f_frsize * system.f_blocks < SMALL


def memory(pid: int) -> float:
    """The memory of a process that is its own, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def rest(stress: Soak, seconds: float) -> None:
    """A quiet time, in which what was late is made up for and the worker grows no more; then the audit."""
    scheduler = stress.scheduler
    until(lambda: scheduler.value("SELECT start_worker()"), "the worker")
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 40, max_idle_sessions = 40")
    pid = until(lambda: scheduler.value("SELECT worker_pid()"), "the worker or its spare session")
    used = []
    for _ in range(3):
        until(lambda: scheduler.value("SELECT due_jobs FROM worker_status") < JOBS / 4, "the queue to be served", 120)
        used.append(memory(pid))
        print(f"memory of the worker: {used[-1]:.1f} MB")
        time.sleep(min(seconds / 4, 60))
    # One that has just begun grows before it has done everything once: the first figure does not count.
    assert used[2] - used[1] < 5.0, f"the worker has grown: {used} MB"
    scheduler.stop()
    stress.leaks()
    stress.audit()


def soak(cluster: Cluster, seconds: float, seed: int, clock: ServerClock | None = None) -> Counter[str]:
    """Inject faults for so long; raises AssertionError where the audit finds something. Returns the faults."""
    print(f"seed {seed}")
    stress = Soak(cluster, seed, clock)
    scheduler = stress.scheduler
    scheduler.start()
    stress.define()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(FAULTS_EVERY * stress.random.random())
        with stress.crashes_are_borne():
            stress.inject()
            stress.look_after()
    audited = False
    while not audited:
        with stress.crashes_are_borne():
            rest(stress, seconds)
            audited = True
    if stress.waits:
        print(f"the longest of {len(stress.waits)} changes of a busy database took {max(stress.waits):.1f} s")
    print(f"{scheduler.value('SELECT count(*) FROM job_log')} rows in the log, faults: {dict(stress.faults)}")
    scheduler.close()
    return stress.faults


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] != "random" else random.randrange(2**32)
    with tempfile.TemporaryDirectory() as directory:
        # A small file system to be filled, where one is given.
        place: dict[str, Any] = {"base_dir": sys.argv[3]} if len(sys.argv) > 3 else {}
        settings = {"restart_after_crash": "on", "max_wal_size": "64MB"}
        clock = None
        if ServerClock.is_available():
            clock = ServerClock(Path(directory))
            clock.set_ahead(0.0)
            place["environment"] = clock.environment
        cluster = with_template(Cluster(Installation(Path(directory)), settings, **place))
        try:
            with nullcontext() if clock is None else without_hung_processes(cluster):
                soak(cluster, minutes * 60, seed, clock)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
