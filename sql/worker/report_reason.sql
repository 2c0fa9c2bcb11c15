CREATE FUNCTION @internal@.report_reason() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '100ms' -- a definition does not fail, nor wait, for what it would be told
AS $$
DECLARE
    reason text;
BEGIN
    BEGIN
        reason := (SELECT c.reason FROM @extschema@.worker_condition() c WHERE c.code <> 'starting');
    EXCEPTION WHEN lock_not_available THEN
        RETURN;
    END;
    IF reason IS NOT NULL THEN
        RAISE NOTICE 'nothing is run at present: %', reason;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.report_reason() IS
    'tells who defines or asks for something, in a NOTICE, why it will not run for now; says nothing while all is well';
REVOKE ALL ON FUNCTION @extschema@.report_reason() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.report_reason() TO job_scheduler, job_monitor;
