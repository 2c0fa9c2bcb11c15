CREATE FUNCTION @internal@.number_request() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- whoever asks for a run may not see all jobs and runs
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
AS $$
DECLARE
    is_taken boolean;
BEGIN
    NEW.request_id := coalesce(NEW.request_id, nextval('@extschema@.worker_inbox_request_id_seq'));
    -- In an order that only one index has: another has the number after other columns.
    is_taken := EXISTS (SELECT FROM @extschema@.worker_request r
                        WHERE r.request_id BETWEEN NEW.request_id AND NEW.request_id
                        ORDER BY r.request_id OFFSET 0);
    -- Other requests do not lock the log.
    IF NEW.kind = 'run' AND NOT is_taken THEN
        is_taken := EXISTS (SELECT FROM @extschema@.job_log l
                            WHERE l.jl_id BETWEEN NEW.request_id AND NEW.request_id
                            ORDER BY l.jl_id OFFSET 0);
    END IF;
    IF is_taken THEN
        PERFORM @extschema@.advance_sequences();
        NEW.request_id := nextval('@extschema@.worker_inbox_request_id_seq');
    END IF;
    IF NEW.kind = 'run' THEN
        NEW.rolname := coalesce((SELECT j.rolname FROM @extschema@.job j WHERE j.job_id = NEW.job_id), '');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.number_request() IS
    'trigger: gives a request a number that no other has, and a run that is asked for one that no other run has had, also where the sequence was left behind, as after a restore; notes the role that a run is for';
REVOKE ALL ON FUNCTION @extschema@.number_request() FROM PUBLIC;

CREATE TRIGGER number_request BEFORE INSERT ON @extschema@.worker_request
    FOR EACH ROW EXECUTE FUNCTION @extschema@.number_request();
