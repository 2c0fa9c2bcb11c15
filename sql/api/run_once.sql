CREATE FUNCTION @extschema@.run_once(
    command text,
    datname name DEFAULT current_catalog,
    rolname name DEFAULT current_user,
    job_timeout interval DEFAULT '6 hours',
    settings jsonb DEFAULT NULL,
    parameters jsonb DEFAULT NULL,
    server name DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    number bigint;
    run bigint;
BEGIN
    IF num_nulls(run_once.command, run_once.datname, run_once.rolname) > 0 THEN
        RAISE EXCEPTION 'command, datname and rolname of run_once() cannot be NULL'
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'These can be NULL: settings, parameters, server.',
                  HINT = 'Give one or more SQL statements, and leave the other two out for the current database and role.';
    END IF;
    INSERT INTO @extschema@.member_once_job (job_command, datname, rolname, job_timeout, settings, parameters, server)
    VALUES (run_once.command, run_once.datname, run_once.rolname, run_once.job_timeout, run_once.settings,
            run_once.parameters, run_once.server)
    RETURNING job_id INTO number;
    INSERT INTO @extschema@.job_request (kind, cause, job_id) VALUES ('run', 'once', number) RETURNING request_id INTO run;
    IF NOT FOUND THEN
        PERFORM @extschema@.refuse_replica();
    END IF;
    PERFORM @extschema@.report_reason();
    RETURN run;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.run_once IS
    'asks the worker to run a command in the background as soon as this transaction commits, without defining a job; returns the jl_id of the run, which identifies it in the log and for cancel_run()';
REVOKE ALL ON FUNCTION @extschema@.run_once FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_once TO job_scheduler;
