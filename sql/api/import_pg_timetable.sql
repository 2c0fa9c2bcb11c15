CREATE FUNCTION @extschema@.import_pg_timetable(
    dry_run boolean DEFAULT true,
    chains jsonb DEFAULT NULL,
    datname name DEFAULT current_catalog,
    timezone text DEFAULT current_setting('TimeZone'),
    part text DEFAULT 'pg_timetable',
    prune boolean DEFAULT false
) RETURNS SETOF @extschema@.import_result
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET elephant_worker.call = 'import_pg_timetable'
AS $$
BEGIN
    IF chains IS NULL THEN
        chains := jsonb_build_object(
            'chain', @extschema@.read_source('timetable'::name, 'chain'::name),
            'task', @extschema@.read_source('timetable'::name, 'task'::name),
            'parameter', @extschema@.read_source('timetable'::name, 'parameter'::name));
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.import_jobs(
        'pg_timetable',
        jsonb_build_object('tables', chains, 'datname', datname, 'timezone', timezone, 'port', current_setting('port')),
        part, prune, dry_run);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.import_pg_timetable(boolean, jsonb, name, text, text, boolean) IS
    'makes the chains of pg_timetable jobs of this extension: those of this database, or of another one whose tables it is given; says what becomes of each, and changes nothing unless dry_run is false; part tells several sources of this kind apart, and prune deletes the jobs of the part that the source no longer has; datname is the database of pg_timetable, timezone that of its sessions; 22023 for what is not the content of its tables, 42P01 without such tables, 42501 if they belong to somebody else than a superuser or the current role, 54000 if one has more than 10,000 rows';
REVOKE ALL ON FUNCTION @extschema@.import_pg_timetable(boolean, jsonb, name, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.import_pg_timetable(boolean, jsonb, name, text, text, boolean) TO job_scheduler;
