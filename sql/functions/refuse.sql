CREATE FUNCTION @extschema@.refuse(refusal @extschema@.refusal) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Raised here and not in Python, where the error would carry a traceback.
    IF refusal.message IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = refusal.sqlstate, MESSAGE = refusal.message,
                              DETAIL = refusal.detail, HINT = refusal.hint;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse(@extschema@.refusal) IS
    'raises the error that the Python package has found; does nothing where there is none';
REVOKE ALL ON FUNCTION @extschema@.refuse(@extschema@.refusal) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.refuse(@extschema@.refusal) TO job_scheduler, job_monitor;
