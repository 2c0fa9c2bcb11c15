CREATE VIEW @extschema@.all_job_log WITH (security_barrier) AS
SELECT l.jl_id,
       l.job_id,
       l.rolname,
       l.datname,
       l.scheduled_at,
       l.job_started,
       l.job_finished,
       l.state,
       l.attempt,
       l.job_command,
       l.job_sqlstate,
       l.exception_message,
       l.exception_detail,
       l.exception_hint,
       l.exception_context,
       l.command_tag,
       l.row_count,
       l.notices,
       l.cpu_time,
       l.bytes_read,
       l.bytes_written,
       l.cause,
       l.caused_by,
       l.missed_count,
       l.missed_until,
       l.server,
       l.job_name,
       l.version
FROM @extschema@.job_log l
-- See all_job.
WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), l.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.all_job_log IS 'all runs for job_monitor; for others, those of the roles that the current role is a member of';
GRANT SELECT ON @extschema@.all_job_log TO job_monitor;
