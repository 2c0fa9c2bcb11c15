CREATE FUNCTION @extschema@.try_job(
    job_id bigint,
    OUT state text,
    OUT job_sqlstate text,
    OUT exception_message text,
    OUT exception_detail text,
    OUT exception_hint text,
    OUT exception_context text,
    OUT row_count bigint,
    OUT duration interval,
    OUT notices text
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    answer record;
BEGIN
    PERFORM FROM @extschema@.member_job j WHERE j.job_id = try_job.job_id;
    IF NOT FOUND THEN
        PERFORM @extschema@.raise_no_such_job(try_job.job_id);
    END IF;
    INSERT INTO @extschema@.dry_run (job_id, datname, rolname, job_command, job_timeout, settings, parameters, server)
    SELECT j.job_id, j.datname, j.rolname, j.job_command, j.job_timeout, j.settings, j.parameters, j.server
    FROM @extschema@.member_job j WHERE j.job_id = try_job.job_id
    RETURNING * INTO answer;
    IF answer.state IS NULL THEN
        PERFORM @extschema@.refuse_replica();
        RAISE EXCEPTION USING ERRCODE = answer.job_sqlstate, MESSAGE = answer.exception_message,
                              DETAIL = answer.exception_detail, HINT = answer.exception_hint;
    END IF;
    state := answer.state;
    job_sqlstate := answer.job_sqlstate;
    exception_message := answer.exception_message;
    exception_detail := answer.exception_detail;
    exception_hint := answer.exception_hint;
    exception_context := answer.exception_context;
    row_count := answer.row_count;
    duration := answer.job_finished - answer.job_started;
    notices := answer.notices;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.try_job(bigint) IS
    'has the worker execute the command of a job now, as its role in its database, in a transaction that is rolled back; waits for the result and returns it, even for a job that this transaction defined; 55000 if no worker is running';
REVOKE ALL ON FUNCTION @extschema@.try_job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.try_job(bigint) TO job_scheduler;

CREATE FUNCTION @extschema@.try_job(
    job text,
    OUT state text,
    OUT job_sqlstate text,
    OUT exception_message text,
    OUT exception_detail text,
    OUT exception_hint text,
    OUT exception_context text,
    OUT row_count bigint,
    OUT duration interval,
    OUT notices text
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT t.* INTO state, job_sqlstate, exception_message, exception_detail, exception_hint, exception_context, row_count,
                    duration, notices
    FROM @extschema@.try_job(@extschema@.find_job(job)) t;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.try_job(text) IS 'the same for a job given by name';
REVOKE ALL ON FUNCTION @extschema@.try_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.try_job(text) TO job_scheduler;
