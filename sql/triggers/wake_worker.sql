CREATE FUNCTION @extschema@.wake_worker() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Reaches the worker when the transaction commits. Not from the worker itself: where nobody reads
    -- what is notified, the queue may be full, and what the worker does must not fail for that.
    IF current_setting('application_name') <> 'elephant_worker' THEN
        NOTIFY elephant_worker_wake;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.wake_worker() IS 'trigger: wakes the worker when there is something in its inbox';
REVOKE ALL ON FUNCTION @extschema@.wake_worker() FROM PUBLIC;

CREATE TRIGGER wake_worker AFTER INSERT ON @extschema@.worker_request
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.wake_worker();
