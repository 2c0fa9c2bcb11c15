CREATE FUNCTION @internal@.check_request() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Looked up now, and not with the snapshot of a statement that may have waited.
    IF NEW.kind = 'cancel' OR NEW.kind = 'run' AND NEW.cause = 'request' THEN
        PERFORM FROM @extschema@.member_job j WHERE j.job_id = NEW.job_id;
    ELSIF NEW.kind = 'run' AND NEW.cause = 'once' THEN
        PERFORM FROM @extschema@.member_once_job o WHERE o.job_id = NEW.job_id;
    ELSIF NEW.kind = 'cancel run' THEN
        -- One statement, since a run is moved from one to the other.
        PERFORM FROM @extschema@.member_job_log l WHERE l.jl_id = NEW.jl_id
        UNION ALL
        SELECT FROM @extschema@.member_waiting_run w WHERE w.jl_id = NEW.jl_id;
    ELSE
        RAISE EXCEPTION 'role "%" cannot ask the worker for "%"', current_user, NEW.kind
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'A role can have its jobs run, and its jobs and runs cancelled.',
                  HINT = 'Call run_job(), run_once(), cancel_job() or cancel_run().';
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job or run % that role "%" may touch',
                        coalesce(NEW.jl_id, NEW.job_id)::text, current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'It does not exist, or belongs to a role that you are not a member of.',
                  HINT = 'member_job, member_job_log and waiting_run list the jobs and runs that you may touch.';
    END IF;
    -- Nobody chooses the number of a request, which pg_write_all_data could give; number_request() draws another one.
    IF NEW.request_id <> currval('@extschema@.worker_inbox_request_id_seq') THEN
        NEW.request_id := NULL;
    END IF;
    -- By cause and job the worker looks up what it has asked for itself: nobody else's is to be found there.
    IF NEW.kind <> 'run' THEN
        NEW.cause := 'request';
    END IF;
    IF NEW.kind = 'cancel run' THEN
        NEW.job_id := NULL;
    END IF;
    NEW.requested_by := current_user;
    NEW.rolname := current_user;
    NEW.requested_at := clock_timestamp();
    NEW.scheduled_at := NULL;
    NEW.attempt := 1;
    NEW.caused_by := NULL;
    NEW.withdrawn := false;
    NEW.disabled := false;
    NEW.transaction_id := pg_current_xact_id();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_request() IS
    'trigger: refuses requests for what the role may not touch (42501), and sets what is not for it to say';
REVOKE ALL ON FUNCTION @extschema@.check_request() FROM PUBLIC;

-- pg_has_role() is true of superusers, as the worker is one and the owner of what tells it of definitions.
CREATE TRIGGER check_request BEFORE INSERT ON @extschema@.worker_request
    FOR EACH ROW WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.check_request();
