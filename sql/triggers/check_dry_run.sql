CREATE FUNCTION @internal@.check_dry_run() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    definition CONSTANT @extschema@.job := jsonb_populate_record(NULL::@extschema@.job, to_jsonb(NEW));
BEGIN
    PERFORM @extschema@.check_size(definition);
    PERFORM @extschema@.check_target(definition, NULL);
    PERFORM @extschema@.check_settings(definition);
    NEW.defined_by := current_user;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_dry_run() IS
    'trigger: refuses to try what the current role may not define as a job, see check_target() and check_settings()';
REVOKE ALL ON FUNCTION @extschema@.check_dry_run() FROM PUBLIC;

-- Triggers fire in the order of their names: before check_server and try_now.
CREATE TRIGGER check_dry_run INSTEAD OF INSERT ON @extschema@.dry_run
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_dry_run();
