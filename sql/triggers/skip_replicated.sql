-- A subscription to FOR ALL TABLES takes over these tables, too. Logical replication fires the triggers that are enabled
-- for replicas, and no others: they keep from this cluster what is true of the publisher alone. Jobs, their state and
-- the log are taken over, as from a dump.
CREATE FUNCTION @internal@.skip_replicated() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.skip_replicated() IS
    'trigger: keeps out of this cluster, without a word, what logical replication brings of the publisher''s worker';
REVOKE ALL ON FUNCTION @extschema@.skip_replicated() FROM PUBLIC;

CREATE FUNCTION @internal@.report_replicated_definition() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.worker_request (kind, job_id) VALUES ('define', coalesce(NEW.job_id, OLD.job_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_replicated_definition() IS
    'trigger: tells the worker of this cluster of jobs that logical replication brings, changes or deletes';
REVOKE ALL ON FUNCTION @extschema@.report_replicated_definition() FROM PUBLIC;

-- Not what the triggers below write themselves.
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.worker_state
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.worker_setting
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.worker_request
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.once_job
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job_quota
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.metric_counter
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.alert_receiver
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
-- OIDs differ from cluster to cluster.
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.known_role
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.served_database
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION @extschema@.skip_replicated();
CREATE TRIGGER track_replicated_target BEFORE INSERT OR UPDATE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.remember_target();
CREATE TRIGGER report_replicated_job AFTER INSERT OR UPDATE OR DELETE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.report_replicated_definition();
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', t.tgrelid::regclass, t.tgname)
        FROM pg_trigger t
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.tgrelid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker'
        WHERE t.tgname IN ('skip_replicated', 'track_replicated_target', 'report_replicated_job')
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
