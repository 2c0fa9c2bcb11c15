CREATE FUNCTION @internal@.write_document(format text, part text, OUT document text, OUT user_error @extschema@.user_error)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("definitions.export").write_document(plpy, '@extschema@', format, part)
$python$;
COMMENT ON FUNCTION @extschema@.write_document(text, text) IS
    'does what export_jobs() does, and returns the document, or what is wrong';
REVOKE ALL ON FUNCTION @extschema@.write_document(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.write_document(text, text) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.export_jobs(format text DEFAULT 'json', part text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = postgres
SET TimeZone = 'UTC'
AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM @extschema@.write_document(format, part);
    PERFORM @extschema@.raise_error(answer.user_error);
    RETURN answer.document;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.export_jobs(text, text) IS
    'the named jobs that the caller may see, or those of one part: as a document for apply_jobs() (json), or as calls of define_job() (sql)';
REVOKE ALL ON FUNCTION @extschema@.export_jobs(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.export_jobs(text, text) TO job_scheduler, job_monitor;
