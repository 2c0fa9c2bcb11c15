-- When each job is due. Only the worker writes it.
CREATE TABLE @extschema@.job_state (
    job_id bigint PRIMARY KEY,
    schedule_set_at timestamptz NOT NULL,
    next_run_at timestamptz,
    quarantined_reason text,
    quarantined_since timestamptz,
    disabled_at timestamptz,
    schedule text,
    timezone text,
    dst text,
    starts_at timestamptz,
    ends_at timestamptz,
    overdue_told_at timestamptz,
    resume_at timestamptz,
    rolname name NOT NULL DEFAULT ''
) WITH (fillfactor = 70);

CREATE INDEX job_state_resume_at ON @extschema@.job_state (job_id) WHERE resume_at IS NOT NULL;
-- Counted each time that somebody looks at the worker.
CREATE INDEX job_state_quarantined ON @extschema@.job_state (job_id) WHERE quarantined_reason IS NOT NULL;
CREATE INDEX job_state_disabled ON @extschema@.job_state (job_id) WHERE disabled_at IS NOT NULL;
CREATE INDEX job_state_next_run_at ON @extschema@.job_state (next_run_at, job_id) WHERE next_run_at IS NOT NULL;
-- To find what other roles have due where one has more due than it may run.
CREATE INDEX job_state_rolname ON @extschema@.job_state (rolname, next_run_at, job_id) WHERE next_run_at IS NOT NULL;

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

COMMENT ON COLUMN @extschema@.job_state.schedule IS
    'the schedule that next_run_at follows, with timezone, dst, starts_at and ends_at: due times that wait when the job is given another schedule are logged as missed by this one';
COMMENT ON COLUMN @extschema@.job_state.timezone IS 'see schedule';
COMMENT ON COLUMN @extschema@.job_state.dst IS 'see schedule';
COMMENT ON COLUMN @extschema@.job_state.starts_at IS 'see schedule';
COMMENT ON COLUMN @extschema@.job_state.ends_at IS 'see schedule';
COMMENT ON COLUMN @extschema@.job_state.overdue_told_at IS 'when the last alert said that the job is overdue';
COMMENT ON COLUMN @extschema@.job_state.resume_at IS
    'the due time that waits until the active run of the job has ended; next_run_at is NULL then';
COMMENT ON COLUMN @extschema@.job_state.rolname IS
    'the role of the job, as of the definition that the worker has followed last; empty: not known, in a dump of 1.0.0';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_state', '');
