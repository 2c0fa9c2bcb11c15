CREATE FUNCTION @internal@.quote_for_hba(name name) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- In quotes no word of pg_hba.conf has its meaning, but since PostgreSQL 16 a slash begins a regular expression.
    SELECT format('"%s"', replace(CASE WHEN name LIKE '/%' AND current_setting('server_version_num')::integer >= 160000
                                       THEN '/^' || regexp_replace(name::text, '([^[:alnum:]])', E'\\\\\\1', 'g') || '$'
                                       ELSE name::text END, '"', '""'));
$$;
COMMENT ON FUNCTION @extschema@.quote_for_hba(name) IS 'the name of a role or a database as pg_hba.conf has it';
REVOKE ALL ON FUNCTION @extschema@.quote_for_hba(name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.quote_for_hba(name) TO job_monitor;
