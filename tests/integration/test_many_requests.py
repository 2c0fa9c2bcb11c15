"""One message about a job for which many requests wait: nobody waits while the worker follows it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from elephant_worker.worker.given_away import REQUESTS_AT_ONCE
from harness.scheduler import SCHEMA, Scheduler, until

COUNT_WRITTEN = f"""CREATE TABLE public.written (transaction_id xid8, rows bigint);
CREATE FUNCTION public.count_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.written SELECT pg_current_xact_id(), count(*) FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER count_written AFTER UPDATE ON "{SCHEMA}".worker_request REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION public.count_written()"""
WRITTEN = (
    "SELECT coalesce(max(w.rows), 0) FROM (SELECT sum(rows) AS rows FROM public.written GROUP BY transaction_id) w"
)


def ask(scheduler: Scheduler, job_id: int, many: int) -> None:
    scheduler.admin.execute(
        "INSERT INTO worker_request (kind, job_id) SELECT 'run', %s FROM generate_series(1, %s)", (job_id, many)
    )


def followed(scheduler: Scheduler) -> None:
    until(lambda: not scheduler.value("SELECT count(*) FROM worker_request WHERE kind <> 'run'"), "the messages")


def states(scheduler: Scheduler, job_id: int) -> dict[str, int]:
    until(lambda: not scheduler.value("SELECT count(*) FROM worker_request WHERE kind = 'run'"), "the requests")
    until(lambda: not scheduler.value("SELECT count(*) FROM job_log WHERE state = 'running'"), "the runs")
    rows = scheduler.execute(
        "SELECT state, count(*) AS count FROM job_log WHERE job_id = {} GROUP BY state", sql.Literal(job_id)
    )
    return {row.state: row.count for row in rows}


LEAVE = """
spi = elephant("database.spi").Spi(plpy, schema)
elephant("database.withdrawal").add(spi, {job: 2**62})
elephant("database.worker_request").withdraw(spi, [run])
return []
"""


def leave(scheduler: Scheduler, job_id: int, run: int) -> None:
    """Follow the cancellations of what is waiting for a job, and of a run, as a worker that is ended right after it."""
    scheduler.worker_code("leave", "job bigint, run bigint", LEAVE)
    scheduler.value("SELECT leave(%s, %s, %s)", f'"{SCHEMA}"', job_id, run)
    scheduler.execute("DROP FUNCTION leave")


def cancelled(scheduler: Scheduler, job_id: int) -> None:
    scheduler.value("SELECT cancel_job(%s)", job_id)


def disabled(scheduler: Scheduler, job_id: int) -> None:
    for enabled in (False, True):
        scheduler.value("SELECT update_job(%s, enabled := %s)", job_id, enabled)


@pytest.mark.parametrize(("send", "state"), [(cancelled, "cancelled"), (disabled, "succeeded")])
def test_a_message_writes_no_row_for_each_request(
    worker: Scheduler, send: Callable[[Scheduler, int], None], state: str
) -> None:
    many = 50
    job_id = worker.insert("SELECT 1", parallel=True)
    worker.pause()
    ask(worker, job_id, many)
    worker.admin.execute(COUNT_WRITTEN)
    send(worker, job_id)
    followed(worker)
    assert worker.value(WRITTEN) == 0
    ask(worker, job_id, 1)
    worker.execute("SELECT resume_jobs()")
    expected = {state: many}
    expected["succeeded"] = expected.get("succeeded", 0) + 1
    assert states(worker, job_id) == expected


def test_what_is_cancelled_is_what_has_been_committed_before(worker: Scheduler) -> None:
    """In transactions that overlap, also when another worker takes over."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    jobs = [worker.insert("SELECT 1", parallel=True) for _ in range(2)]
    worker.pause()
    sessions = [worker.connect() for _ in range(4)]
    for session in sessions:
        session.autocommit = False
    # By session: what its transaction has asked for, each with its number and job.
    asked: list[list[tuple[str, int, int]]] = [[] for _ in sessions]
    committed: dict[int, int] = {}
    withdrawn: set[int] = set()
    insert = "INSERT INTO worker_request (kind, job_id) VALUES (%s, %s) RETURNING request_id"
    for _ in range(120):
        turn = chance.randrange(len(sessions))
        session = sessions[turn]
        action = chance.choices(["run", "cancel", "commit", "roll back"], [8, 2, 4, 1])[0]
        if action in ("run", "cancel"):
            job_id = chance.choice(jobs)
            (number,) = session.execute(insert, (action, job_id)).fetchone()  # type: ignore[misc]
            asked[turn].append((action, number, job_id))
            continue
        if action == "commit":
            session.commit()
            committed |= {number: job_id for kind, number, job_id in asked[turn] if kind == "run"}
            for kind, cancel, job_id in asked[turn]:
                if kind == "cancel":
                    withdrawn |= {number for number, job in committed.items() if job == job_id and number < cancel}
            followed(worker)
        else:
            session.rollback()
        asked[turn] = []
        if chance.random() < 0.05:
            worker.stop()
            worker.start()
    for session in sessions:
        session.close()
    worker.execute("SELECT resume_jobs()")
    for job_id in jobs:
        states(worker, job_id)
    found = {row.jl_id for row in worker.execute("SELECT jl_id FROM job_log WHERE state = 'cancelled'")}
    assert found == withdrawn
    assert worker.value("SELECT count(*) FROM job_log WHERE state = 'succeeded'") == len(committed) - len(withdrawn)


