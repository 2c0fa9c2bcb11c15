CREATE FUNCTION @internal@.raise_error(user_error @extschema@.user_error) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Raised here and not in Python, where the error would carry a traceback.
    IF user_error.message IS NULL THEN
        RETURN;
    ELSIF user_error.detail IS NULL AND user_error.hint IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = user_error.sqlstate, MESSAGE = user_error.message;
    ELSIF user_error.detail IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = user_error.sqlstate, MESSAGE = user_error.message, HINT = user_error.hint;
    ELSIF user_error.hint IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = user_error.sqlstate, MESSAGE = user_error.message, DETAIL = user_error.detail;
    END IF;
    RAISE EXCEPTION USING ERRCODE = user_error.sqlstate, MESSAGE = user_error.message,
                          DETAIL = user_error.detail, HINT = user_error.hint;
END
$$;
COMMENT ON FUNCTION @extschema@.raise_error(@extschema@.user_error) IS
    'raises an error that the Python package has returned; does nothing if there is none';
REVOKE ALL ON FUNCTION @extschema@.raise_error(@extschema@.user_error) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.raise_error(@extschema@.user_error) TO job_scheduler, job_monitor;
