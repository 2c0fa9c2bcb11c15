-- The alerts, written by the worker in the transaction that logs what they are about. The numbers are of the sequence
-- that numbers runs, so that there is one sequence less that a restore can leave behind.
CREATE TABLE @extschema@.alert (
    alert_id bigint PRIMARY KEY,
    event text NOT NULL,
    raised_at timestamptz NOT NULL,
    job_id bigint NOT NULL,
    job_name text,
    jl_id bigint,
    rolname name,
    datname name,
    server name,
    sqlstate text,
    attempt integer,
    retry boolean,
    explanation text NOT NULL,
    repetition integer NOT NULL DEFAULT 1,
    since timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    delivered_at timestamptz,
    delivered_to text[] NOT NULL DEFAULT '{}',
    delivery_error text
);

CREATE INDEX alert_job_id ON @extschema@.alert (job_id, alert_id);

COMMENT ON TABLE @extschema@.alert IS
    'the alerts, kept as long as the log; users see them through my_alert, member_alert and all_alert, only the worker writes them';
COMMENT ON COLUMN @extschema@.alert.alert_id IS 'identifies the alert; later ones have higher numbers';
COMMENT ON COLUMN @extschema@.alert.event IS
    'what it is about: failed, timed out, lost, missed, recovered, quarantined, disabled, overdue, overrun';
COMMENT ON COLUMN @extschema@.alert.raised_at IS 'when it was raised';
COMMENT ON COLUMN @extschema@.alert.job_id IS
    'the job, which may have been deleted since; a negative number for a run that belongs to no job';
COMMENT ON COLUMN @extschema@.alert.job_name IS 'the name of the job when the alert was raised';
COMMENT ON COLUMN @extschema@.alert.jl_id IS 'the run; NULL: it is about the job';
COMMENT ON COLUMN @extschema@.alert.rolname IS 'the role of the run, or of the job';
COMMENT ON COLUMN @extschema@.alert.datname IS 'the database of the run, or of the job';
COMMENT ON COLUMN @extschema@.alert.server IS 'the foreign server; NULL: this server';
COMMENT ON COLUMN @extschema@.alert.sqlstate IS 'SQLSTATE of the run';
COMMENT ON COLUMN @extschema@.alert.attempt IS 'number of this attempt for one due time, from 1';
COMMENT ON COLUMN @extschema@.alert.retry IS 'whether the run will be tried again';
COMMENT ON COLUMN @extschema@.alert.explanation IS 'the alert in words, with the beginning of the error message';
COMMENT ON COLUMN @extschema@.alert.repetition IS
    'how many alerts of this kind the job has had in a row, this one included, since all was well';
COMMENT ON COLUMN @extschema@.alert.since IS 'when the first of these was raised';
COMMENT ON COLUMN @extschema@.alert.told_at IS
    'when the last of these that people should hear of was raised: this one, unless it repeats too soon what an earlier one has said';
COMMENT ON COLUMN @extschema@.alert.delivered_at IS 'when a receiver last confirmed it; NULL: none has';
COMMENT ON COLUMN @extschema@.alert.delivered_to IS 'the receivers that have confirmed it, see mark_delivered()';
COMMENT ON COLUMN @extschema@.alert.delivery_error IS 'why the last attempt to deliver it was given up';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.alert', '');
