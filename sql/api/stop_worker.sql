CREATE FUNCTION @extschema@.stop_worker() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.worker_state SET armed = false;
    INSERT INTO @extschema@.worker_request (kind) VALUES ('stop');
    RETURN @extschema@.worker_pid() IS NOT NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.stop_worker() IS
    'has the worker cancel its runs and end as soon as this transaction commits, and launchers not start it again; returns whether one runs';
REVOKE ALL ON FUNCTION @extschema@.stop_worker() FROM PUBLIC;
