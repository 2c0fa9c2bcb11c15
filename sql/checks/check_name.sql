CREATE FUNCTION @internal@.check_name(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF definition.job_name !~ '^[^[:space:]](.*[^[:space:]])?$' OR length(definition.job_name) > 100 OR definition.job_name ~ '^[0-9]+$' THEN
        RAISE EXCEPTION 'a job cannot be named "%"', left(definition.job_name, 100)
            USING ERRCODE = 'invalid_name',
                  DETAIL = 'A name has 1 to 100 characters, does not begin or end with a blank, and is not a number.',
                  HINT = 'Functions accept the number or the name of a job, so a name must not look like a number.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_name(@extschema@.job) IS
    'refuses an invalid name (42602)';
REVOKE ALL ON FUNCTION @extschema@.check_name(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_name(@extschema@.job) TO job_scheduler;
