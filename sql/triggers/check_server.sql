CREATE FUNCTION @extschema@.check_server() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- options of user mappings are hidden; check_target() has seen that the current role may act as that of the job
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle CONSTANT text := (
        SELECT @extschema@.server_obstacle(NEW.server, r.oid) FROM pg_roles r WHERE r.rolname = NEW.rolname);
BEGIN
    IF obstacle IS NULL THEN
        RETURN NEW;
    END IF;
    CASE obstacle
        WHEN 'server' THEN
            RAISE EXCEPTION 'foreign server "%" does not exist', NEW.server
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'server names one of this database, on which the job is to run; NULL is the server itself.',
                      HINT = 'SELECT srvname FROM pg_foreign_server; lists them; CREATE SERVER … makes one.';
        WHEN 'usage' THEN
            RAISE EXCEPTION 'role "%" may not use foreign server "%"', NEW.rolname, NEW.server
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'The role of a job must have USAGE on the server that the job runs on.',
                      HINT = format('Its owner can GRANT USAGE ON FOREIGN SERVER %I TO %I;', NEW.server, NEW.rolname);
        WHEN 'mapping' THEN
            RAISE EXCEPTION 'role "%" has no user mapping for foreign server "%"', NEW.rolname, NEW.server
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'A mapping of the role, or one for PUBLIC, says as whom the job logs in there.',
                      HINT = format('CREATE USER MAPPING FOR %I SERVER %I OPTIONS (user ''…'', password ''…'');',
                                    NEW.rolname, NEW.server);
        WHEN 'option' THEN
            RAISE EXCEPTION 'foreign server "%" would make the worker use what is its own', NEW.server
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'It, or the user mapping, has an option that names a file or service of this server, or lends credentials.',
                      HINT = 'Drop that option, or have a superuser own the foreign server.';
        WHEN 'password' THEN
            RAISE EXCEPTION 'the user mapping of role "%" for foreign server "%" has no password', NEW.rolname, NEW.server
                USING ERRCODE = '2F003',
                      DETAIL = 'Without one the worker would log in by what it is itself, not by what the role has.',
                      HINT = 'Give it one; or a superuser can set its option password_required to false (postgres_fdw).';
    END CASE;
END
$$;
COMMENT ON FUNCTION @extschema@.check_server() IS
    'trigger: refuses a foreign server that is not there or on which the role of the job cannot log in (2F003, 42501, 42704)';
REVOKE ALL ON FUNCTION @extschema@.check_server() FROM PUBLIC;

-- Triggers fire in the order of their names: after check_job and check_dry_run, before set_schedule and try_now.
CREATE TRIGGER check_server BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.server IS NOT NULL AND NOT @extschema@.is_restored(NEW))
    EXECUTE FUNCTION @extschema@.check_server();
CREATE TRIGGER check_server BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.server IS NOT NULL AND NOT @extschema@.is_restored(NEW))
    EXECUTE FUNCTION @extschema@.check_server();
CREATE TRIGGER check_server_change BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.server IS NOT NULL AND (NEW.server, NEW.rolname) IS DISTINCT FROM (OLD.server, OLD.rolname))
    EXECUTE FUNCTION @extschema@.check_server();
CREATE TRIGGER check_server INSTEAD OF INSERT ON @extschema@.dry_run
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_server();
