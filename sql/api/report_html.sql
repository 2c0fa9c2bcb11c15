CREATE FUNCTION @extschema@.report_html(since interval DEFAULT '1 day') RETURNS text
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM @extschema@.write_report('report_html', since::text, extract(epoch FROM since)::float8, true);
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN answer.report;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.report_html(interval) IS
    'a page that shows what has run since then and what is coming, of the jobs that the current role may see; it needs nothing from elsewhere; 22023 if since is not between 1 second and 10 years';
REVOKE ALL ON FUNCTION @extschema@.report_html(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.report_html(interval) TO job_scheduler, job_monitor;
