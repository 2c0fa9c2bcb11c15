"""Adds up what the view metric counts: in memory, and every few seconds in its table.

A worker that crashes has not written the last seconds; that costs less than a statement for each transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..database import metric_counter
from ..database.spi import Spi
from ..jobs.alerts import Alert
from ..jobs.metrics import ALWAYS, Key, bounded, count_alerts, count_runs, merge, new_counts
from ..jobs.run import Run
from .timers import Every

INTERVAL = 5.0  # seconds


class Metrics:
    """What has been counted and not written, and what of it is of the transaction that has not been committed."""

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        self._committed = new_counts()
        self._uncommitted = new_counts()
        self._being_written = new_counts()
        self._known: set[Key] | None = None
        self._write = Every(INTERVAL)

    def add_runs(self, runs: Iterable[Run]) -> None:
        """Count runs that have ended."""
        count_runs(runs, self._uncommitted)

    def add_alerts(self, alerts: Iterable[Alert]) -> None:
        """Count alerts."""
        count_alerts(alerts, self._uncommitted)

    def settle(self) -> None:
        """Keep what has been counted: it is committed."""
        if self._uncommitted or self._being_written:
            merge(self._committed, self._uncommitted)
            self._uncommitted.clear()
            self._being_written.clear()

    def forget(self) -> None:
        """Forget what the transaction was about, since it has failed, and write again what it has written."""
        self._uncommitted.clear()
        merge(self._committed, self._being_written)
        self._being_written.clear()
        self._known = None

    def write_due(self, steady: float) -> None:
        """Write what is committed, now and then."""
        if (self._committed or self._known is None) and self._write.begin_if_due(steady):
            self.write()

    def write(self) -> None:
        """Write what is committed."""
        counts = self._committed
        if self._known is None:
            self._known = metric_counter.counters_of_runs(self._spi)
            counts = new_counts()
            merge(counts, {**dict.fromkeys(ALWAYS, 0.0), **self._committed})
        if counts:
            metric_counter.add(self._spi, bounded(counts, self._known))
            merge(self._being_written, self._committed)
            self._committed.clear()
