"""Runs that follow from others: of jobs that run after them, and on_failure_command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..database import finished_dependency, once_job, worker_request
from ..database.finished_dependency import Mark
from ..database.spi import Spi
from ..database.worker_request import Message
from ..jobs.retry import Policy
from ..jobs.run import EndedRun
from ..system.clock import Clock
from .inbox import Inbox
from .timers import Portion

# How many jobs that wait for one are told of its end at once. If there are more, each further transaction tells so many
# of them, for so long.
DEPENDENTS_AT_ONCE = 50  # jobs
MOST_DEPENDENTS = 500  # jobs
DEPENDENTS_TIME = 0.02  # seconds
# Of how many jobs the last request is remembered.
MOST_REMEMBERED = 100_000  # jobs


class Dependencies:
    """Enqueues them, as requests in the inbox like those of users."""

    def __init__(self, spi: Spi, clock: Clock, inbox: Inbox) -> None:
        self._spi = spi
        self._clock = clock
        self._inbox = inbox
        self._portion = Portion(MOST_DEPENDENTS, DEPENDENTS_TIME)
        # Whether there may be ends of which some are still to be told, and after which job that was last so.
        self.has_more = True
        self._last = 0
        # The last of them, with those that were told.
        self.told: Mark | None = None
        # The last request to run each of the jobs that was made here: no earlier one waits.
        self._last_requests: dict[int, int] = {}

    def forget(self) -> None:
        """Look again for who is to be told: a transaction has failed."""
        self.has_more = True
        self._last_requests.clear()

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
            waiting, more = finished_dependency.record(
                self._spi, list(finished.values()), DEPENDENTS_AT_ONCE, self.has_more
            )
            self.has_more |= more
            self._enqueue_ready(waiting)

    def go_on(self, limit: int | None) -> int:
        """Tell some more of the jobs that wait for one for which many wait, in turn; at most so many. Returns how
        many."""
        self.told = None
        if not self.has_more:
            return 0
        began = self._clock.steady()
        self.told = mark = finished_dependency.next_mark(self._spi, self._last)
        self.has_more = mark is not None
        if mark is None:
            return 0
        self._last = mark.after_job_id
        self.told = mark = finished_dependency.tell(self._spi, mark, limit or self._portion.size)
        finished_dependency.move(self._spi, mark)
        self._enqueue_ready(mark.job_ids)
        self._portion.took(len(mark.job_ids), self._clock.steady() - began)
        return len(mark.job_ids)

    def _enqueue_ready(self, job_ids: Sequence[int]) -> None:
        if job_ids:
            if len(self._last_requests) > MOST_REMEMBERED:
                self._last_requests.clear()
            last = {job_id: self._last_requests.get(job_id, 0) for job_id in job_ids}
            if requests := finished_dependency.enqueue_ready(self._spi, last):
                self._last_requests.update(requests)
                self._inbox.note()

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        finished_dependency.forget_others(self._spi, job_ids)
        # With another run_after or run_when, what has ended before may be all that a job waits for.
        self._enqueue_ready(job_ids)

    def disable(self, disabled: Mapping[int, Message]) -> list[int]:
        """Have what was asked for before these jobs were disabled not start, and what ended before not count, even if
        they are enabled again. Returns the numbers of what was asked for."""
        finished_dependency.forget_ended(self._spi, {job_id: message.sent_at for job_id, message in disabled.items()})
        return worker_request.note_disabled(self._spi, disabled)
