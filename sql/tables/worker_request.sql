-- How transactions tell the worker something: a row that it sees once they commit. Nobody waits for anybody,
-- and nothing is lost while no worker is running.
CREATE TABLE @extschema@.worker_request (
    request_id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME @extschema@.worker_inbox_request_id_seq) PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('define', 'disable', 'set', 'run', 'cancel', 'cancel run', 'stop')),
    job_id bigint,
    jl_id bigint,
    cause text NOT NULL DEFAULT 'request',
    scheduled_at timestamptz,
    attempt integer NOT NULL DEFAULT 1,
    caused_by bigint,
    withdrawn boolean NOT NULL DEFAULT false,
    requested_by name NOT NULL DEFAULT current_user,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rolname name NOT NULL DEFAULT current_user,
    disabled boolean NOT NULL DEFAULT false,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT worker_request_jl_id_check CHECK (jl_id IS NULL OR kind = 'cancel run')
);

-- Numbers are never negative. abs() has what is read in their order be read in one of these indexes and in no other,
-- whatever PostgreSQL believes of the table; compared as rows, the columns would do so too, but the search would go on to
-- the end of the first column.
CREATE INDEX worker_request_transaction ON @extschema@.worker_request (transaction_id, kind, rolname, abs(request_id));
CREATE INDEX worker_request_role ON @extschema@.worker_request (kind, rolname, abs(request_id))
    WHERE kind IN ('run', 'cancel', 'cancel run');
CREATE INDEX worker_request_job ON @extschema@.worker_request (job_id, request_id) WHERE kind = 'run';
CREATE INDEX worker_request_definition ON @extschema@.worker_request (job_id, request_id) WHERE kind = 'define';
-- What the worker itself asks for, of which there are few of each job, however many users have made.
CREATE INDEX worker_request_following ON @extschema@.worker_request (cause, job_id)
    WHERE cause IN ('retry', 'dependency', 'reboot');

COMMENT ON TABLE @extschema@.worker_request IS 'requests that the worker has not yet dealt with';
COMMENT ON COLUMN @extschema@.worker_request.request_id IS
    'identifies the request; for ''run'' it becomes the run''s jl_id, and scheduled runs draw theirs from the same sequence';
COMMENT ON COLUMN @extschema@.worker_request.kind IS
    'define: a job was defined, changed or deleted; disable: it was disabled, even if it is enabled again; set: worker_setting was changed; run: run something now; cancel, cancel run: by cancel_job(), cancel_run(); stop: by stop_worker()';
COMMENT ON COLUMN @extschema@.worker_request.job_id IS 'the job, if the request is about one';
COMMENT ON COLUMN @extschema@.worker_request.jl_id IS 'the run to cancel';
COMMENT ON COLUMN @extschema@.worker_request.cause IS 'why something is to run; see job_log.cause';
COMMENT ON COLUMN @extschema@.worker_request.scheduled_at IS
    'when the run was due, if that is not when it was requested';
COMMENT ON COLUMN @extschema@.worker_request.attempt IS 'number of this attempt for one due time, from 1';
COMMENT ON COLUMN @extschema@.worker_request.caused_by IS 'the run that led to this one';
COMMENT ON COLUMN @extschema@.worker_request.withdrawn IS 'whether the run was cancelled before it started, by itself or, unless a user has asked for it, with its job; see withdrawal';
COMMENT ON COLUMN @extschema@.worker_request.requested_by IS 'the role that made the request';
COMMENT ON COLUMN @extschema@.worker_request.requested_at IS 'when it was made';
COMMENT ON COLUMN @extschema@.worker_request.rolname IS
    'for ''run'' the role that it will run as, for ''define'' and ''disable'' the role of the job, else the role that made the request';
COMMENT ON COLUMN @extschema@.worker_request.disabled IS
    'for ''run'', unless a user has asked for it, whether the job has been disabled since';
COMMENT ON COLUMN @extschema@.worker_request.transaction_id IS
    'who has made the request: the worker reads what transactions have put in that have ended since it has looked last';

-- The numbers of runs must continue after a restore. The requests need not: restored jobs make their own.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.worker_inbox_request_id_seq', '');
-- For check_request(): the number that the session has drawn last.
GRANT SELECT ON SEQUENCE @extschema@.worker_inbox_request_id_seq TO job_scheduler;
