CREATE FUNCTION @internal@.refuse_cycle() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- a cycle may lead through jobs that the current role cannot see; nothing of them is shown
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
AS $$
BEGIN
    -- check_dependencies() has locked the jobs that this one is to run after.
    IF EXISTS (
        WITH RECURSIVE before (job_id) AS (
            SELECT unnest(NEW.run_after)
            UNION
            SELECT unnest(j.run_after)
            FROM before b CROSS JOIN LATERAL (SELECT g.run_after FROM ONLY @extschema@.job g
                                              WHERE g.job_id = b.job_id LIMIT 1) j)
        SELECT FROM before b WHERE b.job_id = NEW.job_id
    ) THEN
        RAISE EXCEPTION 'job % would run after itself', NEW.job_id
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('One of the jobs %s runs, directly or indirectly, after job %s.',
                                  array_to_string(NEW.run_after, ', '), NEW.job_id),
                  HINT = 'The view job_chain shows which jobs run after which.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_cycle() IS
    'trigger: refuses a change that would make a job run after itself (22023)';
REVOKE ALL ON FUNCTION @extschema@.refuse_cycle() FROM PUBLIC;

-- Only a change can close a cycle: nothing runs after a job that is new.
CREATE TRIGGER refuse_cycle BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.run_after IS NOT NULL AND NEW.run_after IS DISTINCT FROM OLD.run_after)
    EXECUTE FUNCTION @extschema@.refuse_cycle();
