CREATE FUNCTION @internal@.check_command(attribute text, command text, on_this_server boolean)
RETURNS @extschema@.user_error
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET standard_conforming_strings = on
AS $python$
# load elephant
return elephant("database.command_syntax").check(plpy, attribute, command, on_this_server)
$python$;
COMMENT ON FUNCTION @extschema@.check_command(text, text, boolean) IS
    'returns an error for a command without a statement (22023), and warns of one that is not SQL, with the position of the mistake; nothing of it is executed or looked up';
REVOKE ALL ON FUNCTION @extschema@.check_command(text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_command(text, text, boolean) TO job_scheduler;
