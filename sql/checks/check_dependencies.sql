CREATE FUNCTION @internal@.check_dependencies(definition @extschema@.job, old @extschema@.job) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
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
    -- Two transactions could together close a cycle that neither of them sees. So each locks what it relies on, the
    -- jobs that this one is to run after, directly or not; those of nobody whom the current role could not lock anyway.
    -- Nothing runs after a new job yet.
    IF old.job_id IS NOT NULL THEN
        PERFORM FROM @extschema@.member_job j
        WHERE j.job_id = ANY (ARRAY(
            WITH RECURSIVE before (job_id) AS (
                SELECT unnest(definition.run_after)
                UNION
                -- One by one: the planner, who takes them for many, would read all jobs each time.
                SELECT unnest(m.run_after)
                FROM before b CROSS JOIN LATERAL (SELECT g.run_after FROM @extschema@.member_job g
                                                  WHERE g.job_id = b.job_id LIMIT 1) m)
            SELECT b.job_id FROM before b WHERE b.job_id <> definition.job_id))
        ORDER BY j.job_id FOR SHARE;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_dependencies(@extschema@.job, @extschema@.job) IS
    'refuses to run after a job that the current role has no access to (P0002), unless it did before, and after more than 100 (54000)';
REVOKE ALL ON FUNCTION @extschema@.check_dependencies(@extschema@.job, @extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_dependencies(@extschema@.job, @extschema@.job) TO job_scheduler;
