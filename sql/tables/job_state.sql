-- What the worker knows of each job. Only the worker writes it.
CREATE TABLE @extschema@.job_state (
    job_id bigint PRIMARY KEY,
    schedule_set_at timestamptz NOT NULL,
    next_run_at timestamptz,
    last_executed timestamptz,
    success_count bigint NOT NULL DEFAULT 0,
    failure_count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

CREATE INDEX job_state_next_run_at ON @extschema@.job_state (next_run_at, job_id) WHERE next_run_at IS NOT NULL;

COMMENT ON TABLE @extschema@.job_state IS 'what the worker keeps of each job; apart from job, so that it waits for no transaction of a user''s';
COMMENT ON COLUMN @extschema@.job_state.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.job_state.schedule_set_at IS
    'the schedule that next_run_at follows: the one that job.schedule_set_at names, or an older one until the worker has seen the change';
COMMENT ON COLUMN @extschema@.job_state.next_run_at IS 'when the job is due next; NULL: not any more';
COMMENT ON COLUMN @extschema@.job_state.last_executed IS 'when the last run started';
COMMENT ON COLUMN @extschema@.job_state.success_count IS 'how many runs have succeeded';
COMMENT ON COLUMN @extschema@.job_state.failure_count IS 'how many runs have not succeeded since the last one that did';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_state', '');
