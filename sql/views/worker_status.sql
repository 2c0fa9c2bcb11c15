CREATE FUNCTION @extschema@.worker_activity(
    OUT pid integer, OUT host text, OUT armed boolean, OUT started_at timestamptz, OUT last_tick timestamptz,
    OUT running_jobs bigint, OUT due_jobs bigint, OUT paused_since timestamptz
)
LANGUAGE sql VOLATILE
SECURITY DEFINER -- shows the worker's backend, and counts the runs of all roles without showing them
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.pid, s.host, s.armed, a.backend_start, a.xact_start,
           (SELECT count(*) FROM @extschema@.job_log l WHERE l.jl_id >= s.lowest_open_run AND l.state = 'running'),
           (SELECT count(*) FROM @extschema@.job_state d WHERE d.next_run_at <= now()),
           (SELECT c.paused_since FROM @extschema@.worker_setting c)
    FROM @extschema@.worker_state s
    LEFT JOIN LATERAL (
        SELECT * FROM pg_stat_get_activity(s.pid) a WHERE a.backend_start = s.backend_start) a ON true;
$$;
COMMENT ON FUNCTION @extschema@.worker_activity() IS 'see worker_status';
REVOKE ALL ON FUNCTION @extschema@.worker_activity() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_activity() TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.worker_status AS
SELECT a.pid IS NOT NULL AS running, a.pid, a.host, a.armed, a.started_at, a.last_tick, a.running_jobs, a.due_jobs,
       a.paused_since
FROM @extschema@.worker_activity() a;

COMMENT ON VIEW @extschema@.worker_status IS
    'the worker of this database, one row: last_tick is when it last looked around, at most a second ago while it is well; due_jobs wait for a free slot';
GRANT SELECT ON @extschema@.worker_status TO job_scheduler, job_monitor;
