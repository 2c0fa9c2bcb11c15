-- Where from now on is what users neither call nor read; the end of this file moves there what there was.
CREATE SCHEMA @internal@;
COMMENT ON SCHEMA @internal@ IS 'what users of elephant_worker neither call nor read';

-- Names. Everything that PostgreSQL has named after a table follows it.
ALTER TABLE @extschema@.worker_inbox RENAME TO worker_request;
ALTER TYPE @extschema@.refusal RENAME TO user_error;
DROP INDEX @extschema@.worker_inbox_retry;
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', c.conrelid::regclass, c.conname,
                      replace(c.conname, n.before, n.after))
        FROM (VALUES ('@extschema@.worker_request'::regclass, 'worker_inbox', 'worker_request')) n (oid, before, after)
        JOIN pg_constraint c ON c.conrelid = n.oid
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

-- What the worker knows of a job.
ALTER TABLE @extschema@.finished_dependency
    ADD COLUMN state text,
    ADD COLUMN unchecked boolean NOT NULL DEFAULT false;
ALTER TABLE @extschema@.job_state
    ADD COLUMN schedule text,
    ADD COLUMN timezone text,
    ADD COLUMN dst text,
    ADD COLUMN starts_at timestamptz,
    ADD COLUMN ends_at timestamptz,
    ADD COLUMN overdue_told_at timestamptz,
    ADD COLUMN resume_at timestamptz,
    ADD COLUMN rolname name NOT NULL DEFAULT '';

-- A worker of 1.0.0 that runs goes on by these names, until it has seen the new version and has left.
DO $$
DECLARE
    long_runs CONSTANT text := (
        SELECT string_agg(format('SELECT @extschema@.cancel_run(%s);', l.jl_id), ' ' ORDER BY l.jl_id)
        FROM @extschema@.job_log l
        WHERE l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)
          AND l.state = 'running' AND l.scheduled_at < clock_timestamp() - interval '10 seconds');
BEGIN
    IF @extschema@.worker_pid() IS NULL THEN
        DROP VIEW @extschema@.runnable_job;
        DROP FUNCTION @extschema@.refuse(@extschema@.user_error);
        DROP PROCEDURE @extschema@.work(text, boolean, @extschema@.user_error);
        DROP TYPE @extschema@.started_run;
    ELSE
        CREATE VIEW @extschema@.worker_inbox AS SELECT * FROM @extschema@.worker_request;
        COMMENT ON VIEW @extschema@.worker_inbox IS 'for the worker of an earlier version';
        COMMENT ON VIEW @extschema@.runnable_job IS 'for the worker of an earlier version';
        COMMENT ON FUNCTION @extschema@.refuse(@extschema@.user_error) IS 'for the worker of an earlier version';
        COMMENT ON PROCEDURE @extschema@.work(text, boolean, @extschema@.user_error)
            IS 'for the worker of an earlier version';
        COMMENT ON TYPE @extschema@.started_run IS 'for the worker of an earlier version';
        IF long_runs IS NOT NULL THEN
            RAISE WARNING 'the worker will start nothing until the runs that are active have ended'
                USING DETAIL = 'Only then is it replaced by one of the new version.',
                      HINT = 'To end those now that have been active for long: ' || long_runs;
        END IF;
    END IF;
END
$$;

-- The types of the parameters schedule and run_after; their functions are replaced below.
CREATE TYPE @extschema@.job_schedule;
CREATE FUNCTION @internal@.job_schedule_in(cstring) RETURNS @extschema@.job_schedule
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textin';
CREATE FUNCTION @internal@.job_schedule_out(@extschema@.job_schedule) RETURNS cstring
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textout';
CREATE FUNCTION @internal@.job_schedule_recv(internal) RETURNS @extschema@.job_schedule
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textrecv';
CREATE FUNCTION @internal@.job_schedule_send(@extschema@.job_schedule) RETURNS bytea
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textsend';
CREATE TYPE @extschema@.job_schedule (
    INPUT = @internal@.job_schedule_in,
    OUTPUT = @internal@.job_schedule_out,
    RECEIVE = @internal@.job_schedule_recv,
    SEND = @internal@.job_schedule_send,
    LIKE = text,
    CATEGORY = 'S',
    COLLATABLE = true
);
CREATE TYPE @extschema@.job_list;
CREATE FUNCTION @internal@.job_list_in(cstring) RETURNS @extschema@.job_list
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textin';
CREATE FUNCTION @internal@.job_list_out(@extschema@.job_list) RETURNS cstring
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textout';
CREATE FUNCTION @internal@.job_list_recv(internal) RETURNS @extschema@.job_list
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textrecv';
CREATE FUNCTION @internal@.job_list_send(@extschema@.job_list) RETURNS bytea
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textsend';
CREATE TYPE @extschema@.job_list (
    INPUT = @internal@.job_list_in,
    OUTPUT = @internal@.job_list_out,
    RECEIVE = @internal@.job_list_recv,
    SEND = @internal@.job_list_send,
    LIKE = text,
    CATEGORY = 'S',
    COLLATABLE = true
);

