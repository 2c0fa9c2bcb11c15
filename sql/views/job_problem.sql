-- What job_overview and problem say of each job. Few of many jobs have a problem: those that may have one are found by
-- indexes, and whatever needs the log is looked up for problems only. LIMIT keeps the planner, who does not know how few
-- they are, from reading whole tables.
CREATE VIEW @internal@.job_problem WITH (security_barrier) AS
WITH follower AS MATERIALIZED (
    SELECT f.job_id, f.defined_by, a.after_job_id, p.rolname
    FROM ONLY @extschema@.job f
    CROSS JOIN LATERAL unnest(f.run_after) a (after_job_id)
    LEFT JOIN LATERAL (SELECT g.rolname FROM ONLY @extschema@.job g WHERE g.job_id = a.after_job_id LIMIT 1) p ON true
    -- See all_job.
    WHERE ((SELECT pg_has_role('job_monitor', 'USAGE'))
           OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), f.rolname) IS NOT NULL)
      AND f.run_after IS NOT NULL),
-- Looked at once for all jobs of the two roles.
strange AS MATERIALIZED (
    SELECT d.defined_by, d.rolname
    FROM (SELECT DISTINCT f.defined_by, f.rolname FROM follower f WHERE f.defined_by <> f.rolname) d
    WHERE NOT @extschema@.may_follow(d.defined_by, d.rolname)),
-- What runs after jobs of whose ends it never hears again.
orphan AS MATERIALIZED (
    SELECT f.job_id, f.defined_by, array_agg(f.after_job_id ORDER BY f.rolname IS NOT NULL, f.has_role, f.after_job_id) AS lost,
           bool_or(f.rolname IS NULL) AS is_deleted, bool_or(NOT f.has_role) AS has_no_role
    FROM (SELECT g.*, g.rolname IN (SELECT r.rolname FROM pg_roles r) AS has_role FROM follower g) f
    WHERE f.rolname IS NULL OR (f.defined_by, f.rolname) IN (SELECT s.defined_by, s.rolname FROM strange s)
    GROUP BY f.job_id, f.defined_by),
suspect AS MATERIALIZED (
    SELECT h.job_id FROM orphan h
    UNION
    SELECT s.job_id FROM @extschema@.job_state s WHERE s.quarantined_reason IS NOT NULL
    UNION
    SELECT s.job_id FROM @extschema@.job_state s WHERE s.disabled_at IS NOT NULL
    UNION
    SELECT s.job_id FROM @extschema@.job_state s WHERE s.next_run_at < statement_timestamp() - interval '5 seconds'
    UNION
    SELECT p.job_id FROM @extschema@.pending_run p WHERE p.due_at < statement_timestamp() - interval '5 seconds'
    UNION
    -- The worker has not seen them yet.
    SELECT r.job_id FROM @extschema@.worker_request r WHERE r.kind = 'define'
    UNION
    SELECT j.job_id FROM ONLY @extschema@.job j WHERE j.expect_success_within IS NOT NULL
    UNION
    SELECT t.job_id FROM @extschema@.job_statistic t WHERE t.failure_count > 0
    UNION
    SELECT t.job_id FROM @extschema@.job_statistic t WHERE t.irregular IS NOT FALSE
    UNION
    SELECT l.job_id FROM @extschema@.job_log l
    WHERE l.state = 'running' AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)),
