"""What the worker costs while nothing is due, by the number of jobs: CPU as a share of one core, memory;
its start; and what it costs to define and change jobs. For pg_cron the CPU and memory of its scheduler."""

from __future__ import annotations

import time
from contextlib import closing

from bench.candidates.elephant_worker import ElephantWorker
from bench.candidates.pg_cron import PgCron
from bench.context import Context
from bench.many import fill
from bench.process import cpu_seconds, memory

BULK = 100_000


def measure(context: Context) -> None:
    counts = [0, 100_000] if context.quick else [0, 1_000, 100_000, 1_000_000]
    with context.elephant_worker() as ours:
        for count in counts:
            fill(ours, count)
            _start(context, ours, count)
            _idle(context, ours, count)
        _definitions(context, ours, counts[-1])
    with context.elephant_worker() as ours:
        _bulk(context, ours, 10_000 if context.quick else BULK)
    if PgCron in context.peers and not context.quick:
        with closing(PgCron(context.installation)) as peer:
            for count in (0, 1_000, 10_000, 100_000):
                peer.fill(count)
                _idle(context, peer, count)


def _case(count: int) -> str:
    return f"{count} jobs"


def _start(context: Context, ours: ElephantWorker, count: int) -> None:
    """Until a worker is there that looks at what is due, and until it has once done so."""
    for _ in range(context.repetitions):
        ours.stop_worker()
        began = time.perf_counter()
        ours.server.admin.execute("SELECT start_worker()")
        context.record("start", ours.name, _case(count), "ms", [(time.perf_counter() - began) * 1000])


def _idle(context: Context, candidate: ElephantWorker | PgCron, count: int) -> None:
    seconds = 6.0 if context.quick else 10.0
    time.sleep(2)
    pid = candidate.pid
    for _ in range(1 if context.quick else 3):
        cpu, began = cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_seconds(pid) - cpu) / (time.monotonic() - began) * 100
        context.record("idle CPU", candidate.name, _case(count), "% of a core", [share])
    for kind, megabytes in memory(pid).items():
        context.record("RSS" if kind == "rss" else "RSS, own", candidate.name, _case(count), "MB", [megabytes])


def _definitions(context: Context, ours: ElephantWorker, count: int) -> None:
    """insert_job() and update_job(), call by call in a session of an ordinary role, and what insert_job() takes
    where that role has many jobs already, which are counted for max_jobs_per_role."""
    for statement in (
        "CREATE ROLE bench_app LOGIN PASSWORD 'bench_app'",
        "GRANT job_scheduler TO bench_app",
        "GRANT USAGE ON SCHEMA scheduler TO bench_app",
        "ALTER ROLE bench_app SET search_path = scheduler",
    ):
        ours.server.admin.execute(statement)
    with ours.server.cluster.connect_as("bench_app") as session:

        def record(name: str, case: str, calls: list[str]) -> None:
            times = []
            for call in calls:
                began = time.perf_counter()
                session.execute(call)
                times.append((time.perf_counter() - began) * 1000)
            context.record(name, ours.name, case, "ms", times[20:])

        insert = "SELECT insert_job('SELECT 1', 'postgres', '0 0 1 1 *')"
        record("insert_job", _case(count), [insert] * 220)
        numbers = [row.job_id for row in session.execute("SELECT job_id FROM my_job")]
        record("update_job", _case(count), [f"SELECT update_job({n}, schedule := '30 4 * 12 *')" for n in numbers])
        if not context.quick:
            many = 9_000
            ours.server.admin.execute(
                """INSERT INTO member_job (job_command, datname, rolname, schedule)
                   SELECT 'SELECT 1', 'postgres', 'bench_app', '0 0 1 1 *' FROM generate_series(1, %s)""",
                (many - len(numbers),),
            )
            ours.server.until(lambda: not ours.server.value("SELECT count(*) FROM worker_request"))
            ours.server.admin.execute("VACUUM job")
            record("insert_job", f"{_case(count)}, {many} of the role", [insert] * 220)


def _bulk(context: Context, ours: ElephantWorker, count: int) -> None:
    began = time.perf_counter()
    ours.define(count, "0 0 1 1 *", "SELECT 1")
    context.record("bulk insert", ours.name, _case(count), "s", [time.perf_counter() - began])
    ours.server.until(lambda: not ours.server.value("SELECT count(*) FROM worker_request"))
    context.record("until the worker knows them", ours.name, _case(count), "s", [time.perf_counter() - began])
    context.record("RSS, own", ours.name, f"after {count} jobs by one statement", "MB", [memory(ours.pid)["own"]])
