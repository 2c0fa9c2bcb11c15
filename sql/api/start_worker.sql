CREATE FUNCTION @extschema@.host_worker(attended boolean, OUT pid integer, OUT user_error @extschema@.user_error)
LANGUAGE plpython3u VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("worker.launch").start(plpy, '@extschema@', attended)
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
            PERFORM @extschema@.raise_error(answer.user_error);
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
