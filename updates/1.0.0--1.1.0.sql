-- Names. Everything that PostgreSQL has named after a table follows it.
ALTER TABLE @extschema@.worker_inbox RENAME TO worker_request;
ALTER TABLE @extschema@.chain_lock RENAME TO dependency_lock;
ALTER TYPE @extschema@.refusal RENAME TO user_error;
ALTER INDEX @extschema@.worker_inbox_retry RENAME TO worker_request_retry;
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', c.conrelid::regclass, c.conname,
                      replace(c.conname, n.before, n.after))
        FROM (VALUES ('@extschema@.worker_request'::regclass, 'worker_inbox', 'worker_request'),
                     ('@extschema@.dependency_lock', 'chain_lock', 'dependency_lock')) n (oid, before, after)
        JOIN pg_constraint c ON c.conrelid = n.oid
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

-- A worker of 1.0.0 that runs goes on by these names, until it has seen the new version and has left.
DO $$
BEGIN
    IF @extschema@.worker_pid() IS NULL THEN
        DROP VIEW @extschema@.runnable_job;
        DROP FUNCTION @extschema@.refuse(@extschema@.user_error);
        DROP PROCEDURE @extschema@.work(text, boolean, @extschema@.user_error);
    ELSE
        CREATE VIEW @extschema@.worker_inbox AS SELECT * FROM @extschema@.worker_request;
        COMMENT ON VIEW @extschema@.worker_inbox IS 'for the worker of an earlier version';
        COMMENT ON VIEW @extschema@.runnable_job IS 'for the worker of an earlier version';
        COMMENT ON FUNCTION @extschema@.refuse(@extschema@.user_error) IS 'for the worker of an earlier version';
        COMMENT ON PROCEDURE @extschema@.work(text, boolean, @extschema@.user_error)
            IS 'for the worker of an earlier version';
    END IF;
END
$$;

-- Functions with other names, parameters or results.
ALTER FUNCTION @extschema@.shortened(text, integer) RENAME TO abbreviate;
DROP FUNCTION @extschema@.check_chain();
DROP FUNCTION @extschema@.check_place();
DROP FUNCTION @extschema@.check_share();
DROP FUNCTION @extschema@.due_times(text, text, text, float8, float8, float8, float8, integer, text);
DROP FUNCTION @extschema@.host_worker(boolean);
DROP FUNCTION @extschema@.no_such_job(bigint);
DROP FUNCTION @extschema@.schedule_in_words(text, text, text, float8, text);
-- They take all attributes of a job.
DO $$
DECLARE
    overload regprocedure;
BEGIN
    FOR overload IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = (SELECT c.relnamespace FROM pg_class c WHERE c.oid = '@extschema@.job'::regclass)
          AND p.proname IN ('insert_job', 'update_job')
    LOOP
        EXECUTE format('DROP FUNCTION %s', overload);
    END LOOP;
END
$$;

-- Views with other names.
DROP VIEW @extschema@.trial;
