CREATE FUNCTION @extschema@.check_launcher() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seen CONSTANT timestamptz := (SELECT s.launcher_seen FROM @extschema@.worker_status s);
    -- The bootstrap superuser is named after the operating system's user of the server.
    command CONSTANT text := format(
        $command$%s psql -qAtX -h %s -p %s -d '%s' -c 'SELECT @extschema@.start_worker(unattended := true)' >/dev/null$command$,
        (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10),
        coalesce((SELECT split_part(c.setting, ',', 1) FROM pg_settings c WHERE c.name = 'unix_socket_directories'),
                 '/var/run/postgresql'),
        current_setting('port'), replace(current_database(), '''', E'''\\'''''));
BEGIN
    IF seen > clock_timestamp() - interval '15 minutes' OR pg_is_in_recovery() THEN
        RETURN QUERY VALUES ('launcher', 'ok', format('a launcher has called start_worker(unattended := true), last noted %s', seen),
                     NULL);
    ELSE
        RETURN QUERY VALUES ('launcher', 'warning',
                     CASE WHEN seen IS NULL THEN 'no launcher is there: nothing will start the worker again after a restart'
                          ELSE format('the launcher was last seen %s', seen) END,
                     format(E'sudo tee /etc/cron.d/elephant_worker <<''END''\n* * * * * %s\nEND',
                            replace(command, '%', E'\\%')));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_launcher() IS
    'for check_setup(): whether something brings the worker back after a restart of the server';
REVOKE ALL ON FUNCTION @extschema@.check_launcher() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_launcher() TO job_monitor;
