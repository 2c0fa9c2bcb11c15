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

COMMENT ON TABLE @extschema@.job_state IS
    'when each job is due next; separate from job so that the worker never waits for a transaction of a user';
COMMENT ON COLUMN @extschema@.job_state.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.job_state.schedule_set_at IS
    'the schedule that next_run_at follows: that of job.schedule_set_at, or an older one until the worker has seen the change';
COMMENT ON COLUMN @extschema@.job_state.next_run_at IS 'when the job is due next; NULL: never again';
COMMENT ON COLUMN @extschema@.job_state.quarantined_reason IS
    'why the job does not run when it is due, when last checked: its role, its database or a right is missing; checked again each time it is due; NULL: nothing keeps it from running';
COMMENT ON COLUMN @extschema@.job_state.quarantined_since IS 'when it was first kept from running for this reason';
COMMENT ON COLUMN @extschema@.job_state.disabled_at IS
    'when the job had failed disable_after times, since when its schedule is not followed; any change of the job ends this';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_state', '');
