"""Runs that follow from others: of jobs that run after them, and on_failure_command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..database import finished_dependency, once_job, worker_request
from ..database.spi import Spi
from ..database.worker_request import Message
from ..jobs.retry import Policy
from ..jobs.run import EndedRun
from ..system.clock import Clock
from .inbox import Inbox
from .timers import Portion

# How many jobs that wait for others are looked at when these end. If there are more, each further transaction looks at
# so many of them, and for so long.
DEPENDENTS_AT_ONCE = 50  # jobs
MOST_DEPENDENTS = 500  # jobs
DEPENDENTS_TIME = 0.02  # seconds


class Dependencies:
    """Enqueues them, as requests in the inbox like those of users."""

    def __init__(self, spi: Spi, clock: Clock, inbox: Inbox) -> None:
        self._spi = spi
        self._clock = clock
        self._inbox = inbox
        self._portion = Portion(MOST_DEPENDENTS, DEPENDENTS_TIME)
        # Whether there may be some that are to be looked at, and after which job the next ones are.
        self.has_more = True
        self._last = 0
        # Those that were looked at last.
        self.taken: list[int] = []

    def forget(self) -> None:
        """Look again for what is to be looked at: a transaction has failed."""
        self.has_more = True

    def enqueue_on_failure_commands(self, failed: Sequence[EndedRun], policies: Mapping[int, Policy]) -> None:
        """Ask for the on_failure_command of jobs whose run has failed for good."""
        for run in failed:
            if run.job_id in policies and policies[run.job_id].on_failure:
                once_job.enqueue_on_failure_command(self._spi, run)
                self._inbox.note()

    def enqueue_dependents(self, ended: Sequence[EndedRun]) -> None:
        """Ask for runs of the jobs that run after these, if all that they wait for has ended."""
        finished = {run.job_id: run for run in ended if run.took_place}
        if finished:
            waiting, more = finished_dependency.record(self._spi, list(finished.values()), DEPENDENTS_AT_ONCE)
            self.has_more |= more
            self._enqueue_ready(waiting)

    def go_on(self, limit: int | None) -> None:
        """Look at some more of the jobs that wait for one for which many wait, in turn; at most at so many."""
        self.taken = []
        if not self.has_more:
            return
        began = self._clock.steady()
        job_ids = finished_dependency.take_unchecked(self._spi, self._last, limit or self._portion.size)
        self.taken = job_ids
        self.has_more = bool(job_ids or self._last)
        self._last = job_ids[-1] if job_ids else 0
        self._enqueue_ready(job_ids)
        self._portion.took(len(job_ids), self._clock.steady() - began)

    def _enqueue_ready(self, job_ids: Sequence[int]) -> None:
        if job_ids and finished_dependency.enqueue_ready(self._spi, job_ids):
            self._inbox.note()

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        finished_dependency.forget_others(self._spi, job_ids)
        # With another run_after or run_when, what has ended before may be all that a job waits for.
        self._enqueue_ready(job_ids)

    def disable(self, disabled: Mapping[int, Message]) -> None:
        """Have what was asked for before these jobs were disabled not start, and what ended before not count, even if
        they are enabled again."""
        worker_request.note_disabled(self._spi, disabled)
        finished_dependency.forget_ended(self._spi, {job_id: message.sent_at for job_id, message in disabled.items()})
