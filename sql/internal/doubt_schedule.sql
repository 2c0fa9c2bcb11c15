CREATE FUNCTION @internal@.doubt_schedule(schedule text) RETURNS void
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
elephant("schedule.functions").doubt_schedule(schedule, plpy.notice)
$python$;
COMMENT ON FUNCTION @extschema@.doubt_schedule(text) IS
    'says in a NOTICE what a schedule means in words, if its author may have meant something else';
REVOKE ALL ON FUNCTION @extschema@.doubt_schedule(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.doubt_schedule(text) TO job_scheduler;
