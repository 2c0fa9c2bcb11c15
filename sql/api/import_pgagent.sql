CREATE FUNCTION @extschema@.import_pgagent(
    dry_run boolean DEFAULT true,
    jobs jsonb DEFAULT NULL,
    timezone text DEFAULT current_setting('TimeZone'),
    part text DEFAULT 'pgagent',
    prune boolean DEFAULT false
) RETURNS SETOF @extschema@.import_result
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET elephant_worker.call = 'import_pgagent'
AS $$
BEGIN
    IF jobs IS NULL THEN
        jobs := jsonb_build_object(
            'pga_job', @extschema@.read_source('pgagent'::name, 'pga_job'::name),
            'pga_jobstep', @extschema@.read_source('pgagent'::name, 'pga_jobstep'::name),
            'pga_schedule', @extschema@.read_source('pgagent'::name, 'pga_schedule'::name),
            'pga_exception', @extschema@.read_source('pgagent'::name, 'pga_exception'::name));
    END IF;
    IF jsonb_typeof(jobs -> 'pga_jobstep') = 'array' THEN
        -- As the agent runs them.
        jobs := jobs || jsonb_build_object('pga_jobstep', (
            SELECT coalesce(jsonb_agg(s.step ORDER BY s.step ->> 'jstname', s.step -> 'jstid'), '[]')
            FROM jsonb_array_elements(jobs -> 'pga_jobstep') s (step)));
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.import_jobs(
        'pgagent',
        jsonb_build_object('tables', jobs, 'timezone', timezone, 'now', now(), 'port', current_setting('port')),
        part, prune, dry_run);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.import_pgagent(boolean, jsonb, text, text, boolean) IS
    'makes the jobs of pgAgent jobs of this extension: those of this database, or of another one whose tables it is given; says what becomes of each step, and changes nothing unless dry_run is false; part tells several sources of this kind apart, and prune deletes the jobs of the part that the source no longer has; timezone is that of the agent''s session; 22023 for what is not the content of its tables, 42P01 without such tables, 42501 if they belong to somebody else than a superuser or the current role, 54000 if one has more than 10,000 rows';
REVOKE ALL ON FUNCTION @extschema@.import_pgagent(boolean, jsonb, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.import_pgagent(boolean, jsonb, text, text, boolean) TO job_scheduler;
