-- No SET clauses: a procedure that has one cannot commit. The worker sets its own search_path.
CREATE PROCEDURE @extschema@.work(host text, INOUT refusal @extschema@.refusal)
LANGUAGE plpython3u SECURITY INVOKER
AS $python$
# load elephant
return elephant().worker.run(plpy, '@extschema@', host)
$python$;
COMMENT ON PROCEDURE @extschema@.work(text, @extschema@.refusal) IS 'see run_worker()';
REVOKE ALL ON PROCEDURE @extschema@.work(text, @extschema@.refusal) FROM PUBLIC;

CREATE PROCEDURE @extschema@.run_worker(host text DEFAULT 'foreground')
LANGUAGE plpgsql SECURITY INVOKER
AS $$
DECLARE
    refusal @extschema@.refusal;
BEGIN
    CALL @extschema@.work(host, refusal);
    PERFORM @extschema@.refuse(refusal);
END
$$;
COMMENT ON PROCEDURE @extschema@.run_worker(text) IS
    'is the worker, until it is stopped: starts what is due, logs how it ends; start_worker() runs it inside the server; 55006 where a worker runs already';
REVOKE ALL ON PROCEDURE @extschema@.run_worker(text) FROM PUBLIC;
