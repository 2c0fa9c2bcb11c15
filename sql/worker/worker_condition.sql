CREATE FUNCTION @internal@.standby_reason() RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'this server is a standby: the worker runs on the primary, and '
           || CASE WHEN s.armed AND @extschema@.is_armed() THEN 'a launcher starts it here after a promotion'
                   ELSE 'launchers will not start it here after a promotion, since '
                        || coalesce(@extschema@.armed_elsewhere(), 'it was stopped, or never started') END
    FROM @extschema@.worker_state s;
$$;
COMMENT ON FUNCTION @extschema@.standby_reason() IS
    'for worker_condition(): that this server is a standby, and what launchers will do here once it is promoted';
REVOKE ALL ON FUNCTION @extschema@.standby_reason() FROM PUBLIC;

CREATE FUNCTION @internal@.package_file() RETURNS text
LANGUAGE sql STABLE
SECURITY DEFINER -- reads files, and a setting that is hidden from ordinary roles
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.path
    FROM pg_config c
    CROSS JOIN LATERAL unnest(c.setting || string_to_array(current_setting('dynamic_library_path'), ':'))
        WITH ORDINALITY d (directory, number)
    CROSS JOIN LATERAL (SELECT d.directory || '/elephant_worker/@VERSION@/elephant_worker/__init__.py') f (path)
    WHERE c.name = 'PKGLIBDIR' AND d.directory LIKE '/%'
      AND (pg_stat_file(f.path, true)).size IS NOT NULL
    ORDER BY d.number LIMIT 1;
$$;
COMMENT ON FUNCTION @extschema@.package_file() IS
    'the Python package of this version: in the server''s directory of libraries, or one of dynamic_library_path; NULL: it is not installed';
REVOKE ALL ON FUNCTION @extschema@.package_file() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.package_file() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.why_absent(OUT code text, OUT reason text, OUT since timestamptz)
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state @extschema@.worker_state;
    waiting record; -- a session that would be the worker if it could commit that
    started CONSTANT timestamptz := pg_postmaster_start_time();
BEGIN
    SELECT * INTO state FROM @extschema@.worker_state;
    SELECT a.pid, a.xact_start INTO waiting
    FROM pg_stat_get_activity(NULL) a
    JOIN pg_database d ON d.oid = a.datid AND d.datname = current_database()
    JOIN pg_roles r ON r.oid = a.usesysid AND r.rolsuper
    WHERE a.application_name IN ('elephant_worker starting', 'elephant_worker successor', 'elephant_worker spare')
      AND a.wait_event = 'SyncRep' AND a.xact_start < clock_timestamp() - interval '3 seconds';
    IF @extschema@.package_file() IS NULL THEN
        code := 'files';
        reason := (SELECT format('no worker can run: the file %s/elephant_worker/%s/elephant_worker/__init__.py of the extension is missing',
                                 c.setting, e.extversion)
                   FROM pg_config c, pg_extension e WHERE c.name = 'PKGLIBDIR' AND e.extname = 'elephant_worker');
    ELSIF waiting.pid IS NOT NULL THEN
        code := 'synchronous standby';
        reason := format('no worker runs yet: process %s becomes the worker, and waits since %s for a synchronous standby to confirm a commit (synchronous_standby_names = ''%s'')',
                         waiting.pid, waiting.xact_start, current_setting('synchronous_standby_names'));
    ELSIF @extschema@.copied_from() IS NOT NULL THEN
        code := 'copy';
        reason := format('no worker runs: the jobs of this database are a copy of those of database "%s", and would run twice',
                         @extschema@.copied_from());
    ELSIF state.armed IS NULL THEN
        code := 'never started';
        reason := 'no worker runs: somebody has deleted the row of worker_state';
    ELSIF NOT state.armed AND state.stopped_at IS NULL AND state.data_directory IS NULL THEN
        code := 'never started';
        reason := 'no worker has been started since the extension was created in this database';
    ELSIF NOT state.armed THEN
        code := 'stopped';
        -- Version 1.0.0 did not note by whom.
        reason := CASE WHEN state.stopped_at IS NULL THEN 'the worker was stopped before the extension was updated'
                       ELSE format('the worker was stopped by role "%s" at %s', state.stopped_by, state.stopped_at) END;
        since := state.stopped_at;
    ELSIF @extschema@.armed_elsewhere() IS NOT NULL THEN
        code := 'elsewhere';
        reason := format('no worker runs: %s', @extschema@.armed_elsewhere());
    ELSIF @extschema@.has_successor() THEN
        code := 'starting';
        reason := format('no worker runs yet: process %s becomes the worker', state.spare_pid);
    ELSE
        code := 'ended';
        reason := 'the worker has ended, and '
                  || CASE WHEN state.launcher_seen > greatest(started, clock_timestamp() - interval '15 minutes')
                          THEN format('a launcher, last seen at %s, should start it within a minute', state.launcher_seen)
                          WHEN state.launcher_seen > started
                          THEN format('no launcher has been seen since %s (one whose call fails is not noted)', state.launcher_seen)
                          ELSE format('no launcher has been seen since the server was started at %s (one whose call fails is not noted)', started) END;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.why_absent() IS 'for worker_condition(): why no worker runs';
