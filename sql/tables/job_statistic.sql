-- Statistics of the runs of each job, written by the worker in the transaction that logs the end of the runs: one
-- update for all runs of a job that ended in one turn. No index on what changes with each run of a job that goes well,
-- and room on each page, so that the updates stay there.
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
    oldest_run bigint NOT NULL DEFAULT 0,
    irregular boolean
) WITH (fillfactor = 50);

-- Few rows, and not touched by a run that succeeds after another that did.
CREATE INDEX job_statistic_failing ON @extschema@.job_statistic (job_id) WHERE failure_count > 0;
-- last_states itself changes with the first runs of a job, whose updates would not stay on the page. NULL comes from dumps
-- of 1.0.0, until the next run of the job.
CREATE INDEX job_statistic_irregular ON @extschema@.job_statistic (job_id) WHERE irregular IS NOT FALSE;

COMMENT ON TABLE @extschema@.job_statistic IS
    'statistics of the runs of each job, kept when the log is pruned; users see them through job_stats';
COMMENT ON COLUMN @extschema@.job_statistic.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.job_statistic.last_executed IS 'when the last run started';
COMMENT ON COLUMN @extschema@.job_statistic.last_success IS 'when the last successful run ended';
COMMENT ON COLUMN @extschema@.job_statistic.success_count IS 'number of runs that succeeded';
COMMENT ON COLUMN @extschema@.job_statistic.failure_count IS
    'number of unsuccessful runs since the last successful one';
COMMENT ON COLUMN @extschema@.job_statistic.failure_total IS 'number of runs that failed, timed out or were lost';
COMMENT ON COLUMN @extschema@.job_statistic.cancelled_count IS 'number of runs that were cancelled';
COMMENT ON COLUMN @extschema@.job_statistic.skipped_count IS 'number of runs that were skipped';
COMMENT ON COLUMN @extschema@.job_statistic.missed_count IS 'number of due times that were missed';
COMMENT ON COLUMN @extschema@.job_statistic.last_states IS 'results of the last 10 runs, the latest first';
COMMENT ON COLUMN @extschema@.job_statistic.durations IS
    'durations of the last 100 successful runs in seconds, the latest last';
COMMENT ON COLUMN @extschema@.job_statistic.delays IS
    'delays from scheduled_at to the start of the last 100 runs in seconds, the latest last';
COMMENT ON COLUMN @extschema@.job_statistic.log_rows IS
    'upper bound of the number of rows of the job in the log that log_max_rows limits: incremented with each run that succeeded or was skipped, recounted when the log is pruned';
COMMENT ON COLUMN @extschema@.job_statistic.oldest_run IS 'the log has no run of the job with a lower jl_id that log_max_rows could delete';
COMMENT ON COLUMN @extschema@.job_statistic.irregular IS
    'whether the last due time was missed, or 5 of the last 10 runs were skipped: a problem of the job; NULL: not known';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_statistic', '');
