CREATE FUNCTION @extschema@.cancel_run(jl_id bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    state CONSTANT text := coalesce(
        (SELECT l.state FROM @extschema@.member_job_log l WHERE l.jl_id = cancel_run.jl_id),
        (SELECT 'waiting' FROM @extschema@.member_waiting_run w WHERE w.jl_id = cancel_run.jl_id));
BEGIN
    IF state IS NULL THEN
        RAISE EXCEPTION 'there is no run % that role "%" may touch',
                        coalesce(cancel_run.jl_id::text, 'NULL'), current_user
            USING ERRCODE = 'no_data_found',
                  DETAIL = 'It does not exist, or it belongs to a role that you are not a member of.',
                  HINT = 'The view member_job_log lists runs that have started, waiting_run those that have not.';
    END IF;
    IF state NOT IN ('running', 'waiting') THEN
        RETURN false;
    END IF;
    INSERT INTO @extschema@.job_request (kind, jl_id) VALUES ('cancel run', cancel_run.jl_id);
    IF NOT FOUND THEN
        PERFORM @extschema@.refuse_replica();
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.cancel_run(bigint) IS
    'asks the worker to stop one run, or not to start it, as soon as this transaction commits; returns false if the run has already ended';
REVOKE ALL ON FUNCTION @extschema@.cancel_run(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.cancel_run(bigint) TO job_scheduler;
