"""The table worker_state: which process is the worker, and which is its spare."""

from __future__ import annotations

from ..records import record
from ..version import VERSION
from . import worker_request
from .spi import Spi, Statement

LOCK = Statement("SELECT FROM @extschema@.worker_state FOR UPDATE")
WORKER_PID = Statement("SELECT @internal@.worker_pid() AS pid")
IS_ARMED = Statement("SELECT @internal@.is_armed() AS armed")
IS_LEAVING = Statement(
    "SELECT @internal@.worker_pid() IS NOT NULL AND @internal@.serving_worker_pid() IS NULL AS leaving"
)
ARM = Statement("SELECT @internal@.arm_worker()")
REGISTER = Statement(
    """UPDATE @extschema@.worker_state w
       SET pid = a.pid, backend_start = a.backend_start, host = $1,
           version = (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'elephant_worker'),
           spare_pid = NULL, spare_start = NULL  -- the spare that there may be was an earlier worker's
       FROM pg_stat_get_activity(pg_backend_pid()) a""",
    "text",
)


def worker_pid(spi: Spi) -> int | None:
    """The process id of the worker, if there is one."""
    pid: int | None = spi.execute(WORKER_PID)[0]["pid"]
    return pid


def is_armed(spi: Spi) -> bool:
    """Whether there should be a worker."""
    return bool(spi.execute(IS_ARMED)[0]["armed"])


def is_leaving(spi: Spi) -> bool:
    """Whether there is a worker that stop_worker() has told to leave."""
    return bool(spi.execute(IS_LEAVING)[0]["leaving"])


def register(spi: Spi, host: str, attended: bool) -> int | None:
    """Become the worker, unless there is one; unattended also not if it was stopped. Returns the process id of
    the one that there is."""
    spi.execute(LOCK)
    other = worker_pid(spi)
    if other is None and (attended or is_armed(spi)):
        spi.execute(ARM)
        spi.execute(REGISTER, host)
        worker_request.forget_stop(spi)
    return other


IS_REGISTERED = Statement(
    "SELECT EXISTS (SELECT FROM @extschema@.worker_state w WHERE w.pid = pg_backend_pid()) AS registered"
)


def is_registered(spi: Spi) -> bool:
    """Whether this process is the worker of its database."""
    return bool(spi.execute(IS_REGISTERED)[0]["registered"])


STOPPED_BY = Statement(
    """SELECT w.stopped_by::text AS stopped_by FROM @extschema@.worker_state w
       WHERE w.pid = pg_backend_pid() AND w.stopped_worker = w.backend_start"""
)


def stopped_by(spi: Spi) -> str | None:
    """The role that has told this process to end, by stop_worker(); None: nobody has."""
    rows = spi.execute(STOPPED_BY)
    return rows[0]["stopped_by"] if rows else None


UNREGISTER = Statement(
    """UPDATE @extschema@.worker_state w SET pid = NULL, backend_start = NULL, host = NULL
       WHERE w.pid = pg_backend_pid()"""
)


def unregister(spi: Spi) -> None:
    """Be the worker no longer."""
    spi.execute(UNREGISTER)


START_WORKER = Statement("SELECT @extschema@.start_worker()")


def start_worker(spi: Spi) -> None:
    """Have another process be the worker."""
    spi.execute(START_WORKER)


SPARE_PID = Statement(
    """SELECT w.spare_pid AS pid FROM @extschema@.worker_state w
       WHERE w.spare_pid <> pg_backend_pid()  -- nor NULL, which would stand for all sessions
           AND EXISTS (SELECT FROM pg_stat_get_activity(w.spare_pid) a WHERE a.backend_start = w.spare_start)"""
)
REGISTER_SPARE = Statement(
    """UPDATE @extschema@.worker_state w SET spare_pid = a.pid, spare_start = a.backend_start
       FROM pg_stat_get_activity(pg_backend_pid()) a"""
)


def spare_pid(spi: Spi) -> int | None:
    """The process id of the spare, if there is one."""
    rows = spi.execute(SPARE_PID)
    return rows[0]["pid"] if rows else None


