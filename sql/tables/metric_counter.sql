-- What metric counts, added up by the worker every few seconds. Never dumped: counters may begin anew.
CREATE TABLE @internal@.metric_counter (
    name text,
    rolname name,
    datname name,
    label text,
    value double precision NOT NULL,
    PRIMARY KEY (name, rolname, datname, label)
) WITH (fillfactor = 50);

COMMENT ON TABLE @extschema@.metric_counter IS 'the counters of the view metric; only the worker writes them';
COMMENT ON COLUMN @extschema@.metric_counter.name IS
    'runs, missed, alerts, duration, duration sum, lateness or lateness sum';
COMMENT ON COLUMN @extschema@.metric_counter.rolname IS 'of runs: the role; empty: one of the roles that have no row of their own';
COMMENT ON COLUMN @extschema@.metric_counter.datname IS 'of runs: the database; empty as rolname';
COMMENT ON COLUMN @extschema@.metric_counter.label IS
    'of runs: how they ended; of alerts: the event; of duration and lateness: the upper bound in seconds';
COMMENT ON COLUMN @extschema@.metric_counter.value IS 'how many, or for sums how many seconds, since the extension was created';
