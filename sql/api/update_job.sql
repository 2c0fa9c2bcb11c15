CREATE FUNCTION @extschema@.update_job(
    job_id bigint,
    job_command text DEFAULT NULL,
    datname name DEFAULT NULL,
    schedule text DEFAULT NULL,
    rolname name DEFAULT NULL,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT NULL,
    job_timeout interval DEFAULT NULL,
    parallel boolean DEFAULT NULL,
    timezone text DEFAULT NULL,
    dst text DEFAULT NULL,
    starts_at timestamptz DEFAULT NULL,
    ends_at timestamptz DEFAULT NULL,
    catch_up text DEFAULT NULL,
    catch_up_limit integer DEFAULT NULL,
    start_deadline interval DEFAULT NULL,
    job_name text DEFAULT NULL,
    max_retries integer DEFAULT NULL,
    retry_delay interval DEFAULT NULL,
    max_retry_delay interval DEFAULT NULL,
    retry_on text[] DEFAULT NULL,
    disable_after integer DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    run_after bigint[] DEFAULT NULL,
    run_when text DEFAULT NULL,
    on_failure_command text DEFAULT NULL,
    expect_success_within interval DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    changed @extschema@.member_job;
BEGIN
    UPDATE @extschema@.member_job j
    SET job_command = coalesce(update_job.job_command, j.job_command),
        datname = coalesce(update_job.datname, j.datname),
        schedule = coalesce(update_job.schedule, j.schedule),
        rolname = coalesce(update_job.rolname, j.rolname),
        job_description = coalesce(update_job.job_description, j.job_description),
        enabled = coalesce(update_job.enabled, j.enabled),
        job_timeout = coalesce(update_job.job_timeout, j.job_timeout),
        parallel = coalesce(update_job.parallel, j.parallel),
        timezone = coalesce(update_job.timezone, j.timezone),
        dst = coalesce(update_job.dst, j.dst),
        starts_at = coalesce(update_job.starts_at, j.starts_at),
        ends_at = coalesce(update_job.ends_at, j.ends_at),
        catch_up = coalesce(update_job.catch_up, j.catch_up),
        catch_up_limit = coalesce(update_job.catch_up_limit, j.catch_up_limit),
        start_deadline = coalesce(update_job.start_deadline, j.start_deadline),
        job_name = coalesce(update_job.job_name, j.job_name),
        max_retries = coalesce(update_job.max_retries, j.max_retries),
        retry_delay = coalesce(update_job.retry_delay, j.retry_delay),
        max_retry_delay = coalesce(update_job.max_retry_delay, j.max_retry_delay),
        retry_on = coalesce(update_job.retry_on, j.retry_on),
        disable_after = coalesce(update_job.disable_after, j.disable_after),
        settings = coalesce(update_job.settings, j.settings),
        parameters = coalesce(update_job.parameters, j.parameters),
        run_after = coalesce(update_job.run_after, j.run_after),
        run_when = coalesce(update_job.run_when, j.run_when),
        on_failure_command = coalesce(update_job.on_failure_command, j.on_failure_command),
        expect_success_within = coalesce(update_job.expect_success_within, j.expect_success_within),
        server = coalesce(update_job.server, j.server)
    WHERE j.job_id = update_job.job_id
    RETURNING j.* INTO changed;
    IF NOT FOUND THEN
        PERFORM @extschema@.raise_no_such_job(update_job.job_id);
    END IF;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION @extschema@.update_job IS
    'changes what is not NULL of a job; to set something to NULL, UPDATE member_job; runs that are active go on unchanged';
REVOKE ALL ON FUNCTION @extschema@.update_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.update_job TO job_scheduler;
