CREATE FUNCTION @internal@.abbreviate(line text, width integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN length(l.flat) > width THEN left(l.flat, width - 3) || '...' ELSE l.flat END
    FROM (SELECT btrim(regexp_replace(line, '[[:space:]]+', ' ', 'g'))) l (flat);
$$;
COMMENT ON FUNCTION @extschema@.abbreviate(text, integer) IS
    'the text on one line, cut to the given number of characters';
REVOKE ALL ON FUNCTION @extschema@.abbreviate(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.abbreviate(text, integer) TO job_scheduler, job_monitor;
