CREATE FUNCTION @extschema@.mark_delivered(alert_ids bigint[], receiver text, error text = NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- nobody else may write to alert; job_monitor, which sees all alerts, changes what the last three columns say
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few alerts
SET jit = off -- what has no index would seem to be worth compiling
AS $$
DECLARE
    marked bigint;
BEGIN
    IF length(receiver) NOT BETWEEN 1 AND 100 OR alert_ids IS NULL OR receiver IS NULL THEN
        RAISE EXCEPTION 'invalid receiver of alerts'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The name of a receiver has 1 to 100 characters, and the numbers of alerts must be given.',
                  HINT = 'SELECT @extschema@.mark_delivered(ARRAY[4711], ''mail'');';
    END IF;
    UPDATE @extschema@.alert a
    SET delivered_at = CASE WHEN error IS NULL THEN clock_timestamp() ELSE a.delivered_at END,
        delivered_to = CASE WHEN error IS NULL THEN a.delivered_to || receiver ELSE a.delivered_to END,
        delivery_error = CASE WHEN error IS NOT NULL THEN left(format('%s: %s', receiver, error), 1000) ELSE a.delivery_error END
    WHERE a.alert_id = ANY (alert_ids) AND receiver <> ALL (a.delivered_to) AND cardinality(a.delivered_to) < 100;
    GET DIAGNOSTICS marked = ROW_COUNT;
    RETURN marked;
END
$$;
COMMENT ON FUNCTION @extschema@.mark_delivered(bigint[], text, text) IS
    'notes that a receiver has confirmed these alerts or, with an error, that its delivery was given up; returns how many were not marked so before; errors: 22023 invalid receiver';
REVOKE ALL ON FUNCTION @extschema@.mark_delivered(bigint[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.mark_delivered(bigint[], text, text) TO job_monitor;
