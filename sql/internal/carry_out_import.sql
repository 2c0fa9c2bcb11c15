CREATE FUNCTION @internal@.carry_out_import(
    source text,
    given jsonb,
    part text,
    prune boolean,
    dry_run boolean,
    OUT lines jsonb,
    OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET standard_conforming_strings = on
SET client_min_messages = error -- what there is to say of a job is said in its note
AS $python$
# load elephant
return elephant("imports.importer").carry_out(plpy, '@extschema@', source, given, part, prune, dry_run)
$python$;
COMMENT ON FUNCTION @extschema@.carry_out_import(text, jsonb, text, boolean, boolean) IS
    'does what import_jobs() does, and returns the rows as an array, or what is wrong';
REVOKE ALL ON FUNCTION @extschema@.carry_out_import(text, jsonb, text, boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.carry_out_import(text, jsonb, text, boolean, boolean) TO job_scheduler;

CREATE FUNCTION @internal@.import_jobs(source text, given jsonb, part text, prune boolean, dry_run boolean)
RETURNS SETOF @extschema@.import_result
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM @extschema@.carry_out_import(source, given, part, prune, dry_run);
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN QUERY SELECT (jsonb_populate_record(NULL::@extschema@.import_result, l.line)).*
                 FROM jsonb_array_elements(answer.lines) WITH ORDINALITY l (line, number) ORDER BY l.number;
    IF dry_run IS FALSE THEN
        PERFORM @extschema@.report_reason();
    END IF;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.import_jobs(text, jsonb, text, boolean, boolean) IS
    'makes what another scheduler has jobs of this one, each by itself, and says what became of each; source names the scheduler, which is the part of the jobs unless that is given, given is what has been read there; prune deletes the jobs of the part that it no longer has; a dry run, unless dry_run is false, undoes it';
REVOKE ALL ON FUNCTION @extschema@.import_jobs(text, jsonb, text, boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.import_jobs(text, jsonb, text, boolean, boolean) TO job_scheduler;
