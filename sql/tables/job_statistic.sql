-- How the runs of each job went. Counted by the worker in the transaction that logs the end of a
-- run, one update for all runs of a job that ended in a turn; no index on what changes with each
-- run, and room on each page, so that the updates stay there.
CREATE TABLE @extschema@.job_statistic (
    job_id bigint PRIMARY KEY,
    last_executed timestamptz,
    last_success timestamptz,
    success_count bigint NOT NULL DEFAULT 0,
    failure_count bigint NOT NULL DEFAULT 0,
    failure_total bigint NOT NULL DEFAULT 0,
    cancelled_count bigint NOT NULL DEFAULT 0,
    skipped_count bigint NOT NULL DEFAULT 0,
    missed_count bigint NOT NULL DEFAULT 0,
    last_states text[] NOT NULL DEFAULT '{}',
    durations real[] NOT NULL DEFAULT '{}',
    delays real[] NOT NULL DEFAULT '{}',
    log_rows bigint NOT NULL DEFAULT 0,
    oldest_run bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Short enough to stay in the row: compressing them would cost more than it saves.
ALTER TABLE @extschema@.job_statistic
    ALTER COLUMN last_states SET STORAGE PLAIN,
    ALTER COLUMN durations SET STORAGE PLAIN,
    ALTER COLUMN delays SET STORAGE PLAIN;

-- Few, and not touched by a run that succeeds after another that did.
CREATE INDEX job_statistic_failing ON @extschema@.job_statistic (job_id) WHERE failure_count > 0;

COMMENT ON TABLE @extschema@.job_statistic IS
    'how the runs of each job went, kept when the log is pruned; users see it through job_stats';
COMMENT ON COLUMN @extschema@.job_statistic.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.job_statistic.last_executed IS 'when the last run started';
COMMENT ON COLUMN @extschema@.job_statistic.last_success IS 'when the last run that succeeded ended';
COMMENT ON COLUMN @extschema@.job_statistic.success_count IS 'how many runs have succeeded';
COMMENT ON COLUMN @extschema@.job_statistic.failure_count IS
    'how many runs have not succeeded since the last one that did';
COMMENT ON COLUMN @extschema@.job_statistic.failure_total IS 'how many runs have failed, timed out or been lost';
COMMENT ON COLUMN @extschema@.job_statistic.cancelled_count IS 'how many runs have been cancelled';
COMMENT ON COLUMN @extschema@.job_statistic.skipped_count IS 'how many runs have been skipped';
COMMENT ON COLUMN @extschema@.job_statistic.missed_count IS 'how many due times have been missed';
COMMENT ON COLUMN @extschema@.job_statistic.last_states IS 'how the last 10 runs ended, the latest first';
COMMENT ON COLUMN @extschema@.job_statistic.durations IS
    'how long the last 100 runs that succeeded took, in seconds, the latest last';
COMMENT ON COLUMN @extschema@.job_statistic.delays IS
    'how long after scheduled_at the last 100 runs started, in seconds, the latest last';
COMMENT ON COLUMN @extschema@.job_statistic.log_rows IS
    'at most how many rows of the log are the job''s: counted up with each run, counted anew when the log is pruned';
COMMENT ON COLUMN @extschema@.job_statistic.oldest_run IS 'the log has no run of the job with a lower jl_id';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_statistic', '');
