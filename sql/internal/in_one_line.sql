CREATE FUNCTION @internal@.in_one_line(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Names that were restored, descriptions and messages may have line breaks, which would break the lines of a table.
    SELECT regexp_replace(words, '[[:cntrl:]]+', ' ', 'g');
$$;
COMMENT ON FUNCTION @extschema@.in_one_line(text) IS 'a text as everyday views show it: whole, with blanks in place of line breaks';
REVOKE ALL ON FUNCTION @extschema@.in_one_line(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.in_one_line(text) TO job_scheduler, job_monitor;
