CREATE FUNCTION @internal@.look_for_run(
    jl_id bigint,
    until timestamptz,
    OUT state text,
    OUT exception_message text,
    OUT has_ended boolean,
    OUT sqlstate text,
    OUT message text,
    OUT detail text,
    OUT hint text
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- One statement, since a run is moved from one to the other.
    SELECT r.state, r.exception_message, r.state NOT IN ('running', 'waiting')
    INTO state, exception_message, has_ended
    FROM (SELECT l.state, l.exception_message FROM @extschema@.member_job_log l WHERE l.jl_id = look_for_run.jl_id
          UNION ALL
          SELECT 'waiting', NULL FROM @extschema@.member_waiting_run w WHERE w.jl_id = look_for_run.jl_id) r;
    IF NOT FOUND THEN
        sqlstate := 'P0002';
        message := format('there is no run %s that role "%s" may see', coalesce(look_for_run.jl_id::text, 'NULL'), current_user);
        detail := 'It does not exist, the log has it no longer, or it belongs to a role that you are not a member of.';
        hint := 'The view member_job_log lists runs that have started, waiting_run those that have not.';
    ELSIF NOT has_ended AND clock_timestamp() >= until THEN
        sqlstate := '57014';
        message := format('run %s has not ended in time', look_for_run.jl_id);
        detail := CASE state WHEN 'running' THEN 'It is still running.'
                  ELSE 'It has not started'
                       || coalesce(': ' || (SELECT c.reason FROM @extschema@.worker_condition() c), '') || '.' END;
        hint := format('Wait longer (timeout => ''10 minutes''; NULL: without limit), or stop it: SELECT @extschema@.cancel_run(%s);',
                       look_for_run.jl_id);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.look_for_run(bigint, timestamptz) IS
    'for wait_for_run(): the state of a run, waiting if it has not started, and whether it has ended; or what is wrong: P0002 if there is no such run, 57014 if it has not ended by the given moment';
REVOKE ALL ON FUNCTION @extschema@.look_for_run(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.look_for_run(bigint, timestamptz) TO job_scheduler;
