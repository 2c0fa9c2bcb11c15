CREATE FUNCTION @internal@.try_now() RETURNS trigger
LANGUAGE plpython3u VOLATILE
SECURITY DEFINER -- opens a session of its own, because the worker cannot see what this transaction writes
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
elephant("worker.dry_run").try_now(plpy, '@extschema@', TD["new"])
return "MODIFY"
$python$;
COMMENT ON FUNCTION @extschema@.try_now() IS 'trigger: has the worker try a command, and waits for the result';
REVOKE ALL ON FUNCTION @extschema@.try_now() FROM PUBLIC;

CREATE TRIGGER try_now INSTEAD OF INSERT ON @extschema@.dry_run
    FOR EACH ROW EXECUTE FUNCTION @extschema@.try_now();
