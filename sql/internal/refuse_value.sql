CREATE FUNCTION @extschema@.refuse_value(rule text, VARIADIC given text[] DEFAULT '{}') RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    error record;
BEGIN
    SELECT * INTO error FROM (VALUES
        ('job_command_check',
         'job_command cannot be empty',
         'There is nothing to run.',
         'Give one or more SQL statements.'),
        ('job_timeout_check',
         'job_timeout cannot be %s',
         'It is how long a run may take before it is cancelled: longer than 0, and at most 1000 years.',
         'The default is 6 hours. Use a very long time, such as 1 year, for runs without a limit.'),
        ('job_dst_check',
         'dst cannot be "%s"',
         'It says which due times a schedule has when clocks change.',
         'Choose cron (the default), skip or wall.'),
        ('job_window_check',
         'a job cannot start at %s and end at %s',
         'starts_at and ends_at must be finite, and ends_at must not be earlier than starts_at.',
         'Use NULL to leave one side open.'),
        ('job_catch_up_check',
         'catch_up cannot be "%s"',
         'It says what happens to due times that pass while no worker is running.',
         'skip (the default): nothing; once: one run for all of them; all: one run for each.'),
        ('job_catch_up_limit_check',
         'catch_up_limit cannot be %s',
         'It is the maximum number of due times that catch_up = all makes up for.',
         'Choose 1 to 1000; the default is 100.'),
        ('job_start_deadline_check',
         'start_deadline cannot be %s',
         'It is how late a run may start: longer than 0, and at most 1000 years.',
         'The default is NULL: no limit.'),
        ('job_max_retries_check',
         'max_retries cannot be %s',
         'It is the maximum number of times a failed run is retried.',
         'Choose 0 to 100; the default is 0.'),
        ('job_retry_delay_check',
         'the delay between retries cannot be from %s to %s',
         'The first retry starts retry_delay after the failure; the delay doubles with each further one, up to max_retry_delay.',
         'Choose at least 100 milliseconds and at most 1 year, max_retry_delay not shorter than retry_delay; the defaults are 1 minute and 1 hour.'),
        ('job_retry_on_check',
         'retry_on cannot be %s',
         'It lists the kinds of failure after which a run is retried.',
         'connection: no session, or a lost one; serialization: also a deadlock; error: any other error of the command; timeout: job_timeout; lost: the worker or the server ended. Use max_retries = 0 for no retries.'),
        ('job_disable_after_check',
         'disable_after cannot be %s',
         'It is the number of failures in a row after which the schedule is no longer followed.',
         'Choose 1 or more; the default is NULL: never.'),
        ('job_run_when_check',
         'run_when cannot be "%s"',
         'It says how the jobs in run_after must have ended.',
         'Choose on_success (the default), on_failure or always.'),
        ('job_on_failure_command_check',
         'on_failure_command cannot be empty',
         'There is nothing to run.',
         'Give one or more SQL statements, or NULL to run nothing after a failure.'),
        ('job_expect_success_within_check',
         'expect_success_within cannot be %s',
         'It is how long the job may go without success before an alert is sent: at least 1 second, and at most 1000 years.',
         'The default is NULL: no such alert.')
    ) r (rule, message, detail, hint)
    WHERE r.rule = refuse_value.rule;
    RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value', MESSAGE = format(error.message, VARIADIC given),
        DETAIL = error.detail, HINT = error.hint, CONSTRAINT = rule;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_value(text, text[]) IS
    'raises the error for a value that breaks a CHECK constraint of job (22023); the constraint is named after the rule, and calls this when it does not hold';
REVOKE ALL ON FUNCTION @extschema@.refuse_value(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.refuse_value(text, text[]) TO job_scheduler;
