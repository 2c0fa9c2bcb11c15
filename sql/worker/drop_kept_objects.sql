-- An update leaves to the worker that runs what it needs until it has left, as members of the extension that the
-- script marks by their comment: see updates/README.md.
CREATE FUNCTION @internal@.drop_kept_objects() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $$
DECLARE
    kept text;
BEGIN
    FOR kept IN
        SELECT i.type || ' ' || i.identity
        FROM pg_depend d
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker'
        CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) i
        WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
          AND obj_description(d.objid, d.classid::regclass::name) = 'for the worker of an earlier version'
    LOOP
        EXECUTE 'ALTER EXTENSION elephant_worker DROP ' || kept;
        EXECUTE 'DROP ' || kept;
    END LOOP;
EXCEPTION WHEN lock_not_available OR dependent_objects_still_exist THEN
    NULL; -- pg_dump looks at it, say; the next time is soon enough
END
$$;
COMMENT ON FUNCTION @extschema@.drop_kept_objects() IS
    'drops what the last update has left to the worker of the earlier version';
REVOKE ALL ON FUNCTION @extschema@.drop_kept_objects() FROM PUBLIC;
