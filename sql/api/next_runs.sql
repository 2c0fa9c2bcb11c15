CREATE FUNCTION @extschema@.next_runs(
    schedule text,
    timezone text DEFAULT current_setting('TimeZone'),
    after timestamptz DEFAULT now(),
    count integer DEFAULT 5,
    dst text DEFAULT 'cron'
) RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    IF schedule IS NULL OR timezone IS NULL OR after IS NULL OR count IS NULL
       OR dst IS NULL THEN
        RAISE EXCEPTION 'next_runs() does not accept NULL'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'schedule, timezone, after, count and dst require a value.',
                  HINT = 'Leave a parameter out to use its default.';
    END IF;
    IF NOT isfinite(after) OR count NOT BETWEEN 0 AND 10000 THEN
        RAISE EXCEPTION 'next_runs() cannot count % times after %', count, after
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'after must be finite, and count between 0 and 10000.',
                  HINT = 'For more, call it again with the last result as after.';
    END IF;
    SELECT * INTO answer FROM @extschema@.due_times(
        schedule, timezone, dst, NULL, NULL, extract(epoch FROM after)::float8, NULL, count, '');
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN QUERY SELECT to_timestamp(due) FROM unnest(answer.due) AS due;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.next_runs(text, text, timestamptz, integer, text) IS
    'the next due times of a schedule after a given moment, read in a time zone (intervals are counted from that moment, H stands for the slots of no particular job); 22023 for an invalid schedule, time zone or dst, 22004 for NULL';
REVOKE ALL ON FUNCTION @extschema@.next_runs(text, text, timestamptz, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.next_runs(text, text, timestamptz, integer, text) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.next_runs(
    schedule @extschema@.job_schedule,
    timezone text DEFAULT current_setting('TimeZone'),
    after timestamptz DEFAULT now(),
    count integer DEFAULT 5,
    dst text DEFAULT 'cron'
) RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT @extschema@.next_runs(schedule::text, timezone, after, count, dst);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.next_runs(@extschema@.job_schedule, text, timestamptz, integer, text) IS
    'the same for an array, a moment or an interval';
REVOKE ALL ON FUNCTION @extschema@.next_runs(@extschema@.job_schedule, text, timestamptz, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.next_runs(@extschema@.job_schedule, text, timestamptz, integer, text) TO job_scheduler, job_monitor;
