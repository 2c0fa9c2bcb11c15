"""Definitions as documents have them, through the views: with the rights of whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .spi import Spi, Statement

ATTRIBUTES = Statement(
    """SELECT a.attname::text AS name FROM pg_attribute a
       WHERE a.attrelid = '@extschema@.member_job'::regclass AND a.attnum > 0
         AND has_column_privilege('job_scheduler', a.attrelid, a.attnum, 'INSERT')"""
)


def attributes(spi: Spi) -> list[str]:
    """The names of all attributes of a job."""
    return [row["name"] for row in spi.execute(ATTRIBUTES)]


IDENTITY = Statement("SELECT current_user::text AS role, jsonb_typeof($1) AS kind", "jsonb")
# What a document holds may be too large, too deep or too exact for Python: only what is needed is read there.
ELEMENTS = Statement(
    """SELECT e.position, e.value::text AS given, jsonb_typeof(e.value) AS kind,
           CASE WHEN jsonb_typeof(e.value) = 'object' THEN ARRAY(SELECT jsonb_object_keys(e.value)) END AS names,
           jsonb_typeof(e.value -> 'job_name') AS name_kind, e.value ->> 'job_name' AS job_name,
           nullif(jsonb_typeof(e.value -> 'rolname'), 'null') AS role_kind, e.value ->> 'rolname' AS rolname,
           e.value ->> 'part' AS part, (e.value -> 'run_after')::text AS run_after
       FROM jsonb_array_elements($1) WITH ORDINALITY e (value, position)""",
    "jsonb",
)


def identity(spi: Spi, document: str) -> tuple[str, str]:
    """The current role, and the type of the document."""
    row = spi.execute(IDENTITY, document)[0]
    return row["role"], row["kind"]


CALLER = Statement("SELECT current_user::text AS role, current_database()::text AS database")


def caller(spi: Spi) -> tuple[str, str]:
    """The current role, and the current database."""
    row = spi.execute(CALLER)[0]
    return row["role"], row["database"]


IS_SUPERUSER = Statement("SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user")


def is_superuser(spi: Spi) -> bool:
    """Whether the current role is a superuser."""
    return bool(spi.execute(IS_SUPERUSER)[0]["rolsuper"])


def elements(spi: Spi, document: str) -> Any:
    """The elements of a document that is an array."""
    return spi.execute(ELEMENTS, document)


NAMED_JOBS = Statement(
    """SELECT j.job_id, j.rolname::text, j.job_name, j.part, j.enabled, j.schedule FROM @extschema@.member_job j
       WHERE j.job_name IS NOT NULL AND (j.rolname = ANY ($1) OR j.part = $2) ORDER BY j.job_id""",
    *("name[]", "text"),
)


def named_jobs(spi: Spi, roles: Collection[str], part: str | None) -> Any:
    """The jobs that have names, of some roles or of a part: job_id, rolname, job_name, part, enabled, schedule."""
    return spi.execute(NAMED_JOBS, list(roles), part)


# What is wrong with one job: its values, its role, its database, a right, a limit.
OF_ONE_JOB = ("22", "23", "28", "2F", "3D", "42", "54")  # classes of SQLSTATEs
ALSO_OF_ONE_JOB = ("55000", "53400")


def is_of_one_job(error: Any) -> bool:
    """Whether an error is about the job that is being defined. Others, such as a cancellation, end the whole call."""
    return error.sqlstate[:2] in OF_ONE_JOB or error.sqlstate in ALSO_OF_ONE_JOB


CREATE = Statement("SELECT @internal@.create_defined_job($1 - $2 || $3) AS job_id", "jsonb", "text[]", "jsonb")
CHANGE = Statement("SELECT @internal@.change_defined_job($1, $2 - $3 || $4)", "int8", "jsonb", "text[]", "jsonb")
DELETE = Statement("DELETE FROM @extschema@.member_job j WHERE j.job_id = ANY ($1)", "int8[]")
OF_NEW_JOB = Statement(
    """SELECT c.attribute, NULL AS old_value, c.new_value #>> '{}' AS new_value, NULL AS drift
       FROM @internal@.compare_definitions(@internal@.complete_definition('{}'::jsonb),
                                            @internal@.complete_definition($1 - $2 || $3)) c
       WHERE c.differs AND c.attribute NOT IN ('job_name', 'rolname')""",
    *("jsonb", "text[]", "jsonb"),
)
OF_JOB = Statement(
    """SELECT c.attribute, c.old_value #>> '{}' AS old_value, c.new_value #>> '{}' AS new_value,
           (SELECT format('%s by "%s" on %s', h.call, h.changed_by, date_trunc('second', h.changed_at))
            FROM (SELECT h.* FROM @extschema@.member_job_change h
                  WHERE h.job_id = $1 AND h.new_values ? c.attribute ORDER BY h.version DESC LIMIT 1) h
            WHERE h.call <> 'apply_jobs' AND EXISTS (
                SELECT FROM @extschema@.member_job_change a WHERE a.job_id = $1 AND a.call = 'apply_jobs')) AS drift
       FROM @extschema@.member_job j, @internal@.compare_definitions(
           jsonb_populate_record(NULL::@extschema@.job, to_jsonb(j)),
           @internal@.complete_definition($2 - $3 || $4)) c
       WHERE j.job_id = $1 AND c.differs""",
    *("int8", "jsonb", "text[]", "jsonb"),
)


def create(spi: Spi, given: str, without: Sequence[str], beside: str) -> int:
    """Define a job: what is given, but for some attributes, and with others; returns its job_id."""
    return int(spi.execute(CREATE, given, list(without), beside)[0]["job_id"])


def change(spi: Spi, job_id: int, given: str, without: Sequence[str], beside: str) -> None:
    """Change a job to that."""
    spi.execute(CHANGE, job_id, given, list(without), beside)


def delete(spi: Spi, job_ids: Sequence[int]) -> None:
    """Delete jobs."""
    if job_ids:
        spi.execute(DELETE, list(job_ids))


def differences(spi: Spi, job_id: int | None, given: str, without: Sequence[str], beside: str) -> list[dict[str, Any]]:
    """In what a job, or the defaults, differ from that: attribute, old_value, new_value, and who made it so if that was
    not apply_jobs()."""
    if job_id is None:
        return [dict(row) for row in spi.execute(OF_NEW_JOB, given, list(without), beside)]
    return [dict(row) for row in spi.execute(OF_JOB, job_id, given, list(without), beside)]


NAMES = Statement(
    """SELECT j.job_id, j.rolname::text, j.job_name FROM @internal@.visible_job j
       WHERE j.job_id = ANY ($1) AND j.job_name IS NOT NULL""",
    "int8[]",
)


def names(spi: Spi, job_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Role and name of those jobs that have one."""
    return {row["job_id"]: (row["rolname"], row["job_name"]) for row in spi.execute(NAMES, list(job_ids))}


