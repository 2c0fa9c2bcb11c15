CREATE FUNCTION @internal@.due_times(
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
    'the next due times of a schedule as seconds since 1970 (at most count of them, none after until), why it is never due (NULL if it is), or what is wrong with it; seed, the job, chooses the slots of H; intervals are counted from anchor, or from after if that is NULL';
REVOKE ALL ON FUNCTION @extschema@.due_times FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.due_times TO job_scheduler, job_monitor;
