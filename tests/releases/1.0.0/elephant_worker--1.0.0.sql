-- sql/prelude.sql
\echo Use "CREATE EXTENSION elephant_worker" to load this file. \quit

-- Whatever the session's search_path holds, the script refers to its own objects by @extschema@.
SET LOCAL search_path = pg_catalog, pg_temp;
-- sql/roles/roles.sql
-- Roles belong to the cluster: another database may have created them already. An existing role
-- is adopted only where it can do nothing by itself.
DO $$
DECLARE
    wanted name;
BEGIN
    SELECT r.rolname INTO wanted FROM pg_roles r
    WHERE r.rolname <> 'pg_database_owner'
      AND NOT EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER'))
      AND has_schema_privilege(r.oid, '@extschema@'::regnamespace, 'CREATE')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" may create objects in the schema for elephant_worker', wanted
            USING ERRCODE = 'invalid_schema_definition',
                  DETAIL = 'Its functions could be called in place of the extension''s, by superusers too.',
                  HINT = 'Use a schema of its own: CREATE SCHEMA scheduler; CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE;';
    END IF;
    FOREACH wanted IN ARRAY ARRAY['job_scheduler', 'job_monitor', 'job_view_owner']::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        ELSIF EXISTS (
            SELECT FROM pg_roles r
            WHERE r.rolname = wanted
              AND (r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
                   OR r.rolbypassrls
                   OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
                   OR r.rolname = 'job_view_owner' AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
        ) THEN
            RAISE EXCEPTION 'role "%" exists and can do more than its name says', wanted
                USING ERRCODE = 'duplicate_object',
                      DETAIL = 'elephant_worker adopts a role of this name only where it is NOLOGIN, '
                               'has no attributes and is a member of no other role; job_view_owner also '
                               'must have no members.',
                      HINT = format('Rename it: ALTER ROLE %I RENAME TO …;', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA @extschema@ TO job_scheduler, job_monitor;
-- sql/types/counted_runs.sql
CREATE TYPE @extschema@.counted_runs AS (
    job_id bigint,
    executed double precision,
    succeeded double precision,
    successes bigint,
    failures bigint,
    failure_total bigint,
    cancelled bigint,
    skipped bigint,
    missed bigint,
    rows bigint,
    states text[],
    durations real[],
    delays real[]
);

COMMENT ON TYPE @extschema@.counted_runs IS
    'what the runs of a job that have ended add to job_statistic; moments are seconds since 1970, durations and delays are seconds';
-- sql/types/ended_run.sql
CREATE TYPE @extschema@.ended_run AS (
    jl_id bigint,
    state text,
    started double precision,
    finished double precision,
    sqlstate text,
    message text,
    detail text,
    hint text,
    context text,
    command_tag text,
    row_count bigint,
    notices text,
    missed_count bigint,
    missed_until double precision,
    cpu_time double precision,
    bytes_read bigint,
    bytes_written bigint
);

COMMENT ON TYPE @extschema@.ended_run IS
    'what the worker writes into job_log when a run has ended; moments are seconds since 1970, cpu_time is seconds';
-- sql/types/refusal.sql
CREATE TYPE @extschema@.refusal AS (sqlstate text, message text, detail text, hint text);

COMMENT ON TYPE @extschema@.refusal IS
    'what is wrong with an input, as the Python package says it; see refuse()';
-- sql/types/setup_finding.sql
CREATE TYPE @extschema@.setup_finding AS (check_name text, state text, found text, remedy text);

COMMENT ON TYPE @extschema@.setup_finding IS
    'what check_setup() has found: state is ok, warning or error; remedy is SQL, or a command for the shell';
COMMENT ON COLUMN @extschema@.setup_finding.check_name IS 'what was looked at';
COMMENT ON COLUMN @extschema@.setup_finding.state IS
    'ok; warning: works, but not as it should, or not in every case; error: jobs do not run';
COMMENT ON COLUMN @extschema@.setup_finding.found IS 'what was found';
COMMENT ON COLUMN @extschema@.setup_finding.remedy IS
    'what mends it: SQL for a superuser in this database, or a command for the shell; NULL for ok';
-- sql/types/started_run.sql
CREATE TYPE @extschema@.started_run AS (
    jl_id bigint,
    job_id bigint,
    rolname name,
    datname name,
    server name,
    cause text,
    scheduled_at double precision,
    attempt integer,
    caused_by bigint,
    job_command text
);

COMMENT ON TYPE @extschema@.started_run IS
    'what the worker writes into job_log when a run begins; moments are seconds since 1970';
-- sql/tables/chain_lock.sql
-- Two transactions that each change run_after could together make a cycle that neither of them sees:
-- they come one after the other.
CREATE TABLE @extschema@.chain_lock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    changes bigint NOT NULL DEFAULT 0
);

COMMENT ON TABLE @extschema@.chain_lock IS 'one row, which who changes run_after of a job changes too';
COMMENT ON COLUMN @extschema@.chain_lock.only_row IS 'always true: there is one row';
COMMENT ON COLUMN @extschema@.chain_lock.changes IS 'counts the changes';

INSERT INTO @extschema@.chain_lock DEFAULT VALUES;
-- sql/tables/finished_dependency.sql
-- What jobs with run_after wait for and has happened. Only the worker writes it.
CREATE TABLE @extschema@.finished_dependency (
    job_id bigint,
    after_job_id bigint,
    jl_id bigint NOT NULL,
    fulfilled boolean NOT NULL,
    PRIMARY KEY (job_id, after_job_id)
);

COMMENT ON TABLE @extschema@.finished_dependency IS
    'how jobs that others run after have ended, since those were started for that; see job_chain';
COMMENT ON COLUMN @extschema@.finished_dependency.job_id IS 'the job that runs after another';
COMMENT ON COLUMN @extschema@.finished_dependency.after_job_id IS 'the other';
COMMENT ON COLUMN @extschema@.finished_dependency.jl_id IS 'the run of the other that has ended last';
COMMENT ON COLUMN @extschema@.finished_dependency.fulfilled IS 'whether it ended as run_when wants';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.finished_dependency', '');
-- sql/tables/job.sql
-- What users define. The worker only reads it, so that no transaction of a user's makes it wait.
CREATE TABLE @extschema@.job (
    job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datname name NOT NULL,
    rolname name NOT NULL DEFAULT current_user,
    schedule text,
    enabled boolean NOT NULL DEFAULT true,
    job_command text NOT NULL,
    job_description text,
    job_timeout interval NOT NULL DEFAULT '6 hours',
    parallel boolean NOT NULL DEFAULT false,
    timezone text NOT NULL DEFAULT current_setting('TimeZone'),
    dst text NOT NULL DEFAULT 'cron' CHECK (dst IN ('cron', 'skip', 'wall')),
    starts_at timestamptz,
    ends_at timestamptz CHECK (ends_at >= starts_at),
    catch_up text NOT NULL DEFAULT 'skip' CHECK (catch_up IN ('skip', 'once', 'all')),
    catch_up_limit integer NOT NULL DEFAULT 100 CHECK (catch_up_limit BETWEEN 1 AND 1000),
    start_deadline interval CHECK (start_deadline > '0'),
    job_name text,
    max_retries integer NOT NULL DEFAULT 0 CHECK (max_retries BETWEEN 0 AND 100),
    retry_delay interval NOT NULL DEFAULT '1 minute' CHECK (retry_delay >= '100 milliseconds'),
    max_retry_delay interval NOT NULL DEFAULT '1 hour',
    retry_on text[] NOT NULL DEFAULT '{connection,serialization,error,timeout}',
    disable_after integer CHECK (disable_after > 0),
    settings jsonb,
    parameters jsonb,
    run_after bigint[],
    run_when text NOT NULL DEFAULT 'on_success' CHECK (run_when IN ('on_success', 'on_failure', 'always')),
    on_failure_command text,
    expect_success_within interval,
    server name,
    defined_by name NOT NULL,
    schedule_set_at timestamptz NOT NULL,
    first_run_at timestamptz
);

CREATE INDEX job_reboot ON @extschema@.job (job_id) WHERE schedule LIKE '%@reboot%';
CREATE UNIQUE INDEX job_name ON @extschema@.job (rolname, job_name);
CREATE INDEX job_expected ON @extschema@.job (job_id) WHERE expect_success_within IS NOT NULL;
CREATE INDEX job_dependent ON @extschema@.job (job_id) WHERE run_after IS NOT NULL;
CREATE INDEX job_run_after ON @extschema@.job USING gin (run_after) WHERE run_after IS NOT NULL;
CREATE INDEX job_rolname ON @extschema@.job (rolname);

COMMENT ON TABLE @extschema@.job IS 'the jobs, as they were defined; users see and change them through my_job and member_job';
COMMENT ON COLUMN @extschema@.job.job_id IS 'identifies the job';
COMMENT ON COLUMN @extschema@.job.datname IS 'the database to run in, on the server named by server';
COMMENT ON COLUMN @extschema@.job.rolname IS 'the role to run as';
COMMENT ON COLUMN @extschema@.job.schedule IS
    'when to run: a crontab line, nickname, interval or timestamp, or an array of these; NULL: only when asked to by run_job()';
COMMENT ON COLUMN @extschema@.job.enabled IS 'whether the schedule is followed';
COMMENT ON COLUMN @extschema@.job.job_command IS 'what to run: SQL, one statement or several, as psql -c would';
COMMENT ON COLUMN @extschema@.job.job_description IS 'what the job is for';
COMMENT ON COLUMN @extschema@.job.job_timeout IS 'how long a run may take before it is cancelled';
COMMENT ON COLUMN @extschema@.job.parallel IS 'whether a run may start while an earlier one of the same job is active';
COMMENT ON COLUMN @extschema@.job.timezone IS 'the time zone that the schedule is read in';
COMMENT ON COLUMN @extschema@.job.dst IS
    'where clocks are changed, for entries whose hour and minute do not begin with *; cron: a time that is skipped is made up right after the gap, a time that comes twice counts once; skip: not made up, once; wall: not made up, twice';
COMMENT ON COLUMN @extschema@.job.starts_at IS 'not due before this moment, from which intervals are counted';
COMMENT ON COLUMN @extschema@.job.ends_at IS 'not due after this moment';
COMMENT ON COLUMN @extschema@.job.catch_up IS
    'what becomes of due times at which no worker was there: skip: nothing; once: one run for all of them; all: one run for each, the oldest first';
COMMENT ON COLUMN @extschema@.job.catch_up_limit IS 'with catch_up = all: how many of them at the most, the latest ones';
COMMENT ON COLUMN @extschema@.job.start_deadline IS
    'how late a run may start, for whatever reason; later it is missed; NULL: no limit';
COMMENT ON COLUMN @extschema@.job.job_name IS
    'a name for the job, by which functions can be told it; each role gives a name once';
COMMENT ON COLUMN @extschema@.job.max_retries IS
    'how often a run that fails is tried again';
COMMENT ON COLUMN @extschema@.job.retry_delay IS
    'how long after a failure the first retry starts; each further one waits twice as long, give or take a quarter';
COMMENT ON COLUMN @extschema@.job.max_retry_delay IS
    'how long a retry waits at the most';
COMMENT ON COLUMN @extschema@.job.retry_on IS
    'after which failures: connection: no session, or it broke; serialization: also a deadlock; error: any other error; timeout: job_timeout; lost: the worker or the server ended during the run, which may have done its work';
COMMENT ON COLUMN @extschema@.job.disable_after IS
    'after how many failures in a row, retries counted, the schedule is not followed any more; NULL: never';
COMMENT ON COLUMN @extschema@.job.settings IS
    'parameters of PostgreSQL for the run, an object: names and values that the role may set, as {"work_mem": "256MB"}';
COMMENT ON COLUMN @extschema@.job.parameters IS
    'the values of $1, $2 … in the command, an array; the command is one statement then';
COMMENT ON COLUMN @extschema@.job.run_after IS
    'the jobs after which it runs, once each of them has ended as run_when wants';
COMMENT ON COLUMN @extschema@.job.run_when IS
    'how the jobs of run_after must have ended: on_success; on_failure: failed, timed out or lost, with no retry to come; always: also cancelled';
COMMENT ON COLUMN @extschema@.job.on_failure_command IS
    'what to run, as the same role in the same database, when a run has failed and is not tried again';
COMMENT ON COLUMN @extschema@.job.expect_success_within IS
    'how long the job may go without success before an alert (overdue) says so; NULL: no such alert';
COMMENT ON COLUMN @extschema@.job.server IS
    'the foreign server to run on, as its user mapping for the role says; NULL: this server';
COMMENT ON COLUMN @extschema@.job.defined_by IS 'the role that answers for the job, which runs only while this role may define it: who last set the command, the role or the database, or took it over by setting this to current_user';
COMMENT ON COLUMN @extschema@.job.schedule_set_at IS
    'when the schedule was last set; intervals are counted from here, unless there is a starts_at';
COMMENT ON COLUMN @extschema@.job.first_run_at IS 'the first due time after schedule_set_at';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_job_id_seq', '');
-- sql/tables/job_log.sql
-- Half of each page is kept free for the update that completes a row, so that it stays on its
-- page and touches no index.
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
    server name
) WITH (fillfactor = 50);

CREATE INDEX job_log_job_id ON @extschema@.job_log (job_id, jl_id);
CREATE UNIQUE INDEX job_log_due_time ON @extschema@.job_log (job_id, scheduled_at) WHERE cause = 'schedule';

COMMENT ON TABLE @extschema@.job_log IS 'the runs; users see them through my_job_log and member_job_log, nobody but the worker writes them';
COMMENT ON COLUMN @extschema@.job_log.jl_id IS 'identifies the run';
COMMENT ON COLUMN @extschema@.job_log.job_id IS 'the job, which may have been deleted since; for a run that is not of a job a negative number';
COMMENT ON COLUMN @extschema@.job_log.rolname IS 'the role that the run was for';
COMMENT ON COLUMN @extschema@.job_log.datname IS 'the database that the run was for';
COMMENT ON COLUMN @extschema@.job_log.server IS 'the foreign server that the run was for; NULL: this server';
COMMENT ON COLUMN @extschema@.job_log.cause IS 'schedule: it was due; request: run_job() was called; once: run_once() was called; reboot: the server was started, for @reboot; retry: an earlier attempt failed; dependency: the jobs of run_after have ended; failure: on_failure_command of a job that failed; trial: try_job() was called';
COMMENT ON COLUMN @extschema@.job_log.scheduled_at IS 'when it was due, or asked for';
COMMENT ON COLUMN @extschema@.job_log.job_started IS 'when its command was sent';
COMMENT ON COLUMN @extschema@.job_log.job_finished IS 'when it ended';
COMMENT ON COLUMN @extschema@.job_log.state IS
    'running; succeeded; failed: with an error; timed out: stopped after job_timeout; cancelled: by cancel_job() or stop_worker(); lost: the worker or the server ended during the run; skipped: an earlier run was still active; missed: not started in time';
COMMENT ON COLUMN @extschema@.job_log.attempt IS 'counts the tries for one due time, from 1';
COMMENT ON COLUMN @extschema@.job_log.caused_by IS 'the run that led to this one: the attempt that failed, the last run of those waited for';
COMMENT ON COLUMN @extschema@.job_log.job_command IS 'the command that was run';
COMMENT ON COLUMN @extschema@.job_log.job_sqlstate IS 'SQLSTATE of the end: 00000 for succeeded';
COMMENT ON COLUMN @extschema@.job_log.exception_message IS 'the error, or why the run did not start';
COMMENT ON COLUMN @extschema@.job_log.exception_detail IS 'DETAIL of the error';
COMMENT ON COLUMN @extschema@.job_log.exception_hint IS 'HINT of the error';
COMMENT ON COLUMN @extschema@.job_log.exception_context IS 'CONTEXT of the error';
COMMENT ON COLUMN @extschema@.job_log.command_tag IS 'command tag of the last statement that completed';
COMMENT ON COLUMN @extschema@.job_log.row_count IS 'rows that the last statement returned or changed';
COMMENT ON COLUMN @extschema@.job_log.cpu_time IS
    'with worker_setting.measure_cost: CPU time that the run''s session took, without parallel workers';
COMMENT ON COLUMN @extschema@.job_log.bytes_read IS
    'with worker_setting.measure_cost: what it read from files that was not in shared_buffers';
COMMENT ON COLUMN @extschema@.job_log.bytes_written IS
    'with worker_setting.measure_cost: what it wrote to files itself: temporary files, WAL, pages';
COMMENT ON COLUMN @extschema@.job_log.notices IS 'notices and warnings, the first 8 kB';

COMMENT ON COLUMN @extschema@.job_log.missed_count IS
    'for missed: how many due times, from scheduled_at to missed_until';
COMMENT ON COLUMN @extschema@.job_log.missed_until IS 'for missed: the last of these due times';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_log', '');
-- sql/tables/job_state.sql
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
-- sql/tables/job_statistic.sql
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
-- sql/tables/once_job.sql
-- What run_once() has asked for and the worker has not yet begun. It has the columns of job, so that
-- one check and one way to run serve both; the worker deletes a row when it takes it, which it could
-- not where a user holds a lock on it: here nobody may change or delete.
CREATE TABLE @extschema@.once_job (PRIMARY KEY (job_id)) INHERITS (@extschema@.job);
-- Counted down, so that none of these numbers is ever a job's.
ALTER TABLE @extschema@.once_job ALTER COLUMN job_id
    ADD GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 START WITH -1 MAXVALUE -1);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.once_job_job_id_seq', '');

COMMENT ON TABLE @extschema@.once_job IS 'runs that were asked for by run_once() and have not started; see member_once_job';
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', child.attrelid::regclass, child.attname,
                      col_description(parent.attrelid, parent.attnum))
        FROM pg_attribute child JOIN pg_attribute parent ON parent.attname = child.attname
        WHERE child.attrelid = '@extschema@.once_job'::regclass AND parent.attrelid = '@extschema@.job'::regclass
          AND child.attnum > 0
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
-- sql/tables/pending_run.sql
-- What the worker will run later, apart from schedules: kept here so that it outlives the worker.
CREATE TABLE @extschema@.pending_run (
    job_id bigint PRIMARY KEY,
    due_at timestamptz NOT NULL,
    scheduled_at timestamptz NOT NULL,
    attempt integer NOT NULL,
    caused_by bigint NOT NULL
);

CREATE INDEX pending_run_due_at ON @extschema@.pending_run (due_at);

COMMENT ON TABLE @extschema@.pending_run IS
    'the retries to come, one a job at the most; only the worker writes it';
COMMENT ON COLUMN @extschema@.pending_run.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.pending_run.due_at IS 'when to try again';
COMMENT ON COLUMN @extschema@.pending_run.scheduled_at IS 'when the first attempt was due';
COMMENT ON COLUMN @extschema@.pending_run.attempt IS 'the number of the attempt to come';
COMMENT ON COLUMN @extschema@.pending_run.caused_by IS 'the run that failed';
-- sql/tables/worker_inbox.sql
-- How transactions tell the worker something: an insert that it sees once they commit. Nobody
-- waits for anybody, and nothing is lost while no worker runs.
CREATE TABLE @extschema@.worker_inbox (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('define', 'set', 'run', 'cancel', 'cancel run', 'stop')),
    job_id bigint,
    jl_id bigint,
    cause text NOT NULL DEFAULT 'request',
    scheduled_at timestamptz,
    attempt integer NOT NULL DEFAULT 1,
    caused_by bigint,
    withdrawn boolean NOT NULL DEFAULT false,
    requested_by name NOT NULL DEFAULT current_user,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX worker_inbox_retry ON @extschema@.worker_inbox (job_id) WHERE cause = 'retry';

COMMENT ON TABLE @extschema@.worker_inbox IS 'what the worker has been told and not yet done';
COMMENT ON COLUMN @extschema@.worker_inbox.request_id IS
    'identifies the request; for ''run'' it becomes the run''s jl_id, and scheduled runs draw theirs from the same sequence';
