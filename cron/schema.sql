CREATE SCHEMA cron;
COMMENT ON SCHEMA cron IS 'the functions and views of pg_cron';
GRANT USAGE ON SCHEMA cron TO job_scheduler;
