"""The table metric_counter: what the view metric counts."""

from __future__ import annotations

from collections.abc import Mapping

from ..jobs.metrics import Key
from .spi import Spi, Statement, columns_of

KNOWN = Statement(
    """SELECT c.name, c.rolname::text, c.datname::text, c.label FROM @internal@.metric_counter c
       WHERE c.name = 'runs'"""
)


def counters_of_runs(spi: Spi) -> set[Key]:
    """The counters of runs that there are."""
    return {Key(**row) for row in spi.execute(KNOWN)}


ADD = Statement(
    """INSERT INTO @internal@.metric_counter AS c (name, rolname, datname, label, value)
       SELECT n.* FROM unnest($1, $2, $3, $4, $5) n
       ON CONFLICT (name, rolname, datname, label) DO UPDATE SET value = c.value + excluded.value""",
    *("text[]", "name[]", "name[]", "text[]", "float8[]"),
)


def add(spi: Spi, counts: Mapping[Key, float]) -> None:
    """Add to counters."""
    spi.execute(ADD, *columns_of(counts), list(counts.values()))
    spi.count_writes("metric_counter", len(counts))
