-- See try_commit().
CREATE PROCEDURE @extschema@.wait_for_run(
    jl_id bigint,
    timeout interval DEFAULT '1 minute',
    INOUT state text DEFAULT NULL,
    INOUT exception_message text DEFAULT NULL
)
LANGUAGE plpgsql SECURITY INVOKER
AS $$
DECLARE
    committed boolean;
    look record;
    until CONSTANT pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) timeout;
BEGIN
    -- What has been requested in this transaction starts when that has committed.
    CALL @extschema@.try_commit(committed);
    IF NOT committed THEN
        RAISE EXCEPTION 'wait_for_run() cannot run inside a transaction block, nor be called by a function'
            USING ERRCODE = 'active_sql_transaction',
                  DETAIL = 'The worker sees a request when its transaction has committed, and the end of a run is seen by a new transaction.',
                  HINT = 'Commit first, then call it in a statement of its own, by a session in autocommit mode: CALL @extschema@.wait_for_run(...);';
    END IF;
    LOOP
        SELECT * INTO look FROM @extschema@.look_for_run(jl_id, until);
        COMMIT;
        IF look.sqlstate IS NOT NULL THEN -- raised here, since the function would be two more lines of context
            RAISE EXCEPTION USING ERRCODE = look.sqlstate, MESSAGE = look.message, DETAIL = look.detail, HINT = look.hint;
        END IF;
        state := look.state;
        exception_message := look.exception_message;
        EXIT WHEN look.has_ended;
        PERFORM pg_catalog.pg_sleep(0.05);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE @extschema@.wait_for_run(bigint, interval, text, text) IS
    'waits until a run has ended, and returns its state and the error, if any; commits before it waits and between looks, so it holds neither snapshots nor locks; 25001 inside a transaction block, 57014 if the run has not ended within timeout (NULL: no limit), P0002 if there is no such run';
REVOKE ALL ON PROCEDURE @extschema@.wait_for_run(bigint, interval, text, text) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE @extschema@.wait_for_run(bigint, interval, text, text) TO job_scheduler;