REVOKE ALL ON FUNCTION @extschema@.why_absent() FROM PUBLIC;

CREATE FUNCTION @internal@.is_halted(pid integer) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- proc(5): the state follows the name of the program, which is in parentheses.
    SELECT coalesce(pg_read_file(format('/proc/%s/stat', pid), 0, 1000, true) ~ '[)] [Tt] [^)]*$', false);
$$;
COMMENT ON FUNCTION @extschema@.is_halted(integer) IS
    'whether a process was halted by a signal (SIGSTOP); false where the system does not tell';
REVOKE ALL ON FUNCTION @extschema@.is_halted(integer) FROM PUBLIC;

CREATE FUNCTION @internal@.prepared_holders(OUT gid text, OUT prepared timestamptz) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- They have no process; each keeps its own number locked.
    SELECT DISTINCT p.gid, p.prepared
    FROM pg_locks l
    JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
    JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = l.relation AND e.deptype = 'e'
    JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'elephant_worker'
    JOIN pg_locks n ON n.pid IS NULL AND n.locktype = 'transactionid' AND n.virtualtransaction = l.virtualtransaction
    JOIN pg_prepared_xacts p ON p.transaction = n.transactionid
    WHERE l.pid IS NULL AND l.mode <> 'AccessShareLock'
    ORDER BY p.prepared, p.gid;
$$;
COMMENT ON FUNCTION @extschema@.prepared_holders() IS
    'the prepared transactions that have more than read tables of the extension, and since when they are prepared';
REVOKE ALL ON FUNCTION @extschema@.prepared_holders() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.prepared_holders() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.lock_holders(waiting integer) RETURNS integer[]
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- It gives up after a second and tries again later, so it need not be waiting now. Who has, or waits for, a lock that
    -- keeps writers out is in its way; others only if there is none, since they may have rows of a table.
    SELECT coalesce(nullif(pg_blocking_pids(waiting), '{}'), coalesce(h.of_tables, h.others, '{}')
                    || ARRAY(SELECT 0 WHERE EXISTS (SELECT FROM @extschema@.prepared_holders() p
                                                    WHERE p.prepared < clock_timestamp() - interval '1 second')))
    FROM (SELECT array_agg(DISTINCT l.pid ORDER BY l.pid) FILTER (WHERE l.mode NOT IN (
                     'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock')),
                 array_agg(DISTINCT l.pid ORDER BY l.pid)
          FROM pg_locks l
          JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
          JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = l.relation AND e.deptype = 'e'
          JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'elephant_worker'
          JOIN pg_stat_get_activity(l.pid) a ON a.xact_start < clock_timestamp() - interval '1 second'
          WHERE l.mode <> 'AccessShareLock' AND l.pid NOT IN (waiting, pg_backend_pid())) h (of_tables, others);
$$;
COMMENT ON FUNCTION @extschema@.lock_holders(integer) IS
    'the processes that a process waits for which fails since it gets no lock on a table of the extension; 0: those of prepared_holders()';
REVOKE ALL ON FUNCTION @extschema@.lock_holders(integer) FROM PUBLIC;

CREATE FUNCTION @internal@.failure_in_words(sqlstate text) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN sqlstate = '53100' THEN 'the disk is full'
                WHEN sqlstate = '25006' THEN 'transactions are read-only'
                ELSE format('SQLSTATE %s', sqlstate) END;
$$;
COMMENT ON FUNCTION @extschema@.failure_in_words(text) IS 'for worker_condition(): why the transactions of the worker fail';
REVOKE ALL ON FUNCTION @extschema@.failure_in_words(text) FROM PUBLIC;

