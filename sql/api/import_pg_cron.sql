CREATE FUNCTION @extschema@.import_pg_cron(
    dry_run boolean DEFAULT true,
    jobs jsonb DEFAULT NULL,
    timezone text DEFAULT NULL,
    match_dom_and_dow boolean DEFAULT NULL,
    part text DEFAULT 'pg_cron',
    prune boolean DEFAULT false
) RETURNS SETOF @extschema@.import_result
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET jit = off -- takes longer than all of this
SET elephant_worker.call = 'import_pg_cron'
AS $$
DECLARE
    is_here CONSTANT boolean := jobs IS NULL;
BEGIN
    BEGIN
        timezone := coalesce(timezone, current_setting('cron.timezone', true), 'GMT');
        match_dom_and_dow := coalesce(match_dom_and_dow, current_setting('cron.match_dom_and_dow', true)::boolean, false);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'role "%" may not read the settings of pg_cron', current_user
            USING DETAIL = 'Its time zone is taken to be GMT, and match_dom_and_dow to be off.',
                  HINT = 'Give timezone and match_dom_and_dow, if they are different.';
        timezone := coalesce(timezone, 'GMT');
        match_dom_and_dow := coalesce(match_dom_and_dow, false);
    END;
    RETURN QUERY SELECT * FROM @extschema@.import_jobs(
        'pg_cron',
        jsonb_build_object('jobs', coalesce(jobs, @extschema@.read_source('cron'::name, 'job'::name)),
                           'timezone', timezone, 'match_dom_and_dow', match_dom_and_dow,
                           'port', CASE WHEN is_here THEN current_setting('port')::integer END),
        part, prune, dry_run);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.import_pg_cron(boolean, jsonb, text, boolean, text, boolean) IS
    'makes the jobs of pg_cron jobs of this extension: the rows of cron.job that the current role may read, or those of another database that it is given; says what becomes of each, and changes nothing unless dry_run is false; part tells several sources of this kind apart, and prune deletes the jobs of the part that the source no longer has; timezone and match_dom_and_dow are those of pg_cron; 22023 for what is not the content of its table, 42P01 without that, 42501 if it cannot be trusted or read, 54000 for more than 10,000 rows';
REVOKE ALL ON FUNCTION @extschema@.import_pg_cron(boolean, jsonb, text, boolean, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.import_pg_cron(boolean, jsonb, text, boolean, text, boolean) TO job_scheduler;
