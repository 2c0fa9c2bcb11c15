CREATE FUNCTION @internal@.zone_offsets(timezone text, moments float8[]) RETURNS float8[]
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("schedule.functions").zone_offsets(timezone, moments)
$python$;
COMMENT ON FUNCTION @extschema@.zone_offsets(text, float8[]) IS
    'by how many seconds a time zone is ahead of UTC at these moments (seconds since 1970), as schedules see it; NULL where it is not known';
REVOKE ALL ON FUNCTION @extschema@.zone_offsets(text, float8[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.zone_offsets(text, float8[]) TO job_monitor;

CREATE FUNCTION @internal@.server_zone_offsets(timezone text, moments float8[]) RETURNS float8[]
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET exit_on_error = off -- it catches some
AS $$
BEGIN
    -- As the setting, which is always a zone: AT TIME ZONE takes CET for an abbreviation, which has no summer.
    PERFORM set_config('TimeZone', timezone, true);
    RETURN (SELECT array_agg(extract(timezone FROM to_timestamp(m.seconds))::float8 ORDER BY m.ordinality)
            FROM unnest(moments) WITH ORDINALITY m (seconds, ordinality));
EXCEPTION
    WHEN invalid_parameter_value THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.server_zone_offsets(text, float8[]) IS 'the same as zone_offsets(), as the server sees it';
REVOKE ALL ON FUNCTION @extschema@.server_zone_offsets(text, float8[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.server_zone_offsets(text, float8[]) TO job_monitor;

CREATE FUNCTION @internal@.check_timezones() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH month AS (
        SELECT array_agg(date_part('epoch', m)) AS moments
        FROM generate_series(date_trunc('year', now()), now() + interval '2 years', '1 month') m),
    zone AS (
        SELECT z.name, @extschema@.zone_offsets(z.name, month.moments) AS ours,
               @extschema@.server_zone_offsets(z.name, month.moments) AS servers
        FROM month, (SELECT 'Europe/Berlin' UNION SELECT j.timezone FROM @extschema@.all_job j WHERE j.schedule IS NOT NULL) z (name))
    SELECT 'time zones', CASE WHEN z.ours IS NULL THEN 'error' ELSE 'warning' END,
           CASE WHEN z.ours IS NULL
                THEN format('the system''s time zone database does not know %s: such schedules are not followed', z.name)
                WHEN n.is_named
                THEN format('the system''s time zone database and the server''s differ about %s; schedules follow the former',
                            z.name)
                ELSE format('schedules and the server read time zone %s in different ways', z.name) END,
           CASE WHEN z.ours IS NULL OR n.is_named THEN 'sudo apt-get install --reinstall tzdata'
                ELSE format('SELECT job_id, rolname, timezone FROM @extschema@.all_job WHERE timezone = %s; -- name a zone instead',
                            @extschema@.quote_literal_in_one_line(z.name)) END
    FROM zone z
    -- A rule in the form of POSIX is in no database.
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_timezone_names t WHERE t.name = z.name) AS is_named) n
    WHERE z.ours IS DISTINCT FROM z.servers;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('time zones', 'ok', 'the system''s time zone database and the server''s agree', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_timezones() IS
    'for check_setup(): whether the time zones of the jobs are known, and mean the same to schedules and to the server';
REVOKE ALL ON FUNCTION @extschema@.check_timezones() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_timezones() TO job_monitor;
