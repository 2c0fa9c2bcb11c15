-- One FROM item, so that the views above it can be written to; what the worker knows is looked up.
CREATE VIEW @extschema@.all_job WITH (security_barrier) AS
SELECT j.job_id,
       j.datname,
       j.rolname,
       j.schedule,
       j.enabled,
       j.job_command,
       j.job_description,
       j.job_timeout,
       j.parallel,
       coalesce((SELECT s.failure_count FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 0) AS failure_count,
       coalesce((SELECT s.success_count FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 0) AS success_count,
       (SELECT s.last_executed FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id) AS last_executed,
       CASE WHEN EXISTS (SELECT FROM @extschema@.job_state s
                         WHERE s.job_id = j.job_id AND s.schedule_set_at = j.schedule_set_at)
            THEN (SELECT s.next_run_at FROM @extschema@.job_state s WHERE s.job_id = j.job_id)
            ELSE j.first_run_at END AS next_run_at,
       j.timezone,
       j.dst,
       j.starts_at,
       j.ends_at,
       j.catch_up,
       j.catch_up_limit,
       j.start_deadline,
       j.job_name,
       (SELECT s.disabled_at FROM @extschema@.job_state s WHERE s.job_id = j.job_id) AS disabled_at,
       (SELECT min(p.due_at) FROM @extschema@.pending_run p WHERE p.job_id = j.job_id) AS retry_at,
       j.max_retries,
       j.retry_delay,
       j.max_retry_delay,
       j.retry_on,
       j.disable_after,
       j.settings,
       j.parameters,
       j.run_after,
       j.run_when,
       j.on_failure_command,
       j.expect_success_within,
       j.server,
       j.defined_by,
       (SELECT s.quarantined_reason FROM @extschema@.job_state s WHERE s.job_id = j.job_id) AS quarantined_reason,
       (SELECT s.quarantined_since FROM @extschema@.job_state s WHERE s.job_id = j.job_id) AS quarantined_since,
       j.version
       @attributes after server: , j.{name}@
FROM ONLY @extschema@.job j
-- Nothing that a user adds is evaluated before this, but what costs nothing: PostgreSQL evaluates what costs least
-- first, and position_of_role() costs less than any comparison. If rows were compared first, EXPLAIN ANALYZE would
-- tell of others' rows by what it calls "never executed".
WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), j.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.all_job IS 'all jobs for job_monitor; for others, those of the roles that the current role is a member of';
GRANT SELECT ON @extschema@.all_job TO job_monitor;