candidate AS (
    SELECT j.job_id, j.rolname, j.datname, j.server, j.defined_by, j.job_name, j.job_description, j.job_command, j.expect_success_within,
           s.quarantined_since, s.quarantined_reason, s.disabled_at, d.due_at,
           greatest(j.schedule_set_at, t.last_success) AS expected_since, coalesce(t.failure_count, 0) AS failures,
           t.last_states, j.run_after, h.lost, h.is_deleted, h.has_no_role, a.jl_id AS active_run, a.scheduled_at AS active_since, o.usual,
           ARRAY[ -- the gravest first
               CASE WHEN s.quarantined_reason IS NOT NULL THEN 'quarantined' END,
               CASE WHEN s.disabled_at IS NOT NULL THEN 'disabled' END,
               CASE WHEN h.lost IS NOT NULL THEN 'orphaned' END,
               CASE WHEN extract(epoch FROM clock_timestamp() - greatest(j.schedule_set_at, t.last_success))
                         > extract(epoch FROM j.expect_success_within) THEN 'overdue' END,
               CASE WHEN t.failure_count > 0 AND s.disabled_at IS NULL THEN 'failing' END,
               CASE WHEN d.due_at < clock_timestamp() - interval '5 seconds' AND a.jl_id IS NULL
                         AND s.quarantined_reason IS NULL THEN 'late' END,
               CASE WHEN t.last_states[1] = 'missed' THEN 'missed' END,
               CASE WHEN extract(epoch FROM clock_timestamp() - a.scheduled_at) > o.usual * w.overrun_factor THEN 'overrun' END,
               CASE WHEN cardinality(array_positions(t.last_states, 'skipped')) >= 5 THEN 'skipping' END] AS problems
    -- All of them; the planner takes a limit that it does not know for a tenth. The plan is the same, but
    -- costs too little to be compiled where somebody reads the view itself, and not job_problems().
    FROM (SELECT * FROM suspect LIMIT (SELECT NULL::bigint)) x
    CROSS JOIN LATERAL (SELECT * FROM ONLY @extschema@.job g WHERE g.job_id = x.job_id LIMIT 1) j
    -- One row, which the planner knows of an aggregate only.
    CROSS JOIN (SELECT max(s.overrun_factor) AS overrun_factor,
                       -- Without a worker nothing is active, whatever it has left in the log.
                       (SELECT w.lowest_open_run FROM @extschema@.worker_state w WHERE @extschema@.worker_pid() IS NOT NULL) AS lowest_open_run
                FROM @extschema@.worker_setting s) w
    LEFT JOIN LATERAL (SELECT * FROM @extschema@.job_state g WHERE g.job_id = x.job_id LIMIT 1) s ON true
    LEFT JOIN LATERAL (SELECT * FROM @extschema@.job_statistic g WHERE g.job_id = x.job_id LIMIT 1) t ON true
    LEFT JOIN LATERAL (SELECT * FROM @extschema@.pending_run g WHERE g.job_id = x.job_id LIMIT 1) p ON true
    LEFT JOIN orphan h ON h.job_id = x.job_id
    CROSS JOIN LATERAL (SELECT least(CASE WHEN s.schedule_set_at = j.schedule_set_at THEN s.next_run_at
                                          ELSE j.first_run_at END, p.due_at) AS due_at) d
    LEFT JOIN LATERAL (SELECT l.jl_id, l.scheduled_at FROM @extschema@.job_log l
                       WHERE l.job_id = j.job_id AND l.state = 'running' AND l.jl_id >= w.lowest_open_run
                       ORDER BY l.jl_id LIMIT 1) a ON true
    -- As for the alert: usual is what 95 of at least 20 successful runs took, and never less than a second.
    LEFT JOIN LATERAL (SELECT greatest(percentile_cont(0.95) WITHIN GROUP (ORDER BY u.seconds), 1 / w.overrun_factor) AS usual
                       FROM unnest(t.durations) u (seconds)
                       WHERE a.jl_id IS NOT NULL HAVING count(*) >= 20) o ON true
    -- See all_job.
    WHERE ((SELECT pg_has_role('job_monitor', 'USAGE'))
           OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), j.rolname) IS NOT NULL)
      AND j.enabled)
