"""Jobs as they were read last: one that is due again soon need not be read again, if its row is still the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from .job import Job, Place
from .run_queue import QueuedRun

# Jobs that are due less often gain nothing by being known.
KEPT_TIME = 60.0  # seconds
MOST_JOBS = 10000  # jobs
LONGEST_DEFINITION = 2000  # characters, of a job that is kept
# Rows written by any transaction may bear one of these numbers (xmin) after a VACUUM, so they say nothing.
SPECIAL_VERSIONS = ("0", "1", "2")


# A place, and which role and database of these names it was.
OidPlace = tuple[Place, Optional[int], Optional[int]]


class KnownPlace(NamedTuple):
    """A job whose place was free of obstacles, the version of its row, and which role and database it was."""

    job_id: int
    row_version: str
    role_oid: int | None
    database_oid: int | None


class KnownJobs:
    """Some jobs, by job_id, each with the version of its row: the transaction that has written it.

    A job is changed when it is due again, so it is used by one claim at a time.
    """

    def __init__(self) -> None:
        self._jobs: dict[int, tuple[Job, OidPlace]] = {}
        self._forget_at = 0.0  # a moment of the steady clock

    def find(self, due: Iterable[QueuedRun], steady: float) -> list[Job]:
        """Those of the jobs that are known, if they are due as they were read; nothing was in the way of any."""
        if steady >= self._forget_at:
            self._jobs.clear()
            self._forget_at = steady + KEPT_TIME
        jobs = []
        for entry in due:
            if (found := self._jobs.get(entry.job_id)) is not None:
                job, _ = found
                job.scheduled_at = entry.due
                jobs.append(job)
        return jobs

    def add(self, jobs: Iterable[Job]) -> None:
        """Keep jobs that have just been read, as far as there is room and nothing is in their way."""
        for job in jobs:
            if self._may_keep(job):
                self._jobs[job.job_id] = job, (job.place, job.role_oid, job.database_oid)
            else:
                self._jobs.pop(job.job_id, None)

    def drop(self, job_ids: Iterable[int]) -> None:
        """Make room: these jobs have been changed or deleted."""
        for job_id in job_ids:
            self._jobs.pop(job_id, None)

    def _may_keep(self, job: Job) -> bool:
        has_room = len(self._jobs) < MOST_JOBS or job.job_id in self._jobs
        is_fit = job.row_version not in SPECIAL_VERSIONS and job.length <= LONGEST_DEFINITION
        is_free = job.obstacle_error is None and job.quarantined_reason is None and job.role_oid is not None
        return has_room and is_fit and is_free and job.state_set_at == job.schedule_set_at

    def versions(self, job_ids: Iterable[int]) -> list[str]:
        """The versions of the rows of known jobs."""
        return [self._jobs[job_id][0].row_version for job_id in job_ids]

    def places(self, job_ids: Sequence[int]) -> tuple[list[int], list[KnownPlace]]:
        """For each of these known jobs, one that is in the same place, perhaps itself; and these."""
        first: dict[OidPlace, int] = {}
        representatives = [first.setdefault(self._jobs[job_id][1], job_id) for job_id in job_ids]
        return representatives, [
            KnownPlace(job_id, self._jobs[job_id][0].row_version, role_oid, database_oid)
            for (_, role_oid, database_oid), job_id in first.items()
        ]
