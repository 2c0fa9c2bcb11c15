CREATE FUNCTION @internal@.keep_lock_timeout(session_lock_timeout text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- 0 is none. It is forgotten when the function ends that has called this one, as what that has set itself.
    IF session_lock_timeout <> '0' AND session_lock_timeout::interval < current_setting('lock_timeout')::interval THEN
        PERFORM set_config('lock_timeout', session_lock_timeout, true);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.keep_lock_timeout(text) IS
    'for functions that set lock_timeout: gives it the value that it had before, where that is shorter';
REVOKE ALL ON FUNCTION @extschema@.keep_lock_timeout(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.keep_lock_timeout(text) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.count_work(
    lowest_open_run bigint, session_lock_timeout text, OUT running_jobs bigint, OUT due_jobs bigint, OUT queued_runs bigint,
    OUT first timestamptz, OUT quarantined_jobs bigint
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '200ms'
SET jit = off -- takes longer than all of this
AS $$
BEGIN
    PERFORM @extschema@.keep_lock_timeout(session_lock_timeout);
    SELECT (SELECT count(*) FROM @extschema@.job_log l WHERE l.jl_id >= lowest_open_run AND l.state = 'running'),
           due.jobs, queued.runs, least(due.first, queued.first)
    INTO running_jobs, due_jobs, queued_runs, first
    FROM (SELECT count(*) AS jobs, min(d.next_run_at) AS first
          FROM @extschema@.job_state d WHERE d.next_run_at <= clock_timestamp()) due
    CROSS JOIN (SELECT count(*) AS runs, min(i.requested_at) AS first
                FROM @extschema@.worker_request i WHERE i.kind = 'run') queued;
    -- Last, since it is the only one that a lock on the jobs is in the way of. Looked up one by one, as for failing_jobs.
    SELECT count(*) INTO quarantined_jobs
    FROM @extschema@.job_state q
    WHERE q.quarantined_reason IS NOT NULL
      AND (SELECT j.enabled FROM ONLY @extschema@.job j WHERE j.job_id = q.job_id);
EXCEPTION
    WHEN lock_not_available THEN
        NULL; -- it is then that somebody wants to know what the worker waits for
END
$$;
COMMENT ON FUNCTION @extschema@.count_work(bigint, text) IS
    'for worker_activity(): what there is to do; NULL: a lock on one of the tables is held';
REVOKE ALL ON FUNCTION @extschema@.count_work(bigint, text) FROM PUBLIC;

CREATE FUNCTION @internal@.worker_activity(
    OUT pid integer, OUT host text, OUT armed boolean, OUT started_at timestamptz, OUT last_tick timestamptz,
    OUT running_jobs bigint, OUT due_jobs bigint, OUT queued_runs bigint, OUT lag interval, OUT quarantined_jobs bigint,
    OUT sessions bigint, OUT paused_since timestamptz, OUT launcher_seen timestamptz
)
LANGUAGE sql VOLATILE
SECURITY DEFINER -- shows the worker's backend, and counts the runs of all roles without showing them
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
AS $$
    SELECT a.pid, s.host, s.armed, a.backend_start, a.xact_start,
           CASE WHEN a.pid IS NULL THEN 0 ELSE w.running_jobs END, w.due_jobs, w.queued_runs,
           CASE WHEN w.due_jobs IS NOT NULL THEN greatest(clock_timestamp() - w.first, '0') END, w.quarantined_jobs,
           (SELECT count(*) FROM pg_stat_activity o JOIN pg_database d ON d.datname = current_database()
            WHERE o.usename ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')
               OR c.connect_as = 'role' AND o.application_name = 'elephant_worker' AND o.pid <> a.pid),
           c.paused_since, s.launcher_seen
    FROM @extschema@.worker_state s
    CROSS JOIN @extschema@.worker_setting c
    CROSS JOIN LATERAL @extschema@.count_work(s.lowest_open_run, current_setting('lock_timeout')) w
    LEFT JOIN LATERAL (
        SELECT * FROM pg_stat_get_activity(s.pid) a WHERE a.backend_start = s.backend_start) a ON true;
$$;
COMMENT ON FUNCTION @extschema@.worker_activity() IS 'see worker_status';
REVOKE ALL ON FUNCTION @extschema@.worker_activity() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_activity() TO job_scheduler, job_monitor;

-- A function for the same reason as problems().
CREATE FUNCTION @internal@.look_at_worker(session_lock_timeout text) RETURNS TABLE (
    running boolean, pid integer, host text, armed boolean, started_at timestamptz, last_tick timestamptz,
    running_jobs bigint, due_jobs bigint, queued_runs bigint, lag interval, quarantined_jobs bigint, sessions bigint,
    paused_since timestamptz, launcher_seen timestamptz, reason text, launchable boolean
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
ROWS 1
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '400ms'
AS $$
DECLARE
    looked_at integer; -- a worker
BEGIN
    PERFORM @extschema@.keep_lock_timeout(session_lock_timeout);
    BEGIN
        launchable := @extschema@.is_armed();
    EXCEPTION WHEN lock_not_available THEN
        NULL; -- not known while the jobs are locked
    END;
    BEGIN
        FOR look IN 1..2 LOOP
            looked_at := @extschema@.worker_pid();
            reason := (SELECT c.reason FROM @extschema@.worker_condition() c);
            EXIT WHEN looked_at IS NOT DISTINCT FROM @extschema@.worker_pid(); -- else it has begun, or ended, meanwhile
        END LOOP;
        RETURN QUERY
        SELECT a.pid IS NOT NULL, a.*, look_at_worker.reason, look_at_worker.launchable FROM @extschema@.worker_activity() a;
        RETURN;
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END;
    reason := coalesce((SELECT @extschema@.in_one_line(format('the worker cannot be looked at: %s', concat_ws(': ', l.found, l.before_it)))
                        FROM @extschema@.locks_in_the_way(interval '0', in_catalogs => true) l
                        WHERE l.keeps_readers_out LIMIT 1),
                       'the worker cannot be looked at: a lock was waited for in vain, whose holder is not known');
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION @extschema@.look_at_worker(text) IS
    'see worker_status; waits for no lock longer than a moment, nor than lock_timeout of the session, which is given to it';
REVOKE ALL ON FUNCTION @extschema@.look_at_worker(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.look_at_worker(text) TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.worker_status AS
SELECT w.running, w.pid, w.host, w.armed, w.started_at, w.last_tick, w.running_jobs, w.due_jobs, w.queued_runs, w.lag,
       w.quarantined_jobs, w.sessions, w.paused_since, w.launcher_seen, w.reason, w.launchable
FROM @extschema@.look_at_worker(current_setting('lock_timeout')) w;

COMMENT ON VIEW @extschema@.worker_status IS
    'the worker of this database, one row: last_tick is when it last looked around, at most two seconds ago while it is well; lag is 0 while nothing waits';
COMMENT ON COLUMN @extschema@.worker_status.running IS 'whether a worker is running; NULL: somebody holds a lock on a table without which that cannot be told, see reason';
COMMENT ON COLUMN @extschema@.worker_status.started_at IS 'when it was started';
COMMENT ON COLUMN @extschema@.worker_status.last_tick IS
    'when it last looked around: at most two seconds ago while it is well';
COMMENT ON COLUMN @extschema@.worker_status.running_jobs IS
    'number of active runs, 0 where no worker runs; NULL, as the numbers below: somebody holds a lock on the tables';
COMMENT ON COLUMN @extschema@.worker_status.due_jobs IS 'number of jobs that are due and waiting for a free slot';
COMMENT ON COLUMN @extschema@.worker_status.queued_runs IS
    'number of runs requested by run_job(), run_once() or @reboot that are waiting for a free slot';
COMMENT ON COLUMN @extschema@.worker_status.lag IS
    'how long the longest waiting of these has waited; 0: nothing is waiting';
COMMENT ON COLUMN @extschema@.worker_status.quarantined_jobs IS
    'number of jobs that are enabled, and do not run because something they need is missing: see quarantined_reason in all_job';
COMMENT ON COLUMN @extschema@.worker_status.sessions IS
    'number of sessions of the worker on this server: those of active runs, those kept for further runs, and the one that listens';
COMMENT ON COLUMN @extschema@.worker_status.paused_since IS
    'when pause_jobs() was called, since when nothing is started; NULL: not paused';
COMMENT ON COLUMN @extschema@.worker_status.reason IS
    'in one sentence why no worker runs, or why the one that runs starts nothing, or who keeps that from being looked at; NULL: all is well';
COMMENT ON COLUMN @extschema@.worker_status.launchable IS
    'whether launchers start a worker here where none runs, on a standby once it is promoted: one was started in this cluster, in this data directory or one that is known, and not stopped since; NULL: somebody holds a lock on the tables';
GRANT SELECT ON @extschema@.worker_status TO job_scheduler, job_monitor;
