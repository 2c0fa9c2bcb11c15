CREATE FUNCTION @internal@.tell_worker_to_stop(caller name) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.worker_state s
    SET armed = false, stopped_worker = s.backend_start, stopped_by = caller, stopped_at = clock_timestamp();
    INSERT INTO @extschema@.worker_request (kind, requested_by) VALUES ('stop', caller);
    IF NOT FOUND THEN
        PERFORM @extschema@.refuse_replica();
    END IF;
    RETURN @extschema@.worker_pid() IS NOT NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.tell_worker_to_stop(name) IS 'stop_worker() on behalf of a role';
REVOKE ALL ON FUNCTION @extschema@.tell_worker_to_stop(name) FROM PUBLIC;

CREATE FUNCTION @extschema@.stop_worker() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.tell_worker_to_stop(current_user);
$$;
COMMENT ON FUNCTION @extschema@.stop_worker() IS
    'has the worker cancel its runs and end as soon as this transaction commits, and launchers not start it again; returns whether one runs';
REVOKE ALL ON FUNCTION @extschema@.stop_worker() FROM PUBLIC;
