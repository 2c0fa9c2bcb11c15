CREATE FUNCTION @internal@.is_restored(definition @extschema@.job) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The views cannot give this column.
    RETURN definition.schedule_set_at IS NOT NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.is_restored(@extschema@.job) IS
    'whether a new row comes from a dump or from the worker, complete and checked before';
REVOKE ALL ON FUNCTION @extschema@.is_restored(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_restored(@extschema@.job) TO job_scheduler;
