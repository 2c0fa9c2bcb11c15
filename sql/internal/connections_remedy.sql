CREATE FUNCTION @internal@.connections_remedy(more integer) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(E'SELECT datname, usename, application_name, count(*), min(state_change) FROM pg_stat_activity WHERE datname IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 4 DESC;\n'
                  '-- to allow more, once a superuser has restarted the server: ALTER SYSTEM SET max_connections = %s;',
                  current_setting('max_connections')::integer + more);
$$;
COMMENT ON FUNCTION @extschema@.connections_remedy(integer) IS
    'a statement that shows whose sessions take the connections of the server, and in a comment one that allows so many more';
REVOKE ALL ON FUNCTION @extschema@.connections_remedy(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.connections_remedy(integer) TO job_scheduler, job_monitor;
