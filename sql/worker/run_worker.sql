-- No SET clauses: a procedure that has one cannot commit. The worker sets its own search_path.
CREATE PROCEDURE @internal@.run_worker_loop(host text, attended boolean, INOUT user_error @extschema@.user_error)
LANGUAGE plpython3u SECURITY INVOKER
AS $python$
# load elephant
return elephant("worker.main").run(plpy, '@extschema@', host, attended)
$python$;
COMMENT ON PROCEDURE @extschema@.run_worker_loop(text, boolean, @extschema@.user_error) IS 'see run_worker()';
REVOKE ALL ON PROCEDURE @extschema@.run_worker_loop(text, boolean, @extschema@.user_error) FROM PUBLIC;

CREATE PROCEDURE @extschema@.run_worker(host text DEFAULT 'foreground', attended boolean DEFAULT true)
LANGUAGE plpgsql SECURITY INVOKER
AS $$
DECLARE
    user_error @extschema@.user_error;
BEGIN
    IF host OPERATOR(pg_catalog.=) 'foreground' THEN
        PERFORM @extschema@.refuse_copy();
    END IF;
    CALL @extschema@.run_worker_loop(host, attended, user_error);
    PERFORM @extschema@.raise_error(user_error);
END
$$;
COMMENT ON PROCEDURE @extschema@.run_worker(text, boolean) IS
    'runs the worker until it is stopped: starts what is due and logs how it ends; start_worker() runs it inside the server; 55006 if a worker is already running, 55000 under statement_timeout; unless attended, returns at once if start_worker(unattended := true) would do nothing';
REVOKE ALL ON PROCEDURE @extschema@.run_worker(text, boolean) FROM PUBLIC;
