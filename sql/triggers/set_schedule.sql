CREATE FUNCTION @internal@.set_schedule() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
AS $$
DECLARE
    answer record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF @extschema@.is_restored(NEW) THEN
            RETURN NEW;
        END IF;
    ELSIF (NEW.schedule, NEW.timezone, NEW.dst, NEW.starts_at, NEW.ends_at, NEW.enabled)
          IS NOT DISTINCT FROM
          (OLD.schedule, OLD.timezone, OLD.dst, OLD.starts_at, OLD.ends_at, OLD.enabled) THEN
        -- A job that was disabled by disable_after starts afresh.
        IF NOT EXISTS (SELECT FROM @extschema@.member_job m WHERE m.job_id = OLD.job_id AND m.disabled_at IS NOT NULL) THEN
            RETURN NEW;
        END IF;
    END IF;
    NEW.schedule_set_at := clock_timestamp();
    -- Without a schedule nobody needs the session's own zone, nor one that a job has had.
    SELECT * INTO answer FROM @extschema@.due_times(
        NEW.schedule,
        CASE WHEN NEW.schedule IS NULL AND NEW.timezone IN (current_setting('TimeZone'), OLD.timezone)
             THEN 'UTC' ELSE NEW.timezone END,
        NEW.dst, extract(epoch FROM NEW.starts_at)::float8,
        extract(epoch FROM NEW.ends_at)::float8, extract(epoch FROM NEW.schedule_set_at)::float8, NULL, 1,
        NEW.job_id::text);
    PERFORM @extschema@.raise_error(answer.user_error);
    IF answer.never IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.schedule IS DISTINCT FROM OLD.schedule) THEN
        RAISE EXCEPTION 'schedule "%" is never due', left(NEW.schedule, 60)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = answer.never,
                  HINT = 'Try SELECT * FROM @extschema@.next_runs(...); use NULL for a job that runs only when run_job() asks for it, run_once() for one run now.';
    END IF;
    -- Steps and lines of six fields are what is read differently elsewhere.
    IF (TG_OP = 'INSERT' OR NEW.schedule IS DISTINCT FROM OLD.schedule)
       AND NEW.schedule ~ E'/|([ \t\r\n]+[^ \t\r\n]+){5}' THEN
        PERFORM @extschema@.doubt_schedule(NEW.schedule);
    END IF;
    -- The session's own zone shows in all its times, and is what drivers and containers make of another name.
    IF NEW.timezone ~ '[0-9]' AND NEW.timezone <> current_setting('TimeZone')
       AND (NEW.timezone, NEW.schedule IS NULL) IS DISTINCT FROM (OLD.timezone, OLD.schedule IS NULL)
       AND NEW.schedule IS NOT NULL THEN
        PERFORM @extschema@.doubt_time_zone(NEW.timezone);
    END IF;
    NEW.first_run_at := CASE WHEN NEW.enabled THEN to_timestamp(answer.due[1]) END;
    RETURN NEW;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.set_schedule() IS
    'trigger: finds the first due time of a new or changed schedule; refuses one that is invalid or never due (22023)';
REVOKE ALL ON FUNCTION @extschema@.set_schedule() FROM PUBLIC;

CREATE TRIGGER set_schedule BEFORE INSERT OR UPDATE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.set_schedule();
CREATE TRIGGER set_schedule BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.set_schedule();
