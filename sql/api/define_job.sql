CREATE FUNCTION @extschema@.define_job(
    job_name text,
    job_command text,
    datname name DEFAULT current_catalog,
    schedule @extschema@.job_schedule DEFAULT NULL,
    rolname name DEFAULT current_user,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT true,
    @attributes after job_description but job_name: {name} {parameter} DEFAULT {default}{,}@
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET jit = off -- takes longer than all of this
SET elephant_worker.call = 'define_job'
AS $$
#variable_conflict use_variable
DECLARE
    defined @extschema@.member_job;
    others_defined_it boolean := false;
BEGIN
    IF job_name IS NULL THEN
        RAISE EXCEPTION 'define_job() needs a job_name'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'The job is found by its name and its role.',
                  HINT = 'To define a job without a name, use insert_job().';
    END IF;
    -- As check_job() stores them.
    enabled := coalesce(enabled, true);
    @required attributes after job_command: {name} := coalesce({name}, {default});@
    settings := nullif(settings, 'null');
    parameters := nullif(parameters, 'null');
    run_after := nullif(ARRAY(SELECT DISTINCT a FROM unnest(run_after::bigint[]) a ORDER BY a), '{}');
    LOOP
        SELECT j.* INTO defined FROM @extschema@.member_job j
        WHERE j.rolname = define_job.rolname AND j.job_name = define_job.job_name;
        IF FOUND THEN
            -- An UPDATE would wake the worker also if it changes nothing.
            IF (@attributes: defined.{name}{,}@)
               IS NOT DISTINCT FROM
               (@attributes: define_job.{name}::{type}{,}@) THEN
                RETURN defined;
            END IF;
            UPDATE @extschema@.member_job j
            SET @attributes: {name} = define_job.{name}{,}@
            WHERE j.job_id = defined.job_id AND j.rolname = define_job.rolname AND j.job_name = define_job.job_name
            RETURNING j.* INTO defined;
            EXIT WHEN FOUND;
        ELSIF others_defined_it THEN
            RAISE EXCEPTION 'job "%" has been defined by another transaction at the same time', job_name
                USING ERRCODE = 'serialization_failure',
                      DETAIL = 'This transaction does not see it.',
                      HINT = 'Repeat the transaction.';
        ELSE
            BEGIN
                INSERT INTO @extschema@.member_job
                    (@attributes: {name}{,}@)
                VALUES
                    (@attributes: {name}{,}@)
                RETURNING * INTO defined;
                EXIT;
            EXCEPTION WHEN unique_violation THEN
                others_defined_it := true;
            END;
        END IF;
    END LOOP;
    PERFORM @extschema@.report_reason();
    RETURN defined;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.define_job IS
    'creates the job of this name and role, or makes it what the call says: what is not given gets its default; job_id, log and statistics stay, and so do the due times unless the schedule changes; nothing is written if the job is like that already';
REVOKE ALL ON FUNCTION @extschema@.define_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.define_job TO job_scheduler;
