CREATE FUNCTION @extschema@.worker_pid() RETURNS integer
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
