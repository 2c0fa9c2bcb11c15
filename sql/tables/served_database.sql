-- Dumped with the jobs, and copied with their database: so a copy beside its original is known, whose worker would run
-- each job a second time.
CREATE TABLE @extschema@.served_database (
    system_identifier bigint NOT NULL,
    database_oid oid NOT NULL
);

COMMENT ON TABLE @extschema@.served_database IS
    'the databases in which a worker has run these jobs; see confirm_copy()';
COMMENT ON COLUMN @extschema@.served_database.system_identifier IS 'the cluster (pg_control_system())';
COMMENT ON COLUMN @extschema@.served_database.database_oid IS 'the database there';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.served_database', '');
