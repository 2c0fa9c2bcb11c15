CREATE TYPE @extschema@.refusal AS (sqlstate text, message text, detail text, hint text);

COMMENT ON TYPE @extschema@.refusal IS
    'what is wrong with an input, as the Python package says it; see refuse()';
