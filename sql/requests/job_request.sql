-- The door to the inbox: run_job() and cancel_job() put requests here as the role that calls them.
CREATE VIEW @extschema@.job_request WITH (security_barrier) AS
SELECT i.request_id, i.kind, i.job_id, CAST(i.requested_by AS name) AS requested_by,
       CAST(i.requested_at AS timestamptz) AS requested_at
FROM @extschema@.worker_inbox i
WHERE i.kind IN ('run', 'cancel')
  AND EXISTS (SELECT FROM @extschema@.member_job m WHERE m.job_id = i.job_id)
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW @extschema@.job_request IS
    'what run_job() and cancel_job() have asked the worker for and it has not yet done, for jobs that the current role may touch';
GRANT SELECT, INSERT (kind, job_id) ON @extschema@.job_request TO job_scheduler;
