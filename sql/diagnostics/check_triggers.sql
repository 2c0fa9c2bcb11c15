CREATE FUNCTION @internal@.check_triggers() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'triggers', 'error',
           format('%s of the extension''s triggers on table %s are disabled, as by a pg_restore --disable-triggers that has failed: what is written there is not checked, and the worker does not hear of it',
                  count(*), c.relname),
           format('ALTER TABLE %s %s;', c.oid::regclass, string_agg(format('ENABLE TRIGGER %I', t.tgname), ', ' ORDER BY t.tgname))
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    -- Those that others have added are theirs to disable. A trigger belongs to its table, and its function to the extension.
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = t.tgfoid AND d.deptype = 'e'
    JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'elephant_worker'
    WHERE t.tgenabled = 'D'
    GROUP BY c.oid, c.relname
    ORDER BY c.relname;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('triggers', 'ok', 'those of the extension are enabled', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_triggers() IS
    'for check_setup(): whether the triggers that check what is written, and tell the worker of it, are enabled';
REVOKE ALL ON FUNCTION @extschema@.check_triggers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_triggers() TO job_monitor;
