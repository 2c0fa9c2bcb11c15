CREATE FUNCTION @internal@.doubt_time_zone(timezone text) RETURNS void
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
elephant("schedule.functions").doubt_time_zone(timezone, plpy.notice)
$python$;
COMMENT ON FUNCTION @extschema@.doubt_time_zone(text) IS
    'says in a NOTICE how far a time zone is ahead of UTC or behind it, if its name reads like one on the other side';
REVOKE ALL ON FUNCTION @extschema@.doubt_time_zone(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.doubt_time_zone(text) TO job_scheduler, job_monitor;
