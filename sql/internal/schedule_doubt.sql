CREATE FUNCTION @extschema@.schedule_doubt(schedule text) RETURNS @extschema@.user_error
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("schedule.functions").schedule_doubt(schedule)
$python$;
COMMENT ON FUNCTION @extschema@.schedule_doubt(text) IS
    'what a schedule means in words, and why its author may have meant something else, for a NOTICE; NULL where there is no such doubt';
REVOKE ALL ON FUNCTION @extschema@.schedule_doubt(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.schedule_doubt(text) TO job_scheduler;
