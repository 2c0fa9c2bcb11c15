CREATE FUNCTION @extschema@.claim_receiver(receiver text, forwarder text, lease interval = '15 seconds') RETURNS boolean
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- nobody else may write to alert_receiver; job_monitor decides there which of its forwarders sends
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    claimed boolean;
BEGIN
    IF receiver IS NULL OR length(receiver) NOT BETWEEN 1 AND 100 OR forwarder IS NULL
        OR length(forwarder) NOT BETWEEN 1 AND 100 OR lease IS NULL OR lease NOT BETWEEN '0' AND '1 hour'
    THEN
        RAISE EXCEPTION 'invalid claim of a receiver of alerts'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The names of receiver and forwarder have 1 to 100 characters, and the lease is at most one hour.',
                  HINT = 'SELECT @extschema@.claim_receiver(''mail'', ''forwarder 1'', ''15 seconds'');';
    END IF;
    DELETE FROM @extschema@.alert_receiver r
    WHERE r.receiver = claim_receiver.receiver AND r.forwarder = claim_receiver.forwarder AND lease = '0'
       OR r.claimed_until < clock_timestamp() - interval '1 hour';
    IF lease = '0' THEN
        RETURN false;
    END IF;
    INSERT INTO @extschema@.alert_receiver AS r (receiver, forwarder, claimed_until)
    VALUES (claim_receiver.receiver, claim_receiver.forwarder, clock_timestamp() + lease)
    ON CONFLICT ON CONSTRAINT alert_receiver_pkey DO UPDATE
        SET forwarder = EXCLUDED.forwarder, claimed_until = EXCLUDED.claimed_until
        WHERE r.forwarder = EXCLUDED.forwarder OR r.claimed_until < clock_timestamp()
    RETURNING true INTO claimed;
    RETURN coalesce(claimed, false);
END
$$;
COMMENT ON FUNCTION @extschema@.claim_receiver(text, text, interval) IS
    'claims, for so long, that no other forwarder sends alerts to this receiver, extends that or, with 0, ends it; returns whether it is claimed; errors: 22023 invalid name or lease';
REVOKE ALL ON FUNCTION @extschema@.claim_receiver(text, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.claim_receiver(text, text, interval) TO job_monitor;
