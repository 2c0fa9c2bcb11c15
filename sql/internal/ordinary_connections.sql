CREATE FUNCTION @internal@.ordinary_connections() RETURNS integer
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sum(CASE WHEN c.name = 'max_connections' THEN 1 ELSE -1 END * c.setting::integer)::integer
    FROM pg_settings c
    WHERE c.name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections');
$$;
COMMENT ON FUNCTION @extschema@.ordinary_connections() IS 'how many connections the server has for roles for which none are reserved';
REVOKE ALL ON FUNCTION @extschema@.ordinary_connections() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.ordinary_connections() TO job_scheduler, job_monitor;
