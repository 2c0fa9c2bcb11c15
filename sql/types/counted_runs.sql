CREATE TYPE @extschema@.counted_runs AS (
    job_id bigint,
    executed double precision,
    succeeded double precision,
    successes bigint,
    failures bigint,
    failure_total bigint,
    cancelled bigint,
    skipped bigint,
    missed bigint,
    rows bigint,
    states text[],
    durations real[],
    delays real[]
);

COMMENT ON TYPE @extschema@.counted_runs IS
    'what ended runs of a job add to job_statistic; moments are microseconds since 1970, durations and delays are seconds';
