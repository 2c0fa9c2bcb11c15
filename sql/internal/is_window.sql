CREATE FUNCTION @extschema@.is_window(starts_at timestamptz, ends_at timestamptz) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(isfinite(starts_at), true) AND coalesce(isfinite(ends_at), true)
           AND coalesce(starts_at <= ends_at, true);
END
$$;
COMMENT ON FUNCTION @extschema@.is_window(timestamptz, timestamptz) IS
    'whether a job can have due times between these moments; NULL leaves a side open';
REVOKE ALL ON FUNCTION @extschema@.is_window(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_window(timestamptz, timestamptz) TO job_scheduler;
