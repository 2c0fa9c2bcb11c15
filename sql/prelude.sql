\echo Use "CREATE EXTENSION elephant_worker" to load this file. \quit

-- Whatever the session's search_path holds, the script refers to its own objects by @extschema@.
SET LOCAL search_path = pg_catalog, pg_temp;

-- All that is created here is new; see sql/privileges/revoke_defaults.sql.
SELECT set_config('elephant_worker.members_before', '', true);