def test_what_is_given_another_number_stays_cancelled(worker: Scheduler) -> None:
    """As where a restore has brought a run of the same number."""
    job_id = worker.insert("SELECT 1")
    worker.pause()
    jl_id = worker.value("SELECT run_job(%s)", job_id)
    worker.stop()
    leave(worker, job_id, jl_id)
    worker.execute(
        """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command, job_finished)
           VALUES ({}, {}, 'x', 'x', 'request', now(), 'failed', '', now())""",
        sql.Literal(jl_id),
        sql.Literal(job_id),
    )
    worker.start()
    worker.execute("SELECT resume_jobs()")
    assert states(worker, job_id) == {"failed": 1, "cancelled": 1}


def test_numbers_that_are_given_again_are_not_cancelled(worker: Scheduler) -> None:
    """As after a restore of data that has set the sequence back."""
    job_id = worker.insert("SELECT 1")
    worker.pause()
    before = worker.value("SELECT run_job(%s)", job_id)
    worker.value("SELECT cancel_job(%s)", job_id)
    worker.execute("SELECT resume_jobs()")
    assert worker.ended(before).state == "cancelled"
    worker.execute("DELETE FROM job_log")
    worker.execute("SELECT setval('worker_inbox_request_id_seq', {}, false)", sql.Literal(before))
    jl_id = worker.value("SELECT run_job(%s)", job_id)
    assert jl_id == before
    assert worker.ended(jl_id).state == "succeeded"
    worker.value("SELECT cancel_job(%s)", job_id)  # has the number of the other cancellation
    followed(worker)
    assert worker.ended(worker.value("SELECT run_job(%s)", job_id)).state == "succeeded"


def test_little_is_kept_of_what_was_cancelled(worker: Scheduler) -> None:
    kept, gone = worker.insert("SELECT 1"), worker.insert("SELECT 1")
    for job_id in (kept, gone, kept, gone):
        worker.value("SELECT cancel_job(%s)", job_id)
        followed(worker)
    assert worker.value("SELECT count(*) FROM withdrawal") == 2
    with worker.admin.transaction():
        worker.value("SELECT cancel_job(%s)", gone)
        worker.value("SELECT delete_job(%s)", gone)
    followed(worker)
    assert worker.value("SELECT array_agg(job_id) FROM withdrawal") == [kept]
    worker.stop()
    worker.start()
    assert worker.value("SELECT count(*) FROM withdrawal") == 0


