CREATE FUNCTION @internal@.check_files() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'elephant_worker');
    installed CONSTANT text := (SELECT a.default_version FROM pg_available_extensions a WHERE a.name = 'elephant_worker');
BEGIN
    IF installed IS NULL THEN
        RETURN QUERY VALUES ('files', 'error', 'the server does not find elephant_worker.control: the extension cannot be restored',
                     format(E'# in a clone of elephant_worker %s\nmake && sudo make install', used));
    ELSIF installed = used THEN
        RETURN QUERY VALUES ('files', 'ok', format('version %s', installed), NULL);
    ELSE
        RETURN QUERY VALUES ('files', 'warning',
                     format('version %s is installed, this database uses version %s', installed, used),
                     CASE WHEN EXISTS (SELECT FROM pg_extension_update_paths('elephant_worker') p
                                       WHERE p.source = used AND p.target = installed AND p.path IS NOT NULL)
                          THEN 'ALTER EXTENSION elephant_worker UPDATE;'
                          -- Nothing leads back to an earlier version.
                          ELSE format(E'# in a clone of elephant_worker %s\nmake && sudo make install', used) END);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_files() IS
    'for check_setup(): whether the files of the extension are there, and of the version that this database uses';
REVOKE ALL ON FUNCTION @extschema@.check_files() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_files() TO job_monitor;
