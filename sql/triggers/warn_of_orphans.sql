-- What is noted for the warnings lies in settings, which anybody can set. A function with the rights of another role, which
-- changes a job of its caller's, would warn of whatever that one has put there.
CREATE FUNCTION @internal@.forget_followed() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('elephant_worker.deleted', '', true), set_config('elephant_worker.given_away', '', true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.forget_followed() IS
    'trigger: has each statement begin with no jobs noted that others run after';
REVOKE ALL ON FUNCTION @extschema@.forget_followed() FROM PUBLIC;

CREATE TRIGGER forget_followed BEFORE DELETE ON @extschema@.my_job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.forget_followed();
CREATE TRIGGER forget_followed BEFORE DELETE ON @extschema@.member_job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.forget_followed();
CREATE TRIGGER forget_followed BEFORE UPDATE ON @extschema@.job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.forget_followed();

CREATE FUNCTION @internal@.warn_of_orphans() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
AS $$
DECLARE
    -- Of the jobs that the statement has deleted, those that others ran after: see delete_shown_job().
    deleted CONSTANT text := current_setting('elephant_worker.deleted', true);
    shown CONSTANT integer := 10;
    orphan record;
BEGIN
    IF deleted = '' IS NOT FALSE THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('elephant_worker.deleted', '', true);
    FOR orphan IN
        SELECT o.job_id, o.gone, o.number, o.total
        FROM (SELECT j.job_id, a AS gone, row_number() OVER (ORDER BY j.job_id, a) AS number, count(*) OVER () AS total
              FROM @extschema@.member_job j CROSS JOIN unnest(j.run_after) a
              JOIN unnest(string_to_array(deleted, ',')) d (job_id) ON d.job_id = a::text
              WHERE j.run_after IS NOT NULL) o
        WHERE o.number <= shown
        ORDER BY o.number
    LOOP
        RAISE WARNING 'job % runs after job %, which has been deleted: that will no longer start it',
                      orphan.job_id, orphan.gone
            USING HINT = 'Change its run_after with update_job().';
        IF orphan.number = shown AND orphan.total > shown THEN
            RAISE WARNING 'the same holds for % more jobs', orphan.total - shown
                USING HINT = 'The view job_chain shows all of them, with the state "deleted".';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_of_orphans() IS
    'trigger: warns if other jobs run after those that have been deleted through my_job or member_job';
REVOKE ALL ON FUNCTION @extschema@.warn_of_orphans() FROM PUBLIC;

CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.my_job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();
CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.member_job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();

CREATE FUNCTION @internal@.note_given_away() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- looks by index for what runs after a job, as delete_shown_job() does; what is hidden is not noted
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.note_followed('elephant_worker.given_away', NEW.job_id,
                                      current_setting('elephant_worker.changed_by'));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.note_given_away() IS
    'trigger: notes jobs that are given to another role and that others run after whom the current role sees, for warn_of_separated()';
REVOKE ALL ON FUNCTION @extschema@.note_given_away() FROM PUBLIC;

-- See record_change_of_job.
CREATE TRIGGER note_given_away BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname
                       AND set_config('elephant_worker.changed_by', current_user, true) IS NOT NULL)
    EXECUTE FUNCTION @extschema@.note_given_away();

CREATE FUNCTION @internal@.warn_of_separated() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
AS $$
DECLARE
    given_away CONSTANT text := current_setting('elephant_worker.given_away', true);
    shown CONSTANT integer := 10;
    separated record;
BEGIN
    IF given_away = '' IS NOT FALSE THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('elephant_worker.given_away', '', true);
    FOR separated IN
        WITH follower AS MATERIALIZED (
            SELECT j.job_id, j.defined_by, g.job_id AS given, g.rolname
            FROM @extschema@.member_job j CROSS JOIN unnest(j.run_after) a
            JOIN unnest(string_to_array(given_away, ',')) d (job_id) ON d.job_id = a::text
            JOIN @extschema@.member_job g ON g.job_id = a
            WHERE j.run_after IS NOT NULL),
        strange AS MATERIALIZED (
            SELECT p.defined_by, p.rolname FROM (SELECT DISTINCT f.defined_by, f.rolname FROM follower f) p
            WHERE NOT @extschema@.may_follow(p.defined_by, p.rolname))
        SELECT o.*
        FROM (SELECT f.job_id, f.given, s.defined_by, s.rolname, count(*) OVER () AS total,
                     row_number() OVER (ORDER BY f.job_id, f.given) AS number
              FROM follower f JOIN strange s ON s.defined_by = f.defined_by AND s.rolname = f.rolname) o
        WHERE o.number <= shown
        ORDER BY o.number
    LOOP
        RAISE WARNING 'job % runs after job %, which has been given to role "%": that will no longer start it',
                      separated.job_id, separated.given, separated.rolname
            USING DETAIL = format('Role "%s", which answers for job %s, may not act as that role.',
                                  separated.defined_by, separated.job_id),
                  HINT = 'Change its run_after with update_job(), or have a role that may act as both take it over by its defined_by.';
        IF separated.number = shown AND separated.total > shown THEN
            RAISE WARNING 'the same holds for % more jobs', separated.total - shown
                USING HINT = 'The view job_chain shows all of them, with the state "not permitted".';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_of_separated() IS
    'trigger: warns if other jobs run after those that have been given to a role whose jobs they may not run after';
REVOKE ALL ON FUNCTION @extschema@.warn_of_separated() FROM PUBLIC;

CREATE TRIGGER warn_of_separated AFTER UPDATE ON @extschema@.job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_separated();
