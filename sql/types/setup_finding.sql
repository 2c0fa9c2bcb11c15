CREATE TYPE @extschema@.setup_finding AS (check_name text, state text, found text, remedy text);

COMMENT ON TYPE @extschema@.setup_finding IS
    'a finding of check_setup(): state is ok, warning or error; remedy is SQL or a shell command';
COMMENT ON COLUMN @extschema@.setup_finding.check_name IS 'what was checked';
COMMENT ON COLUMN @extschema@.setup_finding.state IS
    'ok; warning: works, but not as it should, or not in every case; error: jobs do not run';
COMMENT ON COLUMN @extschema@.setup_finding.found IS 'what was found';
COMMENT ON COLUMN @extschema@.setup_finding.remedy IS
    'how to fix it: SQL for a superuser in this database, or a shell command; NULL for ok';
