CREATE FUNCTION @internal@.copied_from() RETURNS name
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT min(d.datname::text)::name
    FROM @extschema@.served_database s
    JOIN pg_control_system() c ON c.system_identifier = s.system_identifier
    JOIN pg_database d ON d.oid = s.database_oid
    WHERE EXISTS (SELECT FROM @extschema@.job)
      AND NOT EXISTS (SELECT FROM @extschema@.served_database o
                        JOIN pg_control_system() h ON h.system_identifier = o.system_identifier
                        JOIN pg_database t ON t.oid = o.database_oid AND t.datname = current_database());
$$;
COMMENT ON FUNCTION @extschema@.copied_from() IS
    'the database of this cluster that has the original of these jobs, unless a worker has run them here too, or confirm_copy() was called; NULL: there is none, or there are no jobs';
REVOKE ALL ON FUNCTION @extschema@.copied_from() FROM PUBLIC;

CREATE FUNCTION @internal@.refuse_copy() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF @extschema@.copied_from() IS NOT NULL THEN
        RAISE EXCEPTION 'the jobs of this database are a copy of those of database "%"', @extschema@.copied_from()
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Workers in both would run each of them twice.',
                  HINT = 'To run them here all the same, for instance since they have been disabled there: SELECT @extschema@.confirm_copy(); SELECT @extschema@.start_worker();';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_copy() IS
    'raises an error (55000) where jobs are a copy of those of another database of this cluster';
REVOKE ALL ON FUNCTION @extschema@.refuse_copy() FROM PUBLIC;
