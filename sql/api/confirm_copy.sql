CREATE FUNCTION @extschema@.confirm_copy() RETURNS void
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO @extschema@.served_database (system_identifier, database_oid)
    SELECT c.system_identifier, d.oid FROM pg_control_system() c, pg_database d
    WHERE d.datname = current_database()
      AND NOT EXISTS (SELECT FROM @extschema@.served_database s
                      WHERE s.system_identifier = c.system_identifier AND s.database_oid = d.oid);
$$;
COMMENT ON FUNCTION @extschema@.confirm_copy() IS
    'for superusers: lets a worker run the jobs of this database although it is a copy of another one in this cluster';
REVOKE ALL ON FUNCTION @extschema@.confirm_copy() FROM PUBLIC;
