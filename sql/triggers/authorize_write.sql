CREATE FUNCTION @internal@.authorize_write() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.rolname <> ALL (@extschema@.permitted_roles()) THEN
        -- Through a view it was shown when the statement began; it has been given away since.
        PERFORM @extschema@.raise_no_such_job(OLD.job_id);
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    -- The views cannot give these, but pg_write_all_data can. Only a superuser's row of a dump is believed.
    IF (NEW.job_id > 0) IS DISTINCT FROM (TG_TABLE_NAME = 'job') THEN
        PERFORM @extschema@.raise_no_such_job(NEW.job_id);
    END IF;
    -- Nobody chooses the number of a job; it is drawn anew if others have been drawn since, for what the row contains.
    IF TG_OP = 'INSERT' AND NEW.job_id > 0 AND NEW.job_id <> currval('@extschema@.job_job_id_seq') THEN
        NEW.job_id := NULL;
    ELSIF TG_OP = 'INSERT' AND NEW.job_id < 0 AND NEW.job_id <> currval('@extschema@.once_job_job_id_seq') THEN
        NEW.job_id := 0;
    END IF;
    NEW.schedule_set_at := OLD.schedule_set_at;
    NEW.first_run_at := OLD.first_run_at;
    NEW.database_oid := OLD.database_oid;
    NEW.database_owner := OLD.database_owner;
    NEW.server_oid := OLD.server_oid;
    NEW.version := coalesce(OLD.version, 1);
    RETURN NEW;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.authorize_write() IS
    'trigger: refuses to change jobs of roles that the current role is not a member of (P0002), and has a new row of an ordinary role checked and completed as a definition, whatever it holds';
REVOKE ALL ON FUNCTION @extschema@.authorize_write() FROM PUBLIC;

-- Before all other triggers, which fire in the order of their names. pg_has_role() is true of superusers, and of
-- whoever has the privileges of the first one; a membership can give none (WITH INHERIT FALSE, SET FALSE).
CREATE TRIGGER authorize_write BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.job
    FOR EACH ROW WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.authorize_write();
CREATE TRIGGER authorize_write BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NOT pg_has_role(10::oid, 'USAGE')) EXECUTE FUNCTION @extschema@.authorize_write();
