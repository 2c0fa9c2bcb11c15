SET ROLE regress_app;
SET search_path = "Elephant Test";
SET timezone = 'UTC';
\set VERBOSITY terse
-- A job, as a function and as a row.
SELECT job_id, datname, rolname, schedule, enabled, job_timeout, parallel, timezone, next_run_at IS NULL AS idle
FROM insert_job('SELECT 1', current_catalog);
INSERT INTO my_job (job_command, datname, schedule) VALUES ('SELECT 2', current_catalog, '@daily')
RETURNING job_id, rolname, schedule, next_run_at = date_trunc('day', now()) + '1 day' AS due;
SELECT job_id, rolname, defined_by FROM insert_job('SELECT 3', current_catalog, '@weekly', 'regress_team', 'Ours', true, '1 minute', true, 'Europe/Berlin');
SELECT job_id, rolname, job_command FROM my_job ORDER BY 1;
SELECT job_id, rolname, job_command FROM member_job ORDER BY 1;
-- Changing.
SELECT job_id, job_command, schedule, enabled FROM update_job(2, 'SELECT 22', enabled := false);
UPDATE my_job SET schedule = NULL WHERE job_id = 2 RETURNING schedule, next_run_at;
SELECT job_id, rolname FROM update_job(3, rolname := 'regress_app');
SELECT update_job(3, rolname := 'regress_stranger');  -- fails
UPDATE my_job SET rolname = 'regress_stranger';  -- fails
UPDATE my_job SET job_id = 7;  -- fails
UPDATE my_job SET success_count = 7;  -- fails
UPDATE my_job SET defined_by = 'regress_team';  -- fails
-- What cannot be.
SELECT insert_job('SELECT 1', 'no such database');  -- fails
SELECT insert_job('SELECT 1', current_catalog, rolname := 'regress_nobody');  -- fails
SELECT insert_job('SELECT 1', current_catalog, rolname := 'regress_stranger');  -- fails
SELECT insert_job('', current_catalog);  -- fails
SELECT insert_job(NULL, current_catalog);  -- fails
SELECT insert_job('SELECT 1', current_catalog, job_timeout := '-1 second');  -- fails
SELECT insert_job('SELECT 1', current_catalog, '0 0 30 2 *');  -- fails
SELECT update_job(4711);  -- fails
SELECT delete_job(4711);  -- fails
SELECT run_job(4711);  -- fails
SELECT cancel_job(4711);  -- fails
-- A stranger sees none of it.
SET ROLE regress_stranger;
SELECT count(*) FROM member_job;
SELECT update_job(1, enabled := false);  -- fails
SELECT delete_job(1);  -- fails
SELECT run_job(1);  -- fails
DELETE FROM member_job;
SET ROLE regress_app;
-- Requests.
SELECT run_job(1) > 0 AS run;
SELECT cancel_job(1);
SELECT kind, job_id, requested_by FROM elephant_worker_internal.job_request ORDER BY request_id;
DELETE FROM elephant_worker_internal.job_request;  -- fails
-- Deleting.
SELECT job_id FROM delete_job(3);
DELETE FROM my_job WHERE job_id = 2;
SELECT job_id FROM member_job;
SELECT count(*) FROM my_job_log;