EXPORT = Statement(
    # What has a default that depends on the session is always said.
    """SELECT j.job_id, j.rolname::text, j.job_name, c.attribute, c.new_value::text AS value,
           quote_nullable(c.new_text) AS literal
       FROM @internal@.complete_definition('{}'::jsonb) d CROSS JOIN @internal@.visible_job j
       CROSS JOIN LATERAL @internal@.compare_definitions(
           d, jsonb_populate_record(NULL::@extschema@.job, to_jsonb(j))) WITH ORDINALITY c
       WHERE j.job_name IS NOT NULL AND ($1 IS NULL OR j.part = $1)
         AND (c.differs OR c.attribute IN ('job_name', 'job_command', 'datname', 'rolname', 'timezone'))
       ORDER BY j.rolname COLLATE "C", j.job_name COLLATE "C", j.job_id, c.ordinality""",
    "text",
)
NAMELESS = Statement(
    """SELECT j.job_id FROM @internal@.visible_job j WHERE j.job_name IS NULL AND ($1 IS NULL OR j.part = $1)
       ORDER BY j.job_id LIMIT 11""",
    "text",
)


def export(spi: Spi, part: str | None) -> Any:
    """The attributes of all jobs with names, or of those of a part, one a row: as JSON, and as a literal of SQL."""
    return spi.execute(EXPORT, part)


def nameless(spi: Spi, part: str | None) -> list[int]:
    """The first 11 of the jobs that have no name."""
    return [row["job_id"] for row in spi.execute(NAMELESS, part)]
