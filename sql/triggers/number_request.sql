CREATE FUNCTION @extschema@.number_request() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- whoever asks for a run may not see all runs
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM @extschema@.job_log l WHERE l.jl_id = NEW.request_id) THEN
        PERFORM @extschema@.advance_sequences();
        NEW.request_id := nextval('@extschema@.worker_inbox_request_id_seq');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.number_request() IS
    'trigger: gives a run that is asked for a number that no other run has had, also where the sequence was left behind';
REVOKE ALL ON FUNCTION @extschema@.number_request() FROM PUBLIC;

CREATE TRIGGER number_request BEFORE INSERT ON @extschema@.worker_request
    FOR EACH ROW WHEN (NEW.kind = 'run') EXECUTE FUNCTION @extschema@.number_request();
