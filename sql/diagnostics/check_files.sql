CREATE FUNCTION @extschema@.check_files() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'elephant_worker');
    on_disk CONSTANT text := (SELECT a.default_version FROM pg_available_extensions a WHERE a.name = 'elephant_worker');
BEGIN
    IF on_disk IS NULL THEN
        RETURN QUERY VALUES ('files', 'error', 'the server does not find elephant_worker.control: the extension cannot be restored',
                     '# in a clone of elephant_worker' || E'\n' || 'make && sudo make install');
    ELSIF on_disk <> installed THEN
        RETURN QUERY VALUES ('files', 'warning',
                     format('version %s is installed, this database uses version %s', on_disk, installed),
                     'ALTER EXTENSION elephant_worker UPDATE;');
    ELSE
        RETURN QUERY VALUES ('files', 'ok', format('version %s', installed), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_files() IS
    'for check_setup(): whether the files of the extension are there, and of the version that this database uses';
REVOKE ALL ON FUNCTION @extschema@.check_files() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_files() TO job_monitor;