def roles(scheduler: Scheduler) -> list[str]:
    return [row.rolname for row in scheduler.execute("SELECT DISTINCT rolname FROM worker_request WHERE kind = 'run'")]


def give(scheduler: Scheduler, job_id: int, role: str) -> None:
    scheduler.execute("UPDATE member_job SET rolname = {} WHERE job_id = {}", sql.Literal(role), sql.Literal(job_id))


def test_many_requests_follow_a_job_bit_by_bit(worker: Scheduler) -> None:
    one, other = worker.role("one"), worker.role("other")
    many = 2 * REQUESTS_AT_ONCE + 1
    job_id = worker.insert("SELECT 1", rolname=one)
    worker.pause()
    ask(worker, job_id, many)
    worker.admin.execute(COUNT_WRITTEN)
    for role in (other, one, other):
        give(worker, job_id, role)
    until(lambda: roles(worker) == [other], "all to follow")
    assert 0 < worker.value(WRITTEN) <= REQUESTS_AT_ONCE
    assert worker.value("SELECT count(*) FROM worker_request WHERE kind = 'run'") == many
    # What was not followed when a worker was gone is followed by the next one.
    worker.kill()
    worker.execute("UPDATE worker_request SET rolname = {} WHERE request_id % 2 = 0", sql.Literal(one))
    worker.start()
    until(lambda: roles(worker) == [other], "the rest to follow")


def test_after_a_failure_nothing_is_left_behind(worker: Scheduler) -> None:
    """The transaction that comes to the end of them is undone."""
    one, other = worker.role("one"), worker.role("other")
    job_id = worker.insert("SELECT 1", rolname=one)
    worker.pause()
    ask(worker, job_id, 3)
    worker.admin.execute(
        f"""CREATE SEQUENCE public.attempts;
            CREATE FUNCTION public.fail_at_first() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('public.attempts') < 3 THEN
                    RAISE EXCEPTION 'not yet';
                END IF;
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER fail_at_first AFTER UPDATE ON "{SCHEMA}".worker_request
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fail_at_first()"""
    )
    give(worker, job_id, other)
    until(lambda: roles(worker) == [other], "all to follow")
    assert worker.value("SELECT last_value FROM public.attempts") >= 3


@pytest.fixture(params=["paused", "no slot is free"])
def held(request: pytest.FixtureRequest, worker: Scheduler) -> Iterator[Scheduler]:
    """A worker that can start nothing now."""
    with worker.gate() as gate:
        if request.param == "paused":
            worker.pause()
        else:
            worker.configure("max_running_jobs = 1")
            worker.insert(gate, job_name="long")
            worker.value("SELECT run_job('long')")
            until(lambda: worker.value("SELECT count(*) FROM job_log WHERE state = 'running'"), "the long run")
        yield worker


def waiting(scheduler: Scheduler) -> list[int]:
    return [row.jl_id for row in scheduler.execute("SELECT jl_id FROM waiting_run ORDER BY jl_id")]


def test_what_is_cancelled_ends_though_nothing_can_start(held: Scheduler) -> None:
    """It would count and be shown as waiting, and whoever waits for it would wait for others."""
    role = held.role()
    app = held.connect_as(role)
    (job_id,) = app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()  # type: ignore[misc]
    held.configure("max_requests_per_role = 4")
    runs = [app.execute("SELECT run_job(%s)", (job_id,)).fetchone()[0] for _ in range(3)]  # type: ignore[index]
    (once,) = app.execute("SELECT run_once('SELECT 1')").fetchone()  # type: ignore[misc]
    with pytest.raises(psycopg.errors.ProgramLimitExceeded) as raised:
        app.execute("SELECT run_job(%s)", (job_id,))
    assert "cancel_job() or cancel_run()" in str(raised.value.diag.message_hint)
    app.execute("SELECT cancel_run(n) FROM unnest(%s) n", ([runs[1], once],))
    until(lambda: waiting(held) == [runs[0], runs[2]], "the cancelled ones to end")
    app.execute("SELECT cancel_job(%s)", (job_id,))
    until(lambda: waiting(held) == [], "the others to end")
    assert app.execute("CALL wait_for_run(%s)", (runs[0],)).fetchone()[0] == "cancelled"  # type: ignore[index]
    found = held.execute(
        "SELECT jl_id, state FROM job_log WHERE cause IN ('request', 'once') AND rolname = {}", sql.Literal(role)
    )
    assert {tuple(row) for row in found} == {(jl_id, "cancelled") for jl_id in [*runs, once]}
    assert held.value("SELECT count(*) FROM once_job") == 0
    # There is room again, and what is asked for now is not cancelled.
    (later,) = app.execute("SELECT run_job(%s)", (job_id,)).fetchone()  # type: ignore[misc]
    held.seen()
    assert waiting(held) == [later]


