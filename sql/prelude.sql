\echo Use "CREATE EXTENSION elephant_worker" to load this file. \quit

-- Whatever the session's search_path holds, the script refers to its own objects by @extschema@.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What users neither call nor read is out of their sight. Not IF NOT EXISTS: it may be somebody else's.
CREATE SCHEMA @internal@;
COMMENT ON SCHEMA @internal@ IS 'what users of elephant_worker neither call nor read';

-- All that is created here is new; see sql/privileges/revoke_defaults.sql.
SELECT set_config('elephant_worker.members_before', '', true);
