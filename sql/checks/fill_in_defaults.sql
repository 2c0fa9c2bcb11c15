-- To programs that name all columns, and in update_job(), NULL for what cannot be NULL means: not given.
CREATE FUNCTION @internal@.fill_in_defaults(definition @extschema@.job) RETURNS @extschema@.job
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE NOTICE 'NULL stands for the default here: %', concat_ws(', ',
        CASE WHEN definition.enabled IS NULL THEN 'enabled' END,
        @required attributes after job_command: CASE WHEN definition.{name} IS NULL THEN '{name}' END{,}@);
    definition.enabled := coalesce(definition.enabled, true);
    @required attributes after job_command: definition.{name} := coalesce(definition.{name}, {default});@
    RETURN definition;
END
$$;
COMMENT ON FUNCTION @extschema@.fill_in_defaults(@extschema@.job) IS
    'gives a new job the defaults of attributes that cannot be NULL and are, and names them in a NOTICE';
REVOKE ALL ON FUNCTION @extschema@.fill_in_defaults(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.fill_in_defaults(@extschema@.job) TO job_scheduler;
