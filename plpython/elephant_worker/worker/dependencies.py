"""Runs that follow from others: of jobs that run after them, and on_failure_command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..database import finished_dependency, once_job, worker_request
from ..database.spi import Spi
from ..database.worker_request import Message
from ..jobs.retry import Policy
from ..jobs.run import EndedRun
from .inbox import Inbox


class Dependencies:
    """Enqueues them, as requests in the inbox like those of users."""

    def __init__(self, spi: Spi, inbox: Inbox) -> None:
        self._spi = spi
        self._inbox = inbox

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
            waiting = finished_dependency.record(self._spi, list(finished.values()))
            if waiting and finished_dependency.enqueue_ready(self._spi, waiting):
                self._inbox.note()

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        finished_dependency.forget_others(self._spi, job_ids)
        # With another run_after or run_when, what has ended before may be all that a job waits for.
        if finished_dependency.enqueue_ready(self._spi, job_ids):
            self._inbox.note()

    def disable(self, disabled: Mapping[int, Message]) -> None:
        """Have what was asked for before these jobs were disabled not start, and what ended before not count, even if
        they are enabled again."""
        worker_request.note_disabled(self._spi, disabled)
        finished_dependency.forget_ended(self._spi, {job_id: message.sent_at for job_id, message in disabled.items()})
