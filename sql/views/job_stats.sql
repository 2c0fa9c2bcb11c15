CREATE FUNCTION @internal@.percentiles(samples real[], OUT p50 interval, OUT p95 interval)
LANGUAGE sql IMMUTABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Milliseconds are enough, and keep the view narrow; what is shorter than one is not nothing.
    SELECT make_interval(secs => round(p[1]::numeric, CASE WHEN p[1] < 0.001 THEN 4 ELSE 3 END)::float8),
           make_interval(secs => round(p[2]::numeric, CASE WHEN p[2] < 0.001 THEN 4 ELSE 3 END)::float8)
    FROM (SELECT percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY s.seconds) AS p
          FROM unnest(samples) s (seconds)) q;
$$;
COMMENT ON FUNCTION @extschema@.percentiles(real[]) IS
    'the median of durations in seconds, and the duration that 95 of 100 do not exceed; NULL if there are none';
REVOKE ALL ON FUNCTION @extschema@.percentiles(real[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.percentiles(real[]) TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.job_stats WITH (security_barrier) AS
SELECT j.job_id,
       @extschema@.in_one_line(j.job_name) AS job_name,
       j.rolname,
       j.datname,
       coalesce(s.success_count + s.failure_total + s.cancelled_count, 0) AS runs,
       coalesce(s.failure_total, 0) AS failures,
       coalesce(s.cancelled_count, 0) AS cancelled,
       coalesce(s.skipped_count, 0) AS skipped,
       coalesce(s.missed_count, 0) AS missed,
       d.p50 AS duration_p50,
       d.p95 AS duration_p95,
       l.p50 AS lateness_p50,
       l.p95 AS lateness_p95,
       date_trunc('second', s.last_executed) AS last_executed,
       date_trunc('second', s.last_success) AS last_success,
       s.last_states
FROM ONLY @extschema@.job j
LEFT JOIN @extschema@.job_statistic s ON s.job_id = j.job_id
LEFT JOIN LATERAL @extschema@.percentiles(s.durations) d ON true
LEFT JOIN LATERAL @extschema@.percentiles(s.delays) l ON true
-- See all_job.
WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), j.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.job_stats IS
    'statistics of the runs of each job, including those no longer in the log: jobs of all roles that the current role is a member of; for job_monitor all jobs';
COMMENT ON COLUMN @extschema@.job_stats.runs IS 'number of runs that succeeded, failed or were cancelled';
COMMENT ON COLUMN @extschema@.job_stats.failures IS 'number of them that failed, timed out or were lost';
COMMENT ON COLUMN @extschema@.job_stats.cancelled IS 'number of them that were cancelled';
COMMENT ON COLUMN @extschema@.job_stats.skipped IS 'number of runs that were skipped';
COMMENT ON COLUMN @extschema@.job_stats.missed IS 'number of due times that were missed';
COMMENT ON COLUMN @extschema@.job_stats.duration_p50 IS 'median duration of the last 100 successful runs';
COMMENT ON COLUMN @extschema@.job_stats.duration_p95 IS 'duration that 95 of 100 of them did not exceed';
COMMENT ON COLUMN @extschema@.job_stats.lateness_p50 IS
    'median delay from scheduled_at to the start of the last 100 runs';
COMMENT ON COLUMN @extschema@.job_stats.lateness_p95 IS 'delay that 95 of 100 of them did not exceed';
GRANT SELECT ON @extschema@.job_stats TO job_scheduler, job_monitor;
