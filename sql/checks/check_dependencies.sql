CREATE FUNCTION @extschema@.check_dependencies(definition @extschema@.job, old @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown bigint;
BEGIN
    IF cardinality(definition.run_after) > 100 THEN
        RAISE EXCEPTION 'a job cannot run after % others', cardinality(definition.run_after)
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = 'run_after holds at most 100 jobs.',
                  HINT = 'Chain some of them, or put a job between them and this one.';
    END IF;
    FOREACH unknown IN ARRAY coalesce(definition.run_after, '{}') LOOP
        CONTINUE WHEN unknown = ANY (old.run_after);
        PERFORM FROM @extschema@.member_job j WHERE j.job_id = unknown;
        IF NOT FOUND THEN
            PERFORM @extschema@.raise_no_such_job(unknown);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.check_dependencies(@extschema@.job, @extschema@.job) IS
    'refuses to run after a job that the current role has no access to (P0002), unless it did before, and after more than 100 (54000)';
REVOKE ALL ON FUNCTION @extschema@.check_dependencies(@extschema@.job, @extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_dependencies(@extschema@.job, @extschema@.job) TO job_scheduler;
