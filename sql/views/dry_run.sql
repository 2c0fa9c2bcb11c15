-- The door for try_job(): nothing is kept here. A row that is inserted is checked as a job's definition is,
-- with the rights of who inserts it, then tried, and comes back with what happened.
CREATE VIEW @internal@.dry_run AS
SELECT j.job_id, j.datname, j.rolname, j.job_command, j.on_failure_command, j.job_timeout, j.settings, j.parameters, j.server,
       CAST(j.defined_by AS name) AS defined_by,
       l.state, l.job_sqlstate, l.exception_message, l.exception_detail, l.exception_hint, l.exception_context,
       l.row_count, l.notices, l.job_started, l.job_finished
FROM @extschema@.job j, @extschema@.job_log l
WHERE false;

COMMENT ON VIEW @extschema@.dry_run IS 'always empty; a row that is inserted is tried, see try_job()';
GRANT SELECT, INSERT (job_id, datname, rolname, job_command, job_timeout, settings, parameters, server)
    ON @extschema@.dry_run TO job_scheduler;
