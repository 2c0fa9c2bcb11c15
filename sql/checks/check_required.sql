CREATE FUNCTION @extschema@.check_required(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        WHEN definition.datname IS NULL THEN 'datname'
        WHEN definition.rolname IS NULL THEN 'rolname'
        WHEN definition.enabled IS NULL THEN 'enabled'
        WHEN definition.job_command IS NULL THEN 'job_command'
        WHEN definition.job_timeout IS NULL THEN 'job_timeout'
        WHEN definition.parallel IS NULL THEN 'parallel'
        WHEN definition.timezone IS NULL THEN 'timezone'
        WHEN definition.dst IS NULL THEN 'dst'
        WHEN definition.catch_up IS NULL THEN 'catch_up'
        WHEN definition.catch_up_limit IS NULL THEN 'catch_up_limit'
        WHEN definition.max_retries IS NULL THEN 'max_retries'
        WHEN definition.retry_delay IS NULL THEN 'retry_delay'
        WHEN definition.max_retry_delay IS NULL THEN 'max_retry_delay'
        WHEN definition.retry_on IS NULL THEN 'retry_on'
        WHEN definition.run_when IS NULL THEN 'run_when' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'These can be NULL: schedule, job_description, starts_at, ends_at, start_deadline, job_name, '
                           'disable_after, settings, parameters, run_after, on_failure_command, expect_success_within, '
                           'server.',
                  HINT = 'Give a value, or leave it out to use its default.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_required(@extschema@.job) IS
    'refuses a definition that lacks a required value (22004)';
REVOKE ALL ON FUNCTION @extschema@.check_required(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_required(@extschema@.job) TO job_scheduler;
