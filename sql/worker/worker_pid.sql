CREATE FUNCTION @internal@.worker_pid() RETURNS integer
LANGUAGE sql VOLATILE
SECURITY DEFINER -- backend_start of another role's session is hidden from ordinary roles
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.pid FROM @extschema@.worker_state s
    WHERE EXISTS (SELECT FROM pg_stat_get_activity(s.pid) a WHERE a.backend_start = s.backend_start);
$$;
COMMENT ON FUNCTION @extschema@.worker_pid() IS 'the process id of this database''s worker; NULL if none is running';
REVOKE ALL ON FUNCTION @extschema@.worker_pid() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_pid() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.serving_worker_pid() RETURNS integer
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.worker_pid() FROM @extschema@.worker_state s
    WHERE s.stopped_worker IS DISTINCT FROM s.backend_start;
$$;
COMMENT ON FUNCTION @extschema@.serving_worker_pid() IS
    'the process id of this database''s worker, or NULL where none runs or stop_worker() has told it to leave';
REVOKE ALL ON FUNCTION @extschema@.serving_worker_pid() FROM PUBLIC;

CREATE FUNCTION @internal@.has_successor() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.armed AND EXISTS (SELECT FROM pg_stat_get_activity(s.spare_pid) a WHERE a.backend_start = s.spare_start)
    FROM @extschema@.worker_state s;
$$;
COMMENT ON FUNCTION @extschema@.has_successor() IS
    'whether a process waits to be the worker of this database, when the present one has ended';
REVOKE ALL ON FUNCTION @extschema@.has_successor() FROM PUBLIC;
