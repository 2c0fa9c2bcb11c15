CREATE FUNCTION @internal@.schedule_in_words(
    schedule text,
    timezone text,
    dst text,
    now float8,
    seed text,
    OUT words text,
    OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("schedule.description").schedule_in_words(schedule, timezone, dst, now, seed)
$python$;
COMMENT ON FUNCTION @extschema@.schedule_in_words IS 'see describe_schedule()';
REVOKE ALL ON FUNCTION @extschema@.schedule_in_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.schedule_in_words TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.describe_schedule(
    schedule text,
    timezone text DEFAULT current_setting('TimeZone'),
    dst text DEFAULT 'cron'
) RETURNS text
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    IF schedule IS NULL THEN
        RETURN 'only when run_job() asks for it';
    END IF;
    IF timezone IS NULL OR dst IS NULL THEN
        RAISE EXCEPTION 'describe_schedule() does not accept NULL except for the schedule'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'timezone and dst require a value.',
                  HINT = 'Leave a parameter out to use its default.';
    END IF;
    SELECT * INTO answer FROM @extschema@.schedule_in_words(
        schedule, timezone, dst, extract(epoch FROM now())::float8, '');
    PERFORM @extschema@.raise_error(answer.user_error);
    -- As where a job gets it.
    IF timezone ~ '[0-9]' AND timezone <> current_setting('TimeZone') THEN
        PERFORM @extschema@.doubt_time_zone(timezone);
    END IF;
    RETURN answer.words;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.describe_schedule(text, text, text) IS
    'describes a schedule in plain English: when it is due, when next, and what happens when clocks change within a year; 22023 for an invalid schedule, time zone or dst, 22004 if one of the last two is NULL';
REVOKE ALL ON FUNCTION @extschema@.describe_schedule(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.describe_schedule(text, text, text) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.describe_schedule(
    schedule @extschema@.job_schedule,
    timezone text DEFAULT current_setting('TimeZone'),
    dst text DEFAULT 'cron'
) RETURNS text
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN @extschema@.describe_schedule(schedule::text, timezone, dst);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.describe_schedule(@extschema@.job_schedule, text, text) IS
    'the same for an array, a moment or an interval';
REVOKE ALL ON FUNCTION @extschema@.describe_schedule(@extschema@.job_schedule, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.describe_schedule(@extschema@.job_schedule, text, text) TO job_scheduler, job_monitor;
