-- Describes this cluster and this data directory, so it is never dumped.
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
    launcher_seen timestamptz,
    earlier_directories text[] NOT NULL DEFAULT '{}',
    stopped_worker timestamptz,
    stopped_by name,
    stopped_at timestamptz,
    version text
);

COMMENT ON TABLE @extschema@.worker_state IS
    'the worker of this database, one row; a worker is the server process recorded here for as long as it lives';
COMMENT ON COLUMN @extschema@.worker_state.only_row IS 'always true: there is one row';
COMMENT ON COLUMN @extschema@.worker_state.armed IS
    'whether launchers may start a worker: set by start_worker(), cleared by stop_worker()';
COMMENT ON COLUMN @extschema@.worker_state.system_identifier IS
    'the cluster where it was armed (pg_control_system())';
COMMENT ON COLUMN @extschema@.worker_state.data_directory IS
    'the data directory where it was armed last';
COMMENT ON COLUMN @extschema@.worker_state.earlier_directories IS
    'further data directories of this cluster in which it was armed before: in a copy elsewhere, launchers start nothing';
COMMENT ON COLUMN @extschema@.worker_state.stopped_worker IS
    'the worker that stop_worker() has told to leave, by its backend_start; it may still wait for its runs to end';
COMMENT ON COLUMN @extschema@.worker_state.stopped_by IS 'the role that called stop_worker() last';
COMMENT ON COLUMN @extschema@.worker_state.stopped_at IS 'when it did';
COMMENT ON COLUMN @extschema@.worker_state.pid IS 'process id of the worker''s backend';
COMMENT ON COLUMN @extschema@.worker_state.backend_start IS
    'when that backend started; with pid it names one process, which no other role can forge or block';
COMMENT ON COLUMN @extschema@.worker_state.host IS
    'what hosts the worker: session (detached), pg_background or foreground';
COMMENT ON COLUMN @extschema@.worker_state.server_started IS
    'start time of the server for which @reboot jobs were last run';
COMMENT ON COLUMN @extschema@.worker_state.spare_pid IS
    'process id of the backend that takes over when the worker''s process ends unexpectedly';
COMMENT ON COLUMN @extschema@.worker_state.spare_start IS
    'when that backend started';
COMMENT ON COLUMN @extschema@.worker_state.lowest_open_run IS
    'all runs with a lower jl_id have ended';
COMMENT ON COLUMN @extschema@.worker_state.launcher_seen IS
    'when start_worker(unattended := true) was last called, recorded at most every 5 minutes';
COMMENT ON COLUMN @extschema@.worker_state.version IS
    'the version of the extension when the worker began; NULL: 1.0.0';

INSERT INTO @extschema@.worker_state (only_row) SELECT true WHERE NOT EXISTS (SELECT FROM @extschema@.worker_state);
