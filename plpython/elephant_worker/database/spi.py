"""Statements, executed by SPI in the session that is the worker."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

# Where the extension keeps what users neither call nor read; sql/expand.py puts it there.
INTERNAL = "elephant_worker_internal"


def in_schemas(text: str, schema: str) -> str:
    """A statement with the schemas of the extension filled in: its own, which PostgreSQL has quoted, and that of its
    internals."""
    return text.replace("@extschema@", schema).replace("@internal@", INTERNAL)


class Statement:
    """A statement and the types of its parameters.

    `@extschema@` stands for the schema of the extension and `@internal@` for that of its internals, as in its script.

    A statement is to read by index whatever PostgreSQL believes of the tables, which may have been empty when it was
    planned: what it looks up for each row is a subquery (see lookup() and numbered()), and coalesce() hides conditions
    of other indexes.
    """

    __slots__ = ("text", "types")

    def __init__(self, text: str, *types: str) -> None:
        self.text = text
        self.types = types


def lookup(source: str, job_id: str) -> str:
    """What a statement joins to look up a job, for each of its rows, in a table or view.

    OFFSET 0 has PostgreSQL join it with nothing, so that the job is found by its number; a join could be made the other
    way round, and read all jobs for each. In a table whose rows change with each run, numbered() finds it.
    """
    return f"LATERAL (SELECT * FROM {source} x WHERE x.job_id = {job_id} OFFSET 0)"  # noqa: S608 - names in this package


def numbered(table: str, column: str, number: str) -> str:
    """What a statement joins to look up a row by its number, for each of its rows; and where that row is (`ctid`), by
    which it is changed or deleted.

    It is for tables where another index has the number after other columns. A table that PostgreSQL believes to be
    empty could as well be looked through in that index, from one end to the other; but only one is in this order.

    And it is for tables whose rows change often. While somebody's snapshot is open, as that of a dump, all versions of
    a row since then are kept, and the index has those of one number in the order of their places in the table, which
    grows meanwhile: from the end on, the first that is read is the newest, and no other is.
    """
    return (
        f"LATERAL (SELECT x.*, x.ctid FROM {table} x"  # noqa: S608 - names in this package
        f" WHERE x.{column} >= {number} AND x.{column} <= {number} ORDER BY x.{column} DESC LIMIT 1)"
    )


def columns_of(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The columns of some rows, as a statement takes them that has an array for each.

    >>> columns_of([(1, "one"), (2, "two")])
    [[1, 2], ['one', 'two']]
    """
    return [list(column) for column in zip(*rows)]


def microseconds(moment: float | None) -> int | None:
    """A moment as rows of many columns are handed over: a whole number takes a fifth of the time that a fraction takes.

    >>> microseconds(1800000000.000001), microseconds(None)
    (1800000000000001, None)
    """
    return None if moment is None else round(moment * 1e6)


class _Undone:
    """A subtransaction that is undone at its end."""

    def __init__(self, subtransaction: Any) -> None:
        self._subtransaction = subtransaction

    def __enter__(self) -> None:
        self._subtransaction.__enter__()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._subtransaction.__exit__(kind or Exception, error, traceback)


class Spi:
    """The session: its statements, prepared when they are first executed, and its transaction."""

    def __init__(self, plpy: Any, schema: str) -> None:
        self.plpy = plpy
        self.schema = schema
        self.Error: Any = plpy.SPIError
        self.exceptions: Any = plpy.spiexceptions
        # How many rows have been written to each table since it was vacuumed, by its name alone.
        self.written: Counter[str] = Counter()
        self._plans: dict[Statement, Any] = {}
        self._in_transaction = False

    def execute(self, statement: Statement, *values: Any) -> Any:
        """Execute a statement; its rows."""
        plan = self._plans.get(statement)
        if plan is None:
            plan = self._plans[statement] = self.plpy.prepare(
                in_schemas(statement.text, self.schema), [in_schemas(name, self.schema) for name in statement.types]
            )
        self._in_transaction = True
        return self.plpy.execute(plan, values)

    def commit(self) -> None:
        """End the transaction, if there is one: between its turns the worker holds no snapshot."""
        if self._in_transaction:
            self._in_transaction = False
            self.plpy.commit()

    def commit_confirmed(self) -> None:
        """End the transaction, and come back only when the synchronous standbys have confirmed it.

        A cancellation would cut that wait short, and be forgotten with a warning to the client: so it waits until
        the next call, as SIGINT does in the kernel. A termination does cut it short, and the next call into the
        server then ends this process.
        """
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.commit()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def rollback(self) -> None:
        """Undo what the transaction has written. What was read in it may no longer be true."""
        self._in_transaction = False
        self.plpy.rollback()

    def subtransaction(self, keep: bool = True) -> Any:
        """A context; what happens in it is undone by an exception that leaves it, or at its end if it is not kept."""
        return self.plpy.subtransaction() if keep else _Undone(self.plpy.subtransaction())

    def log(self, text: str) -> None:
        """Write a line into the server's log."""
        self.plpy.log(text)

    def warning(self, text: str) -> None:
        """Write a warning into the server's log."""
        self.plpy.warning(text)

    def set_session(self, settings: dict[str, str]) -> dict[str, str]:
        """Change those settings of the session that the server knows, and commit that; returns what they were."""
        # Qualified, whatever search_path the owner of the database has given it.
        plan = self.plpy.prepare(
            """SELECT s.before, pg_catalog.set_config($1, $2, false)
               FROM (SELECT pg_catalog.current_setting($1, true) AS before) s WHERE s.before IS NOT NULL""",
            ["pg_catalog.text"] * 2,
        )
        before = {
            name: row["before"] for name, value in settings.items() for row in self.plpy.execute(plan, [name, value])
        }
        self.plpy.commit()
        return before

    def count_writes(self, table: str, rows: int) -> None:
        """Note that rows of a table of the extension have been written."""
        self.written[table] += rows
