CREATE FUNCTION @internal@.write_report(
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
return elephant("report.functions").write_report(plpy, '@extschema@', seconds, as_page)
$python$;
COMMENT ON FUNCTION @extschema@.write_report(float8, boolean) IS
    'the report of the last seconds, as JSON or as a page, or what is wrong';
REVOKE ALL ON FUNCTION @extschema@.write_report(float8, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.write_report(float8, boolean) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.check_since(caller text, since interval) RETURNS float8
LANGUAGE plpgsql IMMUTABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF since IS NULL OR NOT extract(epoch FROM since) BETWEEN 1 AND 3660 * 86400 THEN
        RAISE EXCEPTION '%() cannot look back %', caller, coalesce(since::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The interval says how far back from now to look: at least 1 second, at most 10 years.',
                  HINT = format('For example %s(''7 days''); what log_max_age has removed is gone.', caller);
    END IF;
    RETURN extract(epoch FROM since);
END
$$;
COMMENT ON FUNCTION @extschema@.check_since(text, interval) IS
    'an interval that a report can look back, in seconds; 22023 for any other';
REVOKE ALL ON FUNCTION @extschema@.check_since(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_since(text, interval) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.report_data(since interval DEFAULT '1 day') RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM @extschema@.write_report(@extschema@.check_since('report_data', since), false);
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN answer.report::jsonb;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.report_data(interval) IS
    'what has run since then and what is coming, of the jobs that the current role may see, as report_html() shows it; 22023 if since is not between 1 second and 10 years';
REVOKE ALL ON FUNCTION @extschema@.report_data(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.report_data(interval) TO job_scheduler, job_monitor;