CREATE FUNCTION @internal@.why_idle(OUT code text, OUT reason text, OUT blockers integer[], OUT since timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker record;
    failure text; -- how the worker calls itself while its transactions fail
BEGIN
    -- A commit, or a lock, that takes a moment is no news.
    SELECT s.*, c.paused_since, c.pause_after_stall, a.wait_event, a.wait_event_type, a.xact_start,
           clock_timestamp() - a.xact_start AS looked_around, a.application_name INTO worker
    FROM @extschema@.worker_state s
    JOIN pg_stat_get_activity(s.pid) a ON a.backend_start = s.backend_start -- as worker_pid()
    LEFT JOIN @extschema@.worker_setting c ON true;
    IF NOT FOUND THEN
        code := 'absent';
        RETURN;
    END IF;
    failure := substring(worker.application_name FROM '^elephant_worker failing (.*)');
    -- Whatever else it is to do, it does not until it goes on.
    IF worker.looked_around > interval '10 seconds' AND @extschema@.is_halted(worker.pid) THEN
        code := 'halted';
        reason := format('the worker (process %s) was halted by a signal (SIGSTOP), and has not looked around since %s',
                         worker.pid, worker.xact_start);
    ELSIF worker.stopped_worker = worker.backend_start THEN
        code := 'leaving';
        reason := format('the worker (process %s) was told to stop by role "%s" at %s, and waits for its runs to end%s',
                         worker.pid, worker.stopped_by, worker.stopped_at,
                         CASE WHEN worker.armed THEN '; another one follows it' END);
        since := worker.stopped_at;
    ELSIF worker.version IS DISTINCT FROM (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'elephant_worker') THEN
        code := 'earlier version';
        reason := format('the worker (process %s) is of an earlier version and starts nothing: it waits for its runs to end, and a new one follows it',
                         worker.pid);
    ELSIF worker.wait_event = 'SyncRep' AND worker.looked_around > interval '3 seconds' THEN
        code := 'synchronous standby';
        reason := format('the worker (process %s) waits since %s for a synchronous standby to confirm a commit (synchronous_standby_names = ''%s'')',
                         worker.pid, worker.xact_start, current_setting('synchronous_standby_names'));
    ELSIF failure = '55P03' OR worker.wait_event_type = 'Lock' AND worker.looked_around > interval '3 seconds' THEN
        code := 'lock';
        blockers := @extschema@.lock_holders(worker.pid);
        reason := format('the worker (process %s) waits for a lock', worker.pid)
                  || coalesce(', ' || nullif(concat_ws(', and ',
                         (SELECT format('which process %s holds or waits for too', string_agg(b.pid::text, ', '))
                          FROM unnest(array_remove(blockers, 0)) b (pid) HAVING count(*) > 0),
                         (SELECT string_agg(format('which the prepared transaction %s, prepared at %s, holds',
                                                   @extschema@.quote_literal_in_one_line(p.gid), p.prepared), ', and ')
                          FROM @extschema@.prepared_holders() p WHERE 0 = ANY (blockers))), ''), '');
    ELSIF failure IS NOT NULL THEN
        code := CASE failure WHEN '53100' THEN 'disk full' ELSE 'failing' END;
        reason := format('the transactions of the worker (process %s) fail: %s; it tries again, and the server''s log says more',
                         worker.pid, @extschema@.failure_in_words(failure));
    ELSIF worker.looked_around > interval '10 seconds' THEN
        code := 'stalled';
        reason := format('the worker (process %s) has not looked around since %s', worker.pid, worker.xact_start);
    ELSIF worker.application_name = 'elephant_worker stood still' THEN
        code := 'stood still';
        reason := format('the worker (process %s), or the machine, stood still, and nothing is started for %s after that (pause_after_stall)',
                         worker.pid, worker.pause_after_stall);
    ELSIF worker.paused_since IS NOT NULL THEN
        code := 'paused';
        reason := format('paused since %s', worker.paused_since);
        since := worker.paused_since;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.why_idle() IS 'for worker_condition(): why a worker that runs starts nothing; absent: none runs';
REVOKE ALL ON FUNCTION @extschema@.why_idle() FROM PUBLIC;

CREATE FUNCTION @internal@.worker_condition(OUT code text, OUT reason text, OUT blockers integer[], OUT since timestamptz)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- looks at the worker's backend and state, which are hidden from ordinary roles
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
AS $$
BEGIN
    IF NOT @extschema@.is_superuser() THEN
        code := 'owner';
        reason := format('role "%s", which owns the extension, is not a superuser any more: the functions lack rights that they need',
                         current_user);
    ELSIF pg_is_in_recovery() THEN
        code := 'standby';
        reason := @extschema@.standby_reason();
    ELSE
        SELECT i.* INTO code, reason, blockers, since FROM @extschema@.why_idle() i;
        IF code = 'absent' THEN
            SELECT a.* INTO code, reason, since FROM @extschema@.why_absent() a;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.worker_condition() IS
    'why no worker runs, or why the one that runs starts nothing: a code, one sentence, the processes that it waits for, and since when where that is known; all NULL: all is well';
REVOKE ALL ON FUNCTION @extschema@.worker_condition() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_condition() TO job_scheduler, job_monitor;
