-- No SET clauses: a procedure that has one cannot commit.
CREATE PROCEDURE @internal@.try_commit(INOUT committed boolean)
LANGUAGE plpython3u SECURITY INVOKER
AS $python$
try:
    plpy.commit()
except plpy.spiexceptions.InvalidTransactionTermination:
    return (False,)
return (True,)
$python$;
COMMENT ON PROCEDURE @extschema@.try_commit(boolean) IS
    'for wait_for_run(): commits the transaction, and says whether that was possible';
REVOKE ALL ON PROCEDURE @extschema@.try_commit(boolean) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE @extschema@.try_commit(boolean) TO job_scheduler;
