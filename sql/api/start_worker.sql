CREATE FUNCTION @internal@.host_worker(
    attended boolean, how text, OUT pid integer, OUT waits boolean, OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET statement_timeout = 0 -- not of the caller: pg_background hands settings on to the worker
AS $python$
# load elephant
return elephant("worker.launch").start(plpy, '@extschema@', attended, how)
$python$;
COMMENT ON FUNCTION @extschema@.host_worker(boolean, text) IS
    'starts a worker in pg_background or a detached session; how: now, and waits until it works; again: tells the present worker to stop first; committed: it begins when this transaction has committed';
REVOKE ALL ON FUNCTION @extschema@.host_worker(boolean, text) FROM PUBLIC;

CREATE FUNCTION @internal@.must_commit_first() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
                   WHERE l.pid = pg_backend_pid() AND l.relation = '@extschema@.worker_state'::regclass
                     AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'SIReadLock'));
$$;
COMMENT ON FUNCTION @extschema@.must_commit_first() IS
    'whether this transaction has created or changed the extension, or called stop_worker(): no other session sees that yet';
REVOKE ALL ON FUNCTION @extschema@.must_commit_first() FROM PUBLIC;

CREATE FUNCTION @internal@.refuse_standby() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'the worker cannot be started on a standby'
            USING ERRCODE = 'read_only_sql_transaction',
                  DETAIL = 'It writes down what it does.',
                  HINT = 'It runs on the primary; after a promotion the launcher, or SELECT @extschema@.start_worker(), starts it here.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_standby() IS 'raises an error on a standby (25006)';
REVOKE ALL ON FUNCTION @extschema@.refuse_standby() FROM PUBLIC;

CREATE FUNCTION @internal@.launch_worker(attended boolean, how text) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
    worker integer;
    waiting text; -- for a synchronous standby
BEGIN
    SELECT * INTO answer FROM @extschema@.host_worker(attended, how);
    IF (answer.user_error).sqlstate IN ('57014', '55P03') THEN
        PERFORM @extschema@.raise_error(answer.user_error); -- a cancellation comes once: nothing more is waited for
    ELSIF how = 'now' OR answer.pid IS NOT NULL AND how = 'again' THEN
        -- Somebody else may have started one at the same time; the one that was to be replaced is no answer.
        worker := @extschema@.serving_worker_pid();
    END IF;
    IF coalesce(worker, answer.pid) IS NULL AND (attended OR @extschema@.is_armed()) THEN
        waiting := (SELECT c.reason FROM @extschema@.worker_condition() c WHERE c.code = 'synchronous standby');
        IF waiting IS NOT NULL THEN
            RAISE EXCEPTION '%', waiting
                USING ERRCODE = 'system_error', HINT = 'SELECT * FROM @extschema@.check_setup(); says how to do without.';
        END IF;
        PERFORM @extschema@.raise_error(answer.user_error);
    ELSIF how = 'committed' THEN
        -- In place of the spare, which would follow a worker that this transaction has told to stop.
        UPDATE @extschema@.worker_state s SET spare_pid = a.pid, spare_start = a.backend_start
        FROM pg_stat_get_activity(answer.pid) a;
        RAISE NOTICE 'the worker starts when this transaction has committed';
    ELSIF answer.waits THEN
        RAISE NOTICE 'the worker that was told to stop still waits for its runs to end: process % follows it', answer.pid;
    END IF;
    RETURN coalesce(worker, answer.pid);
END
$$;
COMMENT ON FUNCTION @extschema@.launch_worker(boolean, text) IS
    'host_worker(), with its errors; returns the process id of the worker, or of the process that waits to be it';
REVOKE ALL ON FUNCTION @extschema@.launch_worker(boolean, text) FROM PUBLIC;

CREATE FUNCTION @internal@.note_launcher() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT current_setting('transaction_read_only')::boolean THEN
        -- check_setup() tells who has no launcher. The worker writes this row too: do not wait for it.
        UPDATE @extschema@.worker_state s SET launcher_seen = clock_timestamp()
        WHERE s.only_row IN (SELECT u.only_row FROM @extschema@.worker_state u
                             WHERE coalesce(u.launcher_seen, '-infinity')
                                   < greatest(clock_timestamp() - interval '5 minutes', pg_postmaster_start_time())
                             FOR UPDATE SKIP LOCKED);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.note_launcher() IS
    'notes that a launcher is there, every 5 minutes at most, and once after each start of the server';
REVOKE ALL ON FUNCTION @extschema@.note_launcher() FROM PUBLIC;

CREATE FUNCTION @extschema@.start_worker(unattended boolean DEFAULT false) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker integer;
BEGIN
    IF NOT unattended THEN
        PERFORM @extschema@.refuse_standby(), @extschema@.refuse_copy();
    ELSIF NOT @extschema@.is_armed() OR pg_is_in_recovery() THEN
        PERFORM @extschema@.warn_launcher(), @extschema@.note_launcher();
        RETURN NULL;
    END IF;
    worker := @extschema@.serving_worker_pid();
    IF worker IS NULL AND @extschema@.must_commit_first() THEN
        PERFORM @extschema@.arm_worker(); -- stop_worker() may still follow in this transaction, and wins then
        worker := @extschema@.launch_worker(false, 'committed');
    ELSIF worker IS NULL THEN
        worker := @extschema@.launch_worker(NOT unattended, 'now');
    END IF;
    IF unattended THEN
        PERFORM @extschema@.note_launcher();
    END IF;
    RETURN worker;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.start_worker(boolean) IS
    'starts the worker of this database inside the server and returns its process id; does nothing where one runs; waits for one that was told to stop, and starts another; unattended (for launchers): also does nothing, and returns NULL, on a standby, after stop_worker(), and where nobody has started one yet, as in a copy of the cluster';
REVOKE ALL ON FUNCTION @extschema@.start_worker(boolean) FROM PUBLIC;

CREATE FUNCTION @extschema@.restart_worker() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.refuse_standby(), @extschema@.refuse_copy();
    IF @extschema@.must_commit_first() THEN
        PERFORM @extschema@.stop_worker();
        RETURN @extschema@.start_worker();
    END IF;
    RETURN @extschema@.launch_worker(true, 'again');
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.restart_worker() IS
    'has the worker cancel its runs and end, starts another one and returns its process id; also where none runs';
REVOKE ALL ON FUNCTION @extschema@.restart_worker() FROM PUBLIC;
