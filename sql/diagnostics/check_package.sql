CREATE FUNCTION @internal@.check_package() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $$
BEGIN
    PERFORM @extschema@.zone_offsets('UTC', '{0}');
    RETURN QUERY VALUES ('package', 'ok', 'the Python package can be loaded', NULL);
EXCEPTION
    -- Whatever it is, the worker meets it too.
    WHEN OTHERS THEN
        RETURN QUERY VALUES ('package', 'error', format('the Python package cannot be loaded: %s', SQLERRM),
                             coalesce((SELECT f.remedy FROM @extschema@.check_files() f),
                                      (SELECT format(E'# in a clone of elephant_worker %s\nmake && sudo make install', e.extversion)
                                       FROM pg_extension e WHERE e.extname = 'elephant_worker')));
END
$$;
COMMENT ON FUNCTION @extschema@.check_package() IS
    'for check_setup(): whether the Python package of the extension is where its functions look for it';
REVOKE ALL ON FUNCTION @extschema@.check_package() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_package() TO job_monitor;
