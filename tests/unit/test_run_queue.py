"""Which of what waits starts next."""

from __future__ import annotations

from collections import Counter

import pytest

from elephant_worker.jobs.run import Gate
from elephant_worker.jobs.run_queue import OVERTAKING, OVERTAKING_MOST, Capacity, Held, QueuedRun, RunQueue


def queue(*jobs: tuple[int, float, str]) -> RunQueue:
    filled = RunQueue()
    filled.fill((QueuedRun(due, job_id, rolname, "weborder") for job_id, due, rolname in jobs), Held(), (0.0, 0))
    return filled


def taken(
    waiting: RunQueue,
    slots: int,
    idle: str = "",
    running: str = "",
    per_role: int | None = None,
    new_sessions: int = 10,
    recent: str = "",
    now: float = 0.0,
) -> list[int]:
    """`idle`, `recent` and `running`: a letter for each session or run, the name of its role."""
    targets = Counter((rolname, "weborder", None) for rolname in idle)
    lately = {(rolname, "weborder", None) for rolname in recent}
    capacity = Capacity(slots, lambda: new_sessions, targets, lately, Counter(running), per_role)
    return [entry.job_id for entry in waiting.take(capacity, now)]


def test_the_order_of_due_times() -> None:
    waiting = queue((3, 1.0, "a"), (2, 3.0, "a"), (1, 2.0, "b"))
    assert taken(waiting, 2) == [3, 1]
    assert taken(waiting, 2) == [2]
    assert taken(waiting, 2) == []


def test_an_open_session_lets_a_job_overtake_by_a_little() -> None:
    waiting = queue((1, 0.0, "a"), (2, OVERTAKING, "b"), (3, OVERTAKING + 0.01, "b"))
    assert taken(waiting, 1, idle="bb") == [2]
    assert taken(waiting, 1, idle="bb") == [1]
    assert taken(waiting, 1, idle="bb") == [3]


def test_the_later_what_waits_is_the_more_may_overtake_it() -> None:
    waiting = queue((1, 0.0, "a"), (2, 5.0, "b"), (3, 5.5, "b"))
    assert taken(waiting, 1, idle="b", now=10.0) == [2]
    assert taken(waiting, 1, idle="b", now=10.9) == [1]
    assert taken(waiting, 1, idle="b", now=11.0) == [3]


def test_nobody_is_overtaken_by_more_than_some_seconds() -> None:
    waiting = queue((1, 0.0, "a"), (2, OVERTAKING_MOST, "b"), (3, OVERTAKING_MOST + 0.01, "b"))
    assert taken(waiting, 1, idle="b", now=1000.0) == [2]
    assert taken(waiting, 1, idle="b", now=1000.0) == [1]


def test_more_sessions_of_a_place_come_after_the_first_ones_of_others() -> None:
    jobs = (1, 0.0, "a"), (2, 0.1, "a"), (3, 0.2, "b")
    assert taken(queue(*jobs), 2) == [1, 2]
    assert taken(queue(*jobs), 2, idle="a") == [1, 3]
    assert taken(queue(*jobs), 2, recent="a") == [1, 3]
    assert taken(queue(*jobs), 1, recent="a") == [3]
    assert taken(queue(*jobs), 3, recent="a") == [1, 2, 3]


def test_nobody_waits_for_what_will_have_its_session_again_in_a_moment() -> None:
    jobs = (1, 0.0, "a"), (2, 5.0, "b")
    assert taken(queue(*jobs), 1, idle="b") == [1]
    assert taken(queue(*jobs), 1, idle="b", recent="a") == [2]


def test_connections_are_counted_only_where_one_is_needed() -> None:
    def count() -> int:
        counted.append("connections")
        return 1

    counted: list[str] = []
    waiting = queue((1, 0.0, "a"), (2, 0.0, "b"), (3, 0.0, "c"))
    capacity = Capacity(1, count, Counter({("b", "weborder", None): 1}), set(), Counter())
    assert [entry.job_id for entry in waiting.take(capacity, 0.0)] == [2]
    assert not counted
    capacity = Capacity(9, count, Counter(), set(), Counter())
    assert [entry.job_id for entry in waiting.take(capacity, 0.0)] == [1]
    assert counted == ["connections"]


def test_an_open_session_serves_one_job() -> None:
    waiting = queue((1, 0.0, "a"), (2, 0.0, "b"), (3, 0.0, "b"))
    assert taken(waiting, 2, idle="b") == [1, 2]


def test_without_connections_those_start_that_have_a_session() -> None:
    waiting = queue((1, 0.0, "a"), (2, 5.0, "b"), (3, 6.0, "a"))
    assert taken(waiting, 3, idle="b", new_sessions=0) == [2]
    assert taken(waiting, 3, new_sessions=0) == []
    assert taken(waiting, 3, new_sessions=1) == [1]
    assert len(waiting) == 1


