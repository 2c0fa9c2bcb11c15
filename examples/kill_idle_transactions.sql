-- Ends sessions that have been idle in a transaction for longer than 10 minutes: they keep locks,
-- and VACUUM from removing dead rows. For a superuser. Another limit: psql -v limit='1 hour' …
\if :{?limit} \else
\set limit '10 minutes'
\endif
BEGIN;

-- A role that may see and end the sessions of all but superusers, and nothing else.
CREATE ROLE janitor NOLOGIN;
GRANT pg_read_all_stats, pg_signal_backend TO janitor;

CREATE SCHEMA janitor AUTHORIZATION janitor;

CREATE PROCEDURE janitor.end_idle_transactions(older_than interval)
LANGUAGE plpgsql
AS $$
DECLARE
    idle record;
BEGIN
    FOR idle IN
        SELECT a.pid, a.usename, a.datname, a.state_change, left(a.query, 60) AS query
        FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename
        WHERE a.state IN ('idle in transaction', 'idle in transaction (aborted)')
          AND a.state_change < now() - older_than
          AND NOT r.rolsuper
    LOOP
        PERFORM pg_terminate_backend(idle.pid);
        -- Is kept in the log, column notices.
        RAISE WARNING 'ended process % of role "%" in database "%", idle since %; its last query: %',
            idle.pid, idle.usename, idle.datname, idle.state_change, idle.query;
    END LOOP;
END
$$;
ALTER PROCEDURE janitor.end_idle_transactions(interval) OWNER TO janitor;

SELECT job_id, job_name, schedule, next_run_at
FROM insert_job(
    format('CALL janitor.end_idle_transactions(%L)', :'limit'),
    current_catalog,
    '* * * * *',
    rolname := 'janitor',
    job_name := 'kill idle transactions',
    job_timeout := '1 minute');
COMMIT;
