CREATE FUNCTION @extschema@.run_job(job_id bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    run bigint;
BEGIN
    PERFORM FROM @extschema@.member_job j WHERE j.job_id = run_job.job_id;
    IF NOT FOUND THEN
        PERFORM @extschema@.raise_no_such_job(run_job.job_id);
    END IF;
    INSERT INTO @extschema@.job_request (kind, job_id) VALUES ('run', run_job.job_id) RETURNING request_id INTO run;
    IF NOT FOUND THEN
        PERFORM @extschema@.refuse_replica();
    END IF;
    PERFORM @extschema@.report_reason();
    RETURN run;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.run_job(bigint) IS
    'asks the worker to start a job as soon as this transaction commits, even if the job is not enabled; returns the jl_id of the run';
REVOKE ALL ON FUNCTION @extschema@.run_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.run_job(job text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN @extschema@.run_job(@extschema@.find_job(job));
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.run_job(text) IS 'the same for a job given by name';
REVOKE ALL ON FUNCTION @extschema@.run_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_job(text) TO job_scheduler;
