CREATE FUNCTION @internal@.remember_target() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- what a name meant is not for users to write; it is taken from the catalogs alone
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name_of_role name;
BEGIN
    -- The row that belongs to a failed run has what its job has already.
    IF TG_TABLE_NAME = 'job' OR coalesce(NEW.database_oid, NEW.server_oid) IS NULL THEN
        SELECT d.oid, d.datdba INTO NEW.database_oid, NEW.database_owner
        FROM pg_database d WHERE d.datname = NEW.datname AND NEW.server IS NULL;
        IF NEW.server IS NULL AND NEW.database_oid IS NULL THEN
            NEW.database_oid := 0;
        END IF;
        NEW.server_oid := CASE WHEN NEW.server IS NOT NULL THEN
            coalesce((SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = NEW.server), 0) END;
    END IF;
    FOREACH name_of_role IN ARRAY ARRAY[NEW.rolname, NEW.defined_by] LOOP
        PERFORM FROM @extschema@.known_role k WHERE k.rolname = name_of_role;
        IF NOT FOUND AND name_of_role IS NOT NULL THEN
            INSERT INTO @extschema@.known_role (rolname, role_oid)
            VALUES (name_of_role, coalesce(to_regrole(quote_ident(name_of_role))::oid, 0));
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.remember_target() IS
    'trigger: notes what role, database and foreign server the names in a definition mean now, so that others of the same names do not take their place';
REVOKE ALL ON FUNCTION @extschema@.remember_target() FROM PUBLIC;

-- After all that changes the row, since triggers fire in the order of their names.
CREATE TRIGGER track_target BEFORE INSERT ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.remember_target();
CREATE TRIGGER track_target BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.remember_target();
CREATE TRIGGER track_changed_target BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.datname, NEW.rolname, NEW.server, NEW.defined_by)
                       IS DISTINCT FROM (OLD.datname, OLD.rolname, OLD.server, OLD.defined_by))
    EXECUTE FUNCTION @extschema@.remember_target();
-- SET defined_by = current_user takes a job over, or says once more that it is right as it is.
CREATE TRIGGER track_confirmed_target BEFORE UPDATE OF defined_by ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.remember_target();
