"""What waits is read once, in the order of due times, however it comes: the worker's own code in a session."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import SCHEMA, Scheduler

READ = """
from collections import Counter
module = elephant("worker.due_jobs")
module.LOOKAHEAD = lookahead
spi = elephant("database.spi").Spi(plpy, schema)
due_jobs = module.DueJobs(spi, elephant("worker.inbox").Inbox(spi))
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
    scheduler.worker_code("read_due_jobs", "lookahead int, moments float8[]", READ)
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


READ_MESSAGES = """
inbox = SD.setdefault("inbox", elephant("worker.inbox").Inbox(elephant("database.spi").Spi(plpy, schema)))
inbox.note()
inbox.look()
messages = inbox.take_messages(size)
return [*(number for kind in messages.values() for number in kind), int(inbox.has_news)]
"""
READ_BY_ROLE = """
spi = elephant("database.spi").Spi(plpy, schema)
state = elephant("database.job_state")
held = elephant("jobs.run_queue").Held(roles=frozenset(full))
others = {role: first for role, first in state.first_of_roles(spi).items() if role not in full}
first = state.next_due_by_role(spi, others, held) if full else None
due = state.due_by_role(spi, 300.0, 2, others, held)
return [*(entry.job_id for entry in due), first[1] if first else 0]
"""


@pytest.mark.parametrize("at_once", [False, True])
def test_definitions_are_followed_from_role_to_role(scheduler: Scheduler, at_once: bool) -> None:
    """Whether a role has defined its jobs one by one, or all in one transaction."""
    mallory, victim = scheduler.role("mallory"), scheduler.role("victim")
    with scheduler.admin.transaction() if at_once else nullcontext():
        many = [scheduler.insert("SELECT 1", rolname=mallory) for _ in range(20)]
    one = scheduler.insert("SELECT 1", rolname=victim)
    scheduler.worker_code("take_messages", "size int", READ_MESSAGES)
    scheduler.execute("UPDATE worker_state SET pid = pg_backend_pid()")
    *taken, more = scheduler.value("SELECT take_messages(%s, 5)", f'"{SCHEMA}"')
    first = 3 if at_once else 4
    assert (sorted(taken), more) == ([*many[:first], one], 1)
    *taken, more = scheduler.value("SELECT take_messages(%s, 100)", f'"{SCHEMA}"')
    assert (sorted(taken), more) == (many[first:], 0)


def test_definitions_of_many_transactions_are_followed_from_role_to_role(scheduler: Scheduler) -> None:
    """A role has committed more of them than a look reads, while no worker was there."""
    mallory, victim = scheduler.role("mallory"), scheduler.role("victim")
    send = "INSERT INTO worker_request (kind, job_id, rolname) VALUES ('define', %s, %s)"
    with scheduler.connect() as other:
        other.execute("BEGIN")
        other.execute(send, (5001, mallory))
        scheduler.execute(
            "DO $$BEGIN FOR n IN 1..2500 LOOP INSERT INTO worker_request (kind, job_id, rolname)"
            " VALUES ('define', n, {}); COMMIT; END LOOP; END$$",
            sql.Literal(mallory),
        )
        scheduler.admin.execute(send, (5002, victim))
        scheduler.worker_code("take_messages", "size int", READ_MESSAGES)
        scheduler.execute("UPDATE worker_state SET pid = pg_backend_pid()")
        take = "SELECT take_messages(%s, %s)"
        taken = [scheduler.value(take, f'"{SCHEMA}"', 10)[:-1] for _ in range(4)]
        assert taken[0] == [*range(1, 11)]
        assert 5002 in taken[2] or 5002 in taken[3]
        other.execute("COMMIT")
        found = Counter(number for numbers in taken for number in numbers)
        more = 1
        while more:
            *numbers, more = scheduler.value(take, f'"{SCHEMA}"', 1000)
            found.update(numbers)
        assert found == Counter([*range(1, 2501), 5001, 5002])


