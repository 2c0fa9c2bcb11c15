CREATE FUNCTION @internal@.complete_definition(given jsonb) RETURNS @extschema@.job
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT jsonb_populate_record(
                NULL::@extschema@.job,
                to_jsonb(d)
                -- As in insert_job(), NULL is the default.
                || coalesce((SELECT jsonb_object_agg(g.key, g.value) FROM jsonb_each(given) g WHERE g.value <> 'null'), '{}')
                || CASE WHEN jsonb_typeof(given -> 'schedule') = 'array' THEN jsonb_build_object(
                       'schedule', ARRAY(SELECT s.entry FROM jsonb_array_elements_text(given -> 'schedule') s (entry))::text)
                   ELSE '{}' END)
            FROM (SELECT @attributes: {default}::{type} AS {name}{,}@) d);
END
$$;
COMMENT ON FUNCTION @extschema@.complete_definition(jsonb) IS
    'a definition with these attributes, and the defaults of the others';
REVOKE ALL ON FUNCTION @extschema@.complete_definition(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.complete_definition(jsonb) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.compare_definitions(
    before @extschema@.job,
    after @extschema@.job,
    OUT attribute text,
    OUT differs boolean,
    OUT old_value jsonb,
    OUT new_value jsonb,
    OUT new_text text
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY VALUES
        @attributes: ('{name}', before.{name} IS DISTINCT FROM after.{name}, to_jsonb(before.{name}), to_jsonb(after.{name}), after.{name}::text){,}@;
END
$$;
COMMENT ON FUNCTION @extschema@.compare_definitions(@extschema@.job, @extschema@.job) IS
    'each attribute of two definitions, and whether they differ in it';
REVOKE ALL ON FUNCTION @extschema@.compare_definitions(@extschema@.job, @extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.compare_definitions(@extschema@.job, @extschema@.job) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.create_defined_job(given jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number bigint;
BEGIN
    INSERT INTO @extschema@.member_job (@attributes: {name}{,}@)
    SELECT @attributes: d.{name}{,}@
    FROM @extschema@.complete_definition(given) d
    RETURNING job_id INTO number;
    RETURN number;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.create_defined_job(jsonb) IS 'defines a job with these attributes, and the defaults of the others';
REVOKE ALL ON FUNCTION @extschema@.create_defined_job(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.create_defined_job(jsonb) TO job_scheduler;

CREATE FUNCTION @internal@.change_defined_job(job_id bigint, given jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    UPDATE @extschema@.member_job j
    SET @attributes: {name} = d.{name}{,}@
    FROM @extschema@.complete_definition(given) d
    WHERE j.job_id = change_defined_job.job_id;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.change_defined_job(bigint, jsonb) IS
    'gives a job these attributes, and the defaults of the others';
REVOKE ALL ON FUNCTION @extschema@.change_defined_job(bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.change_defined_job(bigint, jsonb) TO job_scheduler;

CREATE FUNCTION @internal@.apply_document(
    jobs jsonb,
    part text,
    prune boolean,
    dry_run boolean,
    OUT changes jsonb,
    OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $python$
# load elephant
return elephant("definitions.apply").apply_document(plpy, '@extschema@', jobs, part, prune, dry_run)
$python$;
COMMENT ON FUNCTION @extschema@.apply_document(jsonb, text, boolean, boolean) IS
    'does what apply_jobs() does, and returns the changes as an array, or what is wrong';
REVOKE ALL ON FUNCTION @extschema@.apply_document(jsonb, text, boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.apply_document(jsonb, text, boolean, boolean) TO job_scheduler;

CREATE FUNCTION @extschema@.apply_jobs(
    jobs jsonb,
    part text DEFAULT NULL,
    prune boolean DEFAULT false,
    dry_run boolean DEFAULT false,
    OUT action text,
    OUT job_name text,
    OUT rolname name,
    OUT attribute text,
    OUT old_value text,
    OUT new_value text,
    OUT drift text
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET elephant_worker.call = 'apply_jobs'
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = postgres
AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM @extschema@.apply_document(jobs, part, prune, dry_run);
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN QUERY
    SELECT c.* FROM jsonb_to_recordset(answer.changes)
        c (action text, job_name text, rolname name, attribute text, old_value text, new_value text, drift text);
    IF dry_run IS NOT TRUE THEN
        PERFORM @extschema@.report_reason();
    END IF;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.apply_jobs(jsonb, text, boolean, boolean) IS
    'makes a set of jobs what the document says, all or nothing: an array of objects with the attributes of define_job(); part marks the jobs that the document is responsible for, prune deletes those of the part that it no longer has, dry_run only shows what would change; drift says who has changed what apply_jobs() had set';
REVOKE ALL ON FUNCTION @extschema@.apply_jobs(jsonb, text, boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.apply_jobs(jsonb, text, boolean, boolean) TO job_scheduler;
