"""What the worker does now and then, beside its runs."""

from __future__ import annotations

from ..connection.login import Login
from ..connection.poller import Poller
from ..database import login_role, server, worker_state
from ..database.server import Server
from ..database.spi import Spi
from ..errors import UserError
from ..jobs.run import Target
from .due_jobs import DueJobs
from .launch import launch
from .listener import Listener
from .logins import Logins
from .timers import Every
from .vacuum import Vacuum

# How often the mark below which all runs have ended is moved.
MARK_INTERVAL = 60.0  # seconds
# By how much at once: past a run that took long there are all that have ended since.
MARK_STEP = 10_000  # runs
# How often the worker looks for its spare.
SPARE_INTERVAL = 60.0  # seconds
# How long after its start a worker drops what an update has left to its predecessor, whose session ends meanwhile;
# and how often it looks again.
PREDECESSOR_TIMEOUT = 5.0  # seconds
KEPT_OBJECTS_INTERVAL = 60.0  # seconds
# How often it looks for runners that are not needed any more.
IDLE_RUNNERS_INTERVAL = 10.0  # seconds


class Housekeeping:
    """Its timers, and the connections of the worker's own."""

    def __init__(
        self,
        spi: Spi,
        poller: Poller,
        logins: Logins,
        own: Server,
        due_jobs: DueJobs,
        steady: float,
        with_spare: bool,
    ) -> None:
        self._spi = spi
        self._poller = poller
        self._logins = logins
        self._target = Target(own.role_oid, own.rolname, own.datname)
        self._due_jobs = due_jobs
        self._with_spare = with_spare
        self.listener = Listener(spi, poller, self._login)
        self._vacuum = Vacuum(spi, poller, self._login)
        self._marks = Every(MARK_INTERVAL, next=steady + MARK_INTERVAL)
        self._kept_objects = Every(KEPT_OBJECTS_INTERVAL, next=steady + PREDECESSOR_TIMEOUT)
        self._idle_runners = Every(IDLE_RUNNERS_INTERVAL, next=steady + IDLE_RUNNERS_INTERVAL)
        self._spare = Every(SPARE_INTERVAL)

    def run_due(self, steady: float, serving: bool) -> None:
        """Do what is due; a worker that is about to end needs neither spare nor VACUUM."""
        if self._marks.begin_if_due(steady) and worker_state.move_lowest_open_run(self._spi, MARK_STEP):
            self._marks.next = steady  # there may be more
        if serving:
            self._due_jobs.look_around(steady)
            if self._kept_objects.begin_if_due(steady):
                server.drop_kept_objects(self._spi)
            if self._idle_runners.begin_if_due(steady):
                login_role.close_idle_runners(self._spi)
            if self._spare.begin_if_due(steady):
                self._ensure_spare()
            self.listener.connect(steady)
            self._vacuum.run_due(steady)

    def close(self) -> None:
        self.listener.close()
        self._vacuum.close()

    def _ensure_spare(self) -> None:
        """Start a spare, which takes over when this process ends unexpectedly, unless there is one."""
        if not self._with_spare or worker_state.spare_pid(self._spi) is not None:
            return
        try:
            connection = launch(self._spi.plpy, self._spi.schema)
        except UserError as user_error:
            self._spi.warning(f"elephant_worker has no spare: {user_error.message}: {user_error.detail}")
        else:
            if connection is not None:
                self._poller.watch(connection)

    def _login(self) -> Login | None:
        """How the worker itself connects, if it can."""
        try:
            self._logins.prepare(self._target)
        except (UserError, self._spi.Error) as error:
            self._spi.rollback()
            self._spi.warning(f"elephant_worker cannot connect for itself: {error}")
            return None
        self._spi.commit()
        return self._logins.login(self._target)
