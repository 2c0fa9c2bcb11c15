CREATE FUNCTION @internal@.report_setting() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.worker_request (kind) VALUES ('set');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_setting() IS 'trigger: tells the worker of changed settings';
REVOKE ALL ON FUNCTION @extschema@.report_setting() FROM PUBLIC;

CREATE TRIGGER report_setting AFTER INSERT OR UPDATE ON @extschema@.worker_setting
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_setting();
