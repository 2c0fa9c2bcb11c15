CREATE FUNCTION @internal@.terminate_statement(pid integer) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- By the time it is pasted, the number may be that of another process. Whoever may not see when it began may not
    -- terminate it either.
    SELECT coalesce((SELECT format('SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid = %s AND backend_start = %L;',
                                   a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00'))
                     FROM pg_stat_get_activity(terminate_statement.pid) a WHERE a.backend_start IS NOT NULL),
                    format('SELECT pg_terminate_backend(%s, 10000);', pid));
$$;
COMMENT ON FUNCTION @extschema@.terminate_statement(integer) IS
    'for remedies: a statement that terminates this process, and no later one of its number, and waits up to 10 seconds for its end';
REVOKE ALL ON FUNCTION @extschema@.terminate_statement(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.terminate_statement(integer) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.end_prepared_statement(gid text) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(E'SELECT * FROM pg_prepared_xacts WHERE gid = %1$s;\n-- its application knows which: COMMIT PREPARED %1$s;\n-- or: ROLLBACK PREPARED %1$s;',
                  @extschema@.quote_literal_in_one_line(gid));
$$;
COMMENT ON FUNCTION @extschema@.end_prepared_statement(text) IS
    'for remedies: a statement that shows this prepared transaction, and in comments those that end it';
REVOKE ALL ON FUNCTION @extschema@.end_prepared_statement(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.end_prepared_statement(text) TO job_scheduler, job_monitor;
