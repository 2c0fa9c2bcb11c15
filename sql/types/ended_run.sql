CREATE TYPE @extschema@.ended_run AS (
    jl_id bigint,
    state text,
    started double precision,
    finished double precision,
    sqlstate text,
    message text,
    detail text,
    hint text,
    context text,
    command_tag text,
    row_count bigint,
    notices text,
    missed_count bigint,
    missed_until double precision,
    cpu_time double precision,
    bytes_read bigint,
    bytes_written bigint
);

COMMENT ON TYPE @extschema@.ended_run IS
    'what the worker writes to job_log when a run has ended; moments are microseconds since 1970, cpu_time is seconds';
