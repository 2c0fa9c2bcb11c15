"""The alerts: what each says, to whom, and how often.

Any role that can connect to the database can listen on the channel elephant_worker, so a notification names the job
and the run, but nothing that only the job's role can read: no command, no message. Those are in the table alert.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from enum import Enum

from ..records import record
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
# Events that say the same: that the job fails.
FAILING = (AlertEvent.FAILED, AlertEvent.TIMED_OUT, AlertEvent.LOST)
# People are told again of what lasts when it has lasted twice as long, but not before FIRST_SILENCE has passed, and
# at the latest after LONGEST_SILENCE.
FIRST_SILENCE = 300.0  # seconds
LONGEST_SILENCE = 86400.0  # seconds
LONGEST_MESSAGE = 500  # characters


def silence(lasted: float, first: float = FIRST_SILENCE) -> float:
    """How many seconds people hear nothing of what has lasted so long.

    >>> silence(0.0), silence(1000.0), silence(1e9), silence(1e9, first=1e6)
    (300.0, 1000.0, 86400.0, 1000000.0)
    """
    return max(first, min(lasted, LONGEST_SILENCE))


@record()
class Alert:
    """One alert, as the table alert has it; moments are seconds since 1970."""

    event: AlertEvent
    at: float
    job_id: int
    explanation: str
    jl_id: int | None = None
    rolname: str | None = None
    datname: str | None = None
    server: str | None = None
    sqlstate: str | None = None
    attempt: int | None = None
    retry: bool | None = None
    repetition: int = 1
    since: float = 0.0
    told: float = 0.0

    def payload(self) -> str:
        """The payload of its notification: JSON, far shorter than the 8000 bytes there may be.

        >>> Alert(AlertEvent.OVERDUE, 1800000000.25, 7, "secret").payload()
        '{"event": "overdue", "at": "2027-01-15T08:00:00.250000+00:00", "job_id": 7}'
        """
        moment = datetime.fromtimestamp(self.at, timezone.utc).isoformat(timespec="microseconds")
        parts = {"event": self.event.value, "at": moment}
        parts |= {
            name: value
            for name in ("job_id", "jl_id", "rolname", "datname", "sqlstate", "attempt", "retry")
            if (value := getattr(self, name)) is not None
        }
        return json.dumps(parts, ensure_ascii=False)


@record()
class Episode:
    """Alerts of one kind about a job, while all is not well."""

    since: float
    told: float
    repetition: int = 0


Episodes = dict[AlertEvent, Episode]


def kind(event: AlertEvent) -> AlertEvent:
    """The event that stands for all that say the same.

    >>> kind(AlertEvent.LOST) is kind(AlertEvent.TIMED_OUT) is AlertEvent.FAILED
    True
    """
    return AlertEvent.FAILED if event in FAILING else event


def follow(alert: Alert, episodes: Episodes) -> None:
    """Note in an alert which one in a row it is, and whether people are told of it.

    >>> episodes = {}
    >>> alerts = [Alert(AlertEvent.FAILED, at, 7, "") for at in (1000.0, 1060.0, 1300.0, 1600.0)]
    >>> for alert in alerts:
    ...     follow(alert, episodes)
    >>> [(alert.repetition, alert.told) for alert in alerts]
    [(1, 1000.0), (2, 1000.0), (3, 1300.0), (4, 1600.0)]
    """
    episode = episodes.setdefault(kind(alert.event), Episode(alert.at, alert.at))
    episode.repetition += 1
    # The clock may have been set back.
    if not episode.told <= alert.at < episode.told + silence(episode.told - episode.since):
        episode.told = alert.at
    alert.repetition, alert.since, alert.told = episode.repetition, episode.since, episode.told
    if episode.repetition > 1:
        alert.explanation += f" That makes {episode.repetition} in a row, since {in_words(episode.since)}."


def in_words(moment: float) -> str:
    """A moment, to the second, in UTC.

    >>> in_words(1800000000.25)
    '2027-01-15 08:00:00 UTC'
    """
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float) -> str:
    """A duration for people.

    >>> span(0.25), span(90), span(90061)
    ('0.2 seconds', '0:01:30', '1 day, 1:01:01')
    """
    return f"{seconds:.1f} seconds" if seconds < 10 else str(timedelta(seconds=round(seconds)))


def explain(event: AlertEvent, message: str | None, sqlstate: str | None, retry: bool) -> str:
    """What an alert about the end of a run says.

    >>> explain(AlertEvent.FAILED, "division by zero", "22012", True)
    'The run failed: division by zero (22012). It will be tried again.'
    >>> explain(AlertEvent.QUARANTINED, "the database does not exist", "3D000", False)
    'The job does not run: the database does not exist (3D000).'
    >>> explain(AlertEvent.RECOVERED, None, "00000", False)
    'A run succeeded again.'
    """
    if event is AlertEvent.RECOVERED:
        return "A run succeeded again."
    text = "" if message is None else message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}..."
    what = {
        AlertEvent.FAILED: "The run failed",
        AlertEvent.TIMED_OUT: "The run took too long",
        AlertEvent.LOST: "The run was lost",
        AlertEvent.MISSED: "The job was due and has not run",
        AlertEvent.QUARANTINED: "The job does not run",
    }[event]
    return f"{what}: {text} ({sqlstate})." + " It will be tried again." * retry


DISABLED = (
    "The job is not due any more, because it has failed disable_after times in a row."
    " Any change of it, such as update_job(job_id, enabled := true), ends this."
)


def explain_overdue(seconds: float, within: float) -> str:
    """What is said of a job that has not succeeded for so many seconds."""
    return f"No run has succeeded for {span(seconds)}; expect_success_within is {span(within)}."


def explain_overrun(seconds: float, usual: float) -> str:
    """What is said of a run that has taken so many seconds."""
    return f"The run has taken {span(seconds)} so far; 95 of 100 earlier runs took at most {span(usual)}."


class SuccessDeadlines:
    """By when jobs are expected to succeed (expect_success_within). Moments are seconds since 1970."""

    def __init__(self) -> None:
        self._within: dict[int, float] = {}
        self._since: dict[int, float] = {}
        self._by: dict[int, float] = {}
        self._told: set[int] = set()

    def expect(self, job_id: int, within: float | None, since: float = 0.0, told: float | None = None) -> None:
        """Expect a success of the job within this many seconds from a moment on; None: expect none. `told` is when
        it was last said that there was none."""
        self._within.pop(job_id, None)
        self._by.pop(job_id, None)
        self._told.discard(job_id)
        if within is not None:
            self._within[job_id] = within
            self._since[job_id] = since
            self._by[job_id] = since + within
            if told is not None and told > since:
                self._tell(job_id, told)

    def succeeded(self, job_ids: Iterable[int], now: float) -> set[int]:
        """Note that these jobs have succeeded; returns those of which it was said that they had not."""
        known = self._within.keys() & set(job_ids)
        for job_id in known:
            self._since[job_id] = now
            self._by[job_id] = now + self._within[job_id]
        recovered = known & self._told
        self._told -= recovered
        return recovered

    def overdue(self, now: float, most: int | None = None) -> dict[int, tuple[float, float]]:
        """The jobs that have not succeeded in time: for how many seconds, and within how many they should have. Each
        is named again when that has lasted twice as long, see silence(). At most so many: others are named next.

        >>> deadlines = SuccessDeadlines()
        >>> deadlines.expect(7, 60.0, since=100.0)
        >>> deadlines.overdue(159.0), deadlines.overdue(160.0), deadlines.overdue(161.0)
        ({}, {7: (60.0, 60.0)}, {})
        >>> deadlines.overdue(219.0), deadlines.overdue(220.0), deadlines.overdue(339.0), deadlines.overdue(340.0)
        ({}, {7: (120.0, 60.0)}, {}, {7: (240.0, 60.0)})
        >>> deadlines.succeeded([7, 8], 400.0), deadlines.succeeded([7], 401.0)
        ({7}, set())
        >>> deadlines.overdue(460.0), deadlines.overdue(461.0)
        ({}, {7: (60.0, 60.0)})
        >>> deadlines.expect(8, 1.0), deadlines.expect(9, 1.0)
        (None, None)
        >>> deadlines.overdue(462.0, 1).keys(), deadlines.overdue(462.0, 1).keys(), deadlines.overdue(462.0, 1).keys()
        (dict_keys([8]), dict_keys([9]), dict_keys([]))
        """
        late = sorted(job_id for job_id, by in self._by.items() if by <= now)[:most]
        for job_id in late:
            self._tell(job_id, now)
        return {job_id: (now - self._since[job_id], self._within[job_id]) for job_id in late}

    def _tell(self, job_id: int, now: float) -> None:
        self._told.add(job_id)
        self._by[job_id] = now + silence(now - self._since[job_id], self._within[job_id])
