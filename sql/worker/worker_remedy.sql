CREATE FUNCTION @internal@.worker_remedy(code text, blockers integer[], OUT state text, OUT remedy text)
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.state, c.remedy
    FROM (SELECT a.pid, a.armed, @extschema@.is_armed() AS launchable FROM @extschema@.worker_activity() a) s
    CROSS JOIN (SELECT pg_has_role('pg_read_all_settings', 'USAGE')) may (see)
    CROSS JOIN LATERAL (VALUES
        ('standby', CASE WHEN s.launchable OR NOT s.armed THEN 'ok' ELSE 'warning' END,
         CASE WHEN NOT s.launchable AND s.armed
              THEN format('UPDATE @extschema@.worker_setting SET standby_directories = standby_directories || %s::text; -- on the primary%s',
                          CASE WHEN may.see THEN @extschema@.quote_literal_in_one_line(current_setting('data_directory')) ELSE '''...''' END,
                          CASE WHEN NOT may.see THEN ': what SHOW data_directory; says here, on the standby' END) END),
        ('owner', 'error',
         (SELECT format(E'SELECT rolname, rolsuper FROM pg_roles WHERE rolname = %2$s;\n'
                        || E'-- to own it yourself, and all else that this role owns in this database: REASSIGN OWNED BY %1$s TO current_user;\n'
                        || '-- to let this role own it: ALTER ROLE %1$s SUPERUSER;',
                        @extschema@.quote_ident_in_one_line(r.rolname::text), @extschema@.quote_literal_in_one_line(r.rolname::text))
          FROM pg_roles r JOIN pg_extension e ON e.extowner = r.oid WHERE e.extname = 'elephant_worker')),
        ('files', 'error', E'# in a clone of elephant_worker @VERSION@\nmake && sudo make install'),
        ('leaving', CASE WHEN s.armed THEN 'ok' ELSE 'warning' END,
         CASE WHEN NOT s.armed THEN 'SELECT @extschema@.start_worker();' END),
        ('earlier version', 'warning', E'SELECT * FROM @extschema@.member_job_log WHERE state = ''running'';\n-- to cancel the runs that it waits for: SELECT @extschema@.restart_worker();'),
        ('synchronous standby', 'error',
         E'SELECT application_name, state, sync_state FROM pg_stat_replication;\n-- have a synchronous standby connect\n'
         '-- to do without: ALTER SYSTEM SET synchronous_standby_names = ''''; SELECT pg_reload_conf();'),
        ('lock', 'error',
         coalesce((SELECT string_agg(b.statement, E'\n' ORDER BY b.number)
                   FROM (SELECT t.number, @extschema@.terminate_statement(t.pid)
                         FROM unnest(blockers) WITH ORDINALITY t (pid, number) WHERE t.pid <> 0
                         UNION ALL
                         SELECT NULL, @extschema@.end_prepared_statement(p.gid)
                         FROM @extschema@.prepared_holders() p WHERE 0 = ANY (blockers)) b (number, statement)),
                  'SELECT * FROM pg_locks WHERE NOT granted OR pid IS NULL; -- who waits, and prepared transactions')),
        ('disk full', 'error',
         E'SHOW data_directory;\n'
         || E'SELECT spcname, pg_tablespace_location(oid), pg_size_pretty(pg_tablespace_size(oid)) FROM pg_tablespace;\n'
         || E'SELECT pg_size_pretty(sum(size)) AS wal FROM pg_ls_waldir();\n'
         || '-- make room on the file system that df -h shows to be full; the worker goes on by itself'),
        ('failing', 'error',
         E'SELECT pg_current_logfile(); -- without a name, the log is where the standard error of the server goes\n'
         '-- its last line with "elephant_worker" and "trying again" says why; once that is mended the worker goes on by itself'),
        ('halted', 'error', format('sudo kill -CONT %s', s.pid)),
        ('stalled', 'error', @extschema@.terminate_statement(s.pid) || ' SELECT @extschema@.start_worker();'),
        ('stood still', 'warning',
         E'SELECT reason FROM @extschema@.worker_status; -- it goes on by itself\n'
         '-- to go on now, if no other server can have taken over: SELECT @extschema@.restart_worker(); -- cancels what runs'),
        ('copy', 'warning',
         E'SELECT pid, datname, backend_start FROM pg_stat_activity WHERE application_name = ''elephant_worker'';\n'
         '-- to run them here all the same: SELECT @extschema@.confirm_copy(); SELECT @extschema@.start_worker();'),
        ('paused', 'warning', 'SELECT @extschema@.resume_jobs();'),
        ('never started', 'error', 'SELECT @extschema@.start_worker();'),
        ('stopped', 'error', 'SELECT @extschema@.start_worker();'),
        ('elsewhere', 'error', 'SELECT @extschema@.start_worker();'),
        ('starting', 'warning', 'SELECT @extschema@.start_worker();'),
        ('ended', 'error', 'SELECT @extschema@.start_worker();')) c (code, state, remedy)
    WHERE c.code = worker_remedy.code;
$$;
COMMENT ON FUNCTION @extschema@.worker_remedy(text, integer[]) IS
    'what a superuser does about a code of worker_condition(), and how bad that is: ok, warning, error';
REVOKE ALL ON FUNCTION @extschema@.worker_remedy(text, integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.worker_remedy(text, integer[]) TO job_scheduler, job_monitor;
