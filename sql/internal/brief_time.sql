CREATE FUNCTION @internal@.brief_time(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN NOT isfinite(moment) THEN moment::text
                WHEN moment::date = current_date THEN to_char(moment, 'HH24:MI:SS')
                WHEN moment::date - current_date BETWEEN -6 AND 6 THEN to_char(moment, 'Dy HH24:MI')
                ELSE to_char(moment, 'YYYY-MM-DD') END;
$$;
COMMENT ON FUNCTION @extschema@.brief_time(timestamptz) IS
    'a moment in at most 10 characters, in the time zone of the session: the time of today, the weekday and time of the six days before and after, otherwise the date';
REVOKE ALL ON FUNCTION @extschema@.brief_time(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.brief_time(timestamptz) TO job_scheduler, job_monitor;
