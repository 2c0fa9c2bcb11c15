-- Belongs to this cluster and this data directory: never dumped.
CREATE TABLE @extschema@.worker_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    armed boolean NOT NULL DEFAULT false,
    system_identifier bigint,
    data_directory text,
    pid integer,
    backend_start timestamptz,
    host text,
    server_started timestamptz,
    spare_pid integer,
    spare_start timestamptz,
    lowest_open_run bigint NOT NULL DEFAULT 0,
    launcher_seen timestamptz
);

COMMENT ON TABLE @extschema@.worker_state IS
    'the worker of this database, one row; a worker is the server process that stands here for as long as it lives';
COMMENT ON COLUMN @extschema@.worker_state.only_row IS 'always true: there is one row';
COMMENT ON COLUMN @extschema@.worker_state.armed IS
    'whether launchers may start a worker: set by start_worker(), cleared by stop_worker()';
COMMENT ON COLUMN @extschema@.worker_state.system_identifier IS
    'the cluster where it was armed (pg_control_system())';
COMMENT ON COLUMN @extschema@.worker_state.data_directory IS
    'the data directory where it was armed: in a copy of it elsewhere, launchers start nothing';
COMMENT ON COLUMN @extschema@.worker_state.pid IS 'process id of the worker''s backend';
COMMENT ON COLUMN @extschema@.worker_state.backend_start IS
    'when that backend started; with pid it names one process, which no other role can forge or block';
COMMENT ON COLUMN @extschema@.worker_state.host IS
    'what hosts the worker: session (detached), pg_background or foreground';
COMMENT ON COLUMN @extschema@.worker_state.server_started IS
    'when the server was started that @reboot jobs have last been run for';
COMMENT ON COLUMN @extschema@.worker_state.spare_pid IS
    'process id of the backend that becomes the worker when the worker''s process ends unasked';
COMMENT ON COLUMN @extschema@.worker_state.spare_start IS
    'when that backend started';
COMMENT ON COLUMN @extschema@.worker_state.lowest_open_run IS
    'all runs with a lower jl_id have ended';
COMMENT ON COLUMN @extschema@.worker_state.launcher_seen IS
    'when start_worker(unattended := true) was last called, noted every 5 minutes at the most';

INSERT INTO @extschema@.worker_state (only_row) SELECT true WHERE NOT EXISTS (SELECT FROM @extschema@.worker_state);
