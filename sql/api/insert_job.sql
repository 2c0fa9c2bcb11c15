CREATE FUNCTION @extschema@.insert_job(
    job_command text,
    datname name,
    schedule @extschema@.job_schedule DEFAULT NULL,
    rolname name DEFAULT current_user,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT true,
    @attributes after job_description: {name} {parameter} DEFAULT {default}{,}@
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER -- keeps its plan, as a function in SQL does not before PostgreSQL 18
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'insert_job'
AS $$
#variable_conflict use_variable
DECLARE
    new_job @extschema@.member_job;
BEGIN
    INSERT INTO @extschema@.member_job
        (@attributes: {name}{,}@)
    VALUES
        (@attributes: {name}{,}@)
    ON CONFLICT DO NOTHING
    RETURNING * INTO new_job;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" already has a job named "%"', rolname, job_name
            USING ERRCODE = 'unique_violation',
                  DETAIL = 'Names are unique among the jobs of a role.',
                  HINT = 'Choose another name, or change the existing job with update_job().';
    END IF;
    PERFORM @extschema@.report_reason();
    RETURN new_job;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.insert_job IS
    'defines a job; without a schedule it runs only when run_job() asks for it';
REVOKE ALL ON FUNCTION @extschema@.insert_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.insert_job TO job_scheduler;
