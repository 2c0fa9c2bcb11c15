"""Two sessions and more, statement by statement in an order that the test gives, as pg_isolation_regress does: a
statement that waits for a lock is left waiting, and the next session has its turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Union

import psycopg

from harness.waiting import until

# What became of a statement: its rows, or an SQLSTATE.
Outcome = Union[list[Any], str]


class Session:
    """A session whose statements may wait for those of another."""

    def __init__(self, connection: psycopg.Connection[Any], observer: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._observer = observer
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[Outcome] | None = None
        self.outcomes: list[Outcome] = []

    def begin(self, statement: str) -> None:
        """Execute a statement, up to its end or until it waits for a lock."""
        assert not self.waits
        self._pending = self._thread.submit(self._execute, statement)
        self.settle()

    def settle(self) -> None:
        """Let a statement that has been waiting go on as far as it can."""
        if self._pending is not None:
            pending = self._pending
            until(lambda: pending.done() or self._is_blocked(), "a statement to end or to wait for a lock")
            if pending.done():
                self.outcomes.append(pending.result())
                self._pending = None

    @property
    def waits(self) -> bool:
        return self._pending is not None

    def _execute(self, statement: str) -> Outcome:
        try:
            cursor = self._connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            return error.sqlstate or str(error)

    def _is_blocked(self) -> bool:
        row = self._observer.execute(
            "SELECT cardinality(pg_blocking_pids(%s)) > 0", (self._connection.info.backend_pid,)
        ).fetchone()
        return bool(row and row[0])

    def close(self) -> None:
        self._thread.shutdown()


def interleavings(*scripts: Sequence[str]) -> Iterator[list[int]]:
    """All orders in which sessions can take their steps, as the numbers of the sessions."""
    if not any(scripts):
        yield []
    for number, script in enumerate(scripts):
        if script:
            rest = [each[1:] if other == number else each for other, each in enumerate(scripts)]
            yield from ([number, *order] for order in interleavings(*rest))


def play(
    connections: Sequence[psycopg.Connection[Any]],
    observer: psycopg.Connection[Any],
    scripts: Sequence[Sequence[str]],
    order: Sequence[int],
) -> list[list[Outcome]]:
    """Have sessions take their steps in this order; one that waits takes its next steps once it can go on.

    Returns the outcomes of each session's statements. After an error a session rolls back, and takes no more steps.
    """
    sessions = [Session(connection, observer) for connection in connections]
    queues = [list(script) for script in scripts]
    turns = list(order)
    try:
        while turns:
            number = next((turn for turn in turns if not sessions[turn].waits), None)
            assert number is not None, "all sessions wait for each other"
            turns.remove(number)
            session, queue = sessions[number], queues[number]
            if not session.outcomes or not isinstance(session.outcomes[-1], str):
                session.begin(queue.pop(0))
            for each in sessions:
                each.settle()
            for each, connection in zip(sessions, connections):
                if each.outcomes and isinstance(each.outcomes[-1], str) and not connection.closed:
                    connection.rollback()
            for each in sessions:
                each.settle()
    finally:
        for connection in connections:
            connection.cancel()
        for session in sessions:
            session.close()
            session.settle()
        for connection in connections:
            connection.rollback()
    return [session.outcomes for session in sessions]