-- Functions with other names, parameters or results.
ALTER FUNCTION @extschema@.shortened(text, integer) RENAME TO abbreviate;
DROP FUNCTION @extschema@.check_chain();
DROP FUNCTION @extschema@.check_place();
DROP FUNCTION @extschema@.check_locks();
DROP FUNCTION @extschema@.runner_hba_line(name, name, inet);
DROP FUNCTION @extschema@.check_share();
DROP FUNCTION @extschema@.due_times(text, text, text, float8, float8, float8, float8, integer, text);
DROP FUNCTION @extschema@.host_worker(boolean);
DROP FUNCTION @extschema@.no_such_job(bigint);
DROP FUNCTION @extschema@.prepare_runner(oid, text);
DROP FUNCTION @extschema@.server_login(name, oid);
DROP FUNCTION @extschema@.schedule_in_words(text, text, text, float8, text);
-- They take all attributes of a job.
DO $$
DECLARE
    overload regprocedure;
BEGIN
    FOR overload IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = (SELECT c.relnamespace FROM pg_class c WHERE c.oid = '@extschema@.job'::regclass)
          AND p.proname IN ('insert_job', 'update_job')
    LOOP
        EXECUTE format('DROP FUNCTION %s', overload);
    END LOOP;
END
$$;

DROP FUNCTION @extschema@.upcoming_runs(interval);

-- Views with other names, or other columns.
DROP VIEW @extschema@.trial;
DROP VIEW @extschema@.job_overview;
DROP VIEW @extschema@.recent_runs;

-- Checks of a job: constraints and triggers said the same twice; now each rule stands once, in what check_job() calls.
DROP FUNCTION @extschema@.check_alerts();
DROP FUNCTION @extschema@.check_name();
DROP FUNCTION @extschema@.check_retries();
DROP FUNCTION @extschema@.check_settings();
DROP FUNCTION @extschema@.check_values();
-- Intervals that are longer than 0 by months of 30 days, but not in the seconds that the worker counts.
UPDATE @extschema@.job SET job_timeout = '6 hours'
WHERE extract(epoch FROM job_timeout) <= 0 OR job_timeout > '1000 years';
UPDATE @extschema@.job SET start_deadline = NULL
WHERE extract(epoch FROM start_deadline) <= 0 OR start_deadline > '1000 years';
UPDATE @extschema@.job SET retry_delay = '1 minute', max_retry_delay = '1 hour'
WHERE extract(epoch FROM retry_delay) < 0.1 OR extract(epoch FROM max_retry_delay) < extract(epoch FROM retry_delay);
UPDATE @extschema@.job SET expect_success_within = NULL
WHERE extract(epoch FROM expect_success_within) < 1 OR expect_success_within > '1000 years';
-- Words that stand there more often than once.
UPDATE @extschema@.job SET retry_on = ARRAY(SELECT DISTINCT k FROM unnest(retry_on) k ORDER BY k)
WHERE array_ndims(retry_on) > 1 OR cardinality(retry_on) > 10;
ALTER TABLE @extschema@.job
    DROP CONSTRAINT job_check,
    DROP CONSTRAINT job_dst_check,
    DROP CONSTRAINT job_catch_up_check,
    DROP CONSTRAINT job_catch_up_limit_check,
    DROP CONSTRAINT job_start_deadline_check,
    DROP CONSTRAINT job_max_retries_check,
    DROP CONSTRAINT job_retry_delay_check,
    DROP CONSTRAINT job_disable_after_check,
    DROP CONSTRAINT job_run_when_check;

-- Indexes and constraints that keep what is others' to them.
DROP INDEX @extschema@.job_name;
DELETE FROM @extschema@.worker_request WHERE jl_id IS NOT NULL AND kind <> 'cancel run';
ALTER TABLE @extschema@.worker_request
    ADD CONSTRAINT worker_request_jl_id_check CHECK (jl_id IS NULL OR kind = 'cancel run'),
    DROP CONSTRAINT worker_request_kind_check,
    ADD CONSTRAINT worker_request_kind_check CHECK (kind IN ('define', 'disable', 'set', 'run', 'cancel', 'cancel run', 'stop'));

