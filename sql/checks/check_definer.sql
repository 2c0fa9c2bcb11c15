CREATE FUNCTION @internal@.check_definer(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF definition.defined_by IS NOT DISTINCT FROM current_user THEN
        RETURN;
    ELSIF @extschema@.is_superuser() THEN
        PERFORM FROM pg_roles r WHERE r.rolname = definition.defined_by;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'role "%" does not exist', definition.defined_by
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'defined_by names the role that answers for the job.',
                      HINT = 'Create it first, or name another one.';
        END IF;
    ELSE
        RAISE EXCEPTION 'defined_by of a job can only be set to yourself, "%"', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'It names the role that answers for the job, which runs only while this role is permitted to define it.',
                  HINT = 'To take a job over: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_definer(@extschema@.job) IS
    'refuses to make another role answer for a job (42501), which superusers may, and one that does not exist (42704)';
REVOKE ALL ON FUNCTION @extschema@.check_definer(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_definer(@extschema@.job) TO job_scheduler;
