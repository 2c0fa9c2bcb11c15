CREATE TYPE @extschema@.begun_run AS (
    jl_id bigint,
    job_id bigint,
    rolname name,
    datname name,
    server name,
    cause text,
    scheduled_at double precision,
    attempt integer,
    caused_by bigint,
    job_command text,
    version integer,
    job_name text
);

COMMENT ON TYPE @extschema@.begun_run IS
    'what the worker writes to job_log when a run begins; moments are microseconds since 1970';
