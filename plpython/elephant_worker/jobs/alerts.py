"""The alerts that are sent on the channel elephant_worker.

Any role that can connect to the database can listen, so an alert names the job and the run, but nothing that only
the job's role can read: no command, no message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from enum import Enum

from .run import RunState


class AlertEvent(str, Enum):
    """What an alert is about; the values of its "event"."""

    FAILED = "failed"
    TIMED_OUT = "timed out"
    LOST = "lost"
    MISSED = "missed"
    RECOVERED = "recovered"
    DISABLED = "disabled"
    OVERDUE = "overdue"
    OVERRUN = "overrun"
    QUARANTINED = "quarantined"


# The ends of a run that always make an alert.
EVENTS = {
    RunState.FAILED: AlertEvent.FAILED,
    RunState.TIMED_OUT: AlertEvent.TIMED_OUT,
    RunState.LOST: AlertEvent.LOST,
    RunState.MISSED: AlertEvent.MISSED,
}


def alert(event: AlertEvent, at: float, job_id: int, **more: object) -> str:
    """The payload of a notification: JSON, far shorter than the 8000 bytes there may be.

    >>> alert(AlertEvent.OVERDUE, 1800000000.25, 7, jl_id=None)
    '{"event": "overdue", "at": "2027-01-15T08:00:00.250000+00:00", "job_id": 7}'
    """
    moment = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="microseconds")
    parts = {"event": event.value, "at": moment, "job_id": job_id, **more}
    return json.dumps({name: value for name, value in parts.items() if value is not None}, ensure_ascii=False)


class SuccessDeadlines:
    """By when jobs are expected to succeed (expect_success_within). Moments are seconds since 1970."""

    def __init__(self) -> None:
        self._within: dict[int, float] = {}
        self._by: dict[int, float] = {}

    def set(self, job_id: int, within: float | None, since: float = 0.0) -> None:
        """Expect a success of the job within this many seconds from a moment on; None: expect none."""
        self._within.pop(job_id, None)
        self._by.pop(job_id, None)
        if within is not None:
            self._within[job_id] = within
            self._by[job_id] = since + within

    def succeeded(self, job_ids: Iterable[int], now: float) -> None:
        """Note that these jobs have succeeded."""
        for job_id in self._within.keys() & set(job_ids):
            self._by[job_id] = now + self._within[job_id]

    def overdue(self, now: float) -> list[int]:
        """The jobs that have not succeeded in time; each is named again after the same time has passed.

        >>> deadlines = SuccessDeadlines()
        >>> deadlines.set(7, 60.0, since=100.0)
        >>> deadlines.overdue(159.0), deadlines.overdue(160.0), deadlines.overdue(161.0)
        ([], [7], [])
        >>> deadlines.succeeded([7, 8], 200.0)
        >>> deadlines.overdue(259.0), deadlines.overdue(260.0), deadlines.overdue(320.0)
        ([], [7], [7])
        """
        late = sorted(job_id for job_id, by in self._by.items() if by <= now)
        for job_id in late:
            self._by[job_id] = now + self._within[job_id]
        return late
