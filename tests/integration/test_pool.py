"""Sessions that are made ready for runs whose moment has not come yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from psycopg import sql

from elephant_worker.connection.login import Login
from elephant_worker.connection.poller import Poller
from elephant_worker.connection.pool import Pool
from elephant_worker.jobs.run import Outcome, Run, Target
from elephant_worker.system.clock import Clock
from harness.cluster import LOST_CLIENT
from harness.scheduler import Scheduler
from harness.waiting import until

LONG = 3600.0


class Held:
    """A pool with one run that is not to start before `seconds` have passed."""

    def __init__(self, scheduler: Scheduler, seconds: float) -> None:
        self.scheduler = scheduler
        self.clock = Clock()
        role = scheduler.role()
        parameters = {"host": "127.0.0.1", "port": str(scheduler.cluster.port), "dbname": scheduler.dbname}
        login = Login({**parameters, "user": role, "password": role})
        self.pool = Pool(Poller(self.clock), self.clock, lambda target: login)
        self.pool.lifetime = LONG
        self.run = Run(1, 1, Target(0, role, scheduler.dbname), "schedule", "SELECT 1", 0.0, 60.0)
        self.run.not_before = self.clock.steady() + seconds
        self.pool.start(self.run)

    def turn_until(self, condition: Callable[[], object]) -> None:
        def turned() -> object:
            self.pool.turn(0.01)
            return condition()

        until(turned)

    def ends_in_another_session(self, run: Run) -> None:
        """See a run that has begun succeed in another session than the one that it was sent to."""
        assert run.started is not None
        self.turn_until(self.pool.take_ended)
        assert self.pool.take_restarted() == [run]
        assert run.outcome is not None
        assert run.outcome.state == "succeeded"

    def is_ready(self) -> bool:
        """Whether the server has been told what the session is for, and waits for the command."""
        return bool(
            self.scheduler.value(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE usename = %s AND state = 'idle' AND application_name = 'elephant_worker job 1'",
                self.run.target.rolname,
            )
        )


@pytest.fixture
def held(scheduler: Scheduler) -> Iterator[Callable[[float], Held]]:
    made: list[Held] = []

    def make(seconds: float) -> Held:
        made.append(Held(scheduler, seconds))
        return made[-1]

    yield make
    for one in made:
        one.pool.close_all()


def test_a_command_is_not_sent_before_its_moment(held: Callable[[float], Held]) -> None:
    one = held(LONG)
    one.turn_until(one.is_ready)
    one.run.not_before = one.clock.steady() + 0.3
    one.turn_until(one.pool.take_ended)
    assert one.run.outcome is not None
    assert one.run.outcome.state == "succeeded"
    assert one.run.started_steady >= one.run.not_before


def test_a_session_that_ends_before_the_command_is_sent_costs_nothing(held: Callable[[float], Held]) -> None:
    one = held(LONG)
    one.turn_until(one.is_ready)
    before = one.pool.backend(one.run)
    assert one.scheduler.value("SELECT pg_terminate_backend(%s, 10000)", before)
    one.turn_until(lambda: one.pool.backend(one.run) not in (None, before))
    one.turn_until(one.is_ready)
    assert one.run.started is None
    one.run.not_before = 0.0
    one.turn_until(one.pool.take_ended)
    assert one.run.outcome is not None
    assert one.run.outcome.state == "succeeded"


def test_a_run_that_a_session_cannot_begin_any_more_gets_another_one(held: Callable[[float], Held]) -> None:
    one = held(0.0)
    one.turn_until(one.pool.take_ended)
    (before,) = one.pool.sessions()
    assert one.scheduler.value("SELECT pg_terminate_backend(%s, 10000)", before)
    # Without a turn in between, in which the pool would see that it has ended.
    second = Run(2, 1, one.run.target, "schedule", "SELECT 1", 0.0, 60.0)
    one.pool.start(second)
    one.ends_in_another_session(second)
    assert before not in one.pool.sessions()


@pytest.mark.parametrize("is_ready", [False, True])
def test_a_session_that_has_been_idle_for_too_long_costs_nothing(held: Callable[[float], Held], is_ready: bool) -> None:
    """Opened before it is needed or made ready, it is ended by the server as a command is sent to it."""
    one = held(LONG)
    one.turn_until(one.is_ready)
    target = one.run.target
    one.scheduler.execute("ALTER ROLE {} SET idle_session_timeout = '1s'", sql.Identifier(target.rolname))
    second = Run(2, 1, target, "schedule", "SELECT 1", 0.0, 60.0)
    if is_ready:
        second.not_before = LONG + one.clock.steady()
        one.pool.start(second)
        one.turn_until(lambda: len(one.pool._held()) == 2)
    else:
        one.pool.open(target)
        one.turn_until(lambda: len(one.pool.sessions()) == 2)
    gone = "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = %s"
    until(lambda: one.scheduler.value(gone, target.rolname))  # without a turn in between, as above
    second.not_before = 0.0
    if is_ready:
        one.pool._begin()
    else:
        one.pool.start(second)
    one.ends_in_another_session(second)


def test_a_run_that_is_cancelled_before_its_moment_is_not_sent(held: Callable[[float], Held]) -> None:
    one = held(LONG)
    one.turn_until(one.is_ready)
    one.pool.abandon(one.run, Outcome("cancelled", "57014", message="cancelled"))
    assert one.pool.take_ended() == [one.run]
    one.pool.turn(0.0)
    assert one.run.started is None
    assert one.pool.active == 0


def test_a_session_that_is_given_up_half_way_is_no_client_that_the_server_has_lost(
    held: Callable[[float], Held],
) -> None:
    one = held(0.0)
    one.turn_until(one.pool.take_ended)
    before = len(one.scheduler.cluster.log)
    given_up = 0
    for number in range(2, 200):
        # As far as it has come by then: looked up, connected, logged in, told what it is for.
        run = Run(number, 1, one.run.target, "schedule", "SELECT 1", 0.0, 60.0)
        run.not_before = one.clock.steady() + LONG
        one.pool.start(run, fresh=True)
        for _ in range(number % 20):
            one.pool.turn(0.001)
        given_up += one.pool.backend(run) is None
        one.pool.abandon(run, Outcome("cancelled", "57014", message="cancelled"))
        # And one that is about to be reset, which it is before it waits for a run.
        one.pool.start(Run(1000 + number, 1, one.run.target, "schedule", "SELECT 1", 0.0, 60.0))
        one.turn_until(one.pool.take_ended)
        one.pool.turn(0.0)
        one.pool.replace_sessions()
    assert given_up > 20
    there = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    one.turn_until(lambda: one.scheduler.value(there, one.run.target.rolname) == 0)
    assert one.pool.sessions() == set()
    assert not LOST_CLIENT.search(one.scheduler.cluster.log[before:])


def test_a_session_that_cannot_be_opened_fails_its_run_alone(held: Callable[[float], Held]) -> None:
    one = held(0.0)
    one.turn_until(one.pool.take_ended)
    nowhere = Pool(Poller(one.clock), one.clock, lambda target: Login({"host": "/nowhere/at/all"}))
    nowhere.lifetime = LONG
    nowhere.open(one.run.target)
    run = Run(2, 1, one.run.target, "schedule", "SELECT 1", 0.0, 60.0)
    nowhere.start(run)
    nowhere.turn(0.0)
    assert nowhere.take_ended() == [run]
    assert run.outcome is not None
    assert (run.outcome.state, run.outcome.sqlstate) == ("failed", "08001")


def test_two_sessions_end_at_once(held: Callable[[float], Held]) -> None:
    one = held(0.0)
    second = Run(2, 2, one.run.target, "schedule", "SELECT 2", 0.0, 60.0)
    one.pool.start(second)
    one.turn_until(lambda: second.outcome and one.run.outcome)
    assert len(one.pool.sessions()) == 2
    one.scheduler.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = {}",
        sql.Literal(one.run.target.rolname),
    )
    runs = [Run(number, number, one.run.target, "schedule", "SELECT 3", 0.0, 60.0) for number in (3, 4, 5)]
    for run in runs:
        one.pool.start(run)
    one.turn_until(lambda: all(run.outcome for run in runs))
    assert [run.outcome.state for run in runs if run.outcome] == ["succeeded"] * 3
