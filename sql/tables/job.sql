-- What users define. The worker only reads it, so that it never waits for a transaction of a user.
-- A column is an attribute that users set, in everything that ../expand.py writes out, unless it ends in: -- internal.
-- New columns come last, and have a default: dumps of earlier versions do without them.
CREATE TABLE @extschema@.job (
    job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- internal
    datname name NOT NULL DEFAULT current_database(),
    rolname name NOT NULL DEFAULT current_user,
    schedule text,
    enabled boolean NOT NULL DEFAULT true,
    job_command text NOT NULL,
    job_description text,
    job_timeout interval NOT NULL DEFAULT '6 hours',
    parallel boolean NOT NULL DEFAULT false,
    timezone text NOT NULL DEFAULT current_setting('TimeZone'),
    dst text NOT NULL DEFAULT 'cron',
    starts_at timestamptz,
    ends_at timestamptz,
    catch_up text NOT NULL DEFAULT 'skip',
    catch_up_limit integer NOT NULL DEFAULT 100,
    start_deadline interval,
    job_name text,
    max_retries integer NOT NULL DEFAULT 0,
    retry_delay interval NOT NULL DEFAULT '1 minute',
    max_retry_delay interval NOT NULL DEFAULT '1 hour',
    retry_on text[] NOT NULL DEFAULT '{connection,serialization,error,timeout}',
    disable_after integer,
    settings jsonb,
    parameters jsonb,
    run_after bigint[],
    run_when text NOT NULL DEFAULT 'on_success',
    on_failure_command text,
    expect_success_within interval,
    server name,
    defined_by name NOT NULL, -- internal
    schedule_set_at timestamptz NOT NULL, -- internal
    first_run_at timestamptz, -- internal
    database_oid oid, -- internal
    version integer NOT NULL DEFAULT 1, -- internal
    part text,
    database_owner oid, -- internal
    server_oid oid -- internal
);

CREATE INDEX job_reboot ON @extschema@.job (job_id) WHERE schedule LIKE '%@reboot%';
CREATE UNIQUE INDEX job_rolname_job_name_key ON @extschema@.job (rolname, job_name @extschema@.job_name_ops);
CREATE INDEX job_expected ON @extschema@.job (job_id) WHERE expect_success_within IS NOT NULL;
CREATE INDEX job_run_after ON @extschema@.job USING gin (run_after) WITH (fastupdate = off)
    WHERE run_after IS NOT NULL;
-- To find all that run after others, for job_problem.
CREATE INDEX job_follower ON @extschema@.job (job_id) WHERE run_after IS NOT NULL;
CREATE INDEX job_rolname ON @extschema@.job (rolname);

COMMENT ON TABLE @extschema@.job IS
    'the definitions of the jobs; users see and change them through my_job and member_job';
COMMENT ON COLUMN @extschema@.job.job_id IS 'identifies the job';
COMMENT ON COLUMN @extschema@.job.datname IS 'the database to run in, on the given server';
COMMENT ON COLUMN @extschema@.job.rolname IS 'the role to run as';
COMMENT ON COLUMN @extschema@.job.schedule IS
    'when to run: a crontab line, nickname, interval or timestamp, or an array of these; NULL: only when run_job() asks for it';
COMMENT ON COLUMN @extschema@.job.enabled IS 'whether the schedule is followed';
COMMENT ON COLUMN @extschema@.job.job_command IS 'what to run: one or more SQL statements, sent as psql -c would';
COMMENT ON COLUMN @extschema@.job.job_description IS 'what the job is for';
COMMENT ON COLUMN @extschema@.job.job_timeout IS 'maximum duration of a run, after which it is cancelled';
COMMENT ON COLUMN @extschema@.job.parallel IS
    'whether a run may start while an earlier one of the same job is still active';
COMMENT ON COLUMN @extschema@.job.timezone IS 'the time zone in which the schedule is read';
COMMENT ON COLUMN @extschema@.job.dst IS
    'what happens when clocks change, for entries whose hour and minute do not begin with *; cron: a skipped time is made up for right after the gap, a repeated time counts once; skip: not made up for, once; wall: not made up for, twice';
