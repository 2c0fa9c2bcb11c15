CREATE FUNCTION @internal@.files_of_crontab(crontab text, OUT files text[], OUT user_error @extschema@.user_error)
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("imports.crontab").files_of(crontab, lambda: plpy.execute("SELECT"))
$python$;
COMMENT ON FUNCTION @extschema@.files_of_crontab(text) IS
    'the files that lines of a crontab give to psql, or why the search for them has ended';
REVOKE ALL ON FUNCTION @extschema@.files_of_crontab(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.files_of_crontab(text) TO job_scheduler;

CREATE FUNCTION @internal@.read_scripts(files text[]) RETURNS jsonb
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $$
DECLARE
    file text;
    largest CONSTANT bigint := 10000000; -- bytes
    content text;
    found jsonb := '{}';
BEGIN
    FOREACH file IN ARRAY files LOOP
        BEGIN
            -- Whoever opens a FIFO waits for somebody to write to it, and cannot be cancelled. Its size is 0.
            IF has_function_privilege('pg_stat_file(text)', 'EXECUTE') THEN
                IF (pg_stat_file(file)).size = 0 THEN
                    found := found || jsonb_build_object(file, jsonb_build_object('error', 'it is empty, or no ordinary file'));
                    CONTINUE;
                END IF;
            END IF;
            -- Reading files of the server is for superusers, and for those whom they let.
            content := pg_read_file(file, 0, largest + 1);
            found := found || jsonb_build_object(file, CASE WHEN octet_length(content) <= largest
                THEN jsonb_build_object('content', content)
                ELSE jsonb_build_object('error', 'it is larger than 10 MB') END);
        EXCEPTION WHEN OTHERS THEN -- whatever it is, it is said of the line
            found := found || jsonb_build_object(file, jsonb_build_object('error', SQLERRM));
        END;
    END LOOP;
    RETURN found;
END
$$;
COMMENT ON FUNCTION @extschema@.read_scripts(text[]) IS
    'what these files of the server have in them, as far as the current role may read them: an object with a content or an error for each';
REVOKE ALL ON FUNCTION @extschema@.read_scripts(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.read_scripts(text[]) TO job_scheduler;

CREATE FUNCTION @extschema@.import_crontab(
    crontab text,
    datname name DEFAULT NULL,
    dry_run boolean DEFAULT true,
    timezone text DEFAULT current_setting('TimeZone'),
    part text DEFAULT 'crontab',
    prune boolean DEFAULT false
) RETURNS SETOF @extschema@.import_result
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET elephant_worker.call = 'import_crontab'
AS $$
DECLARE
    found record;
BEGIN
    IF crontab IS NULL THEN
        RAISE EXCEPTION 'there is no crontab'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'crontab is NULL.',
                  HINT = 'Give the text of a crontab, as crontab -l prints it.';
    END IF;
    SELECT * INTO found FROM @extschema@.files_of_crontab(crontab);
    PERFORM @extschema@.raise_error(found.user_error);
    RETURN QUERY SELECT * FROM @extschema@.import_jobs(
        'crontab',
        jsonb_build_object('crontab', crontab, 'datname', datname, 'timezone', timezone, 'port', current_setting('port'),
                           'files', @extschema@.read_scripts(found.files),
                           'readers', CASE WHEN found.files <> '{}' THEN ARRAY(
                               SELECT r.rolname FROM pg_roles r WHERE pg_has_role(r.oid, 'pg_read_server_files', 'USAGE')) END),
        part, prune, dry_run);
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.import_crontab(text, name, boolean, text, text, boolean) IS
    'makes the lines of a crontab that run psql, vacuumdb or reindexdb jobs; says what becomes of each line, and changes nothing unless dry_run is false; part tells several sources of this kind apart, and prune deletes the jobs of the part that the source no longer has; datname is the database of lines that name none, by default that with the name of the role, timezone that of cron; files are read on this server, with the rights of the current role; 22004 without a crontab, 54000 if it has more than 10,000 lines';
REVOKE ALL ON FUNCTION @extschema@.import_crontab(text, name, boolean, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.import_crontab(text, name, boolean, text, text, boolean) TO job_scheduler;
