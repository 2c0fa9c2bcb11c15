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
    INSERT INTO @extschema@.worker_request (kind, job_id, rolname)
    VALUES ('define', coalesce(NEW.job_id, OLD.job_id), coalesce(NEW.rolname, OLD.rolname));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_replicated_definition() IS
    'trigger: tells the worker of this cluster of jobs that logical replication brings, changes or deletes';
REVOKE ALL ON FUNCTION @extschema@.report_replicated_definition() FROM PUBLIC;

-- pg_restore --disable-triggers leaves triggers that are enabled for replicas enabled for everybody: so each asks by itself.
CREATE TRIGGER track_replicated_target BEFORE INSERT OR UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (current_setting('session_replication_role') = 'replica') EXECUTE FUNCTION @extschema@.remember_target();
CREATE TRIGGER report_replicated_job AFTER INSERT OR UPDATE OR DELETE ON @extschema@.job
    FOR EACH ROW WHEN (current_setting('session_replication_role') = 'replica') EXECUTE FUNCTION @extschema@.report_replicated_definition();
DO $$
DECLARE
    publishers_own regclass;
BEGIN
    FOREACH publishers_own IN ARRAY ARRAY[
        '@extschema@.worker_state', '@extschema@.worker_setting', '@extschema@.worker_request', '@extschema@.once_job',
        '@extschema@.job_quota', '@extschema@.metric_counter', '@extschema@.alert_receiver', '@extschema@.withdrawal',
        '@extschema@.known_role', '@extschema@.served_database' -- OIDs differ from cluster to cluster
    ]::regclass[] LOOP
        -- Not what the triggers above write themselves.
        EXECUTE format('CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON %s '
                       'FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND current_setting(''session_replication_role'') = ''replica'') EXECUTE FUNCTION @extschema@.skip_replicated()',
                       publishers_own);
        EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER skip_replicated', publishers_own);
    END LOOP;
    -- Here, since the build leaves ALTER TABLE at the beginning of a line to the steps of updates.
    ALTER TABLE @extschema@.job
        ENABLE REPLICA TRIGGER track_replicated_target,
        ENABLE REPLICA TRIGGER report_replicated_job;
END
$$;