COMMENT ON COLUMN @extschema@.job.starts_at IS
    'first moment at which the job can be due; intervals are counted from here';
COMMENT ON COLUMN @extschema@.job.ends_at IS 'last moment at which the job can be due';
COMMENT ON COLUMN @extschema@.job.catch_up IS
    'what happens to due times that pass while no worker is running; skip: nothing; once: one run for all of them; all: one run for each, the oldest first';
COMMENT ON COLUMN @extschema@.job.catch_up_limit IS
    'with catch_up = all: maximum number of due times to make up for, the latest ones';
COMMENT ON COLUMN @extschema@.job.start_deadline IS
    'how late a run for a due time may start, for whatever reason; after that it is missed; NULL: no limit';
COMMENT ON COLUMN @extschema@.job.job_name IS 'name that functions accept in place of job_id; unique per role';
COMMENT ON COLUMN @extschema@.job.max_retries IS 'maximum number of times a failed run is retried';
COMMENT ON COLUMN @extschema@.job.retry_delay IS
    'delay between a failure and the first retry; it doubles with each further retry, give or take a quarter';
COMMENT ON COLUMN @extschema@.job.max_retry_delay IS 'maximum delay between retries';
COMMENT ON COLUMN @extschema@.job.retry_on IS
    'failures after which a run is retried; connection: no session, or a lost one; serialization: also a deadlock; error: any other error; timeout: job_timeout; lost: the worker or the server ended during the run, which may have done its work';
COMMENT ON COLUMN @extschema@.job.disable_after IS
    'number of failures in a row, retries included, after which the schedule is no longer followed; NULL: never';
COMMENT ON COLUMN @extschema@.job.settings IS
    'PostgreSQL settings for the run, an object of names and values that the role is allowed to set, such as {"work_mem": "256MB"}';
COMMENT ON COLUMN @extschema@.job.parameters IS
    'values of $1, $2 ... in the command, an array; the command must then be a single statement';
COMMENT ON COLUMN @extschema@.job.run_after IS
    'jobs after which this one runs, once each of them has ended as run_when requires';
COMMENT ON COLUMN @extschema@.job.run_when IS
    'how the jobs in run_after must have ended; on_success; on_failure: failed, timed out or lost, with no retry to come; always: also cancelled';
COMMENT ON COLUMN @extschema@.job.on_failure_command IS
    'what to run, as the same role in the same database, when a run has failed and is not retried';
COMMENT ON COLUMN @extschema@.job.expect_success_within IS
    'how long the job may go without success before an alert (overdue) is sent; NULL: no such alert';
COMMENT ON COLUMN @extschema@.job.server IS
    'the foreign server to run on, logged in by the user mapping of the role; NULL: this server';
COMMENT ON COLUMN @extschema@.job.defined_by IS
    'the role that answers for the job, which runs only while this role is permitted to define it: the last one to set the command, role or database, or to take the job over by setting this to current_user';
COMMENT ON COLUMN @extschema@.job.schedule_set_at IS
    'when the schedule was last set; intervals are counted from here unless starts_at is set';
COMMENT ON COLUMN @extschema@.job.first_run_at IS 'the first due time after schedule_set_at';
COMMENT ON COLUMN @extschema@.job.database_oid IS
    'the database that datname meant when the job was defined, restored or confirmed; see remember_target()';
COMMENT ON COLUMN @extschema@.job.database_owner IS
    'who owned that database then: who creates a database chooses its OID too';
COMMENT ON COLUMN @extschema@.job.server_oid IS 'the foreign server that server meant then';
COMMENT ON COLUMN @extschema@.job.part IS
    'the document that is responsible for the job, as apply_jobs() is told; NULL: none';
COMMENT ON COLUMN @extschema@.job.version IS 'number of its definitions so far; see job_change';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_job_id_seq', '');
-- For authorize_write(): the number that the session has drawn last.
GRANT SELECT ON SEQUENCE @extschema@.job_job_id_seq TO job_scheduler;
