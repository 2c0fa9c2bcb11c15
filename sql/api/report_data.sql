CREATE FUNCTION @internal@.write_report(
    caller text,
    since text,
    seconds float8,
    as_page boolean,
    OUT report text,
    OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET work_mem = '64MB' -- 100,000 runs are sorted in memory
AS $python$
# load elephant
return elephant("report.functions").write_report(plpy, '@extschema@', caller, since, seconds, as_page)
$python$;
COMMENT ON FUNCTION @extschema@.write_report(text, text, float8, boolean) IS
    'the report of the interval since, which are so many seconds, as JSON or as a page, or what is wrong, for the function that is called';
REVOKE ALL ON FUNCTION @extschema@.write_report(text, text, float8, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.write_report(text, text, float8, boolean) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.report_data(since interval DEFAULT '1 day') RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM @extschema@.write_report('report_data', since::text, extract(epoch FROM since)::float8, false);
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN answer.report::jsonb;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.report_data(interval) IS
    'what has run since then and what is coming, of the jobs that the current role may see, as report_html() shows it; 22023 if since is not between 1 second and 10 years';
REVOKE ALL ON FUNCTION @extschema@.report_data(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.report_data(interval) TO job_scheduler, job_monitor;
