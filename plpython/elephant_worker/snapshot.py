"""Which transactions have ended, as snapshots of PostgreSQL tell it."""

from __future__ import annotations

from .records import record

# From one transaction to another, both included.
Range = tuple[int, int]
# Comes after all transactions that there will ever be.
LAST_TRANSACTION = 2**64 - 1  # an xid8


@record(frozen=True)
class Snapshot:
    """All transactions before xmax have ended, except for those that were running. They are numbered as by xid8, which
    gives no number twice."""

    xmax: int = 0
    running: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """A pg_snapshot, as PostgreSQL writes it.

        >>> Snapshot.parse("10:14:10,12") == Snapshot(14, frozenset({10, 12}))
        True
        >>> Snapshot.parse("14:14:") == Snapshot(14)
        True
        """
        _, xmax, running = text.split(":")
        return cls(int(xmax), frozenset(map(int, running.split(",") if running else ())))

    def ended_since(self, earlier: Snapshot) -> list[Range]:
        """The transactions that had not ended in the earlier snapshot, in order, without those that run. All that
        begin later are among them, so that the one which asks is too.

        >>> Snapshot.parse("12:20:12,16").ended_since(Snapshot.parse("10:14:10,12")) == [
        ...     (10, 10), (14, 15), (17, LAST_TRANSACTION)]
        True
        """
        ranges = [(number, number) for number in sorted(earlier.running - self.running)]
        first = earlier.xmax
        for number in [*sorted(number for number in self.running if number >= first), LAST_TRANSACTION + 1]:
            if first < number:
                ranges.append((first, number - 1))
            first = number + 1
        return ranges

    def has_ended(self, transaction: int) -> bool:
        """Whether this transaction has ended, if it has ever begun.

        >>> [Snapshot.parse("10:14:10,12").has_ended(number) for number in (11, 12, 14)]
        [True, False, False]
        """
        return transaction < self.xmax and transaction not in self.running

    def while_running(self, transaction: int | None) -> Snapshot:
        """The same, where this transaction has not ended: a snapshot does not tell of the one that takes it.

        >>> Snapshot.parse("12:20:12").while_running(15) == Snapshot.parse("12:20:12,15")
        True
        """
        if transaction is None or transaction >= self.xmax:
            return self
        return Snapshot(self.xmax, self.running | {transaction})
