"""A run: one execution of a job's command, and how it ended."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Optional

from ..errors import UserError
from ..records import record


class RunState(str, Enum):
    """How a run stands; the values of job_log.state."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"
    MISSED = "missed"

    # It equals its text, and is looked up for each run several times.
    __hash__ = str.__hash__


# The states of runs that failed; a run that somebody cancelled did not.
FAILURES = {RunState.FAILED, RunState.TIMED_OUT, RunState.LOST}

STOPPED_HINTS = {
    RunState.TIMED_OUT: "A longer job_timeout, or a faster command, lets it end by itself.",
    RunState.CANCELLED: "run_job() starts it again.",
}
# By cause: those of cancelled runs that belong to no job.
ALONE_HINTS = {
    "once": "run_once() starts it again.",
    "failure": "run_once() starts it again.",
    "trial": "try_job() starts it again.",
}


def stopped_hint(state: RunState, cause: str) -> str:
    """What to do about a run that took too long or was cancelled."""
    hint = ALONE_HINTS.get(cause) if state is RunState.CANCELLED else None
    return hint or STOPPED_HINTS[state]


# Role, database and foreign server of a target.
Names = tuple[str, str, Optional[str]]


class Gate(NamedTuple):
    """What every new session on this server must pass, and what may be closed for now: its role, or its database."""

    catalog: str
    name: str

    @classmethod
    def role(cls, name: str) -> Gate:
        return cls("pg_authid", name)

    @classmethod
    def database(cls, name: str) -> Gate:
        return cls("pg_database", name)


def gates(target: Names) -> tuple[Gate, ...]:
    """Those of a target; on other servers there are none that are known here.

    >>> [gate.name for gate in gates(("app", "weborder", None))], gates(("app", "weborder", "berlin"))
    (['app', 'weborder'], ())
    """
    rolname, datname, server = target
    return (Gate.role(rolname), Gate.database(datname)) if server is None else ()


class Target(NamedTuple):
    """Where a command runs, and as which role. A session is kept for runs of the same target only."""

    role_oid: int
    rolname: str
    datname: str
    # The foreign server; None: this server.
    server: str | None = None

    @property
    def names(self) -> Names:
        """What it is called, whichever role has the name now."""
        return self.rolname, self.datname, self.server

    def __str__(self) -> str:
        """For people.

        >>> print(Target(10, "app", "weborder")), print(Target(10, "app", "weborder", "berlin"))
        role "app" in database "weborder"
        role "app" in database "weborder" on server "berlin"
        (None, None)
        """
        here = f'role "{self.rolname}" in database "{self.datname}"'
        return here if self.server is None else f'{here} on server "{self.server}"'


# A run is claimed a little before it is due, and may end then without having started; if it is more, the clock was set.
LARGEST_LEAD = 0.1  # seconds
# The parts of an outcome that the server or the command has worded.
TEXTS = ("message", "detail", "hint", "context", "notices")


class Outcome(NamedTuple):
    """How a run ended; the texts as the server gave them."""

    state: RunState
    sqlstate: str
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    command_tag: str | None = None
    row_count: int | None = None
    notices: str | None = None

    @classmethod
    def of(cls, error: UserError) -> Outcome:
        """How a run ends that cannot even begin."""
        return cls(RunState.FAILED, error.sqlstate, error.message, error.detail, error.hint)

    def plain(self) -> Outcome:
        """The same in few words that can be stored anywhere, without numbers that may be out of range.

        >>> outcome = Outcome(RunState.FAILED, "P0001", message="\\xe9" * 300, row_count=10**30)
        >>> outcome.plain().message == "\\\\xe9" * 200
        True
        """
        return Outcome(self.state, self.sqlstate, message=self.message and self.message[:200]).in_ascii()

    def in_ascii(self) -> Outcome:
        """The same in characters that every encoding has; others as Python's string literals write them.

        >>> Outcome(RunState.FAILED, "P0001", message="caf\\xe9").in_ascii().message
        'caf\\\\xe9'
        """
        texts = {name: value for name in TEXTS if (value := getattr(self, name)) is not None}
        return self._replace(
            **{name: text.encode("ascii", "backslashreplace").decode() for name, text in texts.items()}
        )


TOO_LATE = "the job could not start within its start_deadline"
# How a run ends that was claimed in time, and whose session was not ready in time.
NOT_READY = Outcome(
    RunState.MISSED,
    "55000",
    TOO_LATE,
    "Its session was not ready.",
    "A longer start_deadline lets it run late. The server's log may say more.",
)


@record(frozen=True)
class Cost:
    """What a session's process has used."""

    cpu_time: float  # seconds
    bytes_read: int  # from files
    bytes_written: int  # to files

    def since(self, before: Cost) -> Cost:
        """What has been used since an earlier reading."""
        return Cost(
            self.cpu_time - before.cpu_time,
            self.bytes_read - before.bytes_read,
            self.bytes_written - before.bytes_written,
        )


