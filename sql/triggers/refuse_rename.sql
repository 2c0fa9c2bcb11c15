-- The functions name the schema that the extension was created in, as those of every extension that is not
-- relocatable. ALTER EXTENSION ... SET SCHEMA says so; ALTER SCHEMA ... RENAME would go through, and nothing would run.
CREATE FUNCTION @internal@.refuse_rename() RETURNS event_trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    renamed CONSTANT text := (
        SELECT CASE WHEN quote_ident(n.nspname) <> '@extschema@' THEN '@extschema@'
                    WHEN to_regnamespace('@internal@') IS NULL THEN '@internal@' END
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'elephant_worker');
BEGIN
    IF renamed IS NOT NULL THEN
        RAISE EXCEPTION 'schema % cannot be renamed', renamed
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'The functions of elephant_worker, which is in it, name it.',
                  HINT = 'To move the jobs, take what export_jobs() returns to apply_jobs() of an extension that is created in another schema.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_rename() IS
    'event trigger: refuses to rename the schemas of the extension (0A000)';
REVOKE ALL ON FUNCTION @extschema@.refuse_rename() FROM PUBLIC;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger t WHERE t.evtname = 'elephant_worker_refuse_rename') THEN
        CREATE EVENT TRIGGER elephant_worker_refuse_rename ON ddl_command_end WHEN TAG IN ('ALTER SCHEMA')
            EXECUTE FUNCTION @extschema@.refuse_rename();
    END IF;
END
$$;
COMMENT ON EVENT TRIGGER elephant_worker_refuse_rename IS 'keeps the schema of elephant_worker from being renamed';
