-- Half of each page is kept free for the update that completes a row: it stays on its page and touches no index.
CREATE TABLE @extschema@.job_log (
    jl_id bigint PRIMARY KEY,
    job_id bigint NOT NULL,
    rolname name NOT NULL,
    datname name NOT NULL,
    cause text NOT NULL CHECK (cause IN ('schedule', 'request', 'once', 'reboot', 'retry', 'dependency', 'failure', 'trial')),
    scheduled_at timestamptz NOT NULL,
    job_started timestamptz,
    job_finished timestamptz,
    state text NOT NULL CHECK (state IN (
        'running', 'succeeded', 'failed', 'timed out', 'cancelled', 'lost', 'skipped', 'missed')),
    attempt integer NOT NULL DEFAULT 1,
    caused_by bigint,
    job_command text NOT NULL,
    job_sqlstate text,
    exception_message text,
    exception_detail text,
    exception_hint text,
    exception_context text,
    command_tag text,
    row_count bigint,
    notices text,
    cpu_time interval,
    bytes_read bigint,
    bytes_written bigint,
    missed_count bigint,
    missed_until timestamptz,
    server name,
    job_name text,
    version integer
) WITH (fillfactor = 50);

CREATE INDEX job_log_job_id ON @extschema@.job_log (job_id, jl_id);
CREATE UNIQUE INDEX job_log_due_time ON @extschema@.job_log (job_id, scheduled_at) WHERE cause = 'schedule';

COMMENT ON TABLE @extschema@.job_log IS
    'the runs; users see them through my_job_log and member_job_log, only the worker writes them';
COMMENT ON COLUMN @extschema@.job_log.jl_id IS 'identifies the run';
COMMENT ON COLUMN @extschema@.job_log.job_id IS
    'the job, which may have been deleted since; a negative number for a run that belongs to no job';
COMMENT ON COLUMN @extschema@.job_log.rolname IS 'the role of the run';
COMMENT ON COLUMN @extschema@.job_log.datname IS 'the database of the run';
COMMENT ON COLUMN @extschema@.job_log.server IS 'the foreign server of the run; NULL: this server';
COMMENT ON COLUMN @extschema@.job_log.version IS
    'the version of the job that it ran; NULL: it belongs to no job, or ran in 1.0.0';
COMMENT ON COLUMN @extschema@.job_log.cause IS
    'why it ran; schedule: it was due; request: run_job() was called; once: run_once() was called; reboot: the server was started, for @reboot; retry: an earlier attempt failed; dependency: the jobs in run_after ended; failure: on_failure_command of a failed job; trial: try_job() was called';
COMMENT ON COLUMN @extschema@.job_log.scheduled_at IS 'when it was due or requested';
COMMENT ON COLUMN @extschema@.job_log.job_started IS 'when the command was sent';
COMMENT ON COLUMN @extschema@.job_log.job_finished IS 'when it ended';
COMMENT ON COLUMN @extschema@.job_log.state IS
    'running; succeeded; failed: with an error; timed out: stopped after job_timeout; cancelled: by cancel_job() or stop_worker(); lost: the worker or the server ended during the run; skipped: an earlier run was still active; missed: not started in time';
COMMENT ON COLUMN @extschema@.job_log.attempt IS 'number of this attempt for one due time, from 1';
COMMENT ON COLUMN @extschema@.job_log.caused_by IS
    'the run that led to this one: the attempt that failed, or the last of the runs it waited for';
COMMENT ON COLUMN @extschema@.job_log.job_command IS 'the command that was run';
COMMENT ON COLUMN @extschema@.job_log.job_sqlstate IS 'SQLSTATE of the result: 00000 for succeeded';
COMMENT ON COLUMN @extschema@.job_log.exception_message IS 'the error, or why the run did not start';
COMMENT ON COLUMN @extschema@.job_log.exception_detail IS 'DETAIL of the error';
COMMENT ON COLUMN @extschema@.job_log.exception_hint IS 'HINT of the error';
COMMENT ON COLUMN @extschema@.job_log.exception_context IS 'CONTEXT of the error';
COMMENT ON COLUMN @extschema@.job_log.command_tag IS 'command tag of the last statement that completed';
COMMENT ON COLUMN @extschema@.job_log.row_count IS 'rows returned or changed by the last statement';
COMMENT ON COLUMN @extschema@.job_log.cpu_time IS
    'with worker_setting.measure_cost: CPU time used by the session of the run, without parallel workers';
COMMENT ON COLUMN @extschema@.job_log.bytes_read IS
    'with worker_setting.measure_cost: bytes read from files because they were not in shared_buffers';
COMMENT ON COLUMN @extschema@.job_log.bytes_written IS
    'with worker_setting.measure_cost: bytes written to files by the session itself: temporary files, WAL, pages';
COMMENT ON COLUMN @extschema@.job_log.notices IS 'notices and warnings, the first 8 kB';

COMMENT ON COLUMN @extschema@.job_log.missed_count IS
    'for missed: number of due times from scheduled_at to missed_until';
COMMENT ON COLUMN @extschema@.job_log.missed_until IS 'for missed: the last of these due times';
COMMENT ON COLUMN @extschema@.job_log.job_name IS
    'the name of the job when the run was claimed; NULL: it had none, or an earlier version wrote the row';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_log', '');
