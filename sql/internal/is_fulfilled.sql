CREATE FUNCTION @internal@.is_fulfilled(run_when text, state text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE run_when WHEN 'always' THEN true
                         WHEN 'on_success' THEN state = 'succeeded'
                         ELSE state IN ('failed', 'timed out', 'lost') END;
$$;
COMMENT ON FUNCTION @extschema@.is_fulfilled(text, text) IS
    'whether a run that ended in this state, for good, ended as run_when wants; NULL if the state is not known';
REVOKE ALL ON FUNCTION @extschema@.is_fulfilled(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_fulfilled(text, text) TO job_scheduler, job_monitor;