SELECT c.job_id, c.rolname, c.datname,
       @extschema@.job_label(c.job_name, c.job_description, c.job_command) AS job,
       p.problem,
       p.rank::integer,
       CASE p.problem
           WHEN 'quarantined' THEN c.quarantined_since
           WHEN 'disabled' THEN c.disabled_at
           WHEN 'orphaned' THEN NULL
           WHEN 'overdue' THEN c.expected_since + c.expect_success_within
           WHEN 'failing' THEN coalesce(f.job_started, f.scheduled_at)
           WHEN 'late' THEN c.due_at
           WHEN 'overrun' THEN c.active_since
           ELSE k.scheduled_at END AS since,
       @extschema@.in_one_line(CASE p.problem
           WHEN 'quarantined' THEN c.quarantined_reason
           WHEN 'disabled' THEN format('its schedule is not followed since it failed %s%s', n.times, e.cause)
           WHEN 'orphaned' THEN format('job %s does not start it any more: %s', array_to_string(c.lost[1:1], '')
                                           || CASE WHEN cardinality(c.lost) > 1 THEN format(', like %s more,', cardinality(c.lost) - 1)
                                              ELSE '' END,
                                       CASE WHEN c.is_deleted THEN 'it has been deleted'
                                       WHEN c.has_no_role THEN 'its role does not exist'
                                       ELSE format('role "%s", which answers for this one, may not act as its role', c.defined_by) END)
           WHEN 'overdue' THEN format('no success since %s, where one is expected within %s',
                                      date_trunc('second', c.expected_since), c.expect_success_within)
           WHEN 'failing' THEN CASE WHEN c.failures = 1 AND l.jl_id IS NOT NULL THEN l.exception_message
                               ELSE format('failed %s%s', n.times, e.cause) END
           WHEN 'late' THEN 'its due time has passed, and it waits for '
                            || CASE WHEN b.datconnlimit IS NULL AND y.remedy IS NULL THEN 'a free slot, or for the worker to look around'
                               WHEN b.datconnlimit IS NULL THEN 'a connection: all but those that are left to others (spare_connections) are taken'
                               ELSE format('a connection to database "%s", which has as many as its CONNECTION LIMIT (%s) allows',
                                           c.datname, b.datconnlimit) END
           WHEN 'missed' THEN format('%s missed%s', CASE coalesce(k.missed_count, 1) WHEN 1 THEN 'a due time was'
                                                    ELSE format('%s due times were', k.missed_count) END,
                                     coalesce(': ' || l.exception_message, e.cause))
           WHEN 'overrun' THEN format('run %s takes longer than usual: 95 of 100 runs end within %s', c.active_run,
                                      make_interval(secs => round(c.usual::numeric, 3)::float8))
           ELSE format('%s of its last %s runs were skipped, since an earlier run was still active',
                       cardinality(array_positions(c.last_states, 'skipped')), cardinality(c.last_states)) END) AS what,
       CASE p.problem
           -- Not what the log has: a run can say the same, with a hint of its own.
           WHEN 'quarantined' THEN coalesce(o.hint, format('SELECT @extschema@.run_job(%s);', c.job_id))
           WHEN 'disabled' THEN format('SELECT @extschema@.update_job(%s, enabled := true);', c.job_id)
           -- What it is then left with may start it at once.
           WHEN 'orphaned' THEN format(E'SELECT * FROM @extschema@.job_chain WHERE job_id = %s;\n'
                                           '-- to have it wait for the others only: SELECT @extschema@.update_job(%1$s, run_after := ''%s'');', c.job_id,
                                       ARRAY(SELECT a FROM unnest(c.run_after) a WHERE a <> ALL (c.lost)))
           WHEN 'failing' THEN CASE WHEN l.jl_id IS NULL THEN format('SELECT @extschema@.run_job(%s);', c.job_id)
                               ELSE format('SELECT * FROM @extschema@.%s WHERE jl_id = %s;', v.log, l.jl_id) END
           WHEN 'late' THEN CASE WHEN b.datconnlimit IS NULL
               THEN coalesce(y.remedy, 'SELECT last_tick, running_jobs, due_jobs, queued_runs FROM @extschema@.worker_status; -- max_running_jobs, max_running_jobs_per_role')
               ELSE format(E'SELECT pid, usename, state, query_start FROM pg_stat_activity WHERE datname = %s;\n'
                           '-- its owner can raise the limit: ALTER DATABASE %s CONNECTION LIMIT %s;',
                           @extschema@.quote_literal_in_one_line(c.datname::text), @extschema@.quote_ident_in_one_line(c.datname::text),
                           b.datconnlimit + 10) END
           WHEN 'overrun' THEN format(E'SELECT * FROM @extschema@.%s WHERE jl_id = %s;\n-- to end it: SELECT @extschema@.cancel_run(%2$s);', v.log, c.active_run)
           -- A run that waits for somebody else needs no longer interval.
           WHEN 'skipping' THEN CASE WHEN c.active_run IS NOT NULL AND c.server IS NULL
               THEN format(E'SELECT pid, query_start, wait_event_type, pg_blocking_pids(pid) AS waits_for FROM pg_stat_activity WHERE application_name = ''elephant_worker job %s'';\n-- to end that run: SELECT @extschema@.cancel_run(%s);\n', c.job_id, c.active_run) ELSE '' END
               || format(E'SELECT * FROM @extschema@.%s WHERE job_id = %s ORDER BY jl_id DESC LIMIT 20;\n-- it needs a longer interval\n'
                                  '-- if its runs may overlap: SELECT @extschema@.update_job(%2$s, parallel := true);', v.log, c.job_id)
           WHEN 'missed' THEN format('SELECT @extschema@.run_job(%s); -- catch_up = ''once'' does that by itself', c.job_id)
           ELSE format('SELECT @extschema@.run_job(%s);', c.job_id) END AS remedy
