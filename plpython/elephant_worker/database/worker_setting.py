"""The table worker_setting: the settings of the worker."""

from __future__ import annotations

from ..records import record
from .spi import Spi, Statement

READ = Statement(
    """SELECT s.max_running_jobs, s.max_running_jobs_per_role, s.max_idle_sessions, s.spare_connections,
           s.connect_as, s.conninfo,
           date_part('epoch', s.session_idle_time) AS session_idle_time,
           date_part('epoch', s.session_lifetime) AS session_lifetime,
           date_part('epoch', s.cancel_grace) AS cancel_grace,
           date_part('epoch', s.start_grace) AS start_grace,
           date_part('epoch', s.pause_after_stall) AS pause_after_stall,
           s.paused_since IS NOT NULL AS paused, s.overrun_factor,
           date_part('epoch', s.log_max_age) AS log_max_age, s.log_max_rows,
           s.measure_cost,
           e.extversion AS version
       FROM @extschema@.worker_setting s, pg_extension e WHERE e.extname = 'elephant_worker'"""
)
INSERT_DEFAULTS = Statement("INSERT INTO @extschema@.worker_setting DEFAULT VALUES")


@record(frozen=True)
class Settings:
    """The settings, and the version of the extension.

    Durations are seconds.
    """

    max_running_jobs: int
    max_running_jobs_per_role: int | None
    max_idle_sessions: int
    spare_connections: int
    connect_as: str
    conninfo: str
    session_idle_time: float
    session_lifetime: float
    cancel_grace: float
    start_grace: float
    pause_after_stall: float
    paused: bool
    overrun_factor: float | None
    log_max_age: float | None
    log_max_rows: int | None
    measure_cost: bool
    version: str

    @property
    def most_sessions_of_a_role(self) -> int:
        """Those of its runs, those that wait for one, and some that are just ending."""
        runs = self.max_running_jobs if self.max_running_jobs_per_role is None else self.max_running_jobs_per_role
        return runs + self.max_idle_sessions + 5


def read(spi: Spi) -> Settings:
    """The settings; the defaults, if somebody has deleted the row."""
    rows = spi.execute(READ)
    if not rows:
        spi.execute(INSERT_DEFAULTS)
        rows = spi.execute(READ)
    return Settings(**rows[0])