COMMENT ON COLUMN @extschema@.worker_inbox.kind IS
    'define: a job was defined, changed or deleted; set: worker_setting was changed; run: something is to be run now; cancel, cancel run: by cancel_job(), cancel_run(); stop: by stop_worker()';
COMMENT ON COLUMN @extschema@.worker_inbox.job_id IS 'the job, where it is about one';
COMMENT ON COLUMN @extschema@.worker_inbox.jl_id IS 'the run, for cancel run';
COMMENT ON COLUMN @extschema@.worker_inbox.cause IS 'why something is to be run; see job_log.cause';
COMMENT ON COLUMN @extschema@.worker_inbox.scheduled_at IS 'when the run was due, where that is not when it was asked for';
COMMENT ON COLUMN @extschema@.worker_inbox.attempt IS 'counts the tries for one due time, from 1';
COMMENT ON COLUMN @extschema@.worker_inbox.caused_by IS 'the run that led to this one';
COMMENT ON COLUMN @extschema@.worker_inbox.withdrawn IS 'whether a run has been cancelled before it started';
COMMENT ON COLUMN @extschema@.worker_inbox.requested_by IS 'the role that asked';
COMMENT ON COLUMN @extschema@.worker_inbox.requested_at IS 'when it asked';

-- The numbers of runs must go on after a restore; the requests need not: restored jobs make their own.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.worker_inbox_request_id_seq', '');
-- sql/tables/worker_setting.sql
CREATE TABLE @extschema@.worker_setting (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    max_running_jobs integer NOT NULL DEFAULT 32 CHECK (max_running_jobs BETWEEN 1 AND 10000),
    max_running_jobs_per_role integer CHECK (max_running_jobs_per_role >= 1),
    max_jobs_per_role integer DEFAULT 10000 CHECK (max_jobs_per_role >= 0),
    max_idle_sessions integer NOT NULL DEFAULT 32 CHECK (max_idle_sessions BETWEEN 0 AND 10000),
    spare_connections integer NOT NULL DEFAULT 3 CHECK (spare_connections BETWEEN 0 AND 10000),
    session_idle_time interval NOT NULL DEFAULT '3 seconds'
        CHECK (session_idle_time BETWEEN '0' AND '1 hour'),
    session_lifetime interval NOT NULL DEFAULT '1 minute'
        CHECK (session_lifetime BETWEEN '0' AND '1 day'),
    cancel_grace interval NOT NULL DEFAULT '10 seconds' CHECK (cancel_grace BETWEEN '0' AND '1 hour'),
    start_grace interval NOT NULL DEFAULT '1 minute' CHECK (start_grace BETWEEN '0' AND '1 day'),
    log_max_age interval DEFAULT '30 days' CHECK (log_max_age > '0'),
    log_max_rows integer DEFAULT 1000 CHECK (log_max_rows BETWEEN 1 AND 100000),
    measure_cost boolean NOT NULL DEFAULT false,
    connect_as text NOT NULL DEFAULT 'runner' CHECK (connect_as IN ('runner', 'role')),
    conninfo text NOT NULL DEFAULT '',
    standby_directories text[] NOT NULL DEFAULT '{}',
    overrun_factor double precision DEFAULT 2 CHECK (overrun_factor >= 1),
    paused_since timestamptz
);

COMMENT ON TABLE @extschema@.worker_setting IS
    'the settings of the worker, one row; a change holds at once, without reload or restart';
COMMENT ON COLUMN @extschema@.worker_setting.only_row IS
    'always true: there is one row; inserting another replaces it';
COMMENT ON COLUMN @extschema@.worker_setting.max_running_jobs IS
    'how many runs may be active at once';
COMMENT ON COLUMN @extschema@.worker_setting.max_running_jobs_per_role IS
    'how many of them may be of the same role; its other jobs wait, and hold up nobody else''s; NULL: no limit but max_running_jobs';
COMMENT ON COLUMN @extschema@.worker_setting.max_jobs_per_role IS
    'how many jobs there may be for a role; superusers may define more; NULL: no limit';
COMMENT ON COLUMN @extschema@.worker_setting.max_idle_sessions IS
    'how many sessions are kept for a next run at the most, beside those of active runs';
COMMENT ON COLUMN @extschema@.worker_setting.spare_connections IS
    'how many connections the worker leaves to others, beside superuser_reserved_connections and reserved_connections';
COMMENT ON COLUMN @extschema@.worker_setting.session_idle_time IS
    'how long a session is kept after a run for the next run of the same role in the same database; DROP DATABASE and CREATE DATABASE … TEMPLATE wait 5 seconds for sessions to go';
COMMENT ON COLUMN @extschema@.worker_setting.session_lifetime IS
    'how long a session is used for one run after another before it is replaced, so that changed defaults of its role and database hold';
COMMENT ON COLUMN @extschema@.worker_setting.cancel_grace IS
    'how long a run that has been cancelled may take to end before its session is terminated';
COMMENT ON COLUMN @extschema@.worker_setting.start_grace IS
    'how late a run may start after its due time when the worker was not there; what is older is logged as missed';
COMMENT ON COLUMN @extschema@.worker_setting.log_max_age IS
    'how long a run stays in the log after it has ended; NULL: for ever';
COMMENT ON COLUMN @extschema@.worker_setting.log_max_rows IS
    'how many rows each job keeps in the log, the latest; they are pruned when there are a tenth more, or 10; NULL: all';
COMMENT ON COLUMN @extschema@.worker_setting.measure_cost IS
    'whether the log says what CPU time each run takes, and how much it reads and writes; on Linux';