def test_what_comes_is_read_once(scheduler: Scheduler) -> None:
    """In whatever order transactions commit what they have put in, and also if they began before."""
    scheduler.worker_code("take_messages", "size int", READ_MESSAGES)
    scheduler.execute("UPDATE worker_state SET pid = pg_backend_pid()")
    take = "SELECT take_messages(%s, 100)"
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, job_id = random.Random(seed), 0
    with ExitStack() as sessions:
        free = [sessions.enter_context(scheduler.connect()) for _ in range(6)]
        open_: list[tuple[psycopg.Connection[Any], list[int]]] = []
        expected, found = Counter[int](), Counter[int]()
        for _ in range(300):
            step = chance.random()
            if step < 0.5 and free:
                session = free.pop(chance.randrange(len(free)))
                session.execute("BEGIN")
                open_.append((session, []))
            elif step < 0.7 and open_:
                session, sent = open_.pop(chance.randrange(len(open_)))
                is_kept = chance.random() < 0.7
                session.execute("COMMIT" if is_kept else "ROLLBACK")
                expected.update(sent if is_kept else ())
                free.append(session)
            elif step < 0.9 and open_:
                session, sent = chance.choice(open_)
                for _ in range(chance.randrange(1, 4)):
                    job_id += 1
                    kind = chance.choice(["define", "cancel"])
                    is_kept = chance.random() < 0.7
                    session.execute("SAVEPOINT s")
                    session.execute("INSERT INTO worker_request (kind, job_id) VALUES (%s, %s)", (kind, job_id))
                    session.execute("RELEASE s" if is_kept else "ROLLBACK TO s")
                    sent.extend([job_id] if is_kept else ())
            else:
                found.update(scheduler.value(take, f'"{SCHEMA}"')[:-1])
                assert found == expected
        for session, sent in open_:
            session.execute("COMMIT")
            expected.update(sent)
    found.update(scheduler.value(take, f'"{SCHEMA}"')[:-1])
    assert found == expected
    assert len(found) > 20


READ_REQUESTS_PARAMETERS = 'most int, "full" name[], closed name[], is_filled boolean, by_role boolean'
READ_REQUESTS = """
from collections import Counter
elephant("jobs.number_ranges").NEAR = 2
module = elephant("worker.due_jobs")
module.LOOKAHEAD = module.SHORT_LOOKAHEAD = module.ROLE_LOOKAHEAD = most
requested = elephant("worker.requested_runs")
requested.MOST_AT_ONCE = requested.MOST_PUT_ASIDE = requested.PUT_ASIDE_AT_ONCE = requested.TAKEN_BACK_AT_ONCE = most
queues = elephant("jobs.run_queue")
if "due_jobs" not in SD:
    spi = elephant("database.spi").Spi(plpy, schema)
    SD["due_jobs"] = module.DueJobs(spi, elephant("worker.inbox").Inbox(spi))
due_jobs = SD["due_jobs"]
due_jobs._inbox.note()
due_jobs._inbox.look()
Gate = elephant("jobs.run").Gate
held = queues.Held(roles=frozenset(full), closed=frozenset(Gate.database(name) for name in closed))
for _ in range(60):  # what is put aside is read in several turns
    if is_filled:
        due_jobs.fill(0.0, held, (), 1, by_role)
    else:
        due_jobs.add_requests()
    capacity = queues.Capacity(10**6, lambda: 10**6, Counter(), set(), Counter())
    found = due_jobs.queue.take(capacity, 0.0)
    due_jobs.queue.add(found)
    if not due_jobs._inbox.requested.has_more:
        break
return [entry.request_id for entry in found]
"""


