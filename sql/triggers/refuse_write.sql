CREATE FUNCTION @internal@.refuse_write() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'permission denied for table %', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              DETAIL = 'The worker acts on it with the rights of a superuser, so only superusers may write to it; '
                       'pg_write_all_data is not enough.',
              HINT = 'Define jobs through my_job or member_job, and call run_job(), cancel_job() and the like.';
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_write() IS
    'trigger: refuses to write to what the worker trusts (42501)';
REVOKE ALL ON FUNCTION @extschema@.refuse_write() FROM PUBLIC;

-- pg_has_role() is true of superusers, and of whoever has the privileges of the first one; asking costs the worker nothing.
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.alert
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.alert_receiver
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job_log
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job_state
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job_statistic
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.metric_counter
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.pending_run
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.finished_dependency
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.withdrawal
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.worker_state
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.worker_setting
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.known_role
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.served_database
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE UPDATE OR DELETE ON @extschema@.worker_request
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
-- For each row, since a statement that names the table's parent fires no trigger for statements here.
CREATE TRIGGER refuse_write BEFORE UPDATE OR DELETE ON @extschema@.once_job
    FOR EACH ROW WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job_change
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job_quota
    FOR EACH STATEMENT WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.refuse_write();
-- A session of session_replication_role = replica, as those of subscriptions are, fires none of the triggers that check
-- a definition or a request. So only superusers may write there, also to what others may write to elsewhere. For each
-- row, since subscriptions fire no triggers for statements; and after it, since PostgreSQL locks each row before an
-- UPDATE for the sake of triggers that come before, also of those that do not fire: the worker would wait for that.
DO $$
DECLARE
    checked regclass;
BEGIN
    FOR checked IN
        SELECT c.oid FROM pg_class c
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker'
        WHERE c.relkind = 'r' ORDER BY c.oid
    LOOP
        EXECUTE format('CREATE TRIGGER refuse_replicated AFTER INSERT OR UPDATE OR DELETE ON %s '
                       'FOR EACH ROW WHEN (NOT pg_has_role(10::oid, ''USAGE'') AND current_setting(''session_replication_role'') = ''replica'') '
                       'EXECUTE FUNCTION @extschema@.refuse_write()', checked);
        EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER refuse_replicated', checked);
    END LOOP;
END
$$;
