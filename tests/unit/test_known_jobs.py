"""Jobs that the worker need not read again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from elephant_worker.jobs.job import Job, JobDefinition
from elephant_worker.jobs.known_jobs import KEPT_TIME, LONGEST_DEFINITION, MOST_JOBS, KnownJobs, KnownPlace
from elephant_worker.jobs.run_queue import QueuedRun
from harness.cluster import ROOT

JOB = Job(
    *(1.0, True, "@hourly"),
    rolname="app",
    role_oid=16385,
    datname="shop",
    database_oid=5,
    job_command="SELECT 1",
    job_id=7,
    row_version="900",
    state_set_at=1.0,
)
# What each column that a place consists of is in another place.
ELSEWHERE = {
    "rolname": "other",
    "datname": "other",
    "server": "berlin",
    "defined_by": "other",
    "expected_database_oid": 1,
    "expected_database_owner": 1,
    "expected_server_oid": 1,
}


def due(*job_ids: int) -> list[QueuedRun]:
    return [QueuedRun(60.0, job_id, "app", "shop") for job_id in job_ids]


def known(*jobs: Job) -> KnownJobs:
    jobs_known = KnownJobs()
    assert jobs_known.find(due(*(job.job_id for job in jobs)), 0.0) == []
    jobs_known.add(jobs)
    return jobs_known


def test_a_job_is_known_by_the_version_of_its_row() -> None:
    jobs = known(JOB)
    (job,) = jobs.find(due(3, 7), 1.0)
    assert (job.job_id, job.job_command, job.scheduled_at) == (7, "SELECT 1", 60.0)
    assert jobs.versions([7]) == ["900"]
    jobs.add([replace(JOB, row_version="901", job_command="SELECT 2")])
    (job,) = jobs.find(due(7), 1.0)
    assert job.job_command == "SELECT 2"
    assert jobs.versions([7]) == ["901"]


def test_a_job_that_is_deleted_leaves_its_room() -> None:
    jobs = known(*(replace(JOB, job_id=number) for number in range(MOST_JOBS)))
    jobs.add([replace(JOB, job_id=MOST_JOBS)])
    assert not jobs.find(due(MOST_JOBS), 1.0)
    jobs.drop([1, -1])
    jobs.add([replace(JOB, job_id=MOST_JOBS)])
    assert [job.job_id for job in jobs.find(due(1, MOST_JOBS), 1.0)] == [MOST_JOBS]


def test_jobs_are_known_for_some_time() -> None:
    jobs = known(JOB)
    assert jobs.find(due(7), KEPT_TIME - 1)
    assert not jobs.find(due(7), KEPT_TIME)


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, row_version="0"),
        # What VACUUM FULL writes.
        replace(JOB, row_version="2"),
        replace(JOB, job_command="x" * LONGEST_DEFINITION),
        replace(JOB, schedule="x" * LONGEST_DEFINITION),
        replace(JOB, settings="x" * LONGEST_DEFINITION),
        replace(JOB, parameters=["x" * LONGEST_DEFINITION, None]),
        # Something is in its way, or was when it was looked at last.
        replace(JOB, obstacle_error={"message": "there is no such role"}),
        replace(JOB, role_oid=None),
        replace(JOB, quarantined_reason="there is no such role"),
        # Its due time follows another schedule.
        replace(JOB, state_set_at=0.5),
    ],
)
def test_what_is_not_kept(job: Job) -> None:
    assert known(job).find(due(7), 1.0) == []
    jobs = known(JOB)
    jobs.add([job])
    assert jobs.find(due(7), 1.0) == []


def test_only_so_many_are_kept() -> None:
    jobs = known(*(replace(JOB, job_id=number) for number in range(MOST_JOBS + 5)))
    assert len(jobs.find(due(*range(MOST_JOBS + 5)), 1.0)) == MOST_JOBS
    jobs.add([replace(JOB, job_id=3, row_version="901")])
    assert jobs.versions([3]) == ["901"]


@pytest.mark.parametrize("column", ELSEWHERE)
def test_jobs_in_the_same_place(column: str) -> None:
    there = replace(JOB, **{column: ELSEWHERE[column]})
    jobs = known(JOB, replace(JOB, job_id=8), replace(there, job_id=9), replace(there, job_id=10))
    in_same_place, places = jobs.places([10, 9, 8, 7])
    assert in_same_place == [10, 10, 8, 8]
    assert places == [KnownPlace(10, "900", 16385, 5), KnownPlace(8, "900", 16385, 5)]


def test_a_role_or_database_that_was_made_anew_is_another_place() -> None:
    jobs = known(JOB, replace(JOB, job_id=8, role_oid=16400), replace(JOB, job_id=9, database_oid=6))
    in_same_place, places = jobs.places([7, 8, 9])
    assert in_same_place == [7, 8, 9]
    assert [(place.role_oid, place.database_oid) for place in places] == [(16385, 5), (16400, 5), (16385, 6)]


def test_a_place_has_what_an_obstacle_depends_on() -> None:
    view = (ROOT / "sql/views/job_for_worker.sql").read_text()
    columns, _, obstacles = view.partition("\nFROM @extschema@.job j\n")
    renamed = dict(re.findall(r"\bj\.(\w+) AS (\w+)", columns))
    depends_on = {renamed.get(column, column) for column in re.findall(r"\bj\.(\w+)", obstacles)}
    place = dict(zip(ELSEWHERE, replace(JOB, **ELSEWHERE).place))
    assert depends_on == set(ELSEWHERE)
    assert place == ELSEWHERE
    assert {column for column in ELSEWHERE if column in JobDefinition.__dataclass_fields__} == depends_on