def test_what_is_asked_for_is_found(scheduler: Scheduler) -> None:
    """However it is committed and taken, whoever is full and whatever is closed meanwhile, and however little is read
    at once."""
    scheduler.worker_code("read_requests", READ_REQUESTS_PARAMETERS, READ_REQUESTS)
    read = "SELECT read_requests(%s, %s, %s, %s, %s, %s)"
    roles, databases = [scheduler.role(name) for name in ("abel", "mallory", "zoe")], [scheduler.dbname, "postgres"]
    jobs = {
        scheduler.insert("SELECT 1", datname, rolname=role): (role, datname) for role in roles for datname in databases
    }
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, found_some = random.Random(seed), 0

    def waiting() -> list[tuple[int, int]]:
        """The requests that can be seen, and their jobs."""
        query = "SELECT request_id, job_id FROM worker_request WHERE kind = 'run' ORDER BY request_id"
        return scheduler.admin.execute(query).fetchall()

    def free_requests(full: list[str], closed: list[str]) -> list[tuple[int, str]]:
        """Those that can start, and their roles."""
        found = [(number, *jobs[job_id]) for number, job_id in waiting()]
        return [(number, role) for number, role, datname in found if role not in full and datname not in closed]

    with ExitStack() as sessions:
        free = [sessions.enter_context(scheduler.connect()) for _ in range(5)]
        open_: list[psycopg.Connection[Any]] = []
        # More than is read at once has to be found at least once, and with some seeds that is late.
        steps = 0
        while steps < 250 or (not found_some and steps < 5000):
            steps += 1
            step = chance.random()
            if step < 0.4 and free:
                open_.append(free.pop(chance.randrange(len(free))))
                open_[-1].execute("BEGIN")
            elif step < 0.6 and open_:
                session = open_.pop(chance.randrange(len(open_)))
                session.execute("COMMIT" if chance.random() < 0.7 else "ROLLBACK")
                free.append(session)
            elif step < 0.8 and open_:
                times = chance.choice([1, 1, 3, 12])
                chance.choice(open_).execute(
                    "INSERT INTO worker_request (kind, job_id) SELECT 'run', %s FROM generate_series(1, %s)",
                    (chance.choice([*jobs]), times),
                )
            elif step < 0.85:
                taken = [number for number, _ in waiting() if chance.random() < 0.7]
                scheduler.admin.execute("DELETE FROM worker_request WHERE request_id = ANY (%s)", (taken,))
            else:
                most, by_role = chance.choice([3, 1000]), chance.random() < 0.5
                full = chance.choice([[], [], roles[:1], roles[1:]])
                closed = chance.choice([[], [], databases[1:]])
                found = scheduler.value(read, f'"{SCHEMA}"', most, full, closed, True, by_role)
                expected = free_requests(full, closed)
                assert len({*found}) == len(found)
                assert {*found} <= {number for number, _ in expected}
                if by_role:
                    first = [[number for number, other in expected if other == role][:most] for role in roles]
                else:
                    first = [[number for number, _ in expected[:most]]]
                assert {number for numbers in first for number in numbers} <= {*found}
                found_some += len(found) > most
                if most == 1000 and open_:
                    session = open_.pop()
                    session.execute("COMMIT")
                    free.append(session)
                    found = scheduler.value(read, f'"{SCHEMA}"', most, full, closed, False, by_role)
                    assert sorted(found) == [number for number, _ in free_requests(full, closed)]
    assert found_some


def test_what_was_asked_for_first_is_found_behind_what_is_gone(scheduler: Scheduler) -> None:
    """Though what is gone was in more places than are read at once."""
    scheduler.worker_code("read_requests", READ_REQUESTS_PARAMETERS, READ_REQUESTS)
    first, second, third = (scheduler.insert("SELECT 1", rolname=scheduler.role(name)) for name in "abc")
    ask = "INSERT INTO worker_request (kind, job_id) VALUES ('run', %s) RETURNING request_id"
    asked = [scheduler.value(ask, job_id) for job_id in (first, second, first, second, first, third, first, second)]

    def read(most: int) -> list[int]:
        return sorted(scheduler.value("SELECT read_requests(%s, %s, '{}', '{}', true, false)", f'"{SCHEMA}"', most))

    assert read(1000) == asked
    scheduler.admin.execute("DELETE FROM worker_request WHERE request_id = ANY (%s)", ([*asked[:5:2], asked[5]],))
    assert read(3)[:3] == [asked[1], asked[3], asked[6]]


