CREATE FUNCTION @extschema@.insert_job(
    job_command text,
    datname name,
    schedule text DEFAULT NULL,
    rolname name DEFAULT current_user,
    job_description text DEFAULT NULL,
    enabled boolean DEFAULT true,
    job_timeout interval DEFAULT '6 hours',
    parallel boolean DEFAULT false,
    timezone text DEFAULT current_setting('TimeZone'),
    dst text DEFAULT 'cron',
    starts_at timestamptz DEFAULT NULL,
    ends_at timestamptz DEFAULT NULL,
    catch_up text DEFAULT 'skip',
    catch_up_limit integer DEFAULT 100,
    start_deadline interval DEFAULT NULL,
    job_name text DEFAULT NULL,
    max_retries integer DEFAULT 0,
    retry_delay interval DEFAULT '1 minute',
    max_retry_delay interval DEFAULT '1 hour',
    retry_on text[] DEFAULT '{connection,serialization,error,timeout}',
    disable_after integer DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    run_after bigint[] DEFAULT NULL,
    run_when text DEFAULT 'on_success',
    on_failure_command text DEFAULT NULL,
    expect_success_within interval DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER -- keeps its plan, as a function in SQL does not before PostgreSQL 18
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    new_job @extschema@.member_job;
BEGIN
    INSERT INTO @extschema@.member_job
        (job_command, datname, schedule, rolname, job_description, enabled, job_timeout, parallel, timezone, dst,
         starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
         max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
         expect_success_within, server)
    VALUES
        (job_command, datname, schedule, rolname, job_description, enabled, job_timeout, parallel, timezone, dst,
         starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
         max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
         expect_success_within, server)
    RETURNING * INTO new_job;
    RETURN new_job;
END
$$;
COMMENT ON FUNCTION @extschema@.insert_job IS
    'defines a job; without a schedule it runs only when run_job() asks for it';
REVOKE ALL ON FUNCTION @extschema@.insert_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.insert_job TO job_scheduler;