@record(eq=False)
class Run:
    """One run. Moments are seconds since 1970, `timeout` and `after_end` are seconds."""

    jl_id: int
    job_id: int
    target: Target
    cause: str
    command: str
    scheduled_at: float
    timeout: float
    attempt: int = 1
    # For its session: a JSON object, and the values of $1, $2 and so on.
    settings: str | None = None
    parameters: list[str | None] | None = None
    # The run that led to this one.
    caused_by: int | None = None
    schedule_set_at: float = 0.0
    # The version of the job, and what it is called.
    version: int | None = None
    job_name: str | None = None
    # Its command is not sent before this moment of the steady clock.
    not_before: float = 0.0
    # If its session is not connected by this moment of the steady clock, it fails; if its command has not been sent by
    # the other one, it is missed.
    connect_by: float = 0.0
    start_by: float | None = None
    # The job is due again this many seconds after the run has ended; or at this moment.
    after_end: int | None = None
    resume_at: float | None = None
    # If it was missed: how many due times, and the last of them.
    missed_count: int | None = None
    missed_until: float | None = None
    started: float | None = None
    started_steady: float = 0.0
    finished: float | None = None
    outcome: Outcome | None = None
    # If it is measured.
    cost: Cost | None = None
    # Why it is being stopped: the state that it will be logged in, and what to say.
    stopping: tuple[RunState, str] | None = None
    # Whether its session has been told to end.
    terminated: bool = False
    # Whether it never started because its job is in quarantine: not a failure, and nothing follows from it.
    quarantined: bool = False

    @property
    def is_dry_run(self) -> bool:
        """Whether it is to be rolled back."""
        return self.cause == "trial"

    @property
    def again_at(self) -> float | None:
        """When the job is due because this run has ended."""
        if self.resume_at is None and self.after_end is None:
            return None
        moments = [self.resume_at]
        if self.after_end is not None and self.finished is not None:
            moments.append(self.finished + self.after_end)
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def is_unmeasured_success(self) -> bool:
        """Whether all that is to be logged of its end is that it has succeeded, with which tag, rows and notices."""
        return self.outcome is not None and self.outcome.state is RunState.SUCCEEDED and self.cost is None

    def is_late(self, now: float) -> bool:
        """Whether it has not started, and must not start any more."""
        return self.start_by is not None and self.started is None and now >= self.start_by

    def end(self, outcome: Outcome, now: float) -> None:
        """Note how it ended. A run that was being stopped counts as stopped, however its command reacted to that."""
        if self.stopping is not None:
            state, reason = self.stopping
            succeeded = outcome.state is RunState.SUCCEEDED
            outcome = outcome._replace(
                state=state,
                sqlstate="57014",
                message=reason,
                detail="The command completed nevertheless." if succeeded else outcome.message,
                hint=outcome.hint or stopped_hint(state, self.cause),
            )
        if outcome.state is RunState.MISSED and self.missed_count is None:
            self.missed_count, self.missed_until = 1, self.scheduled_at
        self.outcome = outcome
        self.finished = self.scheduled_at if 0.0 < self.scheduled_at - now < LARGEST_LEAD else now


@record()
class EndedRun:
    """What the log says of a run that has ended, as far as something may follow from it."""

    jl_id: int
    job_id: int
    cause: str
    attempt: int
    scheduled_at: float
    rolname: str
    datname: str
    state: RunState
    sqlstate: str
    message: str | None
    server: str | None = None
    quarantined: bool = False
    # The run whose failure is final now: this was its retry, and was cancelled or kept from running before it began.
    makes_final: int | None = None

    @property
    def failed(self) -> bool:
        return self.state in FAILURES and not self.quarantined

    @property
    def took_place(self) -> bool:
        """Whether it is an end of its job for those that run after it."""
        passed_over = self.state in (RunState.SKIPPED, RunState.MISSED) or self.quarantined
        return not passed_over and self.makes_final is None

    @classmethod
    def of(cls, run: Run) -> EndedRun:
        """The same of a run that is in memory."""
        outcome = run.outcome
        assert outcome is not None
        ended = cls(
            run.jl_id,
            run.job_id,
            run.cause,
            run.attempt,
            run.scheduled_at,
            run.target.rolname,
            run.target.datname,
            outcome.state,
            outcome.sqlstate,
            outcome.message,
            run.target.server,
            run.quarantined,
        )
        # One that finds no connection is an attempt, and fails itself.
        if run.cause == "retry" and run.started is None and not ended.failed:
            ended.makes_final = run.caused_by
        return ended
