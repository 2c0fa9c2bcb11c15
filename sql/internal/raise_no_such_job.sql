CREATE FUNCTION @internal@.raise_no_such_job(job_id bigint) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'there is no job % that role "%" may touch', coalesce(job_id::text, 'NULL'), current_user
        USING ERRCODE = 'no_data_found',
              DETAIL = 'It does not exist, or it belongs to a role that you are not a member of.',
              HINT = 'The view member_job lists the jobs that you may touch.';
END
$$;
COMMENT ON FUNCTION @extschema@.raise_no_such_job(bigint) IS 'raises the error for an unknown job (P0002)';
REVOKE ALL ON FUNCTION @extschema@.raise_no_such_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.raise_no_such_job(bigint) TO job_scheduler;
