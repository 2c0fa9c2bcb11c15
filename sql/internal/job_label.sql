CREATE FUNCTION @internal@.job_label(job_name text, job_description text, job_command text) RETURNS text
LANGUAGE sql IMMUTABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(@extschema@.in_one_line(job_name), @extschema@.abbreviate(coalesce(job_description, job_command), 30));
$$;
COMMENT ON FUNCTION @extschema@.job_label(text, text, text) IS
    'what everyday views call a job: its name, whole; without a name the beginning of its description, else of its command';
REVOKE ALL ON FUNCTION @extschema@.job_label(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_label(text, text, text) TO job_scheduler, job_monitor;
