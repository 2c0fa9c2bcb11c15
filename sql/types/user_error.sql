CREATE TYPE @extschema@.user_error AS (sqlstate text, message text, detail text, hint text);

COMMENT ON TYPE @extschema@.user_error IS 'an error in an input, as the Python package returns it; see raise_error()';
