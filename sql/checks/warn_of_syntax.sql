CREATE FUNCTION @internal@.warn_of_syntax(attribute text, command text) RETURNS void
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET standard_conforming_strings = on
AS $python$
# load elephant
elephant("database.command_syntax").warn(plpy, attribute, command)
$python$;
COMMENT ON FUNCTION @extschema@.warn_of_syntax(text, text) IS
    'warns of a command that is not SQL, with the position of the mistake; nothing of it is executed or looked up';
REVOKE ALL ON FUNCTION @extschema@.warn_of_syntax(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.warn_of_syntax(text, text) TO job_scheduler;
