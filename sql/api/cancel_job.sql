CREATE FUNCTION @extschema@.cancel_job(job_id bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM @extschema@.member_job j WHERE j.job_id = cancel_job.job_id;
    IF NOT FOUND THEN
        PERFORM @extschema@.raise_no_such_job(cancel_job.job_id);
    END IF;
    INSERT INTO @extschema@.job_request (kind, job_id) VALUES ('cancel', cancel_job.job_id);
    IF NOT FOUND THEN
        PERFORM @extschema@.refuse_replica();
    END IF;
    RETURN (SELECT count(*) FROM @extschema@.member_job_log l
            WHERE l.job_id = cancel_job.job_id AND l.state = 'running');
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.cancel_job(bigint) IS
    'asks the worker to stop the active runs of a job as soon as this transaction commits: it cancels their statements and, after worker_setting.cancel_grace, terminates their sessions; drops the retry of the job, and cancels requests to run it that wait; returns the number of active runs';
REVOKE ALL ON FUNCTION @extschema@.cancel_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.cancel_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.cancel_job(job text) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN @extschema@.cancel_job(@extschema@.find_job(job));
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.cancel_job(text) IS 'the same for a job given by name';
REVOKE ALL ON FUNCTION @extschema@.cancel_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.cancel_job(text) TO job_scheduler;
