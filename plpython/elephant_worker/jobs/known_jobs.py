"""Jobs as they were read last: one that is due again soon need not be read again, if its row is still the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .job import Job, Place

# Jobs that are due less often gain nothing by being known.
KEPT_TIME = 60.0  # seconds
MOST_JOBS = 10000  # jobs
LONGEST_DEFINITION = 2000  # characters, of a job that is kept
# Rows written by any transaction may bear one of these numbers (xmin) after a VACUUM, so they say nothing.
SPECIAL_VERSIONS = ("0", "1", "2")


class KnownJob(NamedTuple):
    """A job, the version of its row that is known, and a job in the same place that is known, perhaps itself."""

    job_id: int
    row_version: str
    in_same_place: int


class KnownJobs:
    """Some jobs, by job_id, each with the version of its row: the transaction that has written it.

    A job is changed when it is claimed again, so it is used by one claim at a time.
    """

    def __init__(self) -> None:
        self._jobs: dict[int, tuple[Job, Place]] = {}
        self._forget_at = 0.0  # a moment of the steady clock

    def find(self, job_ids: Iterable[int], steady: float) -> list[KnownJob]:
        """Those of the jobs that are known."""
        if steady >= self._forget_at:
            self._jobs.clear()
            self._forget_at = steady + KEPT_TIME
        first: dict[Place, int] = {}
        known = []
        for job_id in job_ids:
            if (found := self._jobs.get(job_id)) is not None:
                job, place = found
                known.append(KnownJob(job_id, job.row_version, first.setdefault(place, job_id)))
        return known

    def add(self, jobs: Iterable[Job]) -> None:
        """Keep jobs that have just been read, as far as there is room."""
        for job in jobs:
            has_room = len(self._jobs) < MOST_JOBS or job.job_id in self._jobs
            if has_room and job.row_version not in SPECIAL_VERSIONS and job.length <= LONGEST_DEFINITION:
                self._jobs[job.job_id] = job, job.place

    def claimed(self, rows: Iterable[Mapping[str, Any]]) -> list[Job]:
        """Known jobs whose rows are the same, with what was read of each claim."""
        jobs = []
        for row in rows:
            job, _ = self._jobs[row["job_id"]]
            job.jl_id = row["jl_id"]
            job.scheduled_at = row["scheduled_at"]
            job.state_set_at = row["state_set_at"]
            job.quarantined_reason = row["quarantined_reason"]
            job.role_oid = row["role_oid"]
            job.database_oid = row["database_oid"]
            job.obstacle_error = row["obstacle_error"]
            jobs.append(job)
        return jobs
