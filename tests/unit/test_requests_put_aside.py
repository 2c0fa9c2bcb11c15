"""Requests that have been put aside leave in their order, and for what leaves only that is looked at."""

from __future__ import annotations

import random

from elephant_worker.jobs.number_ranges import Range
from elephant_worker.jobs.requests_put_aside import RequestsPutAside
from elephant_worker.jobs.run import Gate
from elephant_worker.jobs.run_queue import Held, QueuedRun

CLOSED = Held(closed=frozenset({Gate.database("weborder")}))


class Number(int):
    """The number of a job; counts how often any is looked up."""

    lookups = 0

    def __hash__(self) -> int:
        Number.lookups += 1
        return super().__hash__()


def put_aside(requests: dict[int, int]) -> RequestsPutAside:
    """What is put aside of these requests, each with its job, when all can start."""
    aside = RequestsPutAside()
    aside.look_at(CLOSED)
    for number, job_id in requests.items():
        aside.put("app", QueuedRun(0.0, Number(job_id), "app", "weborder", request_id=number))
    aside.look_at(Held())
    return aside


def numbers(taken: list[tuple[str, list[Range]]]) -> list[int]:
    return [number for _, several in taken for first, last in several for number in range(first, last + 1)]


def test_of_many_jobs_few_are_looked_at() -> None:
    """As each run_once() is a job of its own."""
    aside = put_aside({number: -number for number in range(1, 5001)})
    Number.lookups = 0
    assert numbers(aside.take_free(3)) == [1, 2, 3]
    assert Number.lookups < 50
    assert aside.has_free


def test_those_of_several_jobs_leave_in_the_order_of_their_numbers() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    requests = {1000 * number: chance.randrange(1, 20) for number in range(1, 300)}
    aside = put_aside(requests)
    deleted = {7, 8}
    back = numbers(aside.take_jobs(deleted))
    assert sorted(back) == [number for number, job_id in requests.items() if job_id in deleted]
    found: list[int] = []
    while aside.has_free:
        taken = numbers(aside.take_free(10))
        assert len(taken) <= 10
        found += taken
    assert found == [number for number, job_id in requests.items() if job_id not in deleted]


def test_those_of_a_job_that_has_moved_to_where_something_is_closed_stay() -> None:
    aside = RequestsPutAside()
    aside.look_at(CLOSED)
    for number in range(1, 6):
        aside.put("app", QueuedRun(0.0, 7, "app", "weborder", request_id=number))
    aside.look_at(Held(closed=frozenset({Gate.database("shop")})))
    assert numbers(aside.take_free(2)) == [1, 2]
    assert numbers(aside.take_jobs([7])) == [3, 4, 5]
    for number in range(1, 6):
        aside.put("app", QueuedRun(0.0, 7, "app", "shop", request_id=number))
    assert (aside.take_free(2), aside.has_free) == ([], False)
    aside.look_at(Held())
    assert numbers(aside.take_free(9)) == [1, 2, 3, 4, 5]
