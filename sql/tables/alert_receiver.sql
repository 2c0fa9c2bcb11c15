-- Who is sending alerts at this moment. Never dumped: it is over in seconds.
CREATE TABLE @internal@.alert_receiver (
    receiver text PRIMARY KEY,
    forwarder text NOT NULL,
    claimed_until timestamptz NOT NULL
);

COMMENT ON TABLE @extschema@.alert_receiver IS
    'the receivers of alerts that a forwarder is sending to, see claim_receiver()';
COMMENT ON COLUMN @extschema@.alert_receiver.receiver IS 'the name of the receiver, as in alert.delivered_to';
COMMENT ON COLUMN @extschema@.alert_receiver.forwarder IS 'which forwarder sends to it; each calls itself what no other one does';
COMMENT ON COLUMN @extschema@.alert_receiver.claimed_until IS 'from when on another forwarder may send to it';
