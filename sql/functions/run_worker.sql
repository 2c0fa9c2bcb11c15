-- No SET clauses: a procedure that has one cannot commit. The worker sets its own search_path.
CREATE PROCEDURE @extschema@.work(host text, attended boolean, INOUT refusal @extschema@.refusal)
LANGUAGE plpython3u SECURITY INVOKER
AS $python$
# load elephant
return elephant().worker.run(plpy, '@extschema@', host, attended)
$python$;
COMMENT ON PROCEDURE @extschema@.work(text, boolean, @extschema@.refusal) IS 'see run_worker()';
REVOKE ALL ON PROCEDURE @extschema@.work(text, boolean, @extschema@.refusal) FROM PUBLIC;

CREATE PROCEDURE @extschema@.run_worker(host text DEFAULT 'foreground', attended boolean DEFAULT true)
LANGUAGE plpgsql SECURITY INVOKER
AS $$
DECLARE
    refusal @extschema@.refusal;
BEGIN
    CALL @extschema@.work(host, attended, refusal);
    PERFORM @extschema@.refuse(refusal);
END
$$;
COMMENT ON PROCEDURE @extschema@.run_worker(text, boolean) IS
    'is the worker, until it is stopped: starts what is due, logs how it ends; start_worker() runs it inside the server; 55006 where a worker runs already; not attended: returns at once where start_worker(unattended := true) would do nothing';
REVOKE ALL ON PROCEDURE @extschema@.run_worker(text, boolean) FROM PUBLIC;
