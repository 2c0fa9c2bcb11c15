"""A job as the worker reads it."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Optional

from ..records import record
from ..schedule.due_times import Timing, schedule

Place = tuple[str, str, Optional[str], str, Optional[int], Optional[int], Optional[int]]


@record()
class JobDefinition:
    """What the view `job_for_worker` shows of a job, column by column; all defaults: the job is gone.

    Moments are seconds since 1970, durations are seconds.
    """

    schedule_set_at: float | None = None
    enabled: bool = False
    schedule: str | None = None
    timezone: str = ""
    dst: str = "cron"
    starts_at: float | None = None
    ends_at: float | None = None
    catch_up: str = "skip"
    catch_up_limit: int = 1
    start_deadline: float | None = None
    parallel: bool = False
    job_command: str = ""
    job_timeout: float = 0.0
    settings: str | None = None
    parameters: list[str | None] | None = None
    rolname: str = ""
    role_oid: int | None = None
    datname: str = ""
    server: str | None = None
    database_oid: int | None = None
    defined_by: str = ""
    # What keeps it from running now: sqlstate, message, detail, hint.
    obstacle_error: dict[str, str] | None = None
    version: int | None = None
    job_name: str | None = None
    # What its database and its foreign server were when it was defined.
    expected_database_oid: int | None = None
    expected_database_owner: int | None = None
    expected_server_oid: int | None = None

    @property
    def place(self) -> Place:
        """What its obstacle depends on, in its row: of jobs in the same place all have the same, or none has one."""
        return (
            self.rolname,
            self.datname,
            self.server,
            self.defined_by,
            self.expected_database_oid,
            self.expected_database_owner,
            self.expected_server_oid,
        )


COLUMNS = tuple(column.name for column in fields(JobDefinition))


@record()
class Job(JobDefinition):
    """A job and why the worker looks at it: it is due, or a run was asked for.

    `jl_id` is the number that its run will have, `state_set_at` the definition that its due time follows,
    `row_version` the transaction that has written its row ("0": not read).
    """

    jl_id: int = 0
    job_id: int = 0
    cause: str = ""
    scheduled_at: float = 0.0
    withdrawn: bool = False
    attempt: int = 1
    caused_by: int | None = None
    state_set_at: float | None = None
    row_version: str = "0"
    # Whether the worker has seen its definition; whether disable_after has disabled it.
    has_state: bool = True
    disabled: bool = False
    # What kept it from running when it was looked at last.
    quarantined_reason: str | None = None
    _timing: Timing | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def length(self) -> int:
        """How many characters its definition has."""
        parameters = sum(len(parameter or "") for parameter in self.parameters or ())
        return len(self.job_command) + len(self.schedule or "") + len(self.settings or "") + parameters

    @property
    def timing(self) -> Timing:
        """When it is due. Raises UserError if the schedule cannot be read any more."""
        if self._timing is None:
            read = schedule(self.schedule or "", self.timezone, self.dst, str(self.job_id))
            self._timing = Timing(read, self.schedule_set_at or 0.0, self.starts_at, self.ends_at)
        return self._timing