COMMENT ON COLUMN @extschema@.worker_setting.connect_as IS
    '''runner'': runs connect as a login role that can do nothing but be the job''s role (needs SCRAM on the loopback address, as stock pg_hba.conf files allow); ''role'': runs connect as the job''s role itself, by whatever pg_hba.conf and conninfo allow';
COMMENT ON COLUMN @extschema@.worker_setting.conninfo IS
    'libpq connection parameters (keyword=value …) for the sessions of runs, instead of the loopback address: host, port, sslmode, passfile …';
COMMENT ON COLUMN @extschema@.worker_setting.standby_directories IS
    'the data directories of standbys, where they are not at the same path as the primary''s: there, too, launchers may start the worker, after a promotion';
COMMENT ON COLUMN @extschema@.worker_setting.overrun_factor IS
    'how many times as long as 95 of 100 earlier runs of its job a run may take before an alert (overrun) says so; NULL: no such alerts';
COMMENT ON COLUMN @extschema@.worker_setting.paused_since IS
    'since when nothing is started, by pause_jobs(); NULL: not paused';

INSERT INTO @extschema@.worker_setting DEFAULT VALUES;

-- CREATE EXTENSION inserts the row, and so does the restore of a dump: the latter must win.
CREATE FUNCTION @extschema@.replace_worker_setting() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM @extschema@.worker_setting;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.replace_worker_setting() IS
    'trigger: a new row of worker_setting replaces the old one';
REVOKE ALL ON FUNCTION @extschema@.replace_worker_setting() FROM PUBLIC;

CREATE TRIGGER replace_worker_setting BEFORE INSERT ON @extschema@.worker_setting
    FOR EACH ROW EXECUTE FUNCTION @extschema@.replace_worker_setting();

CREATE FUNCTION @extschema@.check_conninfo(conninfo text) RETURNS @extschema@.refusal
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
return elephant().access.check_conninfo(conninfo)
$python$;
COMMENT ON FUNCTION @extschema@.check_conninfo(text) IS 'what is wrong with a connection string';
REVOKE ALL ON FUNCTION @extschema@.check_conninfo(text) FROM PUBLIC;

CREATE FUNCTION @extschema@.check_worker_setting() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.refuse(@extschema@.check_conninfo(NEW.conninfo));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_worker_setting() IS 'trigger: refuses a conninfo that libpq cannot read (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_worker_setting() FROM PUBLIC;

CREATE TRIGGER check_worker_setting BEFORE UPDATE OF conninfo ON @extschema@.worker_setting
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_worker_setting();

SELECT pg_catalog.pg_extension_config_dump('@extschema@.worker_setting', '');
GRANT SELECT ON @extschema@.worker_setting TO job_monitor;
GRANT SELECT (max_running_jobs_per_role, max_jobs_per_role) ON @extschema@.worker_setting TO job_scheduler;
-- sql/tables/worker_state.sql
-- Belongs to this cluster and this data directory: never dumped.
CREATE TABLE @extschema@.worker_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    armed boolean NOT NULL DEFAULT false,
    system_identifier bigint,
    data_directory text,
    pid integer,
    backend_start timestamptz,
    host text,
    server_started timestamptz,
    spare_pid integer,
    spare_start timestamptz,
    lowest_open_run bigint NOT NULL DEFAULT 0,
    launcher_seen timestamptz
);

COMMENT ON TABLE @extschema@.worker_state IS
    'the worker of this database, one row; a worker is the server process that stands here for as long as it lives';
COMMENT ON COLUMN @extschema@.worker_state.only_row IS 'always true: there is one row';
COMMENT ON COLUMN @extschema@.worker_state.armed IS
    'whether launchers may start a worker: set by start_worker(), cleared by stop_worker()';
COMMENT ON COLUMN @extschema@.worker_state.system_identifier IS
    'the cluster where it was armed (pg_control_system())';
COMMENT ON COLUMN @extschema@.worker_state.data_directory IS
    'the data directory where it was armed: in a copy of it elsewhere, launchers start nothing';
COMMENT ON COLUMN @extschema@.worker_state.pid IS 'process id of the worker''s backend';
COMMENT ON COLUMN @extschema@.worker_state.backend_start IS
    'when that backend started; with pid it names one process, which no other role can forge or block';
COMMENT ON COLUMN @extschema@.worker_state.host IS
    'what hosts the worker: session (detached), pg_background or foreground';
COMMENT ON COLUMN @extschema@.worker_state.server_started IS
    'when the server was started that @reboot jobs have last been run for';
COMMENT ON COLUMN @extschema@.worker_state.spare_pid IS
    'process id of the backend that becomes the worker when the worker''s process ends unasked';
COMMENT ON COLUMN @extschema@.worker_state.spare_start IS
    'when that backend started';
COMMENT ON COLUMN @extschema@.worker_state.lowest_open_run IS
    'all runs with a lower jl_id have ended';
COMMENT ON COLUMN @extschema@.worker_state.launcher_seen IS
    'when start_worker(unattended := true) was last called, noted every 5 minutes at the most';

INSERT INTO @extschema@.worker_state DEFAULT VALUES;
-- sql/access/find_job.sql
CREATE FUNCTION @extschema@.find_job(job text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found bigint[];
BEGIN
    IF job IS NULL OR job ~ '^[0-9]{1,18}$' THEN
        RETURN job::bigint;
    END IF;
    SELECT array_agg(j.job_id) INTO found
    FROM @extschema@.my_job j WHERE j.job_name = job;
    IF found IS NULL THEN
        SELECT array_agg(j.job_id ORDER BY j.job_id) INTO found
        FROM @extschema@.member_job j WHERE j.job_name = job;
    END IF;
    IF found IS NULL THEN
        RAISE EXCEPTION 'there is no job named "%" that role "%" may touch', job, current_user
            USING ERRCODE = 'no_data_found',
                  DETAIL = 'It does not exist, or belongs to a role that you are not a member of.',
                  HINT = 'member_job lists the jobs that you may touch.';
    ELSIF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'several jobs are named "%"', job
            USING ERRCODE = 'too_many_rows',
                  DETAIL = format('Roles that "%s" is a member of have given the name to the jobs %s.',
                                  current_user, array_to_string(found, ', ')),
                  HINT = 'Give the job_id.';
    END IF;
    RETURN found[1];
END
$$;
COMMENT ON FUNCTION @extschema@.find_job(text) IS
    'the job_id of the job of this name: one of the current role, else one of a role that it is a member of (P0002 where there is none, P0003 where there are several); a number is a job_id already';
REVOKE ALL ON FUNCTION @extschema@.find_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.find_job(text) TO job_scheduler;
-- sql/access/permitted_roles.sql
CREATE FUNCTION @extschema@.acting_privilege() RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
$$;
COMMENT ON FUNCTION @extschema@.acting_privilege() IS
    'what pg_has_role() is to be asked for: since PostgreSQL 16 a membership can come without the right to SET ROLE';
REVOKE ALL ON FUNCTION @extschema@.acting_privilege() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.acting_privilege() TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.may_act_as(role oid) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role(role, @extschema@.acting_privilege());
$$;
COMMENT ON FUNCTION @extschema@.may_act_as(oid) IS
    'whether the current role could SET ROLE to this one, and so may define jobs for it';
REVOKE ALL ON FUNCTION @extschema@.may_act_as(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.may_act_as(oid) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.permitted_roles() RETURNS name[]
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE -- keeps its plan, as a function in SQL does not before PostgreSQL 18
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed CONSTANT text := @extschema@.acting_privilege();
BEGIN
    RETURN ARRAY(SELECT r.rolname FROM pg_roles r WHERE pg_has_role(r.oid, needed));
END
$$;
COMMENT ON FUNCTION @extschema@.permitted_roles() IS 'the roles that the current role may define jobs for';
REVOKE ALL ON FUNCTION @extschema@.permitted_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.permitted_roles() TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.is_superuser() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN r.rolsuper FROM pg_roles r WHERE r.rolname = current_user;
END
$$;
COMMENT ON FUNCTION @extschema@.is_superuser() IS
    'whether the current role is a superuser, who also sees the jobs of roles that are gone';
REVOKE ALL ON FUNCTION @extschema@.is_superuser() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_superuser() TO job_scheduler, job_monitor;
-- sql/access/server_login.sql
CREATE FUNCTION @extschema@.server_login(
    server name,
    role oid,
    OUT obstacle text,
    OUT parameters jsonb,
    OUT password_required boolean,
    OUT version text
)
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER -- PL/pgSQL keeps the plan: the worker asks for each job that is due elsewhere
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.oid, s.srvoptions, m.oid AS mapping, m.umoptions, r.rolsuper, o.rolsuper AS owner_is_superuser,
               concat_ws(' ', s.oid, s.xmin, m.oid, m.xmin) AS version,
               -- Whose mappings only superusers can give options that lend what is the server's own.
               EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                       WHERE d.classid = 'pg_proc'::regclass AND d.objid = w.fdwvalidator
                         AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                         AND e.extname = 'postgres_fdw') AS is_watched
        FROM (SELECT) only_row
        LEFT JOIN pg_foreign_server s ON s.srvname = server_login.server
        LEFT JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
        LEFT JOIN pg_roles o ON o.oid = s.srvowner
        LEFT JOIN pg_roles r ON r.oid = server_login.role
        LEFT JOIN LATERAL (SELECT u.oid, u.xmin, u.umoptions FROM pg_user_mapping u
                           WHERE u.umserver = s.oid AND u.umuser IN (server_login.role, 0)
                           ORDER BY u.umuser = 0 LIMIT 1) m ON true),
    option AS MATERIALIZED (
        SELECT a.option_name AS name, a.option_value AS value, f.owner_is_superuser AS is_trusted
        FROM found f CROSS JOIN LATERAL pg_options_to_table(f.srvoptions) a
        WHERE a.option_name = ANY (ARRAY[
            'host', 'hostaddr', 'port', 'connect_timeout', 'target_session_attrs', 'load_balance_hosts', 'options',
            'keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout',
            'sslmode', 'sslnegotiation', 'sslcompression', 'sslsni', 'sslcertmode', 'ssl_min_protocol_version',
            'ssl_max_protocol_version', 'min_protocol_version', 'max_protocol_version', 'channel_binding',
            'require_auth', 'requirepeer', 'gssencmode', 'krbsrvname',
            'sslrootcert', 'sslcrl', 'sslcrldir', 'sslcert', 'sslkey', 'sslkeylogfile', 'passfile', 'service',
            'servicefile', 'gsslib', 'gssdelegation'])
        UNION ALL
        SELECT a.option_name, a.option_value, f.is_watched
        FROM found f CROSS JOIN LATERAL pg_options_to_table(f.umoptions) a
        WHERE a.option_name IN ('user', 'password', 'sslcert', 'sslkey', 'sslpassword')),
    demand AS MATERIALIZED (
        SELECT NOT (f.rolsuper OR f.is_watched AND EXISTS (
                   SELECT FROM pg_options_to_table(f.umoptions) a
                   WHERE a.option_name = 'password_required' AND a.option_value IN ('false', 'off', 'no', '0', 'f', 'n')))
               AS password_required
        FROM found f)
    SELECT CASE
               WHEN f.oid IS NULL THEN 'server'
               WHEN NOT has_server_privilege(server_login.role, f.oid, 'USAGE') THEN 'usage'
               WHEN f.mapping IS NULL THEN 'mapping'
               WHEN EXISTS (SELECT FROM option o
                            WHERE o.name IN ('sslrootcert', 'sslcrl', 'sslcrldir', 'sslcert', 'sslkey', 'sslkeylogfile',
                                             'sslpassword', 'passfile', 'service', 'servicefile', 'gsslib', 'gssdelegation')
                              AND NOT o.is_trusted AND NOT (o.name = 'sslrootcert' AND o.value = 'system')) THEN 'option'
               WHEN d.password_required
                    AND NOT EXISTS (SELECT FROM option o WHERE o.name = 'password' AND o.value <> '') THEN 'password'
           END,
           (SELECT jsonb_object_agg(o.name, o.value) FROM option o),
           d.password_required,
           f.version
    INTO obstacle, parameters, password_required, version
    FROM found f, demand d;
END
$$;
COMMENT ON FUNCTION @extschema@.server_login(name, oid) IS
    'how a role logs in on a foreign server, secrets included: libpq parameters of the server and of the role''s user mapping, whether the server there must ask for the password; version changes with either; obstacle: why it cannot (server, usage, mapping, option, password), NULL: it can';
REVOKE ALL ON FUNCTION @extschema@.server_login(name, oid) FROM PUBLIC;

CREATE FUNCTION @extschema@.server_obstacle(server name, role oid) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SECURITY DEFINER -- options of user mappings are hidden from all but superusers; nothing of them is shown
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT l.obstacle FROM @extschema@.server_login(server, role) l);
END
$$;
COMMENT ON FUNCTION @extschema@.server_obstacle(name, oid) IS
    'why a role cannot log in on a foreign server, see server_login(); NULL: nothing is in the way';
REVOKE ALL ON FUNCTION @extschema@.server_obstacle(name, oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.server_obstacle(name, oid) TO job_monitor;
-- sql/access/shortened.sql
CREATE FUNCTION @extschema@.shortened(line text, width integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN length(l.flat) > width THEN left(l.flat, width - 1) || '…' ELSE l.flat END
    FROM (SELECT btrim(regexp_replace(line, '\s+', ' ', 'g'))) l (flat);
$$;
COMMENT ON FUNCTION @extschema@.shortened(text, integer) IS 'a text as one line of so many characters at the most';
REVOKE ALL ON FUNCTION @extschema@.shortened(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.shortened(text, integer) TO job_scheduler;
-- sql/access/worker_pid.sql
CREATE FUNCTION @extschema@.worker_pid() RETURNS integer
LANGUAGE sql VOLATILE
SECURITY DEFINER -- backend_start of another role's session is hidden from ordinary roles
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.pid FROM @extschema@.worker_state s
    WHERE EXISTS (SELECT FROM pg_stat_get_activity(s.pid) a WHERE a.backend_start = s.backend_start);
$$;
COMMENT ON FUNCTION @extschema@.worker_pid() IS 'the process id of this database''s worker, or NULL where none runs';
REVOKE ALL ON FUNCTION @extschema@.worker_pid() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_pid() TO job_scheduler, job_monitor;
-- sql/views/all_job.sql
-- One FROM item, so that the views above it can be written to; what the worker knows is looked up.
CREATE VIEW @extschema@.all_job WITH (security_barrier) AS
SELECT j.job_id,
       j.datname,
       j.rolname,
       j.schedule,
       j.enabled,
       j.job_command,
       j.job_description,
       j.job_timeout,
       j.parallel,
       coalesce((SELECT s.failure_count FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 0) AS failure_count,
       coalesce((SELECT s.success_count FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 0) AS success_count,
       (SELECT s.last_executed FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id) AS last_executed,
       CASE WHEN EXISTS (SELECT FROM @extschema@.job_state s
                         WHERE s.job_id = j.job_id AND s.schedule_set_at = j.schedule_set_at)
            THEN (SELECT s.next_run_at FROM @extschema@.job_state s WHERE s.job_id = j.job_id)
            ELSE j.first_run_at END AS next_run_at,
       j.timezone,
       j.dst,
       j.starts_at,
       j.ends_at,
       j.catch_up,
       j.catch_up_limit,
       j.start_deadline,
       j.job_name,
       (SELECT s.disabled_at FROM @extschema@.job_state s WHERE s.job_id = j.job_id) AS disabled_at,
       (SELECT min(p.due_at) FROM @extschema@.pending_run p WHERE p.job_id = j.job_id) AS retry_at,
       j.max_retries,
       j.retry_delay,
       j.max_retry_delay,
       j.retry_on,
       j.disable_after,
       j.settings,
       j.parameters,
       j.run_after,
       j.run_when,
       j.on_failure_command,
       j.expect_success_within,
       j.server,
       j.defined_by,
       (SELECT s.quarantined_reason FROM @extschema@.job_state s WHERE s.job_id = j.job_id) AS quarantined_reason,
       (SELECT s.quarantined_since FROM @extschema@.job_state s WHERE s.job_id = j.job_id) AS quarantined_since
FROM ONLY @extschema@.job j;

COMMENT ON VIEW @extschema@.all_job IS 'all jobs, for job_monitor';
GRANT SELECT ON @extschema@.all_job TO job_monitor;
-- sql/views/all_job_log.sql
CREATE VIEW @extschema@.all_job_log WITH (security_barrier) AS
SELECT l.jl_id,
       l.job_id,
       l.rolname,
       l.datname,
       l.scheduled_at,
       l.job_started,
       l.job_finished,
       l.state,
       l.attempt,
       l.job_command,
       l.job_sqlstate,
       l.exception_message,
       l.exception_detail,
       l.exception_hint,
       l.exception_context,
       l.command_tag,
       l.row_count,
       l.notices,
       l.cpu_time,
       l.bytes_read,
       l.bytes_written,
       l.cause,
       l.caused_by,
       l.missed_count,
       l.missed_until,
       l.server
FROM @extschema@.job_log l;

COMMENT ON VIEW @extschema@.all_job_log IS 'all runs, for job_monitor';
GRANT SELECT ON @extschema@.all_job_log TO job_monitor;
-- sql/views/runnable_job.sql
-- What the worker needs to start a run, and to see what is in its way.
CREATE VIEW @extschema@.runnable_job AS
SELECT j.job_id,
       date_part('epoch', j.schedule_set_at) AS schedule_set_at,
       j.enabled,
       j.schedule,
       j.timezone,
       j.dst,
       date_part('epoch', j.starts_at) AS starts_at,
       date_part('epoch', j.ends_at) AS ends_at,
       j.catch_up,
       j.catch_up_limit,
       date_part('epoch', j.start_deadline) AS start_deadline,
       j.parallel,
       j.job_command,
       date_part('epoch', j.job_timeout) AS job_timeout,
       j.settings::text AS settings,
       CASE WHEN j.parameters IS NOT NULL
            THEN ARRAY(SELECT p.value FROM jsonb_array_elements_text(j.parameters) WITH ORDINALITY p ORDER BY p.ordinality)
            END AS parameters,
       j.rolname,
       r.oid AS role_oid,
       j.datname,
       j.server,
       d.oid AS database_oid,
       j.defined_by,
       CASE WHEN r.oid IS NULL THEN 'role'
            WHEN j.server IS NULL AND d.oid IS NULL THEN 'database'
            WHEN NOT d.datallowconn THEN 'closed'
            WHEN NOT has_database_privilege(r.oid, d.oid, 'CONNECT') THEN 'connect'
            WHEN j.server IS NOT NULL AND @extschema@.server_obstacle(j.server, r.oid) IS NOT NULL
                THEN @extschema@.server_obstacle(j.server, r.oid)
            WHEN j.server IS NULL AND NOT r.rolcanlogin AND (SELECT s.connect_as = 'role' FROM @extschema@.worker_setting s) THEN 'login'
            WHEN u.oid IS NULL THEN 'definer'
            WHEN u.rolsuper THEN NULL
            WHEN pg_has_role(u.oid, (SELECT g.oid FROM pg_roles g WHERE g.rolname = 'job_scheduler'), 'MEMBER')
                 IS NOT TRUE THEN 'scheduler'
            WHEN u.oid <> r.oid
                 AND NOT pg_has_role(u.oid, r.oid, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                                        THEN 'SET' ELSE 'MEMBER' END) THEN 'member'
            END AS obstacle
FROM @extschema@.job j
LEFT JOIN pg_roles r ON r.rolname = j.rolname
LEFT JOIN pg_roles u ON u.rolname = j.defined_by
LEFT JOIN pg_database d ON d.datname = j.datname AND j.server IS NULL;

COMMENT ON VIEW @extschema@.runnable_job IS 'the jobs as the worker reads them';
-- sql/views/worker_status.sql
CREATE FUNCTION @extschema@.worker_activity(
    OUT pid integer, OUT host text, OUT armed boolean, OUT started_at timestamptz, OUT last_tick timestamptz,
    OUT running_jobs bigint, OUT due_jobs bigint, OUT queued_runs bigint, OUT lag interval, OUT quarantined_jobs bigint,
    OUT sessions bigint,    OUT paused_since timestamptz, OUT launcher_seen timestamptz
)
LANGUAGE sql VOLATILE
SECURITY DEFINER -- shows the worker's backend, and counts the runs of all roles without showing them
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.pid, s.host, s.armed, a.backend_start, a.xact_start,
           (SELECT count(*) FROM @extschema@.job_log l WHERE l.jl_id >= s.lowest_open_run AND l.state = 'running'),
           due.jobs, queued.runs,
           greatest(clock_timestamp() - least(due.first, queued.first), '0'),
           (SELECT count(*) FROM @extschema@.job_state q WHERE q.quarantined_reason IS NOT NULL),
           (SELECT count(*) FROM pg_stat_activity o JOIN pg_database d ON d.datname = current_database()
            WHERE o.usename ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')
               OR c.connect_as = 'role' AND o.application_name = 'elephant_worker' AND o.pid <> a.pid),
           c.paused_since, s.launcher_seen
    FROM @extschema@.worker_state s
    CROSS JOIN @extschema@.worker_setting c
    CROSS JOIN (SELECT count(*) AS jobs, min(d.next_run_at) AS first
                FROM @extschema@.job_state d WHERE d.next_run_at <= clock_timestamp()) due
    CROSS JOIN (SELECT count(*) AS runs, min(i.requested_at) AS first
                FROM @extschema@.worker_inbox i WHERE i.kind IN ('run', 'once', 'reboot')) queued
    LEFT JOIN LATERAL (
        SELECT * FROM pg_stat_get_activity(s.pid) a WHERE a.backend_start = s.backend_start) a ON true;
$$;
COMMENT ON FUNCTION @extschema@.worker_activity() IS 'see worker_status';
REVOKE ALL ON FUNCTION @extschema@.worker_activity() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_activity() TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.worker_status AS
SELECT a.pid IS NOT NULL AS running, a.pid, a.host, a.armed, a.started_at, a.last_tick, a.running_jobs, a.due_jobs,
       a.queued_runs, a.lag, a.quarantined_jobs, a.sessions, a.paused_since, a.launcher_seen
FROM @extschema@.worker_activity() a;

COMMENT ON VIEW @extschema@.worker_status IS
    'the worker of this database, one row: last_tick is when it last looked around, at most two seconds ago while it is well; lag is 0 while nothing waits';
COMMENT ON COLUMN @extschema@.worker_status.running IS 'whether a worker runs';
COMMENT ON COLUMN @extschema@.worker_status.started_at IS 'when it was started';
COMMENT ON COLUMN @extschema@.worker_status.last_tick IS
    'when it last looked around: at most two seconds ago while it is well';
COMMENT ON COLUMN @extschema@.worker_status.running_jobs IS 'how many runs are active';
COMMENT ON COLUMN @extschema@.worker_status.due_jobs IS 'how many jobs are due and wait for a free slot';
COMMENT ON COLUMN @extschema@.worker_status.queued_runs IS
    'how many runs have been asked for, by run_job(), run_once() or @reboot, and wait for a free slot';
COMMENT ON COLUMN @extschema@.worker_status.lag IS 'how long what waits longest of these has waited; 0: nothing waits';
COMMENT ON COLUMN @extschema@.worker_status.quarantined_jobs IS
    'how many jobs do not run because something that they need is gone: see quarantined_reason in all_job';
COMMENT ON COLUMN @extschema@.worker_status.sessions IS
    'how many sessions the worker has on this server: those of active runs, those kept for further ones, and the one that listens';
COMMENT ON COLUMN @extschema@.worker_status.paused_since IS
    'since when nothing is started, by pause_jobs(); NULL: not paused';
GRANT SELECT ON @extschema@.worker_status TO job_scheduler, job_monitor;
-- sql/user_views/job_stats.sql
CREATE FUNCTION @extschema@.percentiles(samples real[], OUT p50 interval, OUT p95 interval)
LANGUAGE sql IMMUTABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Milliseconds are enough from a second on, and keep the view narrow.
    SELECT make_interval(secs => round(p[1]::numeric, CASE WHEN p[1] < 1 THEN 6 ELSE 3 END)::float8),
           make_interval(secs => round(p[2]::numeric, CASE WHEN p[2] < 1 THEN 6 ELSE 3 END)::float8)
    FROM (SELECT percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY s.seconds) AS p
          FROM unnest(samples) s (seconds)) q;
$$;
COMMENT ON FUNCTION @extschema@.percentiles(real[]) IS
    'the median of durations in seconds, and what 95 of 100 of them do not exceed; NULL of none';
REVOKE ALL ON FUNCTION @extschema@.percentiles(real[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.percentiles(real[]) TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.job_stats WITH (security_barrier) AS
SELECT j.job_id,
       j.job_name,
       j.rolname,
       j.datname,
       coalesce(s.success_count + s.failure_total + s.cancelled_count, 0) AS runs,
       coalesce(s.failure_total, 0) AS failures,
       coalesce(s.cancelled_count, 0) AS cancelled,
       coalesce(s.skipped_count, 0) AS skipped,
       coalesce(s.missed_count, 0) AS missed,
       d.p50 AS duration_p50,
       d.p95 AS duration_p95,
       l.p50 AS lateness_p50,
       l.p95 AS lateness_p95,
       s.last_executed,
       s.last_success,
       s.last_states
FROM ONLY @extschema@.job j
LEFT JOIN @extschema@.job_statistic s ON s.job_id = j.job_id
LEFT JOIN LATERAL @extschema@.percentiles(s.durations) d ON true
LEFT JOIN LATERAL @extschema@.percentiles(s.delays) l ON true
WHERE j.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT pg_has_role('job_monitor', 'USAGE'));

COMMENT ON VIEW @extschema@.job_stats IS
    'how the runs of each job went, also those that the log has no more: for the jobs of all roles that the current role is a member of, and for job_monitor all jobs';
COMMENT ON COLUMN @extschema@.job_stats.runs IS 'how many runs have succeeded, failed or been cancelled';
COMMENT ON COLUMN @extschema@.job_stats.failures IS 'how many of them have failed, timed out or been lost';
COMMENT ON COLUMN @extschema@.job_stats.cancelled IS 'how many of them have been cancelled';
COMMENT ON COLUMN @extschema@.job_stats.skipped IS 'how many runs have been skipped';
COMMENT ON COLUMN @extschema@.job_stats.missed IS 'how many due times have been missed';
COMMENT ON COLUMN @extschema@.job_stats.duration_p50 IS 'median duration of the last 100 runs that succeeded';
COMMENT ON COLUMN @extschema@.job_stats.duration_p95 IS 'what 95 of 100 of them did not exceed';
COMMENT ON COLUMN @extschema@.job_stats.lateness_p50 IS
    'how long after scheduled_at the last 100 runs started: the median';
COMMENT ON COLUMN @extschema@.job_stats.lateness_p95 IS 'what 95 of 100 of them did not exceed';
GRANT SELECT ON @extschema@.job_stats TO job_scheduler, job_monitor;
-- sql/user_views/member_job.sql
CREATE VIEW @extschema@.member_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
WHERE j.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT @extschema@.is_superuser())
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW @extschema@.member_job IS
    'the jobs of all roles that the current role is a member of; INSERT, UPDATE and DELETE define, change and delete jobs';
GRANT SELECT, DELETE ON @extschema@.member_job TO job_scheduler;
GRANT INSERT (datname, rolname, schedule, enabled, job_command, job_description, job_timeout, parallel, timezone, dst,
              starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
              max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
              expect_success_within, server),
      UPDATE (datname, rolname, schedule, enabled, job_command, job_description, job_timeout, parallel, timezone, dst,
              starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
              max_retry_delay, retry_on, disable_after, defined_by, settings, parameters, run_after, run_when,
              on_failure_command, expect_success_within, server)
    ON @extschema@.member_job TO job_scheduler;
-- sql/user_views/member_job_log.sql
CREATE VIEW @extschema@.member_job_log WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_log l
WHERE l.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT @extschema@.is_superuser());

COMMENT ON VIEW @extschema@.member_job_log IS 'the runs of all roles that the current role is a member of';
GRANT SELECT ON @extschema@.member_job_log TO job_scheduler;
-- sql/user_views/member_once_job.sql
-- The door for run_once(): what it puts here is checked as a job's definition is.
CREATE VIEW @extschema@.member_once_job WITH (security_barrier) AS
SELECT o.job_id,
       o.datname,
       o.rolname,
       o.job_command,
       o.job_timeout,
       o.settings,
       o.parameters,
       o.server
FROM @extschema@.once_job o
WHERE o.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT @extschema@.is_superuser())
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW @extschema@.member_once_job IS
    'what run_once() has asked for and has not started, for all roles that the current role is a member of';
GRANT SELECT, INSERT (datname, rolname, job_command, job_timeout, settings, parameters, server)
    ON @extschema@.member_once_job TO job_scheduler;
-- sql/user_views/my_job.sql
CREATE VIEW @extschema@.my_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
WHERE j.rolname = current_user
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW @extschema@.my_job IS
    'the jobs of the current role; INSERT, UPDATE and DELETE define, change and delete jobs';
GRANT SELECT, DELETE ON @extschema@.my_job TO job_scheduler;
GRANT INSERT (datname, rolname, schedule, enabled, job_command, job_description, job_timeout, parallel, timezone, dst,
              starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
              max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
              expect_success_within, server),
      UPDATE (datname, rolname, schedule, enabled, job_command, job_description, job_timeout, parallel, timezone, dst,
              starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
              max_retry_delay, retry_on, disable_after, defined_by, settings, parameters, run_after, run_when,
              on_failure_command, expect_success_within, server)
    ON @extschema@.my_job TO job_scheduler;
-- sql/user_views/my_job_log.sql
CREATE VIEW @extschema@.my_job_log WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_log l
WHERE l.rolname = current_user;

COMMENT ON VIEW @extschema@.my_job_log IS 'the runs of the current role';
GRANT SELECT ON @extschema@.my_job_log TO job_scheduler;
-- sql/user_views/view_owner.sql
-- DELETE on a view comes with the right to LOCK it, and LOCK goes on to what lies below it with the
-- rights of the view's owner. So the views that jobs are deleted through belong to a role that may
-- lock nothing: no other role's session can then keep the worker from its tables.
DO $$
BEGIN
    EXECUTE (SELECT 'GRANT SELECT, INSERT, UPDATE (' || string_agg(quote_ident(c.attname), ', ')
                    || ') ON @extschema@.all_job TO job_view_owner'
             FROM pg_attribute c WHERE c.attrelid = '@extschema@.all_job'::regclass AND c.attnum > 0);
END
$$;
ALTER VIEW @extschema@.my_job OWNER TO job_view_owner;
ALTER VIEW @extschema@.member_job OWNER TO job_view_owner;

CREATE FUNCTION @extschema@.delete_shown_job() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- the owner of the views may not delete; what a view shows, its reader may delete
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
AS $$
BEGIN
    DELETE FROM ONLY @extschema@.job j WHERE j.job_id = OLD.job_id;
    RETURN CASE WHEN FOUND THEN OLD END;
END
$$;
COMMENT ON FUNCTION @extschema@.delete_shown_job() IS 'trigger: deletes a job through my_job or member_job';
REVOKE ALL ON FUNCTION @extschema@.delete_shown_job() FROM PUBLIC;

CREATE TRIGGER delete_shown_job INSTEAD OF DELETE ON @extschema@.my_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.delete_shown_job();
CREATE TRIGGER delete_shown_job INSTEAD OF DELETE ON @extschema@.member_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.delete_shown_job();
-- sql/user_views/visible_job.sql
CREATE VIEW @extschema@.visible_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
WHERE j.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT pg_has_role('job_monitor', 'USAGE'));

COMMENT ON VIEW @extschema@.visible_job IS
    'the jobs that the current role may see: those of all roles that it is a member of; for job_monitor all';
GRANT SELECT ON @extschema@.visible_job TO job_scheduler, job_monitor;
-- sql/everyday_views/job_chain.sql
CREATE VIEW @extschema@.job_chain WITH (security_barrier) AS
WITH RECURSIVE mine AS MATERIALIZED (
    SELECT j.job_id, j.job_name, j.run_after, j.run_when FROM @extschema@.member_job j),
link AS (
    SELECT m.job_id, m.job_name, m.run_when, a.after_job_id
    FROM mine m CROSS JOIN LATERAL unnest(m.run_after) a (after_job_id)),
level AS (
    SELECT l.job_id, 1 AS level FROM link l
    UNION
    SELECT l.job_id, v.level + 1 FROM level v JOIN link l ON l.after_job_id = v.job_id WHERE v.level < 1000)
SELECT (SELECT max(v.level) FROM level v WHERE v.job_id = l.job_id) AS level,
       l.job_id,
       @extschema@.shortened(l.job_name, 24) AS job_name,
       l.run_when,
       l.after_job_id,
       (SELECT @extschema@.shortened(m.job_name, 24) FROM mine m WHERE m.job_id = l.after_job_id) AS after_job_name,
       CASE WHEN NOT EXISTS (SELECT FROM ONLY @extschema@.job j WHERE j.job_id = l.after_job_id) THEN 'deleted'
            WHEN d.fulfilled IS NULL THEN 'waiting'
            WHEN d.fulfilled THEN 'fulfilled'
            ELSE 'not fulfilled' END AS state,
       d.jl_id
FROM link l
LEFT JOIN @extschema@.finished_dependency d ON d.job_id = l.job_id AND d.after_job_id = l.after_job_id;

COMMENT ON VIEW @extschema@.job_chain IS
    'what runs after what: a row for each job of a role that the current role is a member of and each job that it runs after';
COMMENT ON COLUMN @extschema@.job_chain.level IS 'how many jobs there are before it, in a row';
COMMENT ON COLUMN @extschema@.job_chain.after_job_id IS 'a job that it runs after';
COMMENT ON COLUMN @extschema@.job_chain.after_job_name IS 'the name of that job';
COMMENT ON COLUMN @extschema@.job_chain.state IS
    'since the job was started last for what it runs after, has that job ended? waiting: not yet; fulfilled, not fulfilled: its last end is as run_when wants, or not; deleted: it never will';
COMMENT ON COLUMN @extschema@.job_chain.jl_id IS 'the run of that job that has ended last';
GRANT SELECT ON @extschema@.job_chain TO job_scheduler;
-- sql/everyday_views/job_overview.sql
CREATE VIEW @extschema@.job_overview WITH (security_barrier) AS
SELECT j.job_id,
       @extschema@.shortened(CASE WHEN j.rolname <> current_user THEN j.rolname || '.' ELSE '' END
                             || coalesce(j.job_name, j.job_description, j.job_command), 22) AS job,
       @extschema@.shortened(j.datname, 10) AS datname,
       @extschema@.shortened(j.schedule, 14) AS schedule,
       CASE WHEN EXISTS (SELECT FROM @extschema@.job_log l
                         WHERE l.job_id = j.job_id AND l.state = 'running'
                           AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)) THEN 'running'
            WHEN NOT j.enabled THEN 'not enabled'
            WHEN j.quarantined_reason IS NOT NULL THEN 'quarantined'
            WHEN j.disabled_at IS NOT NULL THEN 'disabled'
            WHEN j.retry_at IS NOT NULL THEN 'to retry'
            ELSE coalesce((SELECT s.last_states[1] FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 'new')
            END AS status,
       j.failure_count AS fails,
       to_char(j.last_executed, 'MM-DD HH24:MI:SS') AS last_run,
       to_char(least(j.next_run_at, j.retry_at), 'MM-DD HH24:MI:SS') AS next_run
FROM @extschema@.member_job j
ORDER BY j.job_id;

COMMENT ON VIEW @extschema@.job_overview IS
    'the jobs of all roles that the current role is a member of, on a line each: the columns of every day, shortened';
COMMENT ON COLUMN @extschema@.job_overview.job IS
    'its name, else its description, else its command; with the role, where that is another';
COMMENT ON COLUMN @extschema@.job_overview.status IS
    'running; not enabled; quarantined: its role, database or a right is missing; disabled: by disable_after; to retry; else how it ended last, or new';
COMMENT ON COLUMN @extschema@.job_overview.fails IS 'how many runs have failed since the last success';
COMMENT ON COLUMN @extschema@.job_overview.last_run IS 'when the last run started, in the time zone of the session';
COMMENT ON COLUMN @extschema@.job_overview.next_run IS 'when it is due or tried again next';
GRANT SELECT ON @extschema@.job_overview TO job_scheduler;
-- sql/everyday_views/recent_runs.sql
CREATE VIEW @extschema@.recent_runs WITH (security_barrier) AS
SELECT l.jl_id,
       @extschema@.shortened(CASE WHEN l.rolname <> current_user THEN l.rolname || '.' ELSE '' END
                             || coalesce((SELECT j.job_name FROM ONLY @extschema@.job j WHERE j.job_id = l.job_id),
                                         l.job_command), 22) AS job,
       l.state,
       to_char(coalesce(l.job_started, l.scheduled_at), 'MM-DD HH24:MI:SS') AS started,
       CAST(justify_interval(date_trunc('milliseconds', coalesce(l.job_finished, clock_timestamp()) - l.job_started))
            AS interval(3)) AS took,
       l.row_count AS rows,
       @extschema@.shortened(l.exception_message, 28) AS message
FROM @extschema@.member_job_log l
-- Not the whole log, where none of the latest runs is one's own.
WHERE l.jl_id > (SELECT max(n.jl_id) - 100000 FROM @extschema@.job_log n)
ORDER BY l.jl_id DESC
LIMIT 20;

COMMENT ON VIEW @extschema@.recent_runs IS
    'the last 20 runs of all roles that the current role is a member of, of the last 100 000 of all, the latest first: the columns of every day, shortened';
COMMENT ON COLUMN @extschema@.recent_runs.job IS 'the name of the job, else the command; with the role, where that is another';
COMMENT ON COLUMN @extschema@.recent_runs.started IS 'when it started or was due, in the time zone of the session';
COMMENT ON COLUMN @extschema@.recent_runs.took IS 'how long it took, or has taken so far';
COMMENT ON COLUMN @extschema@.recent_runs.rows IS 'rows that the last statement returned or changed';
COMMENT ON COLUMN @extschema@.recent_runs.message IS 'the error, or why the run did not start';
GRANT SELECT ON @extschema@.recent_runs TO job_scheduler;
-- sql/everyday_views/trial.sql
-- The door for try_job(): nothing is kept here. A row that is inserted is checked as a job's definition is,
-- with the rights of who inserts it, then tried, and comes back with what happened.
CREATE VIEW @extschema@.trial AS
SELECT j.job_id, j.datname, j.rolname, j.job_command, j.on_failure_command, j.job_timeout, j.settings, j.parameters, j.server,
       CAST(j.defined_by AS name) AS defined_by,
       l.state, l.job_sqlstate, l.exception_message, l.exception_detail, l.exception_hint, l.exception_context,
       l.row_count, l.notices, l.job_started, l.job_finished
FROM @extschema@.job j, @extschema@.job_log l
WHERE false;

COMMENT ON VIEW @extschema@.trial IS 'always empty; an inserted row is tried, see try_job()';
GRANT SELECT, INSERT (job_id, datname, rolname, job_command, job_timeout, settings, parameters, server)
    ON @extschema@.trial TO job_scheduler;
-- sql/functions/copy_role_settings.sql
CREATE FUNCTION @extschema@.runner_settings(role oid, OUT setdatabase oid, OUT setconfig text[]) RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT d.setdatabase,
           ARRAY(SELECT c FROM pg_db_role_setting s, unnest(s.setconfig) c
                 WHERE s.setrole = role AND s.setdatabase = d.setdatabase AND c !~ '^(role|session_authorization)=')
           || CASE WHEN d.setdatabase = 0
                   THEN ARRAY['role=' || (SELECT r.rolname FROM pg_roles r WHERE r.oid = role)] ELSE '{}' END
    FROM (SELECT 0::oid UNION SELECT s.setdatabase FROM pg_db_role_setting s WHERE s.setrole = role) d (setdatabase);
END
$$;
COMMENT ON FUNCTION @extschema@.runner_settings(oid) IS
    'the defaults that the sessions of a role''s runner should have, by database (0: all), as pg_db_role_setting keeps them';
REVOKE ALL ON FUNCTION @extschema@.runner_settings(oid) FROM PUBLIC;

CREATE FUNCTION @extschema@.copy_role_settings(role oid, runner oid) RETURNS void
-- plpgsql, which keeps its plans: this is done for each session that is opened.
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The catalog is copied and not ALTER ROLE … SET repeated: that would need to know how each
    -- setting quotes its value.
    DELETE FROM pg_db_role_setting s
    WHERE s.setrole = runner
      AND NOT EXISTS (SELECT FROM @extschema@.runner_settings(role) w
                      WHERE w.setdatabase = s.setdatabase AND w.setconfig = s.setconfig);
    INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
    SELECT w.setdatabase, runner, w.setconfig FROM @extschema@.runner_settings(role) w
    WHERE NOT EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = runner AND s.setdatabase = w.setdatabase);
END
$$;
COMMENT ON FUNCTION @extschema@.copy_role_settings(oid, oid) IS
    'gives a runner the defaults that ALTER ROLE … SET has given its role, so that they hold in runs as if the role had logged in';
REVOKE ALL ON FUNCTION @extschema@.copy_role_settings(oid, oid) FROM PUBLIC;
-- sql/functions/delete_job.sql
CREATE FUNCTION @extschema@.delete_job(job_id bigint) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    deleted @extschema@.member_job;
BEGIN
    DELETE FROM @extschema@.member_job j WHERE j.job_id = delete_job.job_id RETURNING j.* INTO deleted;
    IF NOT FOUND THEN
        PERFORM @extschema@.no_such_job(delete_job.job_id);
    END IF;
    RETURN deleted;
END
$$;
COMMENT ON FUNCTION @extschema@.delete_job(bigint) IS
    'deletes a job; its log is kept, and a run that is active goes on (cancel_job() stops it)';
REVOKE ALL ON FUNCTION @extschema@.delete_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.delete_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.delete_job(job text) RETURNS @extschema@.member_job
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM @extschema@.delete_job(@extschema@.find_job(job));
$$;
COMMENT ON FUNCTION @extschema@.delete_job(text) IS 'the same for a job that is named';
REVOKE ALL ON FUNCTION @extschema@.delete_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.delete_job(text) TO job_scheduler;
-- sql/functions/describe_schedule.sql
CREATE FUNCTION @extschema@.schedule_in_words(
    schedule text,
    timezone text,
    dst text,
    now float8,
    seed text,
    OUT words text,
    OUT refusal @extschema@.refusal
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
return elephant().describe.schedule_in_words(schedule, timezone, dst, now, seed)
$python$;
COMMENT ON FUNCTION @extschema@.schedule_in_words IS 'see describe_schedule()';
REVOKE ALL ON FUNCTION @extschema@.schedule_in_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.schedule_in_words TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.describe_schedule(
    schedule text,
    timezone text DEFAULT current_setting('TimeZone'),
    dst text DEFAULT 'cron'
) RETURNS text
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    IF schedule IS NULL THEN
        RETURN 'only when run_job() asks for it';
    END IF;
    IF timezone IS NULL OR dst IS NULL THEN
        RAISE EXCEPTION 'describe_schedule() takes no NULL but for the schedule'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'timezone and dst each need a value.',
                  HINT = 'Leave a parameter out to use its default.';
    END IF;
    SELECT * INTO answer FROM @extschema@.schedule_in_words(
        schedule, timezone, dst, extract(epoch FROM now())::float8, '');
    PERFORM @extschema@.refuse(answer.refusal);
    RETURN answer.words;
END
$$;
COMMENT ON FUNCTION @extschema@.describe_schedule IS
    'a schedule in plain English: when it is due, when next, and what becomes of it where clocks are changed within a year; 22023 for an invalid schedule, time zone or dst, 22004 where one of the last two is NULL';
REVOKE ALL ON FUNCTION @extschema@.describe_schedule FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.describe_schedule TO job_scheduler, job_monitor;
-- sql/functions/due_times.sql
CREATE FUNCTION @extschema@.due_times(
    schedule text,
    timezone text,
    dst text,
    starts_at float8,
    ends_at float8,
    after float8,
    until float8,
    count integer,
    seed text,
    OUT due float8[],
    OUT never text,
    OUT refusal @extschema@.refusal
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
return elephant().preview.due_times(schedule, timezone, dst, starts_at, ends_at, after, until, count, seed)
$python$;
COMMENT ON FUNCTION @extschema@.due_times IS
    'the next due times of a schedule in seconds since 1970 (as many as count, not after until), why it is never due (NULL where it is), or what is wrong with it; the seed (the job) chooses the slots of H';
REVOKE ALL ON FUNCTION @extschema@.due_times FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.due_times TO job_scheduler, job_monitor;
-- sql/functions/insert_job.sql
CREATE FUNCTION @extschema@.insert_job(
    job_command text,
    datname name,
    schedule text DEFAULT NULL,
    rolname name DEFAULT current_user,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT true,
    job_timeout interval DEFAULT '6 hours',
    parallel boolean DEFAULT false,
    timezone text DEFAULT current_setting('TimeZone'),
    dst text DEFAULT 'cron',
    starts_at timestamptz DEFAULT NULL,
    ends_at timestamptz DEFAULT NULL,
    catch_up text DEFAULT 'skip',
    catch_up_limit integer DEFAULT 100,
    start_deadline interval DEFAULT NULL,
    job_name text DEFAULT NULL,
    max_retries integer DEFAULT 0,
    retry_delay interval DEFAULT '1 minute',
    max_retry_delay interval DEFAULT '1 hour',
    retry_on text[] DEFAULT '{connection,serialization,error,timeout}',
    disable_after integer DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    run_after bigint[] DEFAULT NULL,
    run_when text DEFAULT 'on_success',
    on_failure_command text DEFAULT NULL,
    expect_success_within interval DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER -- keeps its plan, as a function in SQL does not before PostgreSQL 18
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    new_job @extschema@.member_job;
BEGIN
    INSERT INTO @extschema@.member_job
        (job_command, datname, schedule, rolname, job_description, enabled, job_timeout, parallel, timezone, dst,
         starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
         max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
         expect_success_within, server)
    VALUES
        (job_command, datname, schedule, rolname, job_description, enabled, job_timeout, parallel, timezone, dst,
         starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
         max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
         expect_success_within, server)
    RETURNING * INTO new_job;
    RETURN new_job;
END
$$;
COMMENT ON FUNCTION @extschema@.insert_job IS
    'defines a job; without a schedule it runs only when run_job() asks for it';
REVOKE ALL ON FUNCTION @extschema@.insert_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.insert_job TO job_scheduler;
-- sql/functions/next_runs.sql
CREATE FUNCTION @extschema@.next_runs(
    schedule text,
    timezone text DEFAULT current_setting('TimeZone'),
    after timestamptz DEFAULT now(),
    count integer DEFAULT 5,
    dst text DEFAULT 'cron'
) RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    IF schedule IS NULL OR timezone IS NULL OR after IS NULL OR count IS NULL
       OR dst IS NULL THEN
        RAISE EXCEPTION 'next_runs() takes no NULL'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'schedule, timezone, after, count and dst each need a value.',
                  HINT = 'Leave a parameter out to use its default.';
    END IF;
    IF NOT isfinite(after) OR count NOT BETWEEN 0 AND 10000 THEN
        RAISE EXCEPTION 'next_runs() cannot count % times after %', count, after
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'after must be finite, count between 0 and 10000.',
                  HINT = 'For more, call it again with the last result as after.';
    END IF;
    SELECT * INTO answer FROM @extschema@.due_times(
        schedule, timezone, dst, NULL, NULL, extract(epoch FROM after)::float8, NULL, count, '');
    PERFORM @extschema@.refuse(answer.refusal);
    RETURN QUERY SELECT to_timestamp(due) FROM unnest(answer.due) AS due;
END
$$;
COMMENT ON FUNCTION @extschema@.next_runs IS
    'when a schedule is due next, read in a time zone, later than a moment (intervals are counted from it, H stands for the slots of no job in particular); 22023 for an invalid schedule, time zone or dst, 22004 for NULL';
REVOKE ALL ON FUNCTION @extschema@.next_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.next_runs TO job_scheduler, job_monitor;
-- sql/functions/no_such_job.sql
CREATE FUNCTION @extschema@.no_such_job(job_id bigint) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'there is no job % that role "%" may touch', coalesce(job_id::text, 'NULL'), current_user
        USING ERRCODE = 'no_data_found',
              DETAIL = 'It does not exist, or belongs to a role that you are not a member of.',
              HINT = 'member_job lists the jobs that you may touch.';
END
$$;
COMMENT ON FUNCTION @extschema@.no_such_job(bigint) IS 'raises the error for an unknown job (P0002)';
REVOKE ALL ON FUNCTION @extschema@.no_such_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.no_such_job(bigint) TO job_scheduler;
-- sql/functions/pause_jobs.sql
CREATE FUNCTION @extschema@.pause_jobs() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH paused AS (UPDATE @extschema@.worker_setting s SET paused_since = clock_timestamp()
                    WHERE s.paused_since IS NULL RETURNING s.only_row)
    SELECT EXISTS (SELECT FROM paused);
$$;
COMMENT ON FUNCTION @extschema@.pause_jobs() IS
    'has the worker start nothing more, until resume_jobs(); runs that are active go on; returns false where it was paused already';
REVOKE ALL ON FUNCTION @extschema@.pause_jobs() FROM PUBLIC;

CREATE FUNCTION @extschema@.resume_jobs() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH resumed AS (UPDATE @extschema@.worker_setting s SET paused_since = NULL
                     WHERE s.paused_since IS NOT NULL RETURNING s.only_row)
    SELECT EXISTS (SELECT FROM resumed);
$$;
COMMENT ON FUNCTION @extschema@.resume_jobs() IS
    'ends pause_jobs(): what was due meanwhile counts as missed, so that catch_up says what becomes of it; requests are started now; returns false where it was not paused';
REVOKE ALL ON FUNCTION @extschema@.resume_jobs() FROM PUBLIC;
-- sql/functions/prepare_runner.sql
CREATE FUNCTION @extschema@.runner_name(role oid) RETURNS name
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Made of oids: a renamed role keeps its runner, and two databases with jobs do not meet.
    RETURN format('elephant_worker_%s_%s', (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()), role);
END
$$;
COMMENT ON FUNCTION @extschema@.runner_name(oid) IS 'the login role through which runs become this role';
REVOKE ALL ON FUNCTION @extschema@.runner_name(oid) FROM PUBLIC;

CREATE FUNCTION @extschema@.prepare_runner(role oid, verifier text) RETURNS name
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms' -- a run may hold a lock on its own runner, for which others must not wait
AS $$
DECLARE
    runner CONSTANT name := @extschema@.runner_name(role);
    rolname CONSTANT name := (SELECT r.rolname FROM pg_authid r WHERE r.oid = role);
    known pg_authid;
BEGIN
    SELECT * INTO known FROM pg_authid r WHERE r.rolname = runner;
    IF NOT FOUND THEN
        EXECUTE format('CREATE ROLE %I', runner);
        EXECUTE format('GRANT %I TO %I', rolname, runner);
        SELECT * INTO known FROM pg_authid r WHERE r.rolname = runner;
    END IF;
    -- Who may create roles could have been here first, or have been given this one since.
    IF EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = known.oid)
       OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = known.oid AND m.roleid <> role)
       OR NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = known.oid AND m.roleid = role) THEN
        RAISE EXCEPTION 'the role "%" is not what it should be', runner
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = format('It should be a member of "%s" alone, and nobody a member of it.', rolname),
                  HINT = format('Drop it, the worker makes it again: DROP ROLE %I;', runner);
    END IF;
    IF known.rolpassword IS DISTINCT FROM verifier OR NOT known.rolcanlogin
       OR known.rolvaliduntil IS NULL OR known.rolvaliduntil < clock_timestamp() + '5 minutes' THEN
        EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN NOREPLICATION NOBYPASSRLS '
                       'CONNECTION LIMIT -1 PASSWORD %L VALID UNTIL %L',
                       runner, verifier, clock_timestamp() + '10 minutes');
    END IF;
    PERFORM @extschema@.copy_role_settings(role, known.oid);
    RETURN runner;
END
$$;
COMMENT ON FUNCTION @extschema@.prepare_runner(oid, text) IS
    'makes the login role through which runs become this role, for ten minutes and with the worker''s secret, of which it gets the SCRAM verifier; returns its name';
REVOKE ALL ON FUNCTION @extschema@.prepare_runner(oid, text) FROM PUBLIC;
-- sql/functions/refuse.sql
CREATE FUNCTION @extschema@.refuse(refusal @extschema@.refusal) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Raised here and not in Python, where the error would carry a traceback.
    IF refusal.message IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = refusal.sqlstate, MESSAGE = refusal.message,
                              DETAIL = refusal.detail, HINT = refusal.hint;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse(@extschema@.refusal) IS
    'raises the error that the Python package has found; does nothing where there is none';
REVOKE ALL ON FUNCTION @extschema@.refuse(@extschema@.refusal) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.refuse(@extschema@.refusal) TO job_scheduler, job_monitor;
-- sql/functions/run_worker.sql
-- No SET clauses: a procedure that has one cannot commit. The worker sets its own search_path.
CREATE PROCEDURE @extschema@.work(host text, attended boolean, INOUT refusal @extschema@.refusal)
LANGUAGE plpython3u SECURITY INVOKER
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
return elephant().worker.run(plpy, '@extschema@', host, attended)
$python$;
COMMENT ON PROCEDURE @extschema@.work(text, boolean, @extschema@.refusal) IS 'see run_worker()';
REVOKE ALL ON PROCEDURE @extschema@.work(text, boolean, @extschema@.refusal) FROM PUBLIC;

CREATE PROCEDURE @extschema@.run_worker(host text DEFAULT 'foreground', attended boolean DEFAULT true)
LANGUAGE plpgsql SECURITY INVOKER
AS $$
DECLARE
    refusal @extschema@.refusal;
BEGIN
    CALL @extschema@.work(host, attended, refusal);
    PERFORM @extschema@.refuse(refusal);
END
$$;
COMMENT ON PROCEDURE @extschema@.run_worker(text, boolean) IS
    'is the worker, until it is stopped: starts what is due, logs how it ends; start_worker() runs it inside the server; 55006 where a worker runs already; not attended: returns at once where start_worker(unattended := true) would do nothing';
REVOKE ALL ON PROCEDURE @extschema@.run_worker(text, boolean) FROM PUBLIC;
-- sql/functions/start_worker.sql
CREATE FUNCTION @extschema@.host_worker(attended boolean, OUT pid integer, OUT refusal @extschema@.refusal)
LANGUAGE plpython3u VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
return elephant().host.start(plpy, '@extschema@', attended)
$python$;
COMMENT ON FUNCTION @extschema@.host_worker(boolean) IS
    'starts a worker in pg_background or a detached session, and waits until it works';
REVOKE ALL ON FUNCTION @extschema@.host_worker(boolean) FROM PUBLIC;

CREATE FUNCTION @extschema@.is_armed() RETURNS boolean
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.armed AND s.system_identifier = c.system_identifier
           AND current_setting('data_directory') = ANY (s.data_directory || w.standby_directories)
    FROM @extschema@.worker_state s, @extschema@.worker_setting w, pg_control_system() c;
$$;
COMMENT ON FUNCTION @extschema@.is_armed() IS
    'whether launchers may start a worker: one was started in this cluster, not in one that this is a copy of, and not stopped since';
REVOKE ALL ON FUNCTION @extschema@.is_armed() FROM PUBLIC;

CREATE FUNCTION @extschema@.start_worker(unattended boolean DEFAULT false) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker integer := @extschema@.worker_pid();
    answer record;
BEGIN
    IF pg_is_in_recovery() THEN
        IF unattended THEN
            RETURN NULL;
        END IF;
        RAISE EXCEPTION 'the worker cannot be started on a standby'
            USING ERRCODE = 'read_only_sql_transaction',
                  DETAIL = 'It writes down what it does.',
                  HINT = 'It runs on the primary; after a promotion the launcher, or SELECT start_worker(), starts it here.';
    END IF;
    IF worker IS NULL AND (NOT unattended OR @extschema@.is_armed()) THEN
        SELECT * INTO answer FROM @extschema@.host_worker(NOT unattended);
        -- Somebody else may have started one at the same time.
        worker := coalesce(@extschema@.worker_pid(), answer.pid);
        IF worker IS NULL AND (NOT unattended OR @extschema@.is_armed()) THEN
            PERFORM @extschema@.refuse(answer.refusal);
        END IF;
    END IF;
    IF unattended AND NOT current_setting('transaction_read_only')::boolean THEN
        -- check_setup() tells who has no launcher. The worker writes this row too: do not wait for it.
        UPDATE @extschema@.worker_state s SET launcher_seen = clock_timestamp()
        WHERE s.only_row IN (SELECT u.only_row FROM @extschema@.worker_state u
                             WHERE coalesce(u.launcher_seen, '-infinity') < clock_timestamp() - interval '5 minutes'
                             FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN worker;
END
$$;
COMMENT ON FUNCTION @extschema@.start_worker(boolean) IS
    'starts the worker of this database inside the server and returns its process id; does nothing where one runs; unattended (for launchers): also does nothing, and returns NULL, on a standby, after stop_worker(), and where nobody has started one yet, as in a copy of the cluster';
REVOKE ALL ON FUNCTION @extschema@.start_worker(boolean) FROM PUBLIC;
-- sql/functions/stop_worker.sql
CREATE FUNCTION @extschema@.stop_worker() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.worker_state SET armed = false;
    INSERT INTO @extschema@.worker_inbox (kind) VALUES ('stop');
    RETURN @extschema@.worker_pid() IS NOT NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.stop_worker() IS
    'has the worker cancel its runs and end as soon as this transaction commits, and launchers not start it again; returns whether one runs';
REVOKE ALL ON FUNCTION @extschema@.stop_worker() FROM PUBLIC;
-- sql/functions/upcoming_runs.sql
CREATE FUNCTION @extschema@.upcoming_runs(
    ahead interval DEFAULT '1 day',
    OUT scheduled_at timestamptz,
    OUT job_id bigint,
    OUT rolname name,
    OUT datname name,
    OUT job_description text,
    OUT due_together bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF ahead IS NULL OR ahead <= '0' OR ahead > '1 year' THEN
        RAISE EXCEPTION 'upcoming_runs() cannot look ahead %', coalesce(ahead::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It shows the due times from now until so much later.',
                  HINT = 'Choose an interval up to 1 year, as in upcoming_runs(''12 hours'').';
    END IF;
    RETURN QUERY
    SELECT to_timestamp(d.due), j.job_id, j.rolname, j.datname, j.job_description,
           count(*) OVER (PARTITION BY d.due)
    FROM @extschema@.visible_job j
    CROSS JOIN LATERAL @extschema@.due_times(
        j.schedule, j.timezone, j.dst, extract(epoch FROM j.starts_at)::float8, extract(epoch FROM j.ends_at)::float8,
        -- From the due time that is known on, so that intervals keep their grid.
        extract(epoch FROM j.next_run_at)::float8, extract(epoch FROM now() + ahead)::float8, 10000,
        j.job_id::text) a
    CROSS JOIN LATERAL unnest(extract(epoch FROM j.next_run_at)::float8 || a.due) d (due)
    WHERE j.next_run_at <= now() + ahead
    ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION @extschema@.upcoming_runs IS
    'what is due in the time ahead, of all jobs that the current role may see: at most 10,001 runs a job; due_together counts those of the same moment';
REVOKE ALL ON FUNCTION @extschema@.upcoming_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.upcoming_runs TO job_scheduler, job_monitor;
-- sql/functions/update_job.sql
CREATE FUNCTION @extschema@.update_job(
    job_id bigint,
    job_command text DEFAULT NULL,
    datname name DEFAULT NULL,
    schedule text DEFAULT NULL,
    rolname name DEFAULT NULL,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT NULL,
    job_timeout interval DEFAULT NULL,
    parallel boolean DEFAULT NULL,
    timezone text DEFAULT NULL,
    dst text DEFAULT NULL,
    starts_at timestamptz DEFAULT NULL,
    ends_at timestamptz DEFAULT NULL,
    catch_up text DEFAULT NULL,
    catch_up_limit integer DEFAULT NULL,
    start_deadline interval DEFAULT NULL,
    job_name text DEFAULT NULL,
    max_retries integer DEFAULT NULL,
    retry_delay interval DEFAULT NULL,
    max_retry_delay interval DEFAULT NULL,
    retry_on text[] DEFAULT NULL,
    disable_after integer DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    run_after bigint[] DEFAULT NULL,
    run_when text DEFAULT NULL,
    on_failure_command text DEFAULT NULL,
    expect_success_within interval DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    changed @extschema@.member_job;
BEGIN
    UPDATE @extschema@.member_job j
    SET job_command = coalesce(update_job.job_command, j.job_command),
        datname = coalesce(update_job.datname, j.datname),
        schedule = coalesce(update_job.schedule, j.schedule),
        rolname = coalesce(update_job.rolname, j.rolname),
        job_description = coalesce(update_job.job_description, j.job_description),
        enabled = coalesce(update_job.enabled, j.enabled),
        job_timeout = coalesce(update_job.job_timeout, j.job_timeout),
        parallel = coalesce(update_job.parallel, j.parallel),
        timezone = coalesce(update_job.timezone, j.timezone),
        dst = coalesce(update_job.dst, j.dst),
        starts_at = coalesce(update_job.starts_at, j.starts_at),
        ends_at = coalesce(update_job.ends_at, j.ends_at),
        catch_up = coalesce(update_job.catch_up, j.catch_up),
        catch_up_limit = coalesce(update_job.catch_up_limit, j.catch_up_limit),
        start_deadline = coalesce(update_job.start_deadline, j.start_deadline),
        job_name = coalesce(update_job.job_name, j.job_name),
        max_retries = coalesce(update_job.max_retries, j.max_retries),
        retry_delay = coalesce(update_job.retry_delay, j.retry_delay),
        max_retry_delay = coalesce(update_job.max_retry_delay, j.max_retry_delay),
        retry_on = coalesce(update_job.retry_on, j.retry_on),
        disable_after = coalesce(update_job.disable_after, j.disable_after),
        settings = coalesce(update_job.settings, j.settings),
        parameters = coalesce(update_job.parameters, j.parameters),
        run_after = coalesce(update_job.run_after, j.run_after),
        run_when = coalesce(update_job.run_when, j.run_when),
        on_failure_command = coalesce(update_job.on_failure_command, j.on_failure_command),
        expect_success_within = coalesce(update_job.expect_success_within, j.expect_success_within),
        server = coalesce(update_job.server, j.server)
    WHERE j.job_id = update_job.job_id
    RETURNING j.* INTO changed;
    IF NOT FOUND THEN
        PERFORM @extschema@.no_such_job(update_job.job_id);
    END IF;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION @extschema@.update_job IS
    'changes what is not NULL of a job; to set something to NULL, UPDATE member_job; runs that are active go on unchanged';
REVOKE ALL ON FUNCTION @extschema@.update_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.update_job TO job_scheduler;
-- sql/functions/update_job_by_name.sql
CREATE FUNCTION @extschema@.update_job(
    job text,
    job_command text DEFAULT NULL,
    datname name DEFAULT NULL,
    schedule text DEFAULT NULL,
    rolname name DEFAULT NULL,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT NULL,
    job_timeout interval DEFAULT NULL,
    parallel boolean DEFAULT NULL,
    timezone text DEFAULT NULL,
    dst text DEFAULT NULL,
    starts_at timestamptz DEFAULT NULL,
    ends_at timestamptz DEFAULT NULL,
    catch_up text DEFAULT NULL,
    catch_up_limit integer DEFAULT NULL,
    start_deadline interval DEFAULT NULL,
    job_name text DEFAULT NULL,
    max_retries integer DEFAULT NULL,
    retry_delay interval DEFAULT NULL,
    max_retry_delay interval DEFAULT NULL,
    retry_on text[] DEFAULT NULL,
    disable_after integer DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    run_after bigint[] DEFAULT NULL,
    run_when text DEFAULT NULL,
    on_failure_command text DEFAULT NULL,
    expect_success_within interval DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS @extschema@.member_job
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM @extschema@.update_job(
        @extschema@.find_job(job),
        job_command, datname, schedule, rolname, job_description, enabled, job_timeout, parallel, timezone,
        dst, starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries,
        retry_delay, max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when,
        on_failure_command, expect_success_within, server);
$$;
COMMENT ON FUNCTION @extschema@.update_job(text, text, name, text, name, text, boolean, interval, boolean, text, text, timestamptz, timestamptz, text, integer, interval, text, integer, interval, interval, text[], integer, jsonb, jsonb, bigint[], text, text, interval, name) IS
    'the same for a job that is named';
REVOKE ALL ON FUNCTION @extschema@.update_job(text, text, name, text, name, text, boolean, interval, boolean, text, text, timestamptz, timestamptz, text, integer, interval, text, integer, interval, interval, text[], integer, jsonb, jsonb, bigint[], text, text, interval, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.update_job(text, text, name, text, name, text, boolean, interval, boolean, text, text, timestamptz, timestamptz, text, integer, interval, text, integer, interval, interval, text[], integer, jsonb, jsonb, bigint[], text, text, interval, name) TO job_scheduler;
-- sql/requests/cancel_job.sql
CREATE FUNCTION @extschema@.cancel_job(job_id bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM @extschema@.member_job j WHERE j.job_id = cancel_job.job_id;
    IF NOT FOUND THEN
        PERFORM @extschema@.no_such_job(cancel_job.job_id);
    END IF;
    INSERT INTO @extschema@.job_request (kind, job_id) VALUES ('cancel', cancel_job.job_id);
    RETURN (SELECT count(*) FROM @extschema@.member_job_log l
            WHERE l.job_id = cancel_job.job_id AND l.state = 'running');
END
$$;
COMMENT ON FUNCTION @extschema@.cancel_job(bigint) IS
    'has the worker stop the active runs of a job as soon as this transaction commits: their statement is cancelled, after worker_setting.cancel_grace their session terminated; returns how many there are';
REVOKE ALL ON FUNCTION @extschema@.cancel_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.cancel_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.cancel_job(job text) RETURNS integer
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.cancel_job(@extschema@.find_job(job));
$$;
COMMENT ON FUNCTION @extschema@.cancel_job(text) IS 'the same for a job that is named';
REVOKE ALL ON FUNCTION @extschema@.cancel_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.cancel_job(text) TO job_scheduler;
-- sql/requests/cancel_run.sql
CREATE FUNCTION @extschema@.cancel_run(jl_id bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    state CONSTANT text := coalesce(
        (SELECT l.state FROM @extschema@.member_job_log l WHERE l.jl_id = cancel_run.jl_id),
        (SELECT 'waiting' FROM @extschema@.waiting_run w WHERE w.jl_id = cancel_run.jl_id));
BEGIN
    IF state IS NULL THEN
        RAISE EXCEPTION 'there is no run % that role "%" may touch',
                        coalesce(cancel_run.jl_id::text, 'NULL'), current_user
            USING ERRCODE = 'no_data_found',
                  DETAIL = 'It does not exist, or belongs to a role that you are not a member of.',
                  HINT = 'member_job_log lists the runs that have started, waiting_run those that have not.';
    END IF;
    IF state NOT IN ('running', 'waiting') THEN
        RETURN false;
    END IF;
    INSERT INTO @extschema@.job_request (kind, jl_id) VALUES ('cancel run', cancel_run.jl_id);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.cancel_run(bigint) IS
    'has the worker stop one run, or not start it, as soon as this transaction commits; returns false where it has ended already';
REVOKE ALL ON FUNCTION @extschema@.cancel_run(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.cancel_run(bigint) TO job_scheduler;
-- sql/requests/job_request.sql
CREATE VIEW @extschema@.waiting_run WITH (security_barrier) AS
SELECT i.request_id AS jl_id, i.cause, i.job_id, CAST(i.requested_by AS name) AS requested_by,
       CAST(i.requested_at AS timestamptz) AS requested_at
FROM @extschema@.worker_inbox i
WHERE i.kind = 'run'
  AND (EXISTS (SELECT FROM @extschema@.member_job m WHERE m.job_id = i.job_id)
       OR EXISTS (SELECT FROM @extschema@.member_once_job o WHERE o.job_id = i.job_id));

COMMENT ON VIEW @extschema@.waiting_run IS
    'the runs that have been asked for and have not started, for roles that the current role is a member of';
COMMENT ON COLUMN @extschema@.waiting_run.jl_id IS 'identifies the run';
GRANT SELECT ON @extschema@.waiting_run TO job_scheduler;

-- The door to the inbox: run_job(), run_once() and the like put requests here as the role that calls them.
CREATE VIEW @extschema@.job_request WITH (security_barrier) AS
SELECT i.request_id, i.kind, i.cause, i.job_id, i.jl_id, CAST(i.requested_by AS name) AS requested_by,
       CAST(i.requested_at AS timestamptz) AS requested_at
FROM @extschema@.worker_inbox i
WHERE (i.kind = 'cancel' OR i.kind = 'run' AND i.cause = 'request')
      AND EXISTS (SELECT FROM @extschema@.member_job m WHERE m.job_id = i.job_id)
   OR i.kind = 'run' AND i.cause = 'once'
      AND EXISTS (SELECT FROM @extschema@.member_once_job o WHERE o.job_id = i.job_id)
   OR i.kind = 'cancel run' AND (EXISTS (SELECT FROM @extschema@.member_job_log l WHERE l.jl_id = i.jl_id)
                                 OR EXISTS (SELECT FROM @extschema@.waiting_run w WHERE w.jl_id = i.jl_id))
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW @extschema@.job_request IS
    'what the worker has been asked for and has not yet done, for jobs and runs that the current role may touch';
GRANT SELECT, INSERT (kind, cause, job_id, jl_id) ON @extschema@.job_request TO job_scheduler;
-- sql/requests/run_job.sql
CREATE FUNCTION @extschema@.run_job(job_id bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    run bigint;
BEGIN
    PERFORM FROM @extschema@.member_job j WHERE j.job_id = run_job.job_id;
    IF NOT FOUND THEN
        PERFORM @extschema@.no_such_job(run_job.job_id);
    END IF;
    INSERT INTO @extschema@.job_request (kind, job_id) VALUES ('run', run_job.job_id) RETURNING request_id INTO run;
    RETURN run;
END
$$;
COMMENT ON FUNCTION @extschema@.run_job(bigint) IS
    'has the worker start a job as soon as this transaction commits, also one that is not enabled; returns the jl_id of the run';
REVOKE ALL ON FUNCTION @extschema@.run_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.run_job(job text) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.run_job(@extschema@.find_job(job));
$$;
COMMENT ON FUNCTION @extschema@.run_job(text) IS 'the same for a job that is named';
REVOKE ALL ON FUNCTION @extschema@.run_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_job(text) TO job_scheduler;
-- sql/requests/run_once.sql
CREATE FUNCTION @extschema@.run_once(
    command text,
    datname name DEFAULT current_catalog,
    rolname name DEFAULT current_user,
    job_timeout interval DEFAULT '6 hours',
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    number bigint;
    run bigint;
BEGIN
    INSERT INTO @extschema@.member_once_job (job_command, datname, rolname, job_timeout, settings, parameters, server)
    VALUES (run_once.command, run_once.datname, run_once.rolname, run_once.job_timeout, run_once.settings,
            run_once.parameters, run_once.server)
    RETURNING job_id INTO number;
    INSERT INTO @extschema@.job_request (kind, cause, job_id) VALUES ('run', 'once', number) RETURNING request_id INTO run;
    RETURN run;
END
$$;
COMMENT ON FUNCTION @extschema@.run_once IS
    'has the worker run a command in the background as soon as this transaction commits; leaves no job; returns the jl_id of the run, with which the log has it and cancel_run() stops it';
REVOKE ALL ON FUNCTION @extschema@.run_once FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_once TO job_scheduler;
-- sql/requests/try_job.sql
CREATE FUNCTION @extschema@.try_job(
    job_id bigint,
    OUT state text,
    OUT job_sqlstate text,
    OUT exception_message text,
    OUT exception_detail text,
    OUT exception_hint text,
    OUT exception_context text,
    OUT row_count bigint,
    OUT duration interval,
    OUT notices text
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    answer record;
BEGIN
    PERFORM FROM @extschema@.member_job j WHERE j.job_id = try_job.job_id;
    IF NOT FOUND THEN
        PERFORM @extschema@.no_such_job(try_job.job_id);
    END IF;
    INSERT INTO @extschema@.trial (job_id, datname, rolname, job_command, job_timeout, settings, parameters, server)
    SELECT j.job_id, j.datname, j.rolname, j.job_command, j.job_timeout, j.settings, j.parameters, j.server
    FROM @extschema@.member_job j WHERE j.job_id = try_job.job_id
    RETURNING * INTO answer;
    IF answer.state IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = answer.job_sqlstate, MESSAGE = answer.exception_message,
                              DETAIL = answer.exception_detail, HINT = answer.exception_hint;
    END IF;
    state := answer.state;
    job_sqlstate := answer.job_sqlstate;
    exception_message := answer.exception_message;
    exception_detail := answer.exception_detail;
    exception_hint := answer.exception_hint;
    exception_context := answer.exception_context;
    row_count := answer.row_count;
    duration := answer.job_finished - answer.job_started;
    notices := answer.notices;
END
$$;
COMMENT ON FUNCTION @extschema@.try_job(bigint) IS
    'has the worker execute a job''s command now, as its role in its database, in a transaction that is rolled back; waits for it and returns how it went, also for a job that this transaction has defined; 55000 where no worker runs';
REVOKE ALL ON FUNCTION @extschema@.try_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.try_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.try_job(
    job text,
    OUT state text,
    OUT job_sqlstate text,
    OUT exception_message text,
    OUT exception_detail text,
    OUT exception_hint text,
    OUT exception_context text,
    OUT row_count bigint,
    OUT duration interval,
    OUT notices text
)
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM @extschema@.try_job(@extschema@.find_job(job));
$$;
COMMENT ON FUNCTION @extschema@.try_job(text) IS 'the same for a job that is named';
REVOKE ALL ON FUNCTION @extschema@.try_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.try_job(text) TO job_scheduler;
-- sql/triggers/check_alerts.sql
CREATE FUNCTION @extschema@.check_alerts() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.on_failure_command ~ '^\s*$' THEN
        RAISE EXCEPTION 'on_failure_command of a job cannot be empty'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'There is nothing to run.',
                  HINT = 'Give SQL, or NULL for nothing to be run after a failure.';
    END IF;
    IF NEW.expect_success_within < '1 second' THEN
        RAISE EXCEPTION 'expect_success_within cannot be %', NEW.expect_success_within
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how long the job may go without success before an alert says so.',
                  HINT = 'Choose 1 second or more, or NULL for no such alert.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_alerts() IS 'trigger: refuses what no alert can be made of (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_alerts() FROM PUBLIC;

CREATE TRIGGER check_new_alerts BEFORE INSERT ON @extschema@.job
    FOR EACH ROW
    WHEN (NEW.schedule_set_at IS NULL AND (NEW.on_failure_command IS NOT NULL OR NEW.expect_success_within IS NOT NULL))
    EXECUTE FUNCTION @extschema@.check_alerts();
CREATE TRIGGER check_changed_alerts BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.on_failure_command IS NOT NULL OR NEW.expect_success_within IS NOT NULL)
    EXECUTE FUNCTION @extschema@.check_alerts();
-- sql/triggers/check_chain.sql
CREATE FUNCTION @extschema@.check_chain() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown bigint;
BEGIN
    IF NEW.run_when IS NULL OR NEW.run_when NOT IN ('on_success', 'on_failure', 'always') THEN
        RAISE EXCEPTION 'run_when cannot be %', coalesce(quote_ident(NEW.run_when), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It says how the jobs of run_after must have ended.',
                  HINT = 'on_success (the default), on_failure or always.';
    END IF;
    NEW.run_after := nullif(ARRAY(SELECT DISTINCT a FROM unnest(NEW.run_after) a ORDER BY a), '{}');
    IF cardinality(NEW.run_after) > 100 THEN
        RAISE EXCEPTION 'a job cannot run after % others', cardinality(NEW.run_after)
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = 'There can be 100 in run_after.',
                  HINT = 'Have some of them run one after the other, or a job between them and this one.';
    END IF;
    FOREACH unknown IN ARRAY coalesce(NEW.run_after, '{}') LOOP
        IF TG_OP = 'UPDATE' AND unknown = ANY (OLD.run_after) THEN
            CONTINUE;
        END IF;
        PERFORM FROM @extschema@.member_job j WHERE j.job_id = unknown;
        IF NOT FOUND THEN
            PERFORM @extschema@.no_such_job(unknown);
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_chain() IS
    'trigger: refuses dependencies on jobs that who defines the job may not touch (P0002), and a run_when that is none (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_chain() FROM PUBLIC;

CREATE TRIGGER check_new_chain BEFORE INSERT ON @extschema@.job
    FOR EACH ROW
    WHEN (NEW.schedule_set_at IS NULL AND (NEW.run_after IS NOT NULL OR NEW.run_when IS DISTINCT FROM 'on_success'))
    EXECUTE FUNCTION @extschema@.check_chain();
CREATE TRIGGER check_changed_chain BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.run_after, NEW.run_when) IS DISTINCT FROM (OLD.run_after, OLD.run_when))
    EXECUTE FUNCTION @extschema@.check_chain();

CREATE FUNCTION @extschema@.refuse_cycle() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- a cycle may lead through jobs that are hidden from who defines this one; nothing of them is shown
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
BEGIN
    BEGIN
        UPDATE @extschema@.chain_lock SET changes = changes + 1;
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION 'another transaction is changing what jobs run after'
            USING ERRCODE = 'lock_not_available',
                  DETAIL = 'Cycles can only be seen when such changes come one after the other. This one waited 5 seconds.',
                  HINT = 'Try again, or look in pg_stat_activity for a transaction that is left open.';
    END;
    IF EXISTS (
        WITH RECURSIVE before (job_id) AS (
            SELECT unnest(NEW.run_after)
            UNION
            SELECT unnest(j.run_after) FROM before b JOIN @extschema@.job j ON j.job_id = b.job_id)
        SELECT FROM before b WHERE b.job_id = NEW.job_id
    ) THEN
        RAISE EXCEPTION 'job % would run after itself', NEW.job_id
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('Of the jobs %s one runs, directly or not, after job %s.',
                                  array_to_string(NEW.run_after, ', '), NEW.job_id),
                  HINT = 'job_chain shows what runs after what.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_cycle() IS
    'trigger: refuses a change by which a job would run after itself (22023; 55P03 where another such change is not committed)';
REVOKE ALL ON FUNCTION @extschema@.refuse_cycle() FROM PUBLIC;

-- Only a change can close a cycle: nothing runs after a job that is new.
CREATE TRIGGER refuse_cycle BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.run_after IS NOT NULL AND NEW.run_after IS DISTINCT FROM OLD.run_after)
    EXECUTE FUNCTION @extschema@.refuse_cycle();

CREATE FUNCTION @extschema@.warn_of_orphans() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    orphan record;
BEGIN
    FOR orphan IN
        SELECT j.job_id, d.job_id AS gone
        FROM @extschema@.member_job j CROSS JOIN unnest(j.run_after) a JOIN deleted d ON d.job_id = a
        WHERE j.run_after IS NOT NULL
    LOOP
        RAISE WARNING 'job % runs after job %, which is deleted: it will not start for that any more',
                      orphan.job_id, orphan.gone
            USING HINT = 'Change its run_after.';
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_of_orphans() IS 'trigger: warns where other jobs run after one that is deleted';
REVOKE ALL ON FUNCTION @extschema@.warn_of_orphans() FROM PUBLIC;

CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();
-- sql/triggers/check_name.sql
CREATE FUNCTION @extschema@.check_name() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.job_name !~ '^\S(.*\S)?$' OR length(NEW.job_name) > 100 OR NEW.job_name ~ '^[0-9]+$' THEN
        RAISE EXCEPTION 'a job cannot be named "%"', left(NEW.job_name, 100)
            USING ERRCODE = 'invalid_name',
                  DETAIL = 'A name has 1 to 100 characters, does not begin or end with a blank, and is not a number.',
                  HINT = 'Functions take a job''s number or its name: the one must not look like the other.';
    END IF;
    -- The index would refuse it too, in fewer words.
    IF EXISTS (SELECT FROM @extschema@.member_job j
               WHERE j.rolname = NEW.rolname AND j.job_name = NEW.job_name AND j.job_id <> NEW.job_id) THEN
        RAISE EXCEPTION 'role "%" has a job named "%" already', NEW.rolname, NEW.job_name
            USING ERRCODE = 'unique_violation',
                  DETAIL = 'A role gives a name to one job only.',
                  HINT = 'Choose another name, or change the job that there is: update_job().';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_name() IS
    'trigger: refuses a name that is none, or that the role has given already (42602, 23505)';
REVOKE ALL ON FUNCTION @extschema@.check_name() FROM PUBLIC;

CREATE TRIGGER check_new_name BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND NEW.job_name IS NOT NULL)
    EXECUTE FUNCTION @extschema@.check_name();
CREATE TRIGGER check_changed_name BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.job_name IS NOT NULL
                       AND (NEW.job_name IS DISTINCT FROM OLD.job_name OR NEW.rolname <> OLD.rolname))
    EXECUTE FUNCTION @extschema@.check_name();
-- sql/triggers/check_place.sql
CREATE FUNCTION @extschema@.check_place() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_new CONSTANT boolean := TG_OP = 'INSERT';
    role_oid oid;
BEGIN
    -- A name out of a catalog may come from a database of another encoding; the worker could not read it.
    PERFORM convert_from(convert_to(n, getdatabaseencoding()), getdatabaseencoding())
    FROM unnest(ARRAY[NEW.rolname::text, NEW.datname::text]) n;

    IF is_new OR NEW.rolname IS DISTINCT FROM OLD.rolname THEN
        SELECT r.oid INTO role_oid FROM pg_roles r WHERE r.rolname = NEW.rolname;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'role "%" does not exist', NEW.rolname
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'A job runs as a role of this cluster.',
                      HINT = 'Create it first: CREATE ROLE …; it need not be able to log in.';
        ELSIF NOT @extschema@.may_act_as(role_oid) THEN
            RAISE EXCEPTION 'role "%" may not define jobs for role "%"', current_user, NEW.rolname
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'Jobs can be defined for oneself and for roles that one is a member of.',
                      HINT = format('An administrator can GRANT %I TO %I;', NEW.rolname, current_user);
        ELSIF NEW.rolname = 'pg_database_owner' THEN
            RAISE EXCEPTION 'jobs cannot run as "pg_database_owner"'
                USING ERRCODE = 'invalid_parameter_value',
                      DETAIL = 'It stands for a different role in each database and can have no members.',
                      HINT = 'Name the owner of the database itself.';
        END IF;
    END IF;

    IF NEW.server IS NULL
       AND (is_new OR (NEW.datname, NEW.server) IS DISTINCT FROM (OLD.datname, OLD.server)) THEN
        PERFORM FROM pg_database d WHERE d.datname = NEW.datname AND d.datallowconn;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'database "%" does not exist or accepts no connections', NEW.datname
                USING ERRCODE = 'invalid_catalog_name',
                      DETAIL = 'A job without a server runs in a database of this cluster.',
                      HINT = 'SELECT datname FROM pg_database WHERE datallowconn; lists them.';
        END IF;
    END IF;
    IF NEW.server IS NULL
       AND (is_new OR (NEW.datname, NEW.rolname, NEW.server) IS DISTINCT FROM (OLD.datname, OLD.rolname, OLD.server))
       AND NOT has_database_privilege(NEW.rolname, NEW.datname, 'CONNECT') THEN
        RAISE EXCEPTION 'role "%" may not connect to database "%"', NEW.rolname, NEW.datname
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'A job runs in a session of its role.',
                  HINT = format('Its owner can GRANT CONNECT ON DATABASE %I TO %I;', NEW.datname, NEW.rolname);
    END IF;

    IF is_new OR (NEW.job_command, NEW.on_failure_command, NEW.settings, NEW.parameters, NEW.datname, NEW.rolname,
                  NEW.server)
                 IS DISTINCT FROM
                 (OLD.job_command, OLD.on_failure_command, OLD.settings, OLD.parameters, OLD.datname, OLD.rolname,
                  OLD.server) THEN
        NEW.defined_by := current_user;
    ELSIF NEW.defined_by IS DISTINCT FROM OLD.defined_by AND NEW.defined_by IS DISTINCT FROM current_user THEN
        RAISE EXCEPTION 'defined_by of a job can only be set to oneself, "%"', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'It names who answers for the job, which runs only while this role has the right to define it.',
                  HINT = 'To take a job over: UPDATE member_job SET defined_by = current_user WHERE job_id = …;';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_place() IS
    'trigger: refuses a role or database that is not there or that who defines the job has no right to (3D000, 42501, 42704)';
REVOKE ALL ON FUNCTION @extschema@.check_place() FROM PUBLIC;

-- Triggers fire in the order of their names: after check_…_values, before set_…_schedule.
CREATE TRIGGER look_up_new_place BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_place();
CREATE TRIGGER look_up_new_place BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_place();
CREATE TRIGGER look_up_changed_place BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.job_command, NEW.on_failure_command, NEW.settings, NEW.parameters, NEW.datname, NEW.rolname,
                        NEW.server, NEW.defined_by)
                       IS DISTINCT FROM
                       (OLD.job_command, OLD.on_failure_command, OLD.settings, OLD.parameters, OLD.datname, OLD.rolname,
                        OLD.server, OLD.defined_by))
    EXECUTE FUNCTION @extschema@.check_place();
-- sql/triggers/check_retries.sql
CREATE FUNCTION @extschema@.check_retries() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        WHEN NEW.max_retries IS NULL THEN 'max_retries'
        WHEN NEW.retry_delay IS NULL THEN 'retry_delay'
        WHEN NEW.max_retry_delay IS NULL THEN 'max_retry_delay'
        WHEN NEW.retry_on IS NULL THEN 'retry_on' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'It says how a failed run is tried again.',
                  HINT = 'Set max_retries to 0 for no retries, or leave it out to use its default.';
    END IF;
    IF NEW.max_retries NOT BETWEEN 0 AND 100 THEN
        RAISE EXCEPTION 'max_retries cannot be %', NEW.max_retries
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how often a failed run is tried again.',
                  HINT = 'Choose 0 to 100; the default is 0.';
    END IF;
    IF NEW.retry_delay < '100 milliseconds' OR NEW.max_retry_delay < NEW.retry_delay
       OR NEW.max_retry_delay > '1 year' THEN
        RAISE EXCEPTION 'retries cannot be between % and % apart', NEW.retry_delay, NEW.max_retry_delay
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The first retry comes retry_delay after the run has failed, each further one after twice '
                           'the time, up to max_retry_delay.',
                  HINT = 'Choose 100 milliseconds to 1 year, the second not shorter than the first; the defaults '
                         'are 1 minute and 1 hour.';
    END IF;
    IF NOT NEW.retry_on <@ '{connection,serialization,error,timeout,lost}' OR cardinality(NEW.retry_on) = 0 THEN
        RAISE EXCEPTION 'retry_on cannot be %', NEW.retry_on
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It lists the kinds of failure after which a run is tried again.',
                  HINT = 'connection: no session, or it broke; serialization: also a deadlock; error: any other '
                         'error of the command; timeout: job_timeout; lost: the worker or the server ended.';
    END IF;
    IF NEW.disable_after < 1 THEN
        RAISE EXCEPTION 'disable_after cannot be %', NEW.disable_after
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is after how many failures in a row the schedule is not followed any more.',
                  HINT = 'Choose 1 or more; the default is NULL: never.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_retries() IS
    'trigger: refuses what cannot be said of retries (22004, 22023)';
REVOKE ALL ON FUNCTION @extschema@.check_retries() FROM PUBLIC;

CREATE TRIGGER check_new_retries BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_retries();
CREATE TRIGGER check_changed_retries BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW
    WHEN ((NEW.max_retries, NEW.retry_delay, NEW.max_retry_delay, NEW.retry_on, NEW.disable_after)
          IS DISTINCT FROM (OLD.max_retries, OLD.retry_delay, OLD.max_retry_delay, OLD.retry_on, OLD.disable_after))
    EXECUTE FUNCTION @extschema@.check_retries();
-- sql/triggers/check_server.sql
CREATE FUNCTION @extschema@.check_server() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- options of user mappings are hidden; check_place() has seen that who defines the job may be its role
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle CONSTANT text := (
        SELECT @extschema@.server_obstacle(NEW.server, r.oid) FROM pg_roles r WHERE r.rolname = NEW.rolname);
BEGIN
    IF obstacle IS NULL THEN
        RETURN NEW;
    END IF;
    CASE obstacle
        WHEN 'server' THEN
            RAISE EXCEPTION 'foreign server "%" does not exist', NEW.server
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'server names one of this database, on which the job is to run; NULL is the server itself.',
                      HINT = 'SELECT srvname FROM pg_foreign_server; lists them; CREATE SERVER … makes one.';
        WHEN 'usage' THEN
            RAISE EXCEPTION 'role "%" may not use foreign server "%"', NEW.rolname, NEW.server
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'The role of a job must have USAGE on the server that the job runs on.',
                      HINT = format('Its owner can GRANT USAGE ON FOREIGN SERVER %I TO %I;', NEW.server, NEW.rolname);
        WHEN 'mapping' THEN
            RAISE EXCEPTION 'role "%" has no user mapping for foreign server "%"', NEW.rolname, NEW.server
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'A mapping of the role, or one for PUBLIC, says as whom the job logs in there.',
                      HINT = format('CREATE USER MAPPING FOR %I SERVER %I OPTIONS (user ''…'', password ''…'');',
                                    NEW.rolname, NEW.server);
        WHEN 'option' THEN
            RAISE EXCEPTION 'foreign server "%" would make the worker use what is its own', NEW.server
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'It, or the user mapping, has an option that names a file or service of this server, or lends credentials.',
                      HINT = 'Drop that option, or have a superuser own the foreign server.';
        WHEN 'password' THEN
            RAISE EXCEPTION 'the user mapping of role "%" for foreign server "%" has no password', NEW.rolname, NEW.server
                USING ERRCODE = '2F003',
                      DETAIL = 'Without one the worker would log in by what it is itself, not by what the role has.',
                      HINT = 'Give it one; or a superuser can set its option password_required to false (postgres_fdw).';
    END CASE;
END
$$;
COMMENT ON FUNCTION @extschema@.check_server() IS
    'trigger: refuses a foreign server that is not there or on which the role of the job cannot log in (2F003, 42501, 42704)';
REVOKE ALL ON FUNCTION @extschema@.check_server() FROM PUBLIC;

-- After check_place().
CREATE TRIGGER look_up_new_server BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND NEW.server IS NOT NULL)
    EXECUTE FUNCTION @extschema@.check_server();
CREATE TRIGGER look_up_new_server BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND NEW.server IS NOT NULL)
    EXECUTE FUNCTION @extschema@.check_server();
CREATE TRIGGER look_up_changed_server BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.server IS NOT NULL AND (NEW.server, NEW.rolname) IS DISTINCT FROM (OLD.server, OLD.rolname))
    EXECUTE FUNCTION @extschema@.check_server();
CREATE TRIGGER look_up_server INSTEAD OF INSERT ON @extschema@.trial
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_server();
-- sql/triggers/check_settings.sql
CREATE FUNCTION @extschema@.check_settings() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting record;
    reason text;
BEGIN
    IF jsonb_typeof(NEW.settings) <> 'object' THEN
        RAISE EXCEPTION 'settings of a job cannot be %', left(NEW.settings::text, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'They are a JSON object: names of parameters of PostgreSQL, and values.',
                  HINT = 'As in {"work_mem": "256MB", "statement_timeout": "5min"}.';
    END IF;
    IF jsonb_typeof(NEW.parameters) <> 'array' OR jsonb_array_length(NEW.parameters) > 1000 THEN
        RAISE EXCEPTION 'parameters of a job cannot be %', left(NEW.parameters::text, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'They are a JSON array with the values of $1, $2 and so on, 1000 at the most.',
                  HINT = 'As in ["Berlin", 42, null].';
    END IF;
    -- Each is set as the role of the job may set it, and all of it undone.
    BEGIN
        IF NEW.settings IS NOT NULL AND NEW.rolname <> current_user THEN
            PERFORM pg_catalog.set_config('role', NEW.rolname, true);
        END IF;
        FOR setting IN
            SELECT s.key AS name, s.value, v.value AS text, pg_catalog.jsonb_typeof(s.value) AS type
            FROM pg_catalog.jsonb_each(coalesce(NEW.settings, '{}')) s
            JOIN pg_catalog.jsonb_each_text(coalesce(NEW.settings, '{}')) v ON v.key = s.key
        LOOP
            IF setting.name ~* '^(role|session_authorization|client_encoding|elephant_worker[.].*)$' THEN
                RAISE EXCEPTION USING MESSAGE = 'it belongs to the session that the worker makes';
            ELSIF setting.type NOT IN ('string', 'number', 'boolean') THEN
                RAISE EXCEPTION USING MESSAGE = 'it is no string, number or boolean';
            END IF;
            -- With another search_path what follows here would mean something else; another server has settings
            -- of its own.
            IF NEW.server IS NULL AND lower(setting.name) <> 'search_path' THEN
                PERFORM pg_catalog.set_config(setting.name, setting.text, true);
            END IF;
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'EW001';
    EXCEPTION
        WHEN SQLSTATE 'EW001' THEN
            RETURN NEW;
        WHEN OTHERS THEN
            reason := SQLERRM;
    END;
    RAISE EXCEPTION 'setting "%" of a job cannot be %', coalesce(setting.name, 'role'),
                    coalesce(setting.value::text, NEW.rolname)
        USING ERRCODE = 'invalid_parameter_value',
              DETAIL = format('For role "%s": %s.', NEW.rolname, reason),
              HINT = 'Give what this role could SET itself, as in {"work_mem": "256MB"}.';
END
$$;
COMMENT ON FUNCTION @extschema@.check_settings() IS
    'trigger: refuses settings that the role of the job may not set or that have no such value, and parameters that are no array (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_settings() FROM PUBLIC;

-- After the role has been looked up.
CREATE TRIGGER look_up_new_settings BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND (NEW.settings IS NOT NULL OR NEW.parameters IS NOT NULL))
    EXECUTE FUNCTION @extschema@.check_settings();
CREATE TRIGGER look_up_new_settings BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND (NEW.settings IS NOT NULL OR NEW.parameters IS NOT NULL))
    EXECUTE FUNCTION @extschema@.check_settings();
CREATE TRIGGER look_up_changed_settings BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.settings, NEW.parameters, NEW.rolname, NEW.server)
                       IS DISTINCT FROM (OLD.settings, OLD.parameters, OLD.rolname, OLD.server))
    EXECUTE FUNCTION @extschema@.check_settings();
-- sql/triggers/check_share.sql
CREATE FUNCTION @extschema@.check_share() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts in the table: by way of a view it takes four times as long
SET search_path = pg_catalog, pg_temp
SET jit = off -- compiling takes longer than counting
AS $$
DECLARE
    most CONSTANT integer := (SELECT s.max_jobs_per_role FROM @extschema@.worker_setting s);
    roles name[];
    role name;
BEGIN
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_LEVEL = 'ROW' THEN
        roles := ARRAY[NEW.rolname];
    ELSE
        roles := ARRAY(SELECT DISTINCT c.rolname FROM changed c);
    END IF;
    FOREACH role IN ARRAY roles LOOP
        -- Counted no further than up to the limit.
        PERFORM FROM ONLY @extschema@.job j WHERE j.rolname = role OFFSET most LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'there are enough jobs for role "%"', role
                USING ERRCODE = 'configuration_limit_exceeded',
                      DETAIL = format('worker_setting.max_jobs_per_role is %s.', most),
                      HINT = 'Delete some; or a superuser can raise the limit, or define the job.';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.check_share() IS
    'trigger: refuses jobs beyond worker_setting.max_jobs_per_role (53400)';
REVOKE ALL ON FUNCTION @extschema@.check_share() FROM PUBLIC;

CREATE TRIGGER count_new_jobs AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT WHEN (NOT @extschema@.is_superuser()) EXECUTE FUNCTION @extschema@.check_share();
CREATE TRIGGER count_changed_job AFTER UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname AND NOT @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.check_share();
-- sql/triggers/check_values.sql
CREATE FUNCTION @extschema@.check_values() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        WHEN NEW.job_command IS NULL THEN 'job_command'
        WHEN NEW.datname IS NULL THEN 'datname'
        WHEN NEW.rolname IS NULL THEN 'rolname'
        WHEN NEW.enabled IS NULL THEN 'enabled'
        WHEN NEW.job_timeout IS NULL THEN 'job_timeout'
        WHEN NEW.parallel IS NULL THEN 'parallel'
        WHEN NEW.timezone IS NULL THEN 'timezone'
        WHEN NEW.dst IS NULL THEN 'dst'
        WHEN NEW.catch_up IS NULL THEN 'catch_up'
        WHEN NEW.catch_up_limit IS NULL THEN 'catch_up_limit' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'Only schedule, job_description, starts_at, ends_at and start_deadline can.',
                  HINT = 'Give a value, or leave it out to use its default.';
    END IF;
    IF NEW.job_command ~ '^\s*$' THEN
        RAISE EXCEPTION 'the command of a job cannot be empty'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'There is nothing to run.',
                  HINT = 'Give SQL, one statement or several.';
    END IF;
    IF NEW.job_timeout <= '0' THEN
        RAISE EXCEPTION 'job_timeout must be longer than 0, not %', NEW.job_timeout
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how long a run may take before it is cancelled.',
                  HINT = 'The default is 6 hours; a run that may take very long needs a very long one, as 1 year.';
    END IF;
    IF NEW.start_deadline <= '0' THEN
        RAISE EXCEPTION 'start_deadline must be longer than 0, not %', NEW.start_deadline
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how late a run may start.',
                  HINT = 'The default is NULL: however late.';
    END IF;
    IF NEW.catch_up NOT IN ('skip', 'once', 'all') THEN
        RAISE EXCEPTION 'catch_up cannot be "%"', NEW.catch_up
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It says what becomes of due times at which no worker was there.',
                  HINT = 'skip (the default): nothing; once: one run for all; all: one run for each.';
    END IF;
    IF NEW.catch_up_limit NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'catch_up_limit cannot be %', NEW.catch_up_limit
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how many due times catch_up = all makes up for at the most.',
                  HINT = 'Choose 1 to 1000; the default is 100.';
    END IF;
    IF NEW.ends_at < NEW.starts_at OR NOT isfinite(NEW.starts_at) OR NOT isfinite(NEW.ends_at) THEN
        RAISE EXCEPTION 'the window from % to % is none', NEW.starts_at, NEW.ends_at
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'starts_at must be finite and not later than ends_at.',
                  HINT = 'NULL leaves a side open.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_values() IS 'trigger: refuses values that no job can have (22004, 22023)';
REVOKE ALL ON FUNCTION @extschema@.check_values() FROM PUBLIC;

-- A row that comes with schedule_set_at is one of a dump, which the views cannot give: it is kept
-- as it was.
CREATE TRIGGER check_new_values BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_values();
CREATE TRIGGER check_new_values BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_values();
CREATE TRIGGER check_changed_values BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_values();
-- sql/triggers/report_definition.sql
CREATE FUNCTION @extschema@.report_definition() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- who may write to the views may not write to the inbox as they like
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.worker_inbox (kind, job_id) SELECT 'define', c.job_id FROM changed c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_definition() IS 'trigger: tells the worker of new, changed and deleted jobs';
REVOKE ALL ON FUNCTION @extschema@.report_definition() FROM PUBLIC;

CREATE TRIGGER report_new_job AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
CREATE TRIGGER report_changed_job AFTER UPDATE ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
CREATE TRIGGER report_deleted_job AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
-- sql/triggers/report_setting.sql
CREATE FUNCTION @extschema@.report_setting() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.worker_inbox (kind) VALUES ('set');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_setting() IS 'trigger: tells the worker of changed settings';
REVOKE ALL ON FUNCTION @extschema@.report_setting() FROM PUBLIC;

CREATE TRIGGER report_setting AFTER INSERT OR UPDATE ON @extschema@.worker_setting
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_setting();
-- sql/triggers/set_schedule.sql
CREATE FUNCTION @extschema@.set_schedule() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.schedule, NEW.timezone, NEW.dst, NEW.starts_at, NEW.ends_at, NEW.enabled)
                            IS NOT DISTINCT FROM
                            (OLD.schedule, OLD.timezone, OLD.dst, OLD.starts_at, OLD.ends_at, OLD.enabled)
       -- One that has failed too often begins anew.
       AND NOT EXISTS (SELECT FROM @extschema@.member_job m WHERE m.job_id = OLD.job_id AND m.disabled_at IS NOT NULL)
    THEN
        RETURN NEW;
    END IF;
    NEW.schedule_set_at := clock_timestamp();
    SELECT * INTO answer FROM @extschema@.due_times(
        NEW.schedule, NEW.timezone, NEW.dst, extract(epoch FROM NEW.starts_at)::float8,
        extract(epoch FROM NEW.ends_at)::float8, extract(epoch FROM NEW.schedule_set_at)::float8, NULL, 1,
        NEW.job_id::text);
    PERFORM @extschema@.refuse(answer.refusal);
    IF answer.never IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.schedule IS DISTINCT FROM OLD.schedule) THEN
        RAISE EXCEPTION 'schedule "%" is never due', left(NEW.schedule, 60)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = answer.never,
                  HINT = 'Look at SELECT * FROM next_runs(…); use NULL for a job that runs only when run_job() asks for it.';
    END IF;
    NEW.first_run_at := CASE WHEN NEW.enabled THEN to_timestamp(answer.due[1]) END;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.set_schedule() IS
    'trigger: finds the first due time of a new or changed schedule; refuses one that cannot be read or is never due (22023)';
REVOKE ALL ON FUNCTION @extschema@.set_schedule() FROM PUBLIC;

CREATE TRIGGER set_new_schedule BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.set_schedule();
CREATE TRIGGER set_new_schedule BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.set_schedule();
CREATE TRIGGER set_changed_schedule BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.set_schedule();
-- sql/triggers/try_now.sql
CREATE FUNCTION @extschema@.try_now() RETURNS trigger
LANGUAGE plpython3u VOLATILE
SECURITY DEFINER -- opens a session of the server's own, since what this transaction writes the worker cannot see
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
elephant().trial.try_now(plpy, '@extschema@', TD["new"])
return "MODIFY"
$python$;
COMMENT ON FUNCTION @extschema@.try_now() IS 'trigger: has the worker try a command, and waits for it';
REVOKE ALL ON FUNCTION @extschema@.try_now() FROM PUBLIC;

-- They fire in the order of their names: what is tried has been checked, with the rights of who asks.
CREATE TRIGGER look_up_place INSTEAD OF INSERT ON @extschema@.trial
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_place();
CREATE TRIGGER look_up_settings INSTEAD OF INSERT ON @extschema@.trial
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_settings();
CREATE TRIGGER try_now INSTEAD OF INSERT ON @extschema@.trial
    FOR EACH ROW EXECUTE FUNCTION @extschema@.try_now();
-- sql/triggers/wake_worker.sql
CREATE FUNCTION @extschema@.wake_worker() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Reaches the worker when the transaction commits. Not from the worker itself: where nobody reads
    -- what is notified, the queue may be full, and what the worker does must not fail for that.
    IF current_setting('application_name') <> 'elephant_worker' THEN
        NOTIFY elephant_worker_wake;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.wake_worker() IS 'trigger: wakes the worker when there is something in its inbox';
REVOKE ALL ON FUNCTION @extschema@.wake_worker() FROM PUBLIC;

CREATE TRIGGER wake_worker AFTER INSERT ON @extschema@.worker_inbox
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.wake_worker();
-- sql/setup/check_authentication.sql
CREATE FUNCTION @extschema@.loopback_address() RETURNS inet
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
setting = plpy.execute("SELECT current_setting('listen_addresses') AS addresses")[0]
return elephant().access.loopback(setting["addresses"])
$python$;
COMMENT ON FUNCTION @extschema@.loopback_address() IS
    'where the sessions of runs look for the server, unless worker_setting.conninfo says otherwise';
REVOKE ALL ON FUNCTION @extschema@.loopback_address() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.loopback_address() TO job_monitor;

-- Which line of pg_hba.conf lets the runner of a role in, or keeps it out: the first one that fits.
CREATE FUNCTION @extschema@.runner_hba_line(rolname name, datname name, address inet) RETURNS integer
LANGUAGE sql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE member_of (oid, rolname) AS (
        SELECT r.oid, r.rolname FROM pg_roles r WHERE r.rolname = runner_hba_line.rolname
        UNION
        SELECT g.oid, g.rolname FROM member_of o JOIN pg_auth_members m ON m.member = o.oid JOIN pg_roles g ON g.oid = m.roleid)
    SELECT h.line_number
    FROM pg_hba_file_rules h,
         (SELECT format('elephant_worker_%s_%s', d.oid, r.oid) AS name FROM pg_database d, pg_roles r
          WHERE d.datname = current_database() AND r.rolname = runner_hba_line.rolname) runner
    WHERE h.error IS NULL
      AND h.type IN ('host', 'hostnossl', 'hostnogssenc')
      AND EXISTS (
          SELECT FROM unnest(h.database) d (name)
          WHERE d.name IN ('all', runner_hba_line.datname)
             OR d.name IN ('samerole', 'samegroup') AND EXISTS (SELECT FROM member_of o WHERE o.rolname = runner_hba_line.datname)
             OR d.name LIKE '/%' AND runner_hba_line.datname ~ substr(d.name, 2))
      AND EXISTS (
          SELECT FROM unnest(h.user_name) u (name)
          WHERE u.name IN ('all', runner.name)
             OR u.name LIKE '+%' AND EXISTS (SELECT FROM member_of o WHERE o.rolname = substr(u.name, 2))
             OR u.name LIKE '/%' AND runner.name ~ substr(u.name, 2))
      AND CASE WHEN h.address IN ('all', 'samehost', 'samenet', 'localhost') THEN true
               WHEN h.netmask IS NULL OR family(h.netmask::inet) <> family(runner_hba_line.address) THEN false
               ELSE runner_hba_line.address & h.netmask::inet = h.address::inet & h.netmask::inet END
    ORDER BY h.line_number LIMIT 1;
$$;
COMMENT ON FUNCTION @extschema@.runner_hba_line(name, name, inet) IS
    'the number of the line of pg_hba.conf that decides about the sessions of runs of a role in a database from this address; NULL: none does';
REVOKE ALL ON FUNCTION @extschema@.runner_hba_line(name, name, inet) FROM PUBLIC;

CREATE FUNCTION @extschema@.check_authentication() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting @extschema@.worker_setting;
    loopback inet;
    new_line text;
BEGIN
    SELECT * INTO setting FROM @extschema@.worker_setting;
    IF setting.connect_as = 'role' OR setting.conninfo ~ '\mhost(addr)?\M\s*=' THEN
        RETURN QUERY VALUES ('authentication', 'ok', 'worker_setting.connect_as or conninfo says how to connect: not looked at', NULL);
        RETURN;
    ELSIF NOT has_function_privilege('pg_hba_file_rules()', 'EXECUTE') THEN
        RETURN QUERY VALUES ('authentication', 'warning', 'this role may not see pg_hba.conf: not looked at',
                     'GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO job_monitor; '
                     'GRANT SELECT ON pg_hba_file_rules TO job_monitor;');
        RETURN;
    END IF;
    loopback := @extschema@.loopback_address();
    -- Since PostgreSQL 16 one line can be for the runners alone.
    new_line := format('host all %s %s scram-sha-256',
                   CASE WHEN current_setting('server_version_num')::integer >= 160000
                        THEN format('/^elephant_worker_%s_', (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
                        ELSE 'all' END,
                   set_masklen(loopback, CASE family(loopback) WHEN 4 THEN 32 ELSE 128 END)::cidr);
    RETURN QUERY
    SELECT 'authentication', 'error',
           CASE WHEN p.line IS NULL
                THEN format('no line of pg_hba.conf lets the sessions of runs in from %s', host(loopback))
                ELSE format('line %s of pg_hba.conf asks the sessions of runs from %s for %s: they have a password',
                            p.line, host(loopback), h.auth_method) END
           || format(' (role "%s" in database "%s"%s)', p.rolname, p.datname,
                     CASE WHEN p.others > 0 THEN format(' and %s more', p.others) END),
           format(E'sudo sed -i ''1i %s'' %s\nsudo -u %s psql -p %s -c ''SELECT pg_reload_conf()''', new_line,
                  current_setting('hba_file'), (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10), current_setting('port'))
    FROM (SELECT l.line, min(l.rolname) AS rolname, min(l.datname) AS datname, count(*) - 1 AS others
          FROM (SELECT j.rolname, j.datname, @extschema@.runner_hba_line(j.rolname, j.datname, loopback) AS line
                FROM (SELECT DISTINCT a.rolname, a.datname
                      FROM @extschema@.all_job a JOIN pg_roles r ON r.rolname = a.rolname WHERE a.enabled
                      UNION SELECT r.rolname, current_database() FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
                            WHERE e.extname = 'elephant_worker') j) l
          GROUP BY l.line) p
    LEFT JOIN pg_hba_file_rules h ON h.line_number = p.line
    WHERE h.auth_method IS NULL OR h.auth_method NOT IN ('scram-sha-256', 'md5', 'password', 'trust')
    ORDER BY p.line;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('authentication', 'ok', format('pg_hba.conf lets the sessions of runs in from %s by password', host(loopback)),
                     NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_authentication() IS
    'for check_setup(): whether pg_hba.conf lets the sessions of runs in';
REVOKE ALL ON FUNCTION @extschema@.check_authentication() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_authentication() TO job_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.runner_hba_line(name, name, inet) TO job_monitor;
-- sql/setup/check_connections.sql
CREATE FUNCTION @extschema@.check_connections() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting @extschema@.worker_setting;
    -- The worker, its spare, and the connections through which it hears of new jobs and vacuums.
    own CONSTANT integer := 4;
    there integer;
    room integer;
BEGIN
    SELECT * INTO setting FROM @extschema@.worker_setting;
    there := (SELECT sum(CASE WHEN c.name = 'max_connections' THEN 1 ELSE -1 END * c.setting::integer)
              FROM pg_settings c
              WHERE c.name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections'));
    room := there - setting.spare_connections - own;
    IF room >= setting.max_running_jobs THEN
        RETURN QUERY VALUES ('connections', 'ok',
                     format('%s for all, %s for runs, %s spare', there, setting.max_running_jobs, setting.spare_connections),
                     NULL);
    ELSE
        RETURN QUERY VALUES ('connections', CASE WHEN room < 1 THEN 'error' ELSE 'warning' END,
                     format('the server has %s connections: less than for %s runs, %s spare and %s of the worker''s own',
                            there, setting.max_running_jobs, setting.spare_connections, own),
                     CASE WHEN room < 1
                          THEN format('ALTER SYSTEM SET max_connections = %s; -- holds after a restart of the server',
                                      current_setting('max_connections')::integer + setting.max_running_jobs - room)
                          ELSE format('UPDATE @extschema@.worker_setting SET max_running_jobs = %s;', room) END);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_connections() IS
    'for check_setup(): whether the server has as many connections as max_running_jobs and spare_connections ask for';
REVOKE ALL ON FUNCTION @extschema@.check_connections() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_connections() TO job_monitor;
-- sql/setup/check_files.sql
CREATE FUNCTION @extschema@.check_files() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'elephant_worker');
    on_disk CONSTANT text := (SELECT a.default_version FROM pg_available_extensions a WHERE a.name = 'elephant_worker');
BEGIN
    IF on_disk IS NULL THEN
        RETURN QUERY VALUES ('files', 'error', 'the server does not find elephant_worker.control: the extension cannot be restored',
                     '# in a clone of elephant_worker' || E'\n' || 'make && sudo make install');
    ELSIF on_disk <> installed THEN
        RETURN QUERY VALUES ('files', 'warning',
                     format('version %s is installed, this database uses version %s', on_disk, installed),
                     'ALTER EXTENSION elephant_worker UPDATE;');
    ELSE
        RETURN QUERY VALUES ('files', 'ok', format('version %s', installed), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_files() IS
    'for check_setup(): whether the files of the extension are there, and of the version that this database uses';
REVOKE ALL ON FUNCTION @extschema@.check_files() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_files() TO job_monitor;
-- sql/setup/check_jobs.sql
CREATE FUNCTION @extschema@.check_jobs() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'jobs', 'error', format('%s %s of role "%s" in database "%s"%s cannot run: %s', j.jobs,
                                   CASE WHEN j.jobs = 1 THEN 'job' ELSE 'jobs' END, j.rolname, j.datname,
                                   coalesce(' on server "' || j.server || '"', ''), o.found), o.remedy
    FROM (SELECT r.obstacle, r.rolname, r.datname, r.server, r.defined_by, count(*) AS jobs
          FROM (SELECT w.rolname, w.datname, w.server, w.defined_by,
                       CASE WHEN w.obstacle IS NULL AND d.datconnlimit = 0 THEN 'full' ELSE w.obstacle END AS obstacle
                FROM @extschema@.runnable_job w LEFT JOIN pg_database d ON d.oid = w.database_oid WHERE w.enabled) r
          WHERE r.obstacle IS NOT NULL
          GROUP BY r.obstacle, r.rolname, r.datname, r.server, r.defined_by) j
    CROSS JOIN LATERAL (VALUES (coalesce(j.server, ''))) s (server)
    JOIN LATERAL (VALUES
        ('role', 'the role does not exist',
         format('DELETE FROM @extschema@.member_job WHERE rolname = %L;', j.rolname)),
        ('database', 'the database does not exist',
         format('DELETE FROM @extschema@.member_job WHERE datname = %L;', j.datname)),
        ('closed', 'the database accepts no connections',
         format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', j.datname)),
        ('full', 'the database has CONNECTION LIMIT 0',
         format('ALTER DATABASE %I CONNECTION LIMIT -1;', j.datname)),
        ('connect', 'the role may not connect to the database',
         format('GRANT CONNECT ON DATABASE %I TO %I;', j.datname, j.rolname)),
        ('server', 'the foreign server does not exist',
         format('DELETE FROM @extschema@.member_job WHERE server = %L;', s.server)),
        ('usage', 'the role has no USAGE on the foreign server',
         format('GRANT USAGE ON FOREIGN SERVER %I TO %I;', s.server, j.rolname)),
        ('mapping', 'the role has no user mapping for the foreign server',
         format('CREATE USER MAPPING FOR %I SERVER %I OPTIONS (user ''…'', password ''…'');', j.rolname, s.server)),
        ('option', 'the foreign server or the user mapping has an option that is for superusers only',
         format('ALTER SERVER %I OWNER TO %I;', s.server, current_user)),
        ('password', 'the user mapping for the foreign server has no password',
         format('ALTER USER MAPPING FOR %I SERVER %I OPTIONS (ADD password ''…'');', j.rolname, s.server)),
        ('login', 'the role cannot log in, and connect_as is ''role''',
         format('ALTER ROLE %I LOGIN;', j.rolname)),
        ('definer', format('the role "%s" that defined them does not exist', j.defined_by),
         format('UPDATE @extschema@.member_job SET defined_by = current_user WHERE defined_by = %L;', j.defined_by)),
        ('scheduler', format('the role "%s" that defined them is not a member of job_scheduler', j.defined_by),
         format('GRANT job_scheduler TO %I;', j.defined_by)),
        ('member', format('the role "%s" that defined them is not a member of the role', j.defined_by),
         format('GRANT %I TO %I;', j.rolname, j.defined_by))) o (obstacle, found, remedy) ON o.obstacle = j.obstacle
    ORDER BY j.rolname, j.datname, j.defined_by;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('jobs', 'ok', 'nothing is in the way of any job that is enabled', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_jobs() IS
    'for check_setup(): whether the roles, databases and rights that the jobs need are there';
REVOKE ALL ON FUNCTION @extschema@.check_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_jobs() TO job_monitor;
GRANT SELECT ON @extschema@.runnable_job TO job_monitor;
-- sql/setup/check_launcher.sql
CREATE FUNCTION @extschema@.check_launcher() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seen CONSTANT timestamptz := (SELECT s.launcher_seen FROM @extschema@.worker_status s);
    -- The bootstrap superuser is named after the operating system's user of the server.
    command CONSTANT text := format(
        $command$%s psql -qAtX -h %s -p %s -d '%s' -c 'SELECT @extschema@.start_worker(unattended := true)' >/dev/null$command$,
        (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10),
        coalesce((SELECT split_part(c.setting, ',', 1) FROM pg_settings c WHERE c.name = 'unix_socket_directories'),
                 '/var/run/postgresql'),
        current_setting('port'), replace(current_database(), '''', '''\'''''));
BEGIN
    IF seen > clock_timestamp() - interval '15 minutes' OR pg_is_in_recovery() THEN
        RETURN QUERY VALUES ('launcher', 'ok', format('a launcher has called start_worker(unattended := true), last noted %s', seen),
                     NULL);
    ELSE
        RETURN QUERY VALUES ('launcher', 'warning',
                     CASE WHEN seen IS NULL THEN 'no launcher is there: nothing will start the worker again after a restart'
                          ELSE format('the launcher was last seen %s', seen) END,
                     format(E'sudo tee /etc/cron.d/elephant_worker <<''END''\n* * * * * %s\nEND',
                            replace(command, '%', '\%')));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_launcher() IS
    'for check_setup(): whether something brings the worker back after a restart of the server';
REVOKE ALL ON FUNCTION @extschema@.check_launcher() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_launcher() TO job_monitor;
-- sql/setup/check_listening.sql
CREATE FUNCTION @extschema@.check_listening() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    conninfo CONSTANT text := (SELECT s.conninfo FROM @extschema@.worker_setting s);
    addresses CONSTANT text := current_setting('listen_addresses');
BEGIN
    IF conninfo ~ '\mhost(addr)?\M\s*=' THEN
        RETURN QUERY VALUES ('listen_addresses', 'ok', 'worker_setting.conninfo names the host', NULL);
    ELSIF btrim(addresses) = '' THEN
        RETURN QUERY VALUES ('listen_addresses', 'error',
                     'listen_addresses is empty: the sessions of runs cannot reach the server over the loopback address',
                     'ALTER SYSTEM SET listen_addresses = ''localhost''; -- holds after a restart of the server');
    ELSE
        RETURN QUERY VALUES ('listen_addresses', 'ok', addresses, NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_listening() IS
    'for check_setup(): whether the server listens where the sessions of runs look for it';
REVOKE ALL ON FUNCTION @extschema@.check_listening() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_listening() TO job_monitor;
-- sql/setup/check_locks.sql
CREATE FUNCTION @extschema@.check_locks() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'locks', 'error',
           format('process %s (role "%s") keeps %s locked since %s, for which the worker waits again and again',
                  l.pid, a.usename, string_agg(c.relname, ', ' ORDER BY c.relname), a.xact_start),
           format('SELECT pg_terminate_backend(%s);', l.pid)
    FROM pg_locks l
    JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
    JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'
    JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
    JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'elephant_worker'
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted
      -- What the worker only reads, and what it writes.
      AND (l.mode = 'AccessExclusiveLock'
           OR l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock')
              AND c.relname NOT IN ('job', 'worker_setting'))
      AND coalesce(a.xact_start < clock_timestamp() - interval '5 seconds', true)
    GROUP BY l.pid, a.usename, a.xact_start;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('locks', 'ok', 'nobody keeps a table of the worker locked', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_locks() IS
    'for check_setup(): whether somebody keeps tables locked that the worker reads or writes';
REVOKE ALL ON FUNCTION @extschema@.check_locks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_locks() TO job_monitor;
-- sql/setup/check_package.sql
CREATE FUNCTION @extschema@.check_package() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.zone_offsets('UTC', '{0}');
    RETURN QUERY VALUES ('package', 'ok', 'the Python package can be loaded', NULL);
EXCEPTION
    -- Whatever it is, the worker meets it too.
    WHEN OTHERS THEN
        RETURN QUERY VALUES ('package', 'error', format('the Python package cannot be loaded: %s', SQLERRM),
                             E'# in a clone of elephant_worker\nmake && sudo make install');
END
$$;
COMMENT ON FUNCTION @extschema@.check_package() IS
    'for check_setup(): whether the Python package of the extension is where its functions look for it';
REVOKE ALL ON FUNCTION @extschema@.check_package() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_package() TO job_monitor;
-- sql/setup/check_runners.sql
CREATE FUNCTION @extschema@.check_runners() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    prefix CONSTANT text := format('elephant_worker_%s_', (SELECT d.oid FROM pg_database d
                                                           WHERE d.datname = current_database()));
BEGIN
    -- As prepare_runner() has it: a member of its role alone, and nobody a member of it.
    RETURN QUERY
    SELECT 'runners', 'error',
           format('role "%s" is not what it should be: the runs of role "%s" are refused', r.rolname, o.rolname),
           w.remedy
    FROM pg_roles o
    JOIN pg_roles r ON r.rolname = prefix || o.oid
    CROSS JOIN LATERAL (
        SELECT string_agg(c.command, E'\n') AS remedy
        FROM (SELECT format('REVOKE %I FROM %I GRANTED BY %I;', g.rolname, n.rolname, b.rolname)
              FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles n ON n.oid = m.member
              JOIN pg_roles b ON b.oid = m.grantor
              WHERE m.roleid = r.oid OR m.member = r.oid AND m.roleid <> o.oid
              UNION ALL
              SELECT format('GRANT %I TO %I;', o.rolname, r.rolname)
              WHERE NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = o.oid)) c (command)) w
    WHERE w.remedy IS NOT NULL
    ORDER BY r.rolname;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('runners', 'ok', format('none of the roles %s… has been tampered with', prefix), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_runners() IS
    'for check_setup(): whether the login roles of the worker are what it has made them';
REVOKE ALL ON FUNCTION @extschema@.check_runners() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_runners() TO job_monitor;
-- sql/setup/check_setup.sql
CREATE FUNCTION @extschema@.check_setup() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locks @extschema@.setup_finding;
    package @extschema@.setup_finding;
BEGIN
    FOR locks IN SELECT * FROM @extschema@.check_locks() LOOP
        RETURN NEXT locks;
    END LOOP;
    IF locks.state <> 'ok' THEN
        RETURN; -- looking at the tables could mean to wait as well
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.check_worker();
    RETURN QUERY SELECT * FROM @extschema@.check_launcher();
    RETURN QUERY SELECT * FROM @extschema@.check_files();
    SELECT * INTO package FROM @extschema@.check_package();
    RETURN NEXT package;
    RETURN QUERY SELECT * FROM @extschema@.check_listening();
    IF package.state = 'ok' THEN -- these need it
        RETURN QUERY SELECT * FROM @extschema@.check_timezones();
        RETURN QUERY SELECT * FROM @extschema@.check_authentication();
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.check_connections();
    RETURN QUERY SELECT * FROM @extschema@.check_jobs();
    RETURN QUERY SELECT * FROM @extschema@.check_runners();
END
$$;
COMMENT ON FUNCTION @extschema@.check_setup() IS
    'looks for what keeps jobs from running on this server, and says what mends it; job_monitor sees less of pg_hba.conf';
REVOKE ALL ON FUNCTION @extschema@.check_setup() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_setup() TO job_monitor;
-- sql/setup/check_timezones.sql
CREATE FUNCTION @extschema@.zone_offsets(timezone text, moments float8[]) RETURNS float8[]
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
def elephant():
    import sys

    name = "elephant_worker_1.0.0".replace(".", "_")
    if name not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location
        from os.path import dirname, exists

        # Beside the library of PL/Python that the server has loaded: it is found there also after
        # pg_upgrade, which keeps the text of this function, or in a server that has been moved.
        directories = ["@PKGLIBDIR@"]
        if exists("/proc/self/maps"):
            with open("/proc/self/maps") as maps:
                libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "plpython3" in line}
            directories = [dirname(library) for library in libraries] + directories
        files = [f"{directory}/elephant_worker/1.0.0/elephant_worker/__init__.py" for directory in directories]
        spec = spec_from_file_location(name, next(filter(exists, files), files[-1]))
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
return elephant().preview.zone_offsets(timezone, moments)
$python$;
COMMENT ON FUNCTION @extschema@.zone_offsets(text, float8[]) IS
    'by how many seconds a time zone is ahead of UTC at these moments (seconds since 1970), as schedules see it; NULL where it is not known';
REVOKE ALL ON FUNCTION @extschema@.zone_offsets(text, float8[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.zone_offsets(text, float8[]) TO job_monitor;

CREATE FUNCTION @extschema@.server_zone_offsets(timezone text, moments float8[]) RETURNS float8[]
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT array_agg(date_part('epoch', (m.moment AT TIME ZONE timezone) - (m.moment AT TIME ZONE 'UTC')))
            FROM (SELECT to_timestamp(s.seconds) FROM unnest(moments) s (seconds)) m (moment));
EXCEPTION
    WHEN invalid_parameter_value THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.server_zone_offsets(text, float8[]) IS 'the same as zone_offsets(), as the server sees it';
REVOKE ALL ON FUNCTION @extschema@.server_zone_offsets(text, float8[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.server_zone_offsets(text, float8[]) TO job_monitor;

CREATE FUNCTION @extschema@.check_timezones() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH month AS (
        SELECT array_agg(date_part('epoch', m)) AS moments
        FROM generate_series(date_trunc('year', now()), now() + interval '2 years', '1 month') m),
    zone AS (
        SELECT z.name, @extschema@.zone_offsets(z.name, month.moments) AS ours,
               @extschema@.server_zone_offsets(z.name, month.moments) AS servers
        FROM month, (SELECT 'Europe/Berlin' UNION SELECT j.timezone FROM @extschema@.all_job j) z (name))
    SELECT 'time zones', CASE WHEN z.ours IS NULL THEN 'error' ELSE 'warning' END,
           CASE WHEN z.ours IS NULL
                THEN format('the system''s time zone database does not know %s: such schedules are not followed', z.name)
                ELSE format('the system''s time zone database and the server''s differ about %s; schedules follow the former',
                            z.name) END,
           'sudo apt-get install --reinstall tzdata'
    FROM zone z WHERE z.ours IS DISTINCT FROM z.servers;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('time zones', 'ok', 'the system''s time zone database and the server''s agree', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_timezones() IS
    'for check_setup(): whether the time zones of the jobs are known, and mean the same to schedules and to the server';
REVOKE ALL ON FUNCTION @extschema@.check_timezones() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_timezones() TO job_monitor;
-- sql/setup/check_worker.sql
CREATE FUNCTION @extschema@.check_worker() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    status @extschema@.worker_status;
BEGIN
    IF NOT current_setting('track_activities')::boolean THEN
        RETURN QUERY VALUES ('track_activities', 'error', 'track_activities is off: whether a worker runs cannot be seen',
                     'ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf();');
    END IF;
    SELECT * INTO status FROM @extschema@.worker_status;
    RETURN QUERY SELECT 'worker', f.* FROM (SELECT
        CASE WHEN pg_is_in_recovery() THEN 'ok'
             WHEN NOT status.running THEN 'error'
             WHEN status.last_tick < clock_timestamp() - interval '10 seconds' THEN 'error'
             WHEN status.paused_since IS NOT NULL THEN 'warning'
             ELSE 'ok' END) s (state)
    CROSS JOIN LATERAL (SELECT s.state,
        CASE WHEN pg_is_in_recovery() THEN 'this server is a standby: a launcher starts the worker once it is promoted'
             WHEN NOT status.running AND status.armed THEN 'the worker has ended, and nothing has started it again'
             WHEN NOT status.running THEN 'no worker has been started, or stop_worker() has ended it'
             WHEN s.state = 'error'
             THEN format('the worker (process %s) has not looked around since %s', status.pid, status.last_tick)
             WHEN s.state = 'warning' THEN format('nothing is started since %s: paused', status.paused_since)
             ELSE format('process %s (%s) runs since %s', status.pid, status.host, status.started_at) END,
        CASE WHEN s.state = 'ok' THEN NULL
             WHEN NOT status.running THEN 'SELECT @extschema@.start_worker();'
             WHEN s.state = 'warning' THEN 'SELECT @extschema@.resume_jobs();'
             ELSE format('SELECT pg_terminate_backend(%s, 10000); SELECT @extschema@.start_worker();', status.pid)
        END) f;
END
$$;
COMMENT ON FUNCTION @extschema@.check_worker() IS 'for check_setup(): whether the worker runs and is well';
REVOKE ALL ON FUNCTION @extschema@.check_worker() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_worker() TO job_monitor;
-- sql/comments/revoke_defaults.sql
-- ALTER DEFAULT PRIVILEGES may have given others rights on what has been created here. Who could write
-- to job would be everybody.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
                               CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
        FROM pg_depend d
        JOIN (SELECT 'pg_class'::regclass AS classid, c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
                     c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl FROM pg_class c
              UNION ALL
              SELECT 'pg_proc'::regclass, p.oid, 'ROUTINE', p.oid::regprocedure::text, p.proowner, p.proacl FROM pg_proc p) o
             ON o.classid = d.classid AND o.oid = d.objid
        CROSS JOIN LATERAL aclexplode(o.acl) a
        WHERE d.deptype = 'e' AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker')
          AND a.grantee <> o.owner
          AND a.grantee NOT IN (SELECT r.oid FROM pg_roles r
                                WHERE r.rolname IN ('job_scheduler', 'job_monitor', 'job_view_owner'))
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
-- sql/comments/view_columns.sql
-- A column of a view means what the column of that name means in the table below it.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT DISTINCT ON (v.oid, c.attnum)
               format('COMMENT ON COLUMN %s.%I IS %L', v.oid::regclass, c.attname, col_description(t.attrelid, t.attnum))
        FROM pg_class v
        JOIN pg_attribute c ON c.attrelid = v.oid AND c.attnum > 0
        JOIN pg_attribute t ON t.attname = c.attname AND t.attnum > 0
        JOIN (VALUES (1, '@extschema@.job'::regclass), (2, '@extschema@.job_state'), (3, '@extschema@.job_log'),
                     (4, '@extschema@.worker_inbox'), (5, '@extschema@.worker_state'),
                     (6, '@extschema@.job_statistic')) source (rank, oid)
             ON source.oid = t.attrelid
        WHERE v.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = '@extschema@.job'::regclass)
          AND v.relkind = 'v'
          AND v.oid IN (SELECT objid FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass)
          AND col_description(v.oid, c.attnum) IS NULL
        ORDER BY v.oid, c.attnum,
                 -- The log knows the job's role, database and command as they were then.
                 CASE WHEN v.relname LIKE '%job_log' AND source.rank = 3 THEN 0 ELSE source.rank END
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

DO $$
DECLARE
    view text;
BEGIN
    FOREACH view IN ARRAY ARRAY['all_job', 'member_job', 'my_job', 'visible_job'] LOOP
        EXECUTE 'COMMENT ON COLUMN @extschema@.' || quote_ident(view) || '.retry_at IS '
                || quote_literal('when a run that has failed is tried again; NULL: there is none');
    END LOOP;
END
$$;

COMMENT ON COLUMN @extschema@.runnable_job.role_oid IS 'the role, NULL where it is gone';
COMMENT ON COLUMN @extschema@.runnable_job.database_oid IS 'the database, NULL where it is gone or on another server';
COMMENT ON COLUMN @extschema@.runnable_job.obstacle IS
    'what is in its way, NULL: nothing; role, database: is gone; closed: the database accepts no connections; server: is gone; usage: the role has no USAGE on it; mapping: the role has no user mapping for it; option: it would make the worker use files or services of its own; password: the mapping has none; connect: the role may not connect to it; login: it may not log in, with connect_as = ''role''; definer: is gone; scheduler: the definer is not a member of job_scheduler; member: the definer could not SET ROLE to the role';
