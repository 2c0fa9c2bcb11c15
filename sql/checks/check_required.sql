CREATE FUNCTION @extschema@.check_required(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        @required attributes: WHEN definition.{name} IS NULL THEN '{name}'@ END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = format('These can be NULL: %s.', array_to_string(ARRAY[
                      @optional attributes: '{name}'{,}@], ', ')),
                  HINT = 'Give a value, or leave it out to use its default.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_required(@extschema@.job) IS
    'refuses a definition that lacks a required value (22004)';
REVOKE ALL ON FUNCTION @extschema@.check_required(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_required(@extschema@.job) TO job_scheduler;
