"""Which of what waits starts next."""

from __future__ import annotations

from collections import Counter

from elephant_worker.backlog import OVERTAKING, Backlog, Room, Waiting


def backlog(*jobs: tuple[int, float, str]) -> Backlog:
    filled = Backlog()
    filled.fill((Waiting(job_id, due, rolname, "weborder") for job_id, due, rolname in jobs), (), 0.0)
    return filled


def taken(
    waiting: Backlog, slots: int, kept: str = "", running: str = "", per_role: int | None = None, new_sessions: int = 10
) -> list[int]:
    """`kept` and `running`: a letter for each session or run, the name of its role."""
    places = Counter((rolname, "weborder", None) for rolname in kept)
    room = Room(slots, new_sessions, places, Counter(running), per_role)
    return [entry.job_id for entry in waiting.take(room)]


def test_the_order_of_due_times() -> None:
    waiting = backlog((3, 1.0, "a"), (2, 3.0, "a"), (1, 2.0, "b"))
    assert taken(waiting, 2) == [3, 1]
    assert taken(waiting, 2) == [2]
    assert taken(waiting, 2) == []


def test_an_open_session_lets_a_job_overtake_by_a_little() -> None:
    waiting = backlog((1, 0.0, "a"), (2, OVERTAKING, "b"), (3, OVERTAKING + 0.01, "b"))
    assert taken(waiting, 1, kept="bb") == [2]
    assert taken(waiting, 1, kept="bb") == [1]
    assert taken(waiting, 1, kept="bb") == [3]


def test_an_open_session_serves_one_job() -> None:
    waiting = backlog((1, 0.0, "a"), (2, 0.0, "b"), (3, 0.0, "b"))
    assert taken(waiting, 2, kept="b") == [1, 2]


def test_without_connections_those_start_that_have_a_session() -> None:
    waiting = backlog((1, 0.0, "a"), (2, 5.0, "b"), (3, 6.0, "a"))
    assert taken(waiting, 3, kept="b", new_sessions=0) == [2]
    assert taken(waiting, 3, new_sessions=0) == []
    assert taken(waiting, 3, new_sessions=1) == [1]
    assert len(waiting) == 1


def test_a_role_with_all_the_runs_that_it_may_have_does_not_hold_up_others() -> None:
    waiting = backlog((1, 0.0, "a"), (2, 1.0, "a"), (3, 2.0, "a"), (4, 3.0, "b"))
    assert taken(waiting, 3, running="a", per_role=2) == [1, 4]
    assert taken(waiting, 3, running="aa", per_role=2) == []
    assert taken(waiting, 3, running="a", per_role=2) == [2]
    assert len(waiting) == 1


def test_what_has_come_since_is_put_in_order() -> None:
    waiting = backlog((1, 1.0, "a"), (2, 3.0, "a"))
    waiting.add([Waiting(3, 2.0, "a", "weborder", request_id=8)])
    assert waiting.last_request == 8
    assert taken(waiting, 3) == [1, 3, 2]


def test_other_servers_take_no_connection_of_this_one() -> None:
    waiting = Backlog()
    waiting.fill((Waiting(number, 1.0, "a", "weborder", f"berlin {number}") for number in (1, 2)), (), 0.0)
    waiting.add([Waiting(3, 2.0, "a", "weborder")])
    room = Room(9, 0, Counter(), Counter(), elsewhere=1)
    assert waiting.needs_sessions(room) == 1
    assert [entry.job_id for entry in waiting.take(room)] == [1]
    room = Room(9, 1, Counter(), Counter(), elsewhere=0)
    assert [entry.job_id for entry in waiting.take(room)] == [3]
    room = Room(9, 0, Counter({("a", "weborder", "berlin 2"): 1}), Counter(), elsewhere=0)
    assert [entry.job_id for entry in waiting.take(room)] == [2]


def test_a_job_that_is_due_again_is_put_in_order_where_what_is_due_by_then_has_been_read() -> None:
    waiting = Backlog()
    waiting.fill((Waiting(number, float(number), "a", "weborder") for number in (1, 2, 4)), ["b"], 4.0)
    assert taken(waiting, 1) == [1]
    waiting.due_again(Waiting(1, 3.0, "a", "weborder"))
    waiting.due_again(Waiting(5, 4.5, "a", "weborder"))  # will be read
    waiting.due_again(Waiting(6, 2.5, "b", "weborder"))  # has not been, since its role may not run more
    assert len(waiting) == 3
    assert taken(waiting, 9) == [2, 1, 4]
