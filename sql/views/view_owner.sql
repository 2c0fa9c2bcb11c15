-- DELETE on a view comes with the right to LOCK it, and LOCK goes on to what lies below it with the
-- rights of the view's owner. So the views that jobs are deleted through belong to a role that may
-- lock in no mode but those of readers and writers: no other role's session can then keep the worker from its tables.
DO $$
BEGIN
    EXECUTE (SELECT 'GRANT SELECT, INSERT, UPDATE (' || string_agg(quote_ident(c.attname), ', ')
                    || ') ON @extschema@.all_job TO job_view_owner'
             FROM pg_attribute c WHERE c.attrelid = '@extschema@.all_job'::regclass AND c.attnum > 0);
END
$$;

CREATE FUNCTION @internal@.delete_shown_job() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- the owner of the views may not delete; what a view shows, its reader may delete
SET search_path = pg_catalog, pg_temp
-- The plan that a session keeps may be of a time when there were few jobs: what is left is to look for a few of them.
SET enable_seqscan = off
SET enable_indexscan = off
SET jit = off -- what has no index would seem to be worth compiling
AS $$
DECLARE
    -- As check_shown_job() has just noted it; the triggers of the table will note the owner of this function.
    deleted_by CONSTANT name := current_setting('elephant_worker.changed_by');
BEGIN
    DELETE FROM ONLY @extschema@.job j WHERE j.job_id = OLD.job_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF deleted_by <> current_user THEN
        UPDATE ONLY @extschema@.job_change c SET changed_by = deleted_by
        WHERE c.job_id = OLD.job_id AND c.action = 'delete'
          AND c.version = (SELECT max(l.version) FROM ONLY @extschema@.job_change l WHERE l.job_id = OLD.job_id);
    END IF;
    -- warn_of_orphans() sees to it when the statement ends.
    PERFORM @extschema@.note_followed('elephant_worker.deleted', OLD.job_id, deleted_by);
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION @extschema@.delete_shown_job() IS 'trigger: deletes a job through my_job or member_job';
REVOKE ALL ON FUNCTION @extschema@.delete_shown_job() FROM PUBLIC;

CREATE FUNCTION @internal@.check_shown_job() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as in delete_shown_job()
SET jit = off -- what has no index would seem to be worth compiling
AS $$
DECLARE
    role_now name;
BEGIN
    -- The statement may have waited since it began: what has been given to another role meanwhile is left alone,
    -- as it is by a DELETE of a table.
    SELECT j.rolname INTO role_now FROM @extschema@.member_job j WHERE j.job_id = OLD.job_id FOR UPDATE;
    -- The last that is done before delete_shown_job(), as the role that deletes.
    PERFORM set_config('elephant_worker.changed_by', current_user, true);
    RETURN CASE WHEN role_now = OLD.rolname THEN OLD END;
END
$$;
COMMENT ON FUNCTION @extschema@.check_shown_job() IS
    'trigger: locks a job that is to be deleted, unless it is not that of the role any more for which it was shown, and notes who deletes it';
REVOKE ALL ON FUNCTION @extschema@.check_shown_job() FROM PUBLIC;

-- They fire in the order of their names.
CREATE TRIGGER check_shown_job INSTEAD OF DELETE ON @extschema@.my_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_shown_job();
CREATE TRIGGER check_shown_job INSTEAD OF DELETE ON @extschema@.member_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_shown_job();
CREATE TRIGGER delete_shown_job INSTEAD OF DELETE ON @extschema@.my_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.delete_shown_job();
CREATE TRIGGER delete_shown_job INSTEAD OF DELETE ON @extschema@.member_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.delete_shown_job();
