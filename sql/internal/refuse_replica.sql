-- What such a session puts into the tables that are about this cluster's worker is left out: see skip_replicated().
CREATE FUNCTION @internal@.refuse_replica() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN
        RAISE EXCEPTION 'the worker does not hear of what this session does'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Its session_replication_role is "replica", as that of subscriptions, which bring what is meant for the worker of another cluster.',
                  HINT = 'SET session_replication_role = origin;';
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_replica() IS
    'for what has asked the worker for something in vain: raises an error (55000) if that is because the session is taken for that of a subscription; returns false otherwise';
REVOKE ALL ON FUNCTION @extschema@.refuse_replica() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.refuse_replica() TO job_scheduler;
