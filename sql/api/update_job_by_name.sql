CREATE FUNCTION @extschema@.update_job(
    job text,
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
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM @extschema@.update_job(
        @extschema@.find_job(job),
        job_command, datname, schedule, rolname, job_description, enabled, job_timeout, parallel, timezone,
        dst, starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries,
        retry_delay, max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when,
        on_failure_command, expect_success_within, server);
$$;
COMMENT ON FUNCTION @extschema@.update_job(text, text, name, text, name, text, boolean, interval, boolean, text, text, timestamptz, timestamptz, text, integer, interval, text, integer, interval, interval, text[], integer, jsonb, jsonb, bigint[], text, text, interval, name) IS
    'the same for a job that is named';
REVOKE ALL ON FUNCTION @extschema@.update_job(text, text, name, text, name, text, boolean, interval, boolean, text, text, timestamptz, timestamptz, text, integer, interval, text, integer, interval, interval, text[], integer, jsonb, jsonb, bigint[], text, text, interval, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.update_job(text, text, name, text, name, text, boolean, interval, boolean, text, text, timestamptz, timestamptz, text, integer, interval, text, integer, interval, interval, text[], integer, jsonb, jsonb, bigint[], text, text, interval, name) TO job_scheduler;
