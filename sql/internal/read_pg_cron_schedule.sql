CREATE FUNCTION @internal@.read_pg_cron_schedule(
    schedule text,
    match_dom_and_dow boolean,
    OUT entry text,
    OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("schedule.pg_cron").as_entry(schedule, match_dom_and_dow)
$python$;
COMMENT ON FUNCTION @extschema@.read_pg_cron_schedule(text, boolean) IS
    'the schedule that is due when pg_cron would run a job with this one, or what is wrong with it; for elephant_worker_cron';
REVOKE ALL ON FUNCTION @extschema@.read_pg_cron_schedule(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.read_pg_cron_schedule(text, boolean) TO job_scheduler;
