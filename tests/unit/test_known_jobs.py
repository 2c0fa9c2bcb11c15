"""Jobs that the worker need not read again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from elephant_worker.jobs.job import Job, JobDefinition
from elephant_worker.jobs.known_jobs import KEPT_TIME, LONGEST_DEFINITION, MOST_JOBS, KnownJob, KnownJobs
from harness.cluster import ROOT

JOB = Job(job_id=7, row_version="900", job_command="SELECT 1", schedule="@hourly", rolname="app", datname="shop")
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


def known(*jobs: Job) -> KnownJobs:
    jobs_known = KnownJobs()
    assert jobs_known.find([job.job_id for job in jobs], 0.0) == []
    jobs_known.add(jobs)
    return jobs_known


def test_a_job_is_known_by_the_version_of_its_row() -> None:
    jobs = known(JOB)
    assert jobs.find([3, 7], 1.0) == [KnownJob(7, "900", 7)]
    jobs.add([replace(JOB, row_version="901", job_command="SELECT 2")])
    assert jobs.find([7], 1.0) == [KnownJob(7, "901", 7)]
    row = {"job_id": 7, "jl_id": 5, "scheduled_at": 60.0, "state_set_at": 1.0, "quarantined_reason": None}
    (job,) = jobs.claimed([{**row, "role_oid": 16385, "database_oid": 5, "obstacle_error": None}])
    assert (job.job_command, job.jl_id, job.scheduled_at, job.role_oid) == ("SELECT 2", 5, 60.0, 16385)


def test_jobs_are_known_for_some_time() -> None:
    jobs = known(JOB)
    assert jobs.find([7], KEPT_TIME - 1)
    assert not jobs.find([7], KEPT_TIME)


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
    ],
)
def test_what_is_not_kept(job: Job) -> None:
    assert known(job).find([7], 1.0) == []


def test_only_so_many_are_kept() -> None:
    jobs = known(*(replace(JOB, job_id=number) for number in range(MOST_JOBS + 5)))
    assert len(jobs.find(range(MOST_JOBS + 5), 1.0)) == MOST_JOBS
    jobs.add([replace(JOB, job_id=3, row_version="901")])
    assert jobs.find([3], 1.0) == [KnownJob(3, "901", 3)]


@pytest.mark.parametrize("column", ELSEWHERE)
def test_jobs_in_the_same_place(column: str) -> None:
    there = replace(JOB, **{column: ELSEWHERE[column]})
    jobs = known(JOB, replace(JOB, job_id=8), replace(there, job_id=9), replace(there, job_id=10))
    places = {job.job_id: job.in_same_place for job in jobs.find([10, 9, 8, 7], 1.0)}
    assert places == {10: 10, 9: 10, 8: 8, 7: 8}


def test_a_place_has_what_an_obstacle_depends_on() -> None:
    view = (ROOT / "sql/views/job_for_worker.sql").read_text()
    columns, _, obstacles = view.partition("\nFROM @extschema@.job j\n")
    renamed = dict(re.findall(r"\bj\.(\w+) AS (\w+)", columns))
    depends_on = {renamed.get(column, column) for column in re.findall(r"\bj\.(\w+)", obstacles)}
    place = dict(zip(ELSEWHERE, replace(JOB, **ELSEWHERE).place))
    assert depends_on == set(ELSEWHERE)
    assert place == ELSEWHERE
    assert {column for column in ELSEWHERE if column in JobDefinition.__dataclass_fields__} == depends_on
