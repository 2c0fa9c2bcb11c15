-- What the worker will run later, apart from schedules, kept here so that it outlives the worker.
CREATE TABLE @extschema@.pending_run (
    job_id bigint PRIMARY KEY,
    due_at timestamptz NOT NULL,
    scheduled_at timestamptz NOT NULL,
    attempt integer NOT NULL,
    caused_by bigint NOT NULL
);

CREATE INDEX pending_run_due_at ON @extschema@.pending_run (due_at);

COMMENT ON TABLE @extschema@.pending_run IS 'retries to come, at most one for each job; only the worker writes it';
COMMENT ON COLUMN @extschema@.pending_run.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.pending_run.due_at IS 'when to try again';
COMMENT ON COLUMN @extschema@.pending_run.scheduled_at IS 'when the first attempt was due';
COMMENT ON COLUMN @extschema@.pending_run.attempt IS 'the number of the attempt to come';
COMMENT ON COLUMN @extschema@.pending_run.caused_by IS 'the run that failed';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.pending_run', '');