-- What the names in jobs mean now.
ALTER TABLE @extschema@.job ADD COLUMN database_oid oid;
UPDATE @extschema@.job j SET database_oid = coalesce((SELECT d.oid FROM pg_database d WHERE d.datname = j.datname), 0)
WHERE j.server IS NULL;
CREATE TABLE @internal@.known_role (rolname name NOT NULL, role_oid oid NOT NULL);
INSERT INTO @internal@.known_role (rolname, role_oid)
SELECT n.rolname, coalesce(r.oid, 0)
FROM (SELECT j.rolname FROM @extschema@.job j UNION SELECT j.defined_by FROM @extschema@.job j
      UNION SELECT l.rolname FROM @extschema@.job_log l) n
LEFT JOIN pg_roles r ON r.rolname = n.rolname;

-- What runs after a job is looked for each time that one ends or is deleted, also before VACUUM comes by.
ALTER INDEX @extschema@.job_run_after SET (fastupdate = off);
DROP INDEX @extschema@.job_dependent;

-- Changes of run_after lock the jobs that they rely on.
DROP TABLE @extschema@.chain_lock;

ALTER TABLE @extschema@.job ALTER COLUMN datname SET DEFAULT current_database();
ALTER TABLE @extschema@.once_job ALTER COLUMN datname SET DEFAULT current_database();

ALTER TABLE @extschema@.worker_setting ADD COLUMN max_definition_size integer NOT NULL DEFAULT 1048576
    CHECK (max_definition_size BETWEEN 10000 AND 100000000);

-- Who stopped the worker, and where it has been started before.
ALTER TABLE @extschema@.worker_state
    ADD COLUMN earlier_directories text[] NOT NULL DEFAULT '{}',
    ADD COLUMN stopped_worker timestamptz,
    ADD COLUMN stopped_by name,
    ADD COLUMN stopped_at timestamptz,
    ADD COLUMN version text;
ALTER TABLE @extschema@.worker_setting
    ADD COLUMN pause_after_stall interval NOT NULL DEFAULT '10 seconds' CHECK (pause_after_stall BETWEEN '0' AND '1 hour'),
    ADD COLUMN max_requests_per_role integer DEFAULT 10000 CHECK (max_requests_per_role >= 1);

-- Requests by role.
ALTER TABLE @extschema@.worker_request ADD COLUMN rolname name NOT NULL DEFAULT current_user;
UPDATE @extschema@.worker_request r
SET rolname = CASE WHEN r.kind <> 'run' THEN r.requested_by
                   ELSE coalesce((SELECT j.rolname FROM @extschema@.job j WHERE j.job_id = r.job_id), '') END;
ALTER TABLE @extschema@.worker_request ADD COLUMN disabled boolean NOT NULL DEFAULT false;
-- What waits counts as made by this transaction.
ALTER TABLE @extschema@.worker_request ADD COLUMN transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX worker_request_transaction ON @extschema@.worker_request (transaction_id, kind, rolname, abs(request_id));
CREATE INDEX worker_request_role ON @extschema@.worker_request (kind, rolname, abs(request_id))
    WHERE kind IN ('run', 'cancel', 'cancel run');
CREATE INDEX worker_request_job ON @extschema@.worker_request (job_id, request_id) WHERE kind = 'run';
CREATE INDEX worker_request_definition ON @extschema@.worker_request (job_id, request_id) WHERE kind = 'define';
CREATE INDEX worker_request_following ON @extschema@.worker_request (cause, job_id)
    WHERE cause IN ('retry', 'dependency', 'reboot');

-- With a TOAST table, which pg_repack expects.
ALTER TABLE @extschema@.job_statistic
    ALTER COLUMN last_states SET STORAGE EXTENDED,
    ALTER COLUMN durations SET STORAGE EXTENDED,
    ALTER COLUMN delays SET STORAGE EXTENDED;
ALTER TABLE @extschema@.job_statistic ADD COLUMN irregular boolean;
UPDATE @extschema@.job_statistic s
SET irregular = coalesce(s.last_states[1] = 'missed' OR cardinality(array_positions(s.last_states, 'skipped')) >= 5, false);

-- The log knows what jobs were called.
ALTER TABLE @extschema@.job_log ADD COLUMN job_name text;

-- Versions of jobs.
ALTER TABLE @extschema@.job ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE @extschema@.job_log ADD COLUMN version integer;
CREATE TYPE @extschema@.begun_run AS (
    jl_id bigint,
    job_id bigint,
    rolname name,
    datname name,
    server name,
    cause text,
    scheduled_at double precision,
    attempt integer,
    caused_by bigint,
    job_command text,
    version integer,
    job_name text
);

