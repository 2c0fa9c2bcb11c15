-- The type of the parameter `schedule`: text, which takes arrays, moments and intervals as well. One type with casts,
-- and not an overload of each function for each type: literals have one meaning, drivers send what they like.
-- Nothing is stored as it. Its functions are those of text.
CREATE TYPE @extschema@.job_schedule;

CREATE FUNCTION @internal@.job_schedule_in(cstring) RETURNS @extschema@.job_schedule
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textin';
COMMENT ON FUNCTION @extschema@.job_schedule_in(cstring) IS 'input function of job_schedule';
REVOKE ALL ON FUNCTION @extschema@.job_schedule_in(cstring) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_schedule_in(cstring) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_schedule_out(@extschema@.job_schedule) RETURNS cstring
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textout';
COMMENT ON FUNCTION @extschema@.job_schedule_out(@extschema@.job_schedule) IS 'output function of job_schedule';
REVOKE ALL ON FUNCTION @extschema@.job_schedule_out(@extschema@.job_schedule) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_schedule_out(@extschema@.job_schedule) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_schedule_recv(internal) RETURNS @extschema@.job_schedule
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textrecv';
COMMENT ON FUNCTION @extschema@.job_schedule_recv(internal) IS 'binary input function of job_schedule';
REVOKE ALL ON FUNCTION @extschema@.job_schedule_recv(internal) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_schedule_recv(internal) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_schedule_send(@extschema@.job_schedule) RETURNS bytea
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textsend';
COMMENT ON FUNCTION @extschema@.job_schedule_send(@extschema@.job_schedule) IS 'binary output function of job_schedule';
REVOKE ALL ON FUNCTION @extschema@.job_schedule_send(@extschema@.job_schedule) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_schedule_send(@extschema@.job_schedule) TO job_scheduler, job_monitor;

CREATE TYPE @extschema@.job_schedule (
    INPUT = @extschema@.job_schedule_in,
    OUTPUT = @extschema@.job_schedule_out,
    RECEIVE = @extschema@.job_schedule_recv,
    SEND = @extschema@.job_schedule_send,
    LIKE = text,
    CATEGORY = 'S',
    COLLATABLE = true
);
COMMENT ON TYPE @extschema@.job_schedule IS
    'a schedule as a parameter: text, or what is cast to it: an array of text, a timestamp, a date, an interval';

