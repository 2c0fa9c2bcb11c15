"""What waits is read once, in the order of due times, however it comes: the worker's own code in a session."""

from __future__ import annotations

import pytest

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

# The functions of the extension begin with what loads its package.
READ = """
from collections import Counter
module = elephant("worker.due_jobs")
module.LOOKAHEAD = lookahead
due_jobs = module.DueJobs(elephant("database.spi").Spi(plpy, schema))
Capacity = elephant("jobs.run_queue").Capacity
taken = []
for now in moments:
    if taken:
        due_jobs.extend(now)
    else:
        due_jobs.fill(now, elephant("jobs.run_queue").Held())
    taken += [entry.job_id for entry in due_jobs.queue.take(Capacity(1, lambda: 1, Counter(), set(), Counter()), now)]
return [*taken, len(due_jobs.queue)]
"""


@pytest.fixture
def jobs(scheduler: Scheduler) -> list[int]:
    """Jobs that are due at 100, 200, 200, 200 and 300."""
    loader = scheduler.value("SELECT prosrc FROM pg_proc WHERE proname = 'run_worker_loop'").partition(
        "return elephant("
    )[0]
    scheduler.admin.execute(
        "CREATE FUNCTION read_due_jobs(schema text, lookahead int, moments float8[]) RETURNS bigint[] "
        f"LANGUAGE plpython3u AS $body${loader}{READ}$body$"
    )
    numbers = [scheduler.insert("SELECT 1") for _ in range(5)]
    scheduler.admin.execute(
        """INSERT INTO job_state (job_id, schedule_set_at, next_run_at)
           SELECT j.id, now(), to_timestamp(j.due) FROM unnest(%s::bigint[], %s::float8[]) j (id, due)""",
        (numbers, [100, 200, 200, 200, 300]),
    )
    return numbers


def read(scheduler: Scheduler, lookahead: int, moments: list[float]) -> list[int]:
    taken: list[int] = scheduler.value("SELECT read_due_jobs(%s, %s, %s)", f'"{SCHEMA}"', lookahead, moments)
    return taken


def test_what_has_become_due_since_is_added(scheduler: Scheduler, jobs: list[int]) -> None:
    assert read(scheduler, 100, [150.0, 250.0, 250.0]) == [*jobs[:3], 1]
    assert read(scheduler, 100, [150.0, 250.0, 250.0, 300.0, 300.0, 300.0]) == [*jobs, 0]


def test_it_is_read_now_and_then(scheduler: Scheduler, jobs: list[int]) -> None:
    assert read(scheduler, 100, [199.95, 200.0]) == [jobs[0], 0]


def test_of_one_due_time_a_part_may_have_been_read(scheduler: Scheduler, jobs: list[int]) -> None:
    assert read(scheduler, 2, [400.0] * 5) == [*jobs, 0]


def test_statements_that_were_planned_when_there_were_no_jobs_do_not_read_all_of_them(scheduler: Scheduler) -> None:
    scheduler.execute("ANALYZE job, once_job, job_state, job_statistic, job_log, worker_request")
    scheduler.start()
    for _ in range(2):
        assert scheduler.run("SELECT 1").state == "succeeded"
    many, runs = 3000, 20
    scheduler.admin.execute(
        """INSERT INTO member_job (job_command, datname, schedule, timezone)
           SELECT 'SELECT 1', current_database(), '0 0 1 1 *', 'UTC' FROM generate_series(1, %s)""",
        (many,),
    )
    until(lambda: scheduler.value("SELECT count(*) FROM job_state") >= many)
    read = """SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables
              WHERE schemaname = %s AND relname IN ('job', 'job_state')"""
    before = scheduler.value(read, SCHEMA)
    for _ in range(runs):
        assert scheduler.run("SELECT 1").state == "succeeded"
    pid = scheduler.value("SELECT pid FROM worker_status")
    scheduler.stop()
    # It has reported what it has read when it has gone, at the latest; some of it is of the definitions.
    until(lambda: not scheduler.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid))
    assert scheduler.value(read, SCHEMA) - before < many * runs
