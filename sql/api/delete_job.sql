CREATE FUNCTION @extschema@.delete_job(job_id bigint) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'delete_job'
AS $$
#variable_conflict use_column
DECLARE
    deleted @extschema@.member_job;
BEGIN
    DELETE FROM @extschema@.member_job j WHERE j.job_id = delete_job.job_id RETURNING j.* INTO deleted;
    IF NOT FOUND THEN
        PERFORM @extschema@.raise_no_such_job(delete_job.job_id);
    END IF;
    RETURN deleted;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.delete_job(bigint) IS
    'deletes a job; its log is kept, and active runs continue (cancel_job() stops them)';
REVOKE ALL ON FUNCTION @extschema@.delete_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.delete_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.delete_job(job text) RETURNS @extschema@.member_job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'delete_job'
AS $$
BEGIN
    RETURN @extschema@.delete_job(@extschema@.find_job(job));
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.delete_job(text) IS 'the same for a job given by name';
REVOKE ALL ON FUNCTION @extschema@.delete_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.delete_job(text) TO job_scheduler;