def test_a_role_with_all_the_runs_that_it_may_have_does_not_hold_up_others() -> None:
    waiting = queue((1, 0.0, "a"), (2, 1.0, "a"), (3, 2.0, "a"), (4, 3.0, "b"))
    assert taken(waiting, 3, running="a", per_role=2) == [1, 4]
    assert taken(waiting, 3, running="aa", per_role=2) == []
    assert taken(waiting, 3, running="a", per_role=2) == [2]
    assert len(waiting) == 1


def test_what_has_come_since_is_put_in_order() -> None:
    waiting = queue((1, 1.0, "a"), (2, 3.0, "a"))
    waiting.add([QueuedRun(2.0, 3, "a", "weborder", request_id=8)])
    assert taken(waiting, 3) == [1, 3, 2]


def test_a_request_that_is_read_twice_is_there_once() -> None:
    waiting, request = queue(), QueuedRun(2.0, 3, "a", "weborder", request_id=8)
    waiting.add([request])
    waiting.add([request])
    assert taken(waiting, 3) == [3]
    waiting.add([request])  # it could not start
    waiting.hold(Held(roles=frozenset({"a"})))
    assert taken(waiting, 3) == []
    waiting.hold(Held())
    waiting.add([request])
    assert taken(waiting, 3) == [3]


def test_other_servers_take_no_connection_of_this_one() -> None:
    waiting = RunQueue()
    waiting.fill((QueuedRun(1.0, number, "a", "weborder", f"berlin {number}") for number in (1, 2)), Held(), (0.0, 0))
    waiting.add([QueuedRun(2.0, 3, "a", "weborder")])
    capacity = Capacity(9, lambda: 0, Counter(), set(), Counter(), new_remote_sessions=1)
    assert waiting.needs_sessions(capacity) == 1
    assert [entry.job_id for entry in waiting.take(capacity, 2.0)] == [1]
    capacity = Capacity(9, lambda: 1, Counter(), set(), Counter(), new_remote_sessions=0)
    assert [entry.job_id for entry in waiting.take(capacity, 2.0)] == [3]
    idle = Counter([("a", "weborder", "berlin 2")])
    capacity = Capacity(9, lambda: 0, idle, set(), Counter(), new_remote_sessions=0)
    assert [entry.job_id for entry in waiting.take(capacity, 2.0)] == [2]


def test_a_job_that_is_due_again_is_put_in_order_where_what_is_due_by_then_has_been_read() -> None:
    waiting = RunQueue()
    jobs = [QueuedRun(float(number), number, "a", "weborder") for number in (1, 2, 4)]
    waiting.fill(jobs, Held(frozenset("b")), (4.0, 4))
    assert taken(waiting, 1) == [1]
    waiting.due_again(1, 3.0, ("a", "weborder", None))
    waiting.due_again(5, 4.5, ("a", "weborder", None))  # will be read
    waiting.due_again(6, 2.5, ("b", "weborder", None))  # has not been, since its role may not run more
    assert len(waiting) == 3
    assert taken(waiting, 9) == [2, 1, 4]


def test_nothing_starts_in_a_database_that_is_closed() -> None:
    waiting = queue((1, 1.0, "a"), (2, 2.0, "b"))
    waiting.add([QueuedRun(3.0, 3, "a", "weborder", "berlin"), QueuedRun(4.0, 4, "a", "shop")])
    capacity = Capacity(9, lambda: 9, Counter({("a", "weborder", None): 1}), set(), Counter(), new_remote_sessions=1)
    capacity.closed = frozenset({Gate.database("weborder")})
    assert [entry.job_id for entry in waiting.take(capacity, 9.0)] == [3, 4]
    waiting.fill((), capacity.held, (9.0, 9))
    waiting.due_again(1, 5.0, ("a", "weborder", None))  # was not read
    waiting.due_again(4, 6.0, ("a", "shop", None))
    assert len(waiting) == 1


@pytest.mark.parametrize(("full", "started"), [(Gate.database("weborder"), [1, 3, 4]), (Gate.role("a"), [1, 2, 3, 5])])
def test_what_is_full_keeps_its_runs_waiting_and_no_others(full: Gate, started: list[int]) -> None:
    waiting = queue((1, 1.0, "a"), (2, 2.0, "b"), (3, 3.0, "c"))
    waiting.add([QueuedRun(4.0, 4, "a", "shop"), QueuedRun(5.0, 5, "a", "shop", "berlin")])
    idle = Counter({("c", "weborder", None): 1})
    remote = 1 if 5 in started else 0
    capacity = Capacity(9, lambda: 9, idle, set(), Counter(), room=lambda: {full: 1}, new_remote_sessions=remote)
    assert [entry.job_id for entry in waiting.take(capacity, 9.0)] == started
    assert capacity.full == capacity.held.closed == {full}
