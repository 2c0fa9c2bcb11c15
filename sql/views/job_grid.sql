CREATE VIEW @internal@.job_grid WITH (security_barrier) AS
SELECT j.job_id, coalesce(j.starts_at, j.schedule_set_at) AS begins_at
FROM ONLY @extschema@.job j
-- See all_job.
WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), j.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.job_grid IS
    'where the grid of the intervals of each job begins, for upcoming_runs(); the same jobs as in visible_job';
GRANT SELECT ON @extschema@.job_grid TO job_scheduler, job_monitor;
COMMENT ON COLUMN @extschema@.job_grid.begins_at IS 'the moment that intervals are counted from';
