CREATE FUNCTION @extschema@.update_job(
    job_id bigint,
    job_command text DEFAULT NULL,
    datname name DEFAULT NULL,
    schedule @extschema@.job_schedule DEFAULT NULL,
    rolname name DEFAULT NULL,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT NULL,
    @attributes after job_description: {name} {parameter} DEFAULT NULL{,}@
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'update_job'
AS $$
#variable_conflict use_column
DECLARE
    changed @extschema@.member_job;
BEGIN
    UPDATE @extschema@.member_job j
    SET
        @attributes: {name} = coalesce(update_job.{name}::{type}, j.{name}){,}@
    WHERE j.job_id = update_job.job_id
    RETURNING j.* INTO changed;
    IF NOT FOUND THEN
        PERFORM @extschema@.raise_no_such_job(update_job.job_id);
    END IF;
    IF num_nonnulls(
        @attributes: update_job.{name}{,}@) = 0 THEN
        RAISE NOTICE 'update_job() has changed nothing of job %', update_job.job_id
            USING DETAIL = 'NULL leaves an attribute as it is.',
                  HINT = format('To set one to NULL: UPDATE @extschema@.member_job SET schedule = NULL WHERE job_id = %s;',
                                update_job.job_id);
    END IF;
    PERFORM @extschema@.report_reason();
    RETURN changed;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.update_job(bigint, text, name, @extschema@.job_schedule, name, text, boolean, @attributes after job_description: {parameter}{,}@) IS
    'sets the given attributes of a job; NULL leaves an attribute as it is, so use UPDATE member_job to set one to NULL; active runs continue unchanged';
REVOKE ALL ON FUNCTION @extschema@.update_job(bigint, text, name, @extschema@.job_schedule, name, text, boolean, @attributes after job_description: {parameter}{,}@) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.update_job(bigint, text, name, @extschema@.job_schedule, name, text, boolean, @attributes after job_description: {parameter}{,}@) TO job_scheduler;

CREATE FUNCTION @extschema@.update_job(
    job text,
    job_command text DEFAULT NULL,
    datname name DEFAULT NULL,
    schedule @extschema@.job_schedule DEFAULT NULL,
    rolname name DEFAULT NULL,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT NULL,
    @attributes after job_description: {name} {parameter} DEFAULT NULL{,}@
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'update_job'
AS $$
BEGIN
    RETURN @extschema@.update_job(
        job_id => @extschema@.find_job(update_job.job),
        @attributes: {name} => update_job.{name}{,}@);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.update_job(text, text, name, @extschema@.job_schedule, name, text, boolean, @attributes after job_description: {parameter}{,}@) IS
    'the same for a job given by name';
REVOKE ALL ON FUNCTION @extschema@.update_job(text, text, name, @extschema@.job_schedule, name, text, boolean, @attributes after job_description: {parameter}{,}@) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.update_job(text, text, name, @extschema@.job_schedule, name, text, boolean, @attributes after job_description: {parameter}{,}@) TO job_scheduler;
