CREATE FUNCTION @internal@.wake_worker() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Reaches the worker when the transaction commits. Not sent by the worker itself: if nobody reads notifications
    -- the queue may be full, and the worker's own work must not fail because of that.
    IF current_setting('application_name') <> 'elephant_worker' THEN
        NOTIFY elephant_worker_wake;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.wake_worker() IS 'trigger: wakes the worker when there is a request for it';
REVOKE ALL ON FUNCTION @extschema@.wake_worker() FROM PUBLIC;

CREATE TRIGGER wake_worker AFTER INSERT ON @extschema@.worker_request
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.wake_worker();