-- Jobs as code.
ALTER TABLE @extschema@.job ADD COLUMN part text;
CREATE TYPE @extschema@.import_result AS (
    source_id text,
    action text,
    job_name text,
    rolname name,
    schedule_before text,
    schedule text,
    job_id bigint,
    note text,
    definition jsonb
);

-- Who owns the databases of jobs now, and what foreign servers they mean.
ALTER TABLE @extschema@.job ADD COLUMN database_owner oid, ADD COLUMN server_oid oid;
UPDATE @extschema@.job j SET server_oid = coalesce((SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = j.server), 0)
WHERE j.server IS NOT NULL;
UPDATE @extschema@.job j SET database_owner = d.datdba FROM pg_database d WHERE d.datname = j.datname AND j.server IS NULL;

-- Out of sight.
ALTER VIEW @extschema@.job_request SET SCHEMA @internal@;
ALTER VIEW @extschema@.member_once_job SET SCHEMA @internal@;
ALTER VIEW @extschema@.visible_job SET SCHEMA @internal@;
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER FUNCTION %s SET SCHEMA @internal@', p.oid::regprocedure)
        FROM pg_proc p
        -- Somebody may have left others of these names there, with other arguments.
        JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker'
        WHERE p.pronamespace = (SELECT c.relnamespace FROM pg_class c WHERE c.oid = '@extschema@.job'::regclass)
          AND p.proname IN (
            'abbreviate', 'acting_privilege', 'check_authentication', 'check_connections',
            'check_conninfo', 'check_files', 'check_jobs', 'check_launcher', 'check_listening',
            'check_locks', 'check_name', 'check_package', 'check_runners', 'check_server',
            'check_settings', 'check_timezones', 'check_values', 'check_worker',
            'check_worker_setting', 'copy_role_settings', 'delete_shown_job', 'due_times',
            'host_worker', 'is_armed', 'is_superuser', 'loopback_address',
            'may_act_as', 'percentiles', 'permitted_roles', 'refuse_cycle',
            'replace_worker_setting', 'report_definition', 'report_setting', 'runner_name',
            'runner_settings', 'schedule_in_words', 'server_login', 'server_obstacle',
            'server_zone_offsets', 'set_schedule', 'try_now', 'wake_worker', 'warn_of_orphans', 'worker_activity', 'worker_pid', 'zone_offsets')
    LOOP
        EXECUTE command;
    END LOOP;
    IF @internal@.worker_pid() IS NOT NULL THEN
        CREATE FUNCTION @extschema@.worker_pid() RETURNS integer
        LANGUAGE sql VOLATILE SECURITY INVOKER
        SET search_path = pg_catalog, pg_temp
        AS 'SELECT @internal@.worker_pid()';
        CREATE FUNCTION @extschema@.is_armed() RETURNS boolean
        LANGUAGE sql STABLE SECURITY INVOKER
        SET search_path = pg_catalog, pg_temp
        AS 'SELECT @internal@.is_armed()';
        CREATE FUNCTION @extschema@.prepare_runner(role oid, verifier text) RETURNS name
        LANGUAGE sql VOLATILE STRICT SECURITY INVOKER
        SET search_path = pg_catalog, pg_temp
        AS 'SELECT @internal@.prepare_runner(
                       role, verifier, coalesce(s.max_running_jobs_per_role, s.max_running_jobs) + s.max_idle_sessions + 5)
            FROM @extschema@.worker_setting s';
        CREATE FUNCTION @extschema@.server_login(server name, role oid, OUT obstacle text, OUT parameters jsonb,
                                                 OUT password_required boolean, OUT version text)
        LANGUAGE sql STABLE STRICT SECURITY INVOKER
        SET search_path = pg_catalog, pg_temp
        AS 'SELECT l.obstacle, l.parameters, l.password_required, l.version FROM @internal@.server_login(server, role) l';
        FOR command IN
            SELECT format(c.command, f.signature)
            FROM unnest(ARRAY['worker_pid()', 'is_armed()', 'prepare_runner(oid, text)', 'server_login(name, oid)']) f (signature),
                 unnest(ARRAY[$c$COMMENT ON FUNCTION @extschema@.%s IS 'for the worker of an earlier version'$c$,
                              'REVOKE ALL ON FUNCTION @extschema@.%s FROM PUBLIC']) c (command)
        LOOP
            EXECUTE command;
        END LOOP;
    END IF;
END
$$;
