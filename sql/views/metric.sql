CREATE FUNCTION @internal@.metric_gauges(OUT name text, OUT help text, OUT labels jsonb, OUT value double precision)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts the jobs and runs of all roles without showing them
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
AS $$
DECLARE
    worker record;
BEGIN
    SELECT a.* INTO worker FROM @extschema@.worker_activity() a;
    RETURN QUERY
    SELECT 'elephant_worker_' || g.name, g.help, '{}'::jsonb, g.value::double precision
    FROM (VALUES
        ('up', 'Whether a worker is running.', (worker.pid IS NOT NULL)::integer),
        ('paused', 'Whether pause_jobs() keeps it from starting runs.', (worker.paused_since IS NOT NULL)::integer),
        ('start_timestamp_seconds', 'When the worker was started.', extract(epoch FROM worker.started_at)),
        ('last_tick_timestamp_seconds', 'When the worker last looked around.', extract(epoch FROM worker.last_tick)),
        ('lag_seconds', 'How long the run that waits longest has waited.', extract(epoch FROM worker.lag)),
        ('running_runs', 'Active runs.', worker.running_jobs),
        ('due_jobs', 'Jobs that are due and wait for a free slot.', worker.due_jobs),
        ('queued_runs', 'Requested runs that wait for a free slot.', worker.queued_runs),
        ('quarantined_jobs', 'Jobs that are enabled, and do not run because something they need is missing.', worker.quarantined_jobs),
        ('sessions', 'Sessions of the worker on this server.', worker.sessions),
        ('jobs', 'Jobs.', (SELECT count(*) FROM @extschema@.job_state)),
        ('failing_jobs', 'Jobs whose schedule is followed, and whose last run failed.',
         -- Looked up one by one: a join reads all jobs as soon as some of them fail.
         (SELECT count(*) FROM @extschema@.job_statistic t
          WHERE t.failure_count > 0
            AND (SELECT j.enabled FROM ONLY @extschema@.job j WHERE j.job_id = t.job_id)
            AND NOT EXISTS (SELECT FROM @extschema@.job_state s WHERE s.job_id = t.job_id AND s.disabled_at IS NOT NULL))),
        ('undelivered_alerts', 'Alerts that nobody has confirmed, up to 1000 of the latest.',
         (SELECT count(*) FILTER (WHERE a.delivered_at IS NULL AND a.told_at >= a.raised_at)
          FROM (SELECT * FROM @extschema@.alert l ORDER BY l.alert_id DESC LIMIT 1000) a)),
        ('log_rows', 'Rows of the log, as ANALYZE has estimated.',
         (SELECT greatest(c.reltuples, 0)::numeric FROM pg_class c WHERE c.oid = '@extschema@.job_log'::regclass)),
        ('prune_lag_seconds', 'How much longer than log_max_age the oldest run has been kept.',
         (SELECT greatest(extract(epoch FROM clock_timestamp() - s.log_max_age - l.job_finished), 0)
          FROM @extschema@.worker_setting s,
               LATERAL (SELECT o.job_finished FROM @extschema@.job_log o ORDER BY o.jl_id LIMIT 1) l))
    ) g (name, help, value)
    WHERE g.value IS NOT NULL;
    RETURN QUERY
    SELECT 'elephant_worker_condition', 'Why no worker runs, or why it starts nothing, as a code; ok: all is well.',
           jsonb_build_object('code', coalesce(c.code, 'ok')), 1::double precision
    FROM @extschema@.worker_condition() c;
END
$$;
COMMENT ON FUNCTION @extschema@.metric_gauges() IS 'for metric: what is counted when it is asked for';
REVOKE ALL ON FUNCTION @extschema@.metric_gauges() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.metric_gauges() TO job_monitor;

CREATE VIEW @extschema@.metric AS
SELECT g.name, 'gauge' AS kind, g.help, g.labels, g.value
FROM @extschema@.metric_gauges() g
UNION ALL
SELECT 'elephant_worker_runs_total', 'counter', 'Runs that have ended, by role, database and state.',
       jsonb_build_object('rolname', c.rolname, 'datname', c.datname, 'state', c.label), c.value
FROM @extschema@.metric_counter c WHERE c.name = 'runs'
UNION ALL
SELECT 'elephant_worker_missed_due_times_total', 'counter', 'Due times without a run.', '{}', c.value
FROM @extschema@.metric_counter c WHERE c.name = 'missed'
UNION ALL
SELECT 'elephant_worker_alerts_total', 'counter', 'Alerts, by event.', jsonb_build_object('event', c.label), c.value
FROM @extschema@.metric_counter c WHERE c.name = 'alerts'
UNION ALL
SELECT format('elephant_worker_run_%s_seconds_bucket', c.name), 'histogram',
       CASE c.name WHEN 'duration' THEN 'How long successful runs took.' ELSE 'How late runs started.' END,
       jsonb_build_object('le', c.label), sum(c.value) OVER (PARTITION BY c.name ORDER BY c.label::double precision)
FROM (SELECT k.name, k.label, k.value FROM @extschema@.metric_counter k WHERE k.name IN ('duration', 'lateness')) c
UNION ALL
SELECT format('elephant_worker_run_%s_seconds_count', c.name), 'histogram',
       CASE c.name WHEN 'duration' THEN 'How long successful runs took.' ELSE 'How late runs started.' END,
       '{}', sum(c.value)
FROM @extschema@.metric_counter c WHERE c.name IN ('duration', 'lateness') GROUP BY c.name
UNION ALL
SELECT format('elephant_worker_run_%s_seconds_sum', split_part(c.name, ' ', 1)), 'histogram',
       CASE c.name WHEN 'duration sum' THEN 'How long successful runs took.' ELSE 'How late runs started.' END,
       '{}', c.value
FROM @extschema@.metric_counter c WHERE c.name IN ('duration sum', 'lateness sum')
UNION ALL
SELECT m.name, 'gauge', m.help,
       jsonb_build_object('job_id', e.job_id::text, 'job_name', coalesce(e.job_name, ''), 'rolname', e.rolname), m.value
FROM (SELECT j.job_id, j.job_name, j.rolname, j.expect_success_within, coalesce(t.last_success, j.schedule_set_at) AS since
      FROM (SELECT * FROM @extschema@.job x
            WHERE x.expect_success_within IS NOT NULL AND x.enabled ORDER BY x.job_id LIMIT 100) j
      LEFT JOIN @extschema@.job_statistic t ON t.job_id = j.job_id) e
CROSS JOIN LATERAL (VALUES
    ('elephant_worker_job_success_age_seconds', 'Seconds since the job last succeeded.',
     extract(epoch FROM clock_timestamp() - e.since)::double precision),
    ('elephant_worker_job_success_expected_seconds', 'Within how many seconds the job is expected to succeed.',
     extract(epoch FROM e.expect_success_within)::double precision)) m (name, help, value);

COMMENT ON VIEW @extschema@.metric IS
    'figures for monitoring, in the terms of Prometheus; counters are added up every five seconds';
COMMENT ON COLUMN @extschema@.metric.name IS 'name of the metric; for histograms with _bucket, _count or _sum';
COMMENT ON COLUMN @extschema@.metric.kind IS 'gauge, counter or histogram';
COMMENT ON COLUMN @extschema@.metric.help IS 'what it means';
COMMENT ON COLUMN @extschema@.metric.labels IS
    'its labels: an object; jobs have series of their own if they have expect_success_within, the first 100 of them';
COMMENT ON COLUMN @extschema@.metric.value IS 'its value, in the unit that the name ends in';
GRANT SELECT ON @extschema@.metric TO job_monitor;
