CREATE FUNCTION @extschema@.due_times(
    schedule text,
    timezone text,
    dst text,
    starts_at float8,
    ends_at float8,
    after float8,
    until float8,
    count integer,
    seed text,
    anchor float8 DEFAULT NULL,
    OUT due float8[],
    OUT never text,
    OUT user_error @extschema@.user_error
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
# A statement of the server's is where a long search can be cancelled.
return elephant("schedule.functions").due_times(
    schedule, timezone, dst, starts_at, ends_at, after, until, count, seed, anchor, lambda: plpy.execute("SELECT"))
$python$;
COMMENT ON FUNCTION @extschema@.due_times IS
    'the next due times of a schedule in seconds since 1970 (as many as count, not after until), why it is never due (NULL where it is), or what is wrong with it; the seed (the job) chooses the slots of H, intervals are counted from anchor or, if that is NULL, from after';
REVOKE ALL ON FUNCTION @extschema@.due_times FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.due_times TO job_scheduler, job_monitor;
