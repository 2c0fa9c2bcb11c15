CREATE FUNCTION @extschema@.check_definer(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF definition.defined_by IS DISTINCT FROM current_user THEN
        RAISE EXCEPTION 'defined_by of a job can only be set to yourself, "%"', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'It names the role that answers for the job, which runs only while this role is permitted to define it.',
                  HINT = 'To take a job over: UPDATE member_job SET defined_by = current_user WHERE job_id = …;';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_definer(@extschema@.job) IS
    'refuses to make another role answer for a job (42501)';
REVOKE ALL ON FUNCTION @extschema@.check_definer(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_definer(@extschema@.job) TO job_scheduler;
