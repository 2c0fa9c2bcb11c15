CREATE FUNCTION @internal@.quote_for_shell(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN word ~ '^[A-Za-z0-9_@%+=:,./-]+$' THEN word ELSE '''' || replace(word, '''', E'''\\''''') || '''' END;
$$;
COMMENT ON FUNCTION @extschema@.quote_for_shell(text) IS 'a word as the shell reads it';
REVOKE ALL ON FUNCTION @extschema@.quote_for_shell(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.quote_for_shell(text) TO job_monitor;
