CREATE FUNCTION @internal@.launcher_line() RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- No word while the server is down: cron would mail it. Its PATH may lack the server's programs.
    SELECT replace(format($command$* * * * * %s %sexport %s; pg_isready -q && PGOPTIONS=%s psql -qAtX -v SHOW_CONTEXT=never %s-d %s -c %s >/dev/null$command$,
                          l.system_user_name, 'PATH=$PATH:' || @extschema@.quote_for_shell(l.program_directory) || '; ',
                          s.address, @extschema@.quote_for_shell(o.options),
                          CASE WHEN l.rolname <> l.system_user_name THEN format('-U %s ', @extschema@.quote_for_shell(l.rolname)) END,
                          @extschema@.quote_for_shell(n.name), @extschema@.quote_for_shell(o.statement)),
                   '%', E'\\%')
    FROM @extschema@.own_login() l,
         (SELECT format('PGHOST=%s PGPORT=%s', @extschema@.quote_for_shell(coalesce(@extschema@.socket_directory(), 'localhost')),
                        current_setting('port'))) s (address),
         -- Some names psql would take for parameters of a connection.
         (SELECT CASE WHEN current_database() ~ '=|://'
                      THEN format('dbname=''%s''', regexp_replace(current_database()::text, E'([\\\\''])', E'\\\\\\1', 'g'))
                      ELSE current_database()::text END) n (name),
         -- As in launcher/: it comes in as a superuser, and the database may by now be another one of that name, with a
         -- function of that name, or have settings of its owner's. Behind a lock that somebody keeps it gives up before many
         -- of them have taken all connections. No quotes inside: the shell is to keep it as it is.
         (SELECT '-c role=none -c search_path=pg_catalog,pg_temp -c statement_timeout=0 -c idle_session_timeout=0 -c lock_timeout=30s ' ||
                 E'-c exit_on_error=off -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off -c local_preload_libraries=',
                 'DO $do$BEGIN IF NOT EXISTS (SELECT FROM pg_depend JOIN pg_extension e ON e.oid = refobjid JOIN pg_roles r ON r.oid = extowner '
                 'WHERE rolsuper AND (extname, deptype, classid, objid) = '
                 '($q$elephant_worker$q$, $q$e$q$, $q$pg_proc$q$::regclass, to_regprocedure($q$@extschema@.start_worker(boolean)$q$))) '
                 'THEN RAISE EXCEPTION '
                 '$q$start_worker() was not called: it is not of an extension elephant_worker of a superuser$q$; END IF; '
                 'PERFORM @extschema@.start_worker(unattended := true); END$do$') o (options, statement);
$$;
COMMENT ON FUNCTION @extschema@.launcher_line() IS 'the line for /etc/cron.d that has a launcher for this database';
REVOKE ALL ON FUNCTION @extschema@.launcher_line() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.launcher_line() TO job_monitor;

CREATE FUNCTION @internal@.check_launcher() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seen CONSTANT timestamptz := (SELECT s.launcher_seen FROM @extschema@.worker_activity() s);
    -- cron reads only files whose names are of these characters.
    file CONSTANT text := (SELECT format('/etc/cron.d/elephant_worker_%s_%s', current_setting('port'),
                                         CASE WHEN d.datname ~ '^[A-Za-z0-9_-]+$' THEN d.datname::text ELSE d.oid::text END)
                           FROM pg_database d WHERE d.datname = current_database());
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN QUERY VALUES ('launcher', 'ok', 'whether a launcher looks at this standby cannot be seen before its promotion', NULL);
    ELSIF seen > clock_timestamp() - interval '15 minutes' THEN
        RETURN QUERY VALUES ('launcher', 'ok', format('a launcher has called start_worker(unattended := true), last noted %s', seen),
                     NULL);
    ELSE
        RETURN QUERY VALUES ('launcher', 'warning',
                     CASE WHEN seen IS NULL THEN 'no launcher has been seen yet: without one nothing starts the worker again after a restart'
                          ELSE format('the launcher was last seen %s', seen) END,
                     coalesce(@extschema@.rename_database(),
                              format(E'sudo tee %s <<''END''\n%s\nEND', file, @extschema@.launcher_line())));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_launcher() IS
    'for check_setup(): whether something brings the worker back after a restart of the server';
REVOKE ALL ON FUNCTION @extschema@.check_launcher() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_launcher() TO job_monitor;
