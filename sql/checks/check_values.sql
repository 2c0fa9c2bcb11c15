CREATE FUNCTION @internal@.check_values(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        @required attributes: WHEN definition.{name} IS NULL THEN '{name}'@ END;
    -- Intervals are compared as the seconds that the worker counts: as an interval, -1 year 361 days is longer than 0.
    -- Seconds are numeric, as 0.0 is: PostgreSQL takes long to find out how to compare different types.
    too_long CONSTANT interval := '1000 years';
    error text[];
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed', COLUMN = missing,
                  DETAIL = format('These can be NULL: %s.', array_to_string(ARRAY[
                      @optional attributes: '{name}'{,}@], ', ')),
                  HINT = CASE missing
                      WHEN 'job_command' THEN 'Give one or more SQL statements.'
                      WHEN 'datname' THEN 'Name a database; current_catalog is this one.'
                      ELSE 'Give a value, or leave it out to use its default.' END;
    END IF;
    error := CASE
        WHEN definition.job_command ~ '^[[:space:]]*$' THEN ARRAY[
            'job_command cannot be empty',
            'There is nothing to run.',
            'Give one or more SQL statements.']
        WHEN definition.on_failure_command ~ '^[[:space:]]*$' THEN ARRAY[
            'on_failure_command cannot be empty',
            'There is nothing to run.',
            'Give one or more SQL statements, or NULL to run nothing after a failure.']
        WHEN extract(epoch FROM definition.job_timeout) <= 0.0 OR definition.job_timeout > too_long THEN ARRAY[
            format('job_timeout cannot be %s', definition.job_timeout),
            'It is how long a run may take before it is cancelled: longer than 0, and at most 1000 years.',
            'The default is 6 hours. Use a very long time, such as 1 year, for runs without a limit.']
        WHEN definition.starts_at > definition.ends_at OR NOT isfinite(definition.starts_at)
             OR NOT isfinite(definition.ends_at) THEN ARRAY[
            format('a job cannot start at %s and end at %s', coalesce(definition.starts_at::text, 'any time'),
                   coalesce(definition.ends_at::text, 'any time')),
            'starts_at and ends_at must be finite, and ends_at must not be earlier than starts_at.',
            'Use NULL to leave one side open.']
        WHEN definition.catch_up NOT IN ('skip', 'once', 'all') THEN ARRAY[
            format('catch_up cannot be "%s"', definition.catch_up),
            'It says what happens to due times that pass while no worker is running.',
            'skip (the default): nothing; once: one run for all of them; all: one run for each.']
        WHEN definition.catch_up_limit NOT BETWEEN 1 AND 1000 THEN ARRAY[
            format('catch_up_limit cannot be %s', definition.catch_up_limit),
            'It is the maximum number of due times that catch_up = all makes up for.',
            'Choose 1 to 1000; the default is 100.']
        WHEN extract(epoch FROM definition.start_deadline) <= 0.0 OR definition.start_deadline > too_long THEN ARRAY[
            format('start_deadline cannot be %s', definition.start_deadline),
            'It is how late a run may start: longer than 0, and at most 1000 years.',
            'The default is NULL: no limit.']
        WHEN definition.max_retries NOT BETWEEN 0 AND 100 THEN ARRAY[
            format('max_retries cannot be %s', definition.max_retries),
            'It is the maximum number of times a failed run is retried.',
            'Choose 0 to 100; the default is 0.']
        WHEN extract(epoch FROM definition.retry_delay) < 0.1
             OR extract(epoch FROM definition.max_retry_delay) < extract(epoch FROM definition.retry_delay)
             OR definition.max_retry_delay > '1 year' THEN ARRAY[
            format('retry_delay cannot be %s with a max_retry_delay of %s', definition.retry_delay,
                   definition.max_retry_delay),
            'The first retry starts retry_delay after the failure; the delay doubles with each further retry, up to '
            'max_retry_delay.',
            'Choose at least 100 milliseconds and at most 1 year, max_retry_delay not shorter than retry_delay; the '
            'defaults are 1 minute and 1 hour.']
        WHEN NOT definition.retry_on <@ '{connection,serialization,error,timeout,lost}'
             OR array_ndims(definition.retry_on) IS DISTINCT FROM 1 OR cardinality(definition.retry_on) > 10 THEN ARRAY[
            format('retry_on cannot be %s', left(definition.retry_on::text, 100)),
            'It lists the kinds of failure after which a run is retried.',
            'connection: no session, or a lost one; serialization: also a deadlock; error: any other error of the '
            'command; timeout: job_timeout; lost: the worker or the server ended. Give each once; use max_retries = 0 for '
            'no retries.']
        WHEN definition.disable_after < 1 THEN ARRAY[
            format('disable_after cannot be %s', definition.disable_after),
            'It is the number of failures in a row after which the schedule is no longer followed.',
            'Choose 1 or more; the default is NULL: never.']
        WHEN definition.run_when NOT IN ('on_success', 'on_failure', 'always') THEN ARRAY[
            format('run_when cannot be "%s"', definition.run_when),
            'It says how the jobs in run_after must have ended.',
            'Choose on_success (the default), on_failure or always.']
        WHEN extract(epoch FROM definition.expect_success_within) < 1.0 OR definition.expect_success_within > too_long THEN ARRAY[
            format('expect_success_within cannot be %s', definition.expect_success_within),
            'It is how long the job may go without success before an alert is sent: at least 1 second, and at most '
            '1000 years.',
            'The default is NULL: no such alert.']
        WHEN definition.part = '' OR length(definition.part) > 100 THEN ARRAY[
            format('part cannot be "%s"', left(definition.part, 100)),
            'It names the document that is responsible for the job, in 1 to 100 characters.',
            'The default is NULL: none.']
    END;
    IF error IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                              MESSAGE = error[1], DETAIL = error[2], HINT = error[3];
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_values(@extschema@.job) IS
    'refuses values that no job can have (22023), and NULL for a required one (22004)';
REVOKE ALL ON FUNCTION @extschema@.check_values(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_values(@extschema@.job) TO job_scheduler;