CREATE FUNCTION @internal@.as_schedule(entries text[]) RETURNS @extschema@.job_schedule
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT entries::text::@extschema@.job_schedule;
$$;
COMMENT ON FUNCTION @extschema@.as_schedule(text[]) IS 'cast to job_schedule: several entries';
REVOKE ALL ON FUNCTION @extschema@.as_schedule(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.as_schedule(text[]) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.as_schedule(entries varchar[]) RETURNS @extschema@.job_schedule
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT entries::text::@extschema@.job_schedule;
$$;
COMMENT ON FUNCTION @extschema@.as_schedule(varchar[]) IS 'cast to job_schedule: several entries';
REVOKE ALL ON FUNCTION @extschema@.as_schedule(varchar[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.as_schedule(varchar[]) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.as_schedule(moment timestamptz) RETURNS @extschema@.job_schedule
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN isfinite(moment) THEN replace(to_char(moment, 'YYYY-MM-DD HH24:MI:SS.USTZH:TZM'), '.000000', '')
                ELSE moment::text END::@extschema@.job_schedule;
$$;
COMMENT ON FUNCTION @extschema@.as_schedule(timestamptz) IS 'cast to job_schedule: once, at this moment';
REVOKE ALL ON FUNCTION @extschema@.as_schedule(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.as_schedule(timestamptz) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.as_schedule(moment timestamp) RETURNS @extschema@.job_schedule
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN isfinite(moment) THEN replace(to_char(moment, 'YYYY-MM-DD HH24:MI:SS.US'), '.000000', '')
                ELSE moment::text END::@extschema@.job_schedule;
$$;
COMMENT ON FUNCTION @extschema@.as_schedule(timestamp) IS 'cast to job_schedule: once, at this time in the time zone of the job';
REVOKE ALL ON FUNCTION @extschema@.as_schedule(timestamp) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.as_schedule(timestamp) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.as_schedule(day date) RETURNS @extschema@.job_schedule
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN isfinite(day) THEN to_char(day, 'YYYY-MM-DD') ELSE day::text END::@extschema@.job_schedule;
$$;
COMMENT ON FUNCTION @extschema@.as_schedule(date) IS 'cast to job_schedule: once, when this day begins in the time zone of the job';
REVOKE ALL ON FUNCTION @extschema@.as_schedule(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.as_schedule(date) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.as_schedule(period interval) RETURNS @extschema@.job_schedule
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET IntervalStyle = postgres
AS $$
    -- What cannot be said in whole seconds goes on as it is: the error is that of the schedule.
    SELECT coalesce(
        (SELECT string_agg(p.number || ' ' || CASE p.number WHEN 1 THEN p.unit ELSE p.unit || 's' END, ' ')
         FROM (SELECT extract(epoch FROM period)) s (seconds),
              LATERAL (VALUES (div(s.seconds, 86400), 'day'), (div(mod(s.seconds, 86400), 3600), 'hour'),
                              (div(mod(s.seconds, 3600), 60), 'minute'), (mod(s.seconds, 60)::bigint, 'second')) p (number, unit)
         WHERE s.seconds > 0 AND s.seconds = trunc(s.seconds) AND p.number > 0
           AND extract(year FROM period) = 0 AND extract(month FROM period) = 0),
        '@every ' || period)::@extschema@.job_schedule;
$$;
COMMENT ON FUNCTION @extschema@.as_schedule(interval) IS 'cast to job_schedule: again and again, from start to start';
REVOKE ALL ON FUNCTION @extschema@.as_schedule(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.as_schedule(interval) TO job_scheduler, job_monitor;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_cast c WHERE c.casttarget = '@extschema@.job_schedule'::regtype) THEN
        CREATE CAST (text AS @extschema@.job_schedule) WITHOUT FUNCTION AS IMPLICIT;
        CREATE CAST (varchar AS @extschema@.job_schedule) WITHOUT FUNCTION AS IMPLICIT;
        CREATE CAST (@extschema@.job_schedule AS text) WITHOUT FUNCTION AS IMPLICIT;
        CREATE CAST (text[] AS @extschema@.job_schedule) WITH FUNCTION @extschema@.as_schedule(text[]) AS IMPLICIT;
        CREATE CAST (varchar[] AS @extschema@.job_schedule) WITH FUNCTION @extschema@.as_schedule(varchar[]) AS IMPLICIT;
        CREATE CAST (timestamptz AS @extschema@.job_schedule)
            WITH FUNCTION @extschema@.as_schedule(timestamptz) AS IMPLICIT;
        CREATE CAST (timestamp AS @extschema@.job_schedule) WITH FUNCTION @extschema@.as_schedule(timestamp) AS IMPLICIT;
        CREATE CAST (date AS @extschema@.job_schedule) WITH FUNCTION @extschema@.as_schedule(date) AS IMPLICIT;
        CREATE CAST (interval AS @extschema@.job_schedule) WITH FUNCTION @extschema@.as_schedule(interval) AS IMPLICIT;
        CREATE CAST (integer AS @extschema@.job_schedule) WITH INOUT AS IMPLICIT;
        CREATE CAST (time AS @extschema@.job_schedule) WITH INOUT AS IMPLICIT;
    END IF;
END
$$;

COMMENT ON CAST (text AS @extschema@.job_schedule) IS 'a schedule that is given as text';
COMMENT ON CAST (varchar AS @extschema@.job_schedule) IS 'a schedule that is given as text';
COMMENT ON CAST (@extschema@.job_schedule AS text) IS 'the text of a schedule';
COMMENT ON CAST (text[] AS @extschema@.job_schedule) IS 'a schedule of several entries';
COMMENT ON CAST (varchar[] AS @extschema@.job_schedule) IS 'a schedule of several entries';
COMMENT ON CAST (timestamptz AS @extschema@.job_schedule) IS 'a schedule that is due once, at this moment';
COMMENT ON CAST (timestamp AS @extschema@.job_schedule) IS 'a schedule that is due once, at this time in the time zone of the job';
COMMENT ON CAST (date AS @extschema@.job_schedule) IS 'a schedule that is due once, when this day begins in the time zone of the job';
COMMENT ON CAST (interval AS @extschema@.job_schedule) IS 'a schedule that is due again and again, from start to start';
COMMENT ON CAST (integer AS @extschema@.job_schedule) IS 'not a schedule: the error says which unit is missing';
COMMENT ON CAST (time AS @extschema@.job_schedule) IS 'not a schedule: the error says how to write a time of day';