READ_ONCE = """
queues = elephant("jobs.run_queue")
if "due_jobs" not in SD:
    spi = elephant("database.spi").Spi(plpy, schema)
    SD["due_jobs"] = elephant("worker.due_jobs").DueJobs(spi, elephant("worker.inbox").Inbox(spi))
due_jobs = SD["due_jobs"]
due_jobs._inbox.note()
due_jobs._inbox.look()
due_jobs._inbox.requested.define(defined)
Gate = elephant("jobs.run").Gate
held = queues.Held(closed=frozenset(Gate.database(name) for name in databases))
due_jobs.fill(0.0, held, (), 1, False)
capacity = queues.Capacity(10**6, lambda: 10**6, queues.Counter(), set(), queues.Counter())
found = due_jobs.queue.take(capacity, 0.0)
return [int(due_jobs._inbox.requested.has_more), *(entry.request_id for entry in found)]
"""


def test_what_a_database_holds_is_read_once(scheduler: Scheduler) -> None:
    """In turns, in each of which what others have asked for is found; it is read again when it can start."""
    scheduler.worker_code("read_once", "databases name[], defined int8[]", READ_ONCE)
    role, other = scheduler.role("mallory"), scheduler.role("victim")
    held, free = scheduler.insert("SELECT 1", "postgres", rolname=role), scheduler.insert("SELECT 1", rolname=other)
    ask = "INSERT INTO worker_request (kind, job_id) SELECT 'run', %s FROM generate_series(1, %s)"
    scheduler.admin.execute(ask, (held, 3000))
    scheduler.admin.execute(ask, (free, 1))
    (last,) = scheduler.execute("SELECT max(request_id) FROM worker_request").fetchone()
    call = "SELECT read_once(%s, %s, %s)"

    def read(closed: list[str], defined: Sequence[int] = ()) -> tuple[bool, list[int]]:
        has_more, *found = scheduler.value(call, f'"{SCHEMA}"', closed, list(defined))
        return bool(has_more), found

    def pages_read() -> int:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {call}"
        plan = scheduler.value(explain, f'"{SCHEMA}"', ["postgres"], [])[0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    assert read(["postgres"]) == (True, [last])
    turns = 1
    while read(["postgres"])[0]:
        turns += 1
    assert 2 < turns < 10
    assert [pages_read() for _ in range(20)][-1] < 60
    # Its definition may have moved it elsewhere.
    assert read(["postgres"], [held]) == (True, [last])
    while read(["postgres"])[0]:
        pass
    has_more, found = read([])
    assert (has_more, found[0], found[-1]) == (True, last - 3000, last)
    for _ in range(10):
        has_more, found = read([])
    assert (has_more, found) == (False, [*range(last - 3000, last + 1)])


def test_what_is_due_is_read_from_role_to_role(scheduler: Scheduler) -> None:
    roles = [scheduler.role(name) for name in ("mallory", "monitor", "victim")]
    jobs = [scheduler.insert("SELECT 1", rolname=role) for role in (*[roles[0]] * 20, roles[1], *[roles[2]] * 3)]
    scheduler.admin.execute(
        """INSERT INTO job_state (job_id, schedule_set_at, next_run_at, rolname)
           SELECT j.job_id, now(), to_timestamp(100 + j.job_id - %s), j.rolname FROM job j""",
        (jobs[0],),
    )
    scheduler.worker_code("read_by_role", '"full" text[]', READ_BY_ROLE)
    read = "SELECT read_by_role(%s, %s)"
    assert scheduler.value(read, f'"{SCHEMA}"', []) == [*jobs[:2], jobs[20], *jobs[21:23], 0]
    assert scheduler.value(read, f'"{SCHEMA}"', roles[:1]) == [jobs[20], *jobs[21:23], jobs[20]]
    assert scheduler.value(read, f'"{SCHEMA}"', roles[:2]) == [*jobs[21:23], jobs[21]]
    assert scheduler.value(read, f'"{SCHEMA}"', roles) == [0]
