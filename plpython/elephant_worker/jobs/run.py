"""A run: one execution of a job's command, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

STOPPED_HINTS = {
    "timed out": "A longer job_timeout, or a faster command, lets it end by itself.",
    "cancelled": "run_job() starts it again.",
}


# Role, database and foreign server of a place.
Names = tuple[str, str, str | None]


class Target(NamedTuple):
    """Where and as whom a command runs. Sessions are kept for the same place only."""

    role_oid: int
    rolname: str
    datname: str
    # The foreign server; None: this server.
    server: str | None = None

    @property
    def names(self) -> Names:
        """What it is called, whatever role has the name now."""
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


# The parts of an outcome that the server or the command has worded.
TEXTS = ("message", "detail", "hint", "context", "notices")


class Outcome(NamedTuple):
    """How a run ended; the texts as the server gave them."""

    state: str
    sqlstate: str
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    command_tag: str | None = None
    row_count: int | None = None
    notices: str | None = None

    def in_ascii(self) -> Outcome:
        """The same in characters that every encoding has; others as Python's string literals write them.

        >>> Outcome("failed", "P0001", message="café").in_ascii().message
        'caf\\\\xe9'
        """
        texts = {name: value for name in TEXTS if (value := getattr(self, name)) is not None}
        return self._replace(
            **{name: text.encode("ascii", "backslashreplace").decode() for name, text in texts.items()}
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session's process has used: seconds of CPU, bytes read from and written to files."""

    cpu_time: float
    bytes_read: int
    bytes_written: int

    def since(self, before: Cost) -> Cost:
        """What was used since an earlier reading."""
        return Cost(
            self.cpu_time - before.cpu_time,
            self.bytes_read - before.bytes_read,
            self.bytes_written - before.bytes_written,
        )


@dataclass(slots=True, eq=False)
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
    # For its session: a JSON object; values of $1, $2 ….
    settings: str | None = None
    parameters: list[str | None] | None = None
    # The run that led to this one.
    caused_by: int | None = None
    schedule_set_at: float = 0.0
    # Its command is not sent before this moment of the steady clock.
    not_before: float = 0.0
    # The job is due again so many seconds after the run has ended, or then at this moment.
    after_end: int | None = None
    resume_at: float | None = None
    # For missed: how many due times, and the last of them.
    missed_count: int | None = None
    missed_until: float | None = None
    started: float | None = None
    started_steady: float = 0.0
    finished: float | None = None
    outcome: Outcome | None = None
    # Where it is measured.
    cost: Cost | None = None
    # Why it is being stopped: the state it will be logged in, and what to say.
    stopping: tuple[str, str] | None = None
    # Whether its session has been asked to end.
    terminated: bool = False

    @property
    def is_dry_run(self) -> bool:
        """Whether it is to be rolled back."""
        return self.cause == "trial"

    @property
    def again_at(self) -> float | None:
        """When the job is due because this run has ended."""
        moments = [self.resume_at]
        if self.after_end is not None and self.finished is not None:
            moments.append(self.finished + self.after_end)
        return min((moment for moment in moments if moment is not None), default=None)

    def end(self, outcome: Outcome, now: float) -> None:
        """Note how it ended. A run that was being stopped has been stopped, however it took that."""
        if self.stopping is not None:
            state, reason = self.stopping
            said = "The command completed nevertheless." if outcome.state == "succeeded" else outcome.message
            outcome = outcome._replace(
                state=state,
                sqlstate="57014",
                message=reason,
                detail=said,
                hint=outcome.hint or STOPPED_HINTS[state],
            )
        self.outcome = outcome
        self.finished = now