FROM candidate c
JOIN LATERAL unnest(c.problems) WITH ORDINALITY p (problem, rank) ON p.problem IS NOT NULL
CROSS JOIN (SELECT CASE WHEN @extschema@.is_only_monitor() THEN 'all_job_log' ELSE 'member_job_log' END) v (log)
-- The run that tells of it: the last one that ended so.
LEFT JOIN LATERAL (
    SELECT r.* FROM @extschema@.job_log r
    WHERE r.job_id = c.job_id
      AND CASE WHEN p.problem = 'quarantined' THEN r.exception_message = c.quarantined_reason
               WHEN p.problem = 'missed' THEN r.state = 'missed'
               WHEN p.problem = 'skipping' THEN r.state = 'skipped'
               -- A quarantine is no failure, though its row in the log has failed.
               WHEN p.problem IN ('failing', 'disabled')
               THEN r.state IN ('failed', 'timed out', 'lost')
                    AND (r.job_started IS NOT NULL
                         OR NOT EXISTS (SELECT FROM @extschema@.alert q
                                        WHERE q.job_id = r.job_id AND q.jl_id = r.jl_id AND q.event = 'quarantined'))
               ELSE false END
    ORDER BY r.jl_id DESC LIMIT 1) k ON true
-- Who sees the job need not see that run: it may have been another role's then.
LEFT JOIN LATERAL (
    SELECT k.jl_id, k.exception_message
    WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
       OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), k.rolname) IS NOT NULL) l ON true
-- The log may have kept none.
CROSS JOIN LATERAL (SELECT CASE WHEN k.jl_id IS NULL THEN '; the log has not kept why'
                                WHEN l.jl_id IS NULL THEN ', as the job of another role'
                                ELSE format(', the last time with: %s', l.exception_message) END AS cause) e
CROSS JOIN LATERAL (SELECT CASE c.failures WHEN 1 THEN 'once' ELSE format('%s times in a row', c.failures) END AS times) n
-- Where a job is late since no session is let in; 0 lets none in at any time, which a run fails with.
LEFT JOIN LATERAL (
    SELECT g.datconnlimit FROM pg_database g
    WHERE p.problem = 'late' AND c.server IS NULL AND g.datname = c.datname
      AND g.datconnlimit > 0 AND pg_stat_get_db_numbackends(g.oid) >= g.datconnlimit LIMIT 1) b ON true
-- The same of the whole server, as the worker counts it before it opens a session: looked at once for all jobs.
CROSS JOIN LATERAL (
    SELECT CASE WHEN p.problem = 'late' AND c.server IS NULL THEN (
        SELECT @extschema@.connections_remedy(g.max_running_jobs)
        FROM @extschema@.worker_setting g
        WHERE (SELECT sum(q.of_runs + q.others) FROM @extschema@.client_sessions() q) + g.spare_connections
              >= @extschema@.ordinary_connections()) END) y (remedy)
-- Whatever the log has kept.
LEFT JOIN LATERAL (
    SELECT (d.error).hint FROM @extschema@.describe_obstacles(c.rolname, c.datname, c.server, c.defined_by) d
    WHERE p.problem = 'quarantined' AND (d.error).message = c.quarantined_reason LIMIT 1) o ON true
-- The first failure in a row, as far as a thousand go back.
LEFT JOIN LATERAL (
    SELECT r.job_started, r.scheduled_at FROM @extschema@.job_log r
    WHERE p.problem = 'failing' AND r.job_id = c.job_id AND r.state IN ('failed', 'timed out', 'lost')
    ORDER BY r.jl_id DESC OFFSET greatest(least(c.failures, 1000) - 1, 0) LIMIT 1) f ON true;

COMMENT ON VIEW @extschema@.job_problem IS 'for problem and job_overview: what is wrong with each enabled job that the current role may see';
COMMENT ON COLUMN @extschema@.job_problem.job IS 'what everyday views call the job';
COMMENT ON COLUMN @extschema@.job_problem.problem IS 'see problem';
COMMENT ON COLUMN @extschema@.job_problem.rank IS '1: the gravest kind of problem';
COMMENT ON COLUMN @extschema@.job_problem.since IS 'since when';
COMMENT ON COLUMN @extschema@.job_problem.what IS 'what is wrong, in words';
COMMENT ON COLUMN @extschema@.job_problem.remedy IS 'what to do about it';
GRANT SELECT ON @extschema@.job_problem TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_problems() RETURNS SETOF @extschema@.job_problem
LANGUAGE plpgsql STABLE SECURITY INVOKER
ROWS 20
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET enable_seqscan = off -- nobody has told the planner yet how few rows the indexes have
AS $$
BEGIN
    RETURN QUERY SELECT * FROM @extschema@.job_problem;
END
$$;
COMMENT ON FUNCTION @extschema@.job_problems() IS 'the rows of job_problem, which the planner takes for few';
REVOKE ALL ON FUNCTION @extschema@.job_problems() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_problems() TO job_scheduler, job_monitor;
