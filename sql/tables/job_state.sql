-- When each job is due. Only the worker writes it.
CREATE TABLE @extschema@.job_state (
    job_id bigint PRIMARY KEY,
    schedule_set_at timestamptz NOT NULL,
    next_run_at timestamptz,
    quarantined_reason text,
    quarantined_since timestamptz,
    disabled_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX job_state_next_run_at ON @extschema@.job_state (next_run_at, job_id) WHERE next_run_at IS NOT NULL;

COMMENT ON TABLE @extschema@.job_state IS 'when each job is due next; apart from job, so that the worker waits for no transaction of a user''s';
COMMENT ON COLUMN @extschema@.job_state.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.job_state.schedule_set_at IS
    'the schedule that next_run_at follows: the one that job.schedule_set_at names, or an older one until the worker has seen the change';
COMMENT ON COLUMN @extschema@.job_state.next_run_at IS 'when the job is due next; NULL: not any more';
COMMENT ON COLUMN @extschema@.job_state.quarantined_reason IS
    'why the job does not run when it is due, as far as has been seen: its role, its database or a right is missing; looked at again each time it is due; NULL: nothing is in its way';
COMMENT ON COLUMN @extschema@.job_state.quarantined_since IS 'since when it does not run for such a reason';
COMMENT ON COLUMN @extschema@.job_state.disabled_at IS
    'since when the schedule is not followed because the job failed disable_after times; any change of the job ends it';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_state', '');
