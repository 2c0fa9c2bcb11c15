CREATE FUNCTION @internal@.client_sessions(OUT database oid, OUT of_runs bigint, OUT others bigint) RETURNS SETOF record
LANGUAGE sql STABLE
SECURITY DEFINER -- which sessions are those of clients is hidden from ordinary roles; they are only counted
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.datid, count(*) FILTER (WHERE o.is_runner), count(*) FILTER (WHERE NOT o.is_runner)
    FROM pg_database d, pg_stat_get_activity(NULL) a
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_roles r
                                       WHERE r.oid = a.usesysid AND r.rolname ~ format('^elephant_worker_%s_', d.oid))) o (is_runner)
    WHERE d.datname = current_database() AND a.backend_type = 'client backend'
    GROUP BY a.datid;
$$;
COMMENT ON FUNCTION @extschema@.client_sessions() IS
    'how many sessions clients have in each database: those of runs, with the one through which the worker listens, and others';
REVOKE ALL ON FUNCTION @extschema@.client_sessions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.client_sessions() TO job_scheduler, job_monitor;
