"""The counters of the view metric, as they are before they are added to the table."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .alerts import Alert
from .run import Run, RunState

# Upper bounds of the buckets of histograms, as Prometheus writes them.
DURATIONS = ("0.01", "0.1", "1", "10", "60", "300", "1800", "3600", "21600", "86400", "+Inf")  # seconds
LATENESSES = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "5", "10", "60", "600", "3600", "+Inf")
# More than so many combinations of role, database and state have no counters of their own.
MOST_SERIES = 1000  # combinations


class Key(NamedTuple):
    """Names a counter."""

    name: str
    rolname: str = ""
    datname: str = ""
    label: str = ""


Counts = defaultdict[Key, float]


def new_counts() -> Counts:
    """Counters that have counted nothing."""
    return defaultdict(float)


def merge(counts: Counts, more: Mapping[Key, float]) -> None:
    """Add to counters what others have counted."""
    for key, value in more.items():
        counts[key] += value


class Histogram:
    """Which counters a measurement of a kind goes to."""

    def __init__(self, name: str, bounds: tuple[str, ...]) -> None:
        self._bounds = [float(bound) for bound in bounds]
        self._keys = [Key(name, label=bound) for bound in bounds]
        self._sum = Key(f"{name} sum")

    @property
    def keys(self) -> list[Key]:
        return [*self._keys, self._sum]

    def add(self, seconds: Collection[float], counts: Counts) -> None:
        """Count measurements.

        >>> counts = new_counts()
        >>> DURATION.add([0.1, 0.2, 1e9], counts)
        >>> sorted((key.label, value) for key, value in counts.items())
        [('', 1000000000.3), ('+Inf', 1.0), ('0.1', 1.0), ('1', 1.0)]
        """
        for bucket, number in Counter(bisect_left(self._bounds, value) for value in seconds).items():
            counts[self._keys[bucket]] += number
        counts[self._sum] += sum(seconds)


DURATION = Histogram("duration", DURATIONS)
LATENESS = Histogram("lateness", LATENESSES)
MISSED = Key("missed")
# What is there from the beginning, so that the first event is an increase.
ALWAYS = [*DURATION.keys, *LATENESS.keys, MISSED]


def count_runs(runs: Iterable[Run], counts: Counts) -> None:
    """Count runs that have ended; those of a quarantine are no runs."""
    ended: defaultdict[tuple[str, str, RunState], int] = defaultdict(int)
    latenesses, durations = [], []
    for run in runs:
        assert run.outcome is not None
        assert run.finished is not None
        if run.quarantined:
            continue
        state = run.outcome.state
        _, rolname, datname, _ = run.target
        ended[rolname, datname, state] += 1
        if state is RunState.MISSED:
            counts[MISSED] += run.missed_count or 1
        if run.started is not None:
            latenesses.append(max(0.0, run.started - run.scheduled_at))
            if state is RunState.SUCCEEDED:
                durations.append(max(0.0, run.finished - run.started))
    for (rolname, datname, state), number in ended.items():
        counts[Key("runs", rolname, datname, state.value)] += number
    LATENESS.add(latenesses, counts)
    DURATION.add(durations, counts)


def count_alerts(alerts: Iterable[Alert], counts: Counts) -> None:
    """Count alerts."""
    for alert in alerts:
        counts[Key("alerts", label=alert.event.value)] += 1


def bounded(counts: Mapping[Key, float], known: set[Key]) -> Counts:
    """The same, with at most MOST_SERIES counters of runs, of which these are there already.

    >>> many = {Key("runs", f"role {number}", "db", "failed"): 1 for number in range(2000)}
    >>> known = set()
    >>> few = bounded(many, known)
    >>> len(few), few[Key("runs", label="failed")], [*bounded({Key("runs", "role 7", "db", "failed"): 5}, known)]
    (1001, 1000.0, [Key(name='runs', rolname='role 7', datname='db', label='failed')])
    """
    result = new_counts()
    for key, value in counts.items():
        if key.name == "runs" and len(known) < MOST_SERIES:
            known.add(key)
        has_its_own = key.name != "runs" or key in known
        result[key if has_its_own else Key("runs", label=key.label)] += value
    return result
