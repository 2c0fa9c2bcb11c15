CREATE TYPE @extschema@.user_error AS (sqlstate text, message text, detail text, hint text);

COMMENT ON TYPE @extschema@.user_error IS
    'what is wrong with an input, as the Python package says it; see raise_error()';