def register_spare(spi: Spi, attended: bool) -> tuple[bool, int | None]:
    """Become the spare, unless there is one; if the worker was told to stop and a person wants another one, in
    place of that. Returns whether this process is to follow such a worker, and the process id of the spare that
    stays."""
    spi.execute(LOCK)
    leaving = is_leaving(spi)
    other = spare_pid(spi)
    if other is not None and not (leaving and attended):
        return False, other
    if leaving and attended:
        spi.execute(ARM)
    spi.execute(REGISTER_SPARE)
    return leaving and is_armed(spi), None


SPARE_STATUS = Statement(
    """SELECT @internal@.worker_pid() AS worker, @internal@.is_armed() AS armed
       FROM @extschema@.worker_state w, pg_extension e
       WHERE w.spare_pid = pg_backend_pid() AND e.extname = 'elephant_worker' AND e.extversion = $1""",
    "text",
)


@record(frozen=True)
class SpareStatus:
    """The process id of the worker, and whether there should be a worker."""

    worker: int | None
    armed: bool | None


def spare_status(spi: Spi) -> SpareStatus | None:
    """What the spare goes by; None if this process is no longer the spare, or of another version."""
    rows = spi.execute(SPARE_STATUS, VERSION)
    return SpareStatus(**rows[0]) if rows else None


MOVE_LOWEST_OPEN_RUN = Statement(
    """UPDATE @extschema@.worker_state w
       SET lowest_open_run = greatest(
           u.lowest_open_run,
           -- As long as one runs that began long ago, no more is read than that. To sort what runs would mean to read
           -- all: so it must not seem to be little.
           coalesce((SELECT l.jl_id FROM @extschema@.job_log l
                     WHERE l.jl_id >= u.lowest_open_run AND l.jl_id < u.lowest_open_run + $1
                         AND coalesce(l.state = 'running', false)
                     ORDER BY l.jl_id LIMIT 1),
                    least(u.lowest_open_run + $1,
                          coalesce((SELECT l.jl_id + 1 FROM @extschema@.job_log l
                                    WHERE l.jl_id >= u.lowest_open_run ORDER BY l.jl_id DESC LIMIT 1), 0))))
       FROM (SELECT x.only_row, x.lowest_open_run FROM @extschema@.worker_state x FOR UPDATE SKIP LOCKED) u
       WHERE w.only_row = u.only_row
       RETURNING w.lowest_open_run - u.lowest_open_run AS moved""",
    "int8",
)
ALL_RUNS = 2**62  # more runs than there are numbers of


def move_lowest_open_run(spi: Spi, most: int = ALL_RUNS) -> bool:
    """Move the mark below which all runs have ended, by so many numbers at most; returns whether it has moved as far as
    that."""
    return any(row["moved"] == most for row in spi.execute(MOVE_LOWEST_OPEN_RUN, most))


FOLLOW_RESTORED_LOG = Statement(
    # The last run that is known has a number below the mark, unless the log is of an earlier time.
    """UPDATE @extschema@.worker_state w SET lowest_open_run = 0
       WHERE w.lowest_open_run > 1 + (SELECT l.jl_id FROM @extschema@.job_log l ORDER BY l.jl_id DESC LIMIT 1)"""
)


def follow_restored_log(spi: Spi) -> None:
    """Have all runs be looked at where a backup has been restored over the log: the mark is not dumped, and some below
    it may have been active when the backup was taken."""
    spi.execute(FOLLOW_RESTORED_LOG)


LOWER_LOWEST_OPEN_RUN = Statement(
    """UPDATE @extschema@.worker_state w SET lowest_open_run = $1
       WHERE w.lowest_open_run > $1
           AND w.only_row IN (SELECT u.only_row FROM @extschema@.worker_state u FOR UPDATE SKIP LOCKED)""",
    "int8",
)


def lower_lowest_open_run(spi: Spi, jl_id: int) -> None:
    """Have the mark not be above a run that begins: one that was asked for got its number then."""
    spi.execute(LOWER_LOWEST_OPEN_RUN, jl_id)
