-- pg_cron has schedule('nightly', '0 3 * * *', 'VACUUM').
CREATE FUNCTION @internal@.meant_call(definition @extschema@.job) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN definition.datname ~ s.like_schedule
                     AND EXISTS (SELECT FROM pg_database d WHERE d.datname = definition.schedule AND d.datallowconn)
                THEN format('insert_job(%L, %L, %L)', definition.job_command, definition.schedule, definition.datname)
                WHEN definition.datname ~ s.like_schedule AND definition.schedule IS NOT NULL
                THEN format('insert_job(%L, current_catalog, %L, job_name => %L)', definition.schedule, definition.datname,
                            definition.job_command)
                WHEN definition.datname ~ s.like_schedule
                THEN format('insert_job(%L, current_catalog, %L)', definition.job_command, definition.datname)
                WHEN definition.schedule IS NOT NULL AND length(definition.datname) < 63
                     AND EXISTS (SELECT FROM pg_database d WHERE d.datname = definition.job_command AND d.datallowconn)
                THEN format('insert_job(%L, %L, %L)', definition.datname, definition.job_command, definition.schedule)
                WHEN definition.job_command !~ s.like_schedule OR length(definition.datname) >= 63 THEN NULL
                WHEN definition.job_name IS NOT NULL
                THEN format('define_job(%L, %L, schedule => %L)', definition.job_name, definition.datname, definition.job_command)
                ELSE format('insert_job(%L, current_catalog, %L)', definition.datname, definition.job_command) END
    FROM (VALUES ('^(@[a-z]+( .*)?|[*0-9H][^ ]*( +[*0-9A-Za-z?,/#-]+){4,5}|[0-9]+ (second|minute|hour|day|week)s?)$')) s (like_schedule);
$$;
COMMENT ON FUNCTION @extschema@.meant_call(@extschema@.job) IS
    'the call that was meant where a schedule was given as the database or as the command, or the database as the command; NULL where none was';
REVOKE ALL ON FUNCTION @extschema@.meant_call(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.meant_call(@extschema@.job) TO job_scheduler;
