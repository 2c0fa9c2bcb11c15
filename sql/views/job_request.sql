CREATE VIEW @extschema@.waiting_run WITH (security_barrier) AS
SELECT i.request_id AS jl_id, i.cause, i.job_id, CAST(i.requested_by || '' AS name) AS requested_by,
       CAST(date_trunc('second', i.requested_at) AS timestamptz) AS requested_at,
       @extschema@.job_label(r.job_name, NULL, r.job_command) AS job, r.rolname
FROM @extschema@.worker_request i
CROSS JOIN LATERAL (
    SELECT j.job_name, j.job_command, j.rolname FROM @extschema@.visible_job j WHERE j.job_id = i.job_id
    UNION ALL
    SELECT NULL, o.job_command, o.rolname FROM @extschema@.once_job o
    WHERE o.job_id = i.job_id
      -- See all_job.
      AND ((SELECT pg_has_role('job_monitor', 'USAGE'))
           OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), o.rolname) IS NOT NULL)) r
WHERE i.kind = 'run';

COMMENT ON VIEW @extschema@.waiting_run IS
    'requested runs that have not started, of the roles that the current role is a member of; for job_monitor of all roles';
COMMENT ON COLUMN @extschema@.waiting_run.jl_id IS 'identifies the run';
COMMENT ON COLUMN @extschema@.waiting_run.job IS 'the name of the job; without one, the beginning of the command';
COMMENT ON COLUMN @extschema@.waiting_run.rolname IS 'the role of the run';
GRANT SELECT ON @extschema@.waiting_run TO job_scheduler, job_monitor;

CREATE VIEW @internal@.member_waiting_run WITH (security_barrier) AS
SELECT w.* FROM @extschema@.waiting_run w
-- What is below shows job_monitor more than that.
WHERE NOT (SELECT @extschema@.is_only_monitor())
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), w.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.member_waiting_run IS
    'the requested runs that the current role may cancel: those of the roles that it is a member of';
COMMENT ON COLUMN @extschema@.member_waiting_run.jl_id IS 'identifies the run';
COMMENT ON COLUMN @extschema@.member_waiting_run.job IS 'the name of the job; without one, the beginning of the command';
COMMENT ON COLUMN @extschema@.member_waiting_run.rolname IS 'the role of the run';
GRANT SELECT ON @extschema@.member_waiting_run TO job_scheduler;

-- The door to the inbox: run_job(), run_once() and the like put requests here as the role that calls them, and
-- check_request() looks whether it may.
CREATE VIEW @internal@.job_request WITH (security_barrier) AS
SELECT i.request_id, i.kind, i.cause, i.job_id, i.jl_id, CAST(i.requested_by || '' AS name) AS requested_by,
       CAST(i.requested_at AS timestamptz) AS requested_at
FROM @extschema@.worker_request i
WHERE (i.kind = 'cancel' OR i.kind = 'run' AND i.cause = 'request')
      AND EXISTS (SELECT FROM @extschema@.member_job m WHERE m.job_id = i.job_id)
   OR i.kind = 'run' AND i.cause = 'once'
      AND EXISTS (SELECT FROM @extschema@.member_once_job o WHERE o.job_id = i.job_id)
   OR i.kind = 'cancel run' AND (EXISTS (SELECT FROM @extschema@.member_job_log l WHERE l.jl_id = i.jl_id)
                                 OR EXISTS (SELECT FROM @extschema@.member_waiting_run w WHERE w.jl_id = i.jl_id));

COMMENT ON VIEW @extschema@.job_request IS
    'requests that the worker has not yet dealt with, for jobs and runs that the current role may touch';
GRANT SELECT, INSERT (kind, cause, job_id, jl_id) ON @extschema@.job_request TO job_scheduler;