def test_what_an_earlier_worker_has_left_cancelled(worker: Scheduler) -> None:
    jobs = [worker.insert("SELECT 1") for _ in range(3)]
    worker.pause()
    for job_id in jobs:
        ask(worker, job_id, 2)
    kept = waiting(worker)[-1]
    worker.stop()
    leave(worker, jobs[0], kept - 1)
    leave(worker, jobs[1], kept - 1)
    worker.start()
    until(lambda: waiting(worker) == [kept], "the cancelled ones to end")


def test_what_is_cancelled_twice(held: Scheduler) -> None:
    job_id = held.insert("SELECT 1", parallel=True)
    runs = [held.value("SELECT run_job(%s)", job_id) for _ in range(3)]
    held.value("SELECT cancel_job(%s) WHERE cancel_run(%s) AND cancel_run(%s)", job_id, runs[1], runs[1])
    until(lambda: waiting(held) == [], "them to end")
    assert [(row.jl_id, row.state) for row in held.log(job_id)] == [(run, "cancelled") for run in runs]


def test_many_that_are_cancelled(worker: Scheduler) -> None:
    """In portions, of several jobs in turn; what has been asked for later stays."""
    jobs = [worker.insert("SELECT 1", parallel=True) for _ in range(3)]
    worker.pause()
    for many in (700, 20, 1300):
        for job_id in jobs:
            ask(worker, job_id, many)
    for job_id in jobs:
        worker.value("SELECT cancel_job(%s)", job_id)
    for job_id in jobs:
        ask(worker, job_id, 2)
    until(lambda: len(waiting(worker)) == 6, "the cancelled ones to end")
    assert worker.value("SELECT count(*) FROM job_log WHERE state = 'cancelled'") == 3 * 2020
    worker.execute("SELECT resume_jobs()")
    until(lambda: worker.value("SELECT count(*) FROM job_log WHERE state = 'succeeded'") == 6, "the others to run")


def test_what_belongs_to_no_job(worker: Scheduler) -> None:
    """What happens to a job concerns neither a run_once() nor an on_failure_command that waits."""
    with worker.gate() as gate:
        job_id = worker.insert(f"{gate}; SELECT 1 / 0", on_failure_command="SELECT 2")
        worker.value("SELECT run_job(%s)", job_id)
        until(lambda: worker.log(job_id), "the run")
        worker.pause()
    once, cancelled_once = (worker.value("SELECT run_once('SELECT 3')") for _ in range(2))
    until(lambda: len(waiting(worker)) == 3, "the on_failure_command to wait")
    worker.value("SELECT cancel_job(%s)", job_id)
    worker.value("SELECT update_job(%s, enabled := false)", job_id)
    worker.value("SELECT delete_job(%s)", job_id)
    worker.value("SELECT cancel_run(%s)", cancelled_once)
    worker.seen()
    until(lambda: len(waiting(worker)) == 2, "the cancelled one to end")
    worker.execute("SELECT resume_jobs()")
    assert worker.ended(once).state == "succeeded"
    assert worker.ended(cancelled_once).state == "cancelled"
    until(
        lambda: worker.value("SELECT count(*) FROM job_log WHERE cause = 'failure' AND state = 'succeeded'") == 1,
        "the on_failure_command",
    )
