CREATE FUNCTION @internal@.check_server() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- options of user mappings are hidden; check_target() has seen that the current role may act as that of the job
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle CONSTANT text := (
        SELECT @extschema@.server_obstacle(NEW.server, r.oid) FROM pg_roles r WHERE r.rolname = NEW.rolname);
BEGIN
    IF obstacle IS NOT NULL THEN
        PERFORM @extschema@.raise_error(o.error)
        FROM @extschema@.describe_obstacle(obstacle, NEW.rolname, NEW.datname, NEW.server, NULL) o;
    END IF;
    RETURN NEW;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.check_server() IS
    'trigger: refuses a foreign server that does not exist or on which the role of the job cannot log in (2F003, 42501, 42704)';
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
