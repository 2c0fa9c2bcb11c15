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
    paused_since timestamptz,
    max_definition_size integer NOT NULL DEFAULT 1048576 CHECK (max_definition_size BETWEEN 10000 AND 100000000),
    pause_after_stall interval NOT NULL DEFAULT '10 seconds' CHECK (pause_after_stall BETWEEN '0' AND '1 hour'),
    max_requests_per_role integer DEFAULT 10000 CHECK (max_requests_per_role >= 1)
);

COMMENT ON TABLE @extschema@.worker_setting IS
    'the settings of the worker, one row; changes take effect at once, without reload or restart';
COMMENT ON COLUMN @extschema@.worker_setting.only_row IS
    'always true: there is one row, and inserting another replaces it';
COMMENT ON COLUMN @extschema@.worker_setting.max_running_jobs IS 'maximum number of concurrent runs';
COMMENT ON COLUMN @extschema@.worker_setting.max_running_jobs_per_role IS
    'maximum number of concurrent runs per role; further jobs of that role wait without delaying others; NULL: no limit but max_running_jobs';
COMMENT ON COLUMN @extschema@.worker_setting.max_jobs_per_role IS
    'maximum number of jobs per role; superusers can define more; NULL: no limit';
COMMENT ON COLUMN @extschema@.worker_setting.max_idle_sessions IS
    'maximum number of sessions kept for a next run, in addition to those of active runs';
COMMENT ON COLUMN @extschema@.worker_setting.spare_connections IS
    'number of connections that the worker leaves to others, in addition to superuser_reserved_connections and reserved_connections';
COMMENT ON COLUMN @extschema@.worker_setting.session_idle_time IS
    'how long a session is kept for the next run of the same role in the same database; DROP DATABASE and CREATE DATABASE ... TEMPLATE wait 5 seconds for sessions to end';
COMMENT ON COLUMN @extschema@.worker_setting.session_lifetime IS
    'how long a session is reused before it is replaced, so that changed defaults of its role and database take effect';
COMMENT ON COLUMN @extschema@.worker_setting.cancel_grace IS
    'how long a cancelled run may take to end before its session is terminated';
COMMENT ON COLUMN @extschema@.worker_setting.start_grace IS
    'how late a run may start if no worker was running when it was due; later ones are logged as missed';
COMMENT ON COLUMN @extschema@.worker_setting.log_max_age IS
    'how long a run is kept in the log after it has ended; NULL: forever';
COMMENT ON COLUMN @extschema@.worker_setting.log_max_rows IS
    'number of log rows of runs that succeeded or were skipped kept for each job, the latest; pruned once a tenth more, or 10, have accumulated; all others are kept for log_max_age; NULL: all';
COMMENT ON COLUMN @extschema@.worker_setting.measure_cost IS
    'whether to log the CPU time of each run and how much it reads and writes; on Linux';
COMMENT ON COLUMN @extschema@.worker_setting.connect_as IS
    '''runner'': runs connect as a login role that can only become the job''s role (needs SCRAM on the loopback address, which stock pg_hba.conf files allow); ''role'': runs connect as the job''s role itself, in whatever way pg_hba.conf and conninfo allow';
COMMENT ON COLUMN @extschema@.worker_setting.conninfo IS
    'libpq connection parameters (keyword=value ...) for the sessions of runs, instead of the loopback address: host, port, sslmode, passfile ...';
COMMENT ON COLUMN @extschema@.worker_setting.standby_directories IS
    'data directories of standbys that differ from the primary''s path: launchers may start the worker there, too, after a promotion';
COMMENT ON COLUMN @extschema@.worker_setting.overrun_factor IS
    'an alert (overrun) is sent when a run takes this many times as long as 95 of 100 earlier runs of its job; NULL: no such alerts';
COMMENT ON COLUMN @extschema@.worker_setting.paused_since IS
    'when pause_jobs() was called, since when nothing is started; NULL: not paused';
COMMENT ON COLUMN @extschema@.worker_setting.pause_after_stall IS
    'for how long nothing is started after the worker stood still for 10 seconds or more, as in a frozen machine, so that a fail-over manager can end this server first';
COMMENT ON COLUMN @extschema@.worker_setting.max_requests_per_role IS
    'maximum number of runs of a role that wait to be started after run_job() and run_once(), and of cancellations that wait for the worker; superusers can ask for more; NULL: no limit';
COMMENT ON COLUMN @extschema@.worker_setting.max_definition_size IS
    'maximum size in bytes of a job: of command, on_failure_command, description, settings and parameters together';

INSERT INTO @extschema@.worker_setting (only_row) SELECT true WHERE NOT EXISTS (SELECT FROM @extschema@.worker_setting);

-- CREATE EXTENSION inserts the row, and so does the restore of a dump, which must win.
CREATE FUNCTION @internal@.replace_worker_setting() RETURNS trigger
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

CREATE FUNCTION @internal@.check_conninfo(conninfo text) RETURNS @extschema@.user_error
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("worker.logins").check_conninfo(conninfo)
$python$;
COMMENT ON FUNCTION @extschema@.check_conninfo(text) IS 'what is wrong with a connection string';
REVOKE ALL ON FUNCTION @extschema@.check_conninfo(text) FROM PUBLIC;

CREATE FUNCTION @internal@.check_worker_setting() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.raise_error(@extschema@.check_conninfo(NEW.conninfo));
    RETURN NEW;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.check_worker_setting() IS 'trigger: refuses a conninfo that libpq cannot read (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_worker_setting() FROM PUBLIC;

CREATE TRIGGER check_worker_setting BEFORE UPDATE OF conninfo ON @extschema@.worker_setting
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_worker_setting();

SELECT pg_catalog.pg_extension_config_dump('@extschema@.worker_setting', '');
GRANT SELECT ON @extschema@.worker_setting TO job_monitor;
GRANT SELECT (max_running_jobs_per_role, max_jobs_per_role, max_definition_size, max_requests_per_role) ON @extschema@.worker_setting TO job_scheduler;
