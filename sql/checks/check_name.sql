CREATE FUNCTION @internal@.check_name(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF definition.job_name !~ '^[^[:space:]](.*[^[:space:]])?$' OR length(definition.job_name) > 100
       OR definition.job_name ~ '^[0-9]+$' OR definition.job_name ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a job cannot be named "%"', translate(left(definition.job_name, 100), E'\n\r\t', '   ')
            USING ERRCODE = 'invalid_name',
                  DETAIL = 'A name has 1 to 100 characters, no line breaks, does not begin or end with a blank, and is not a number.',
                  HINT = CASE WHEN length(definition.job_name) > 100
                              THEN format('It has %s characters. Shorten it, and put the rest into job_description.',
                                          length(definition.job_name))
                              WHEN definition.job_name ~ '^[0-9]+$'
                              THEN format('Functions accept the number or the name of a job. Put a letter into it: %L.',
                                          'job ' || definition.job_name)
                              WHEN definition.job_name !~ '[^[:space:][:cntrl:]]' THEN 'Leave job_name out for a job without a name.'
                              ELSE format('Write %L.', btrim(regexp_replace(definition.job_name, '[[:space:][:cntrl:]]+', ' ', 'g'))) END;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_name(@extschema@.job) IS
    'refuses an invalid name (42602)';
REVOKE ALL ON FUNCTION @extschema@.check_name(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_name(@extschema@.job) TO job_scheduler;
