CREATE FUNCTION @internal@.read_source(schema_name name, table_name name) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source_table CONSTANT text := format('%I.%I', schema_name, table_name);
    source record;
    source_rows jsonb;
BEGIN
    SELECT c.relkind, o.rolname AS stranger,
           has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') AS is_readable INTO source
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_roles o ON o.oid IN (c.relowner, n.nspowner) AND NOT o.rolsuper AND o.rolname <> current_user
    WHERE n.nspname = schema_name AND c.relname = table_name
    LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no table %', source_table
            USING ERRCODE = 'undefined_table',
                  DETAIL = format('It is looked for in this database, "%s".', current_database()),
                  HINT = 'Call the function where the table is, or hand its rows over as JSON.';
    ELSIF source.relkind <> 'r' OR source.stranger IS NOT NULL THEN
        -- A view, or a policy of the table's owner, may call functions, with the rights of whoever reads.
        RAISE EXCEPTION '% cannot be trusted', source_table
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = CASE WHEN source.relkind <> 'r' THEN 'It is not a table.'
                                ELSE format('It or its schema belongs to role "%s", who could have it do anything in your name.',
                                            source.stranger) END,
                  HINT = CASE WHEN source.relkind <> 'r' THEN 'Hand its rows over as JSON, if it is what you mean.'
                              ELSE format('Call the function as role "%s", or hand the rows over as JSON.', source.stranger) END;
    ELSIF NOT source.is_readable THEN
        RAISE EXCEPTION 'role "%" may not read %', current_user, source_table
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'The jobs are in this table.',
                  HINT = 'Call the function as a role that may, or hand the rows over as JSON.';
    END IF;
    EXECUTE format('SELECT coalesce(jsonb_agg(s), ''[]'') FROM ONLY %s s', source_table) INTO source_rows;
    RETURN source_rows;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.read_source(name, name) IS
    'the rows of a table of another scheduler that the current role may read: 42P01 if it is not there, 42501 if it belongs to somebody else than a superuser or the current role';
REVOKE ALL ON FUNCTION @extschema@.read_source(name, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.read_source(name, name) TO job_scheduler;
