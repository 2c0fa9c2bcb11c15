CREATE FUNCTION @extschema@.host_worker(OUT pid integer, OUT refusal @extschema@.refusal)
LANGUAGE plpython3u VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant().host.start(plpy, '@extschema@')
$python$;
COMMENT ON FUNCTION @extschema@.host_worker() IS
    'starts a worker in pg_background or a detached session, and waits until it works';
REVOKE ALL ON FUNCTION @extschema@.host_worker() FROM PUBLIC;

CREATE FUNCTION @extschema@.start_worker(unattended boolean DEFAULT false) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker integer := @extschema@.worker_pid();
    answer record;
BEGIN
    IF worker IS NULL AND (NOT unattended OR (SELECT s.armed FROM @extschema@.worker_state s)) THEN
        SELECT * INTO answer FROM @extschema@.host_worker();
        -- Somebody else may have started one at the same time.
        worker := coalesce(answer.pid, @extschema@.worker_pid());
        IF worker IS NULL THEN
            PERFORM @extschema@.refuse(answer.refusal);
        END IF;
    END IF;
    RETURN worker;
END
$$;
COMMENT ON FUNCTION @extschema@.start_worker(boolean) IS
    'starts the worker of this database inside the server and returns its process id; does nothing where one runs; unattended (for launchers): also does nothing, and returns NULL, after stop_worker() or where nobody has started one yet';
REVOKE ALL ON FUNCTION @extschema@.start_worker(boolean) FROM PUBLIC;
