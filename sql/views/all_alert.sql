CREATE VIEW @extschema@.all_alert WITH (security_barrier) AS
SELECT a.alert_id,
       a.event,
       a.raised_at,
       a.job_id,
       a.job_name,
       a.jl_id,
       a.rolname,
       a.datname,
       a.server,
       a.sqlstate,
       a.attempt,
       a.retry,
       a.explanation,
       a.repetition,
       a.since,
       a.told_at < a.raised_at AS muted,
       a.delivered_at,
       a.delivered_to,
       a.delivery_error
FROM @extschema@.alert a
-- See all_job.
WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), a.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.all_alert IS
    'all alerts for job_monitor; for others, those of the roles that the current role is a member of';
COMMENT ON COLUMN @extschema@.all_alert.muted IS
    'whether it repeats what an earlier alert has said, sooner than people want to hear it again: no forwarder sends it';
GRANT SELECT ON @extschema@.all_alert TO job_monitor;
