CREATE FUNCTION @internal@.check_role_quota(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- compiling takes longer than counting
AS $$
DECLARE
    most CONSTANT integer := (SELECT s.max_jobs_per_role FROM @extschema@.worker_setting s WHERE s.only_row);
BEGIN
    IF most IS NULL OR (SELECT sum(q.jobs) <= most AND bool_or(q.transaction_id = '0' AND q.jobs IS NOT NULL)
                        FROM @extschema@.job_quota q WHERE q.rolname = role) THEN
        RETURN;
    END IF;
    -- Before anybody is refused the jobs themselves are counted, no further than up to the limit.
    PERFORM FROM ONLY @extschema@.job j WHERE j.rolname = role OFFSET most LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" has reached max_jobs_per_role', role
            USING ERRCODE = 'configuration_limit_exceeded',
                  DETAIL = format('worker_setting.max_jobs_per_role is %s.', most),
                  HINT = 'Delete some of its jobs. A superuser can raise the limit, or define the job.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_role_quota(name) IS
    'refuses more jobs of a role than worker_setting.max_jobs_per_role (53400)';
REVOKE ALL ON FUNCTION @extschema@.check_role_quota(name) FROM PUBLIC;

CREATE FUNCTION @internal@.check_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts what a role may not see
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as check_role_quota()
AS $$
DECLARE
    is_limited CONSTANT boolean := TG_NARGS > 0 AND TG_ARGV[0] = 'limited';
    roles name[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        roles := ARRAY[NEW.rolname];
        INSERT INTO @extschema@.job_quota AS q (rolname, jobs, is_limited)
        VALUES (OLD.rolname, -1, false), (NEW.rolname, 1, is_limited)
        ON CONFLICT (rolname, transaction_id) DO UPDATE
            SET jobs = q.jobs + excluded.jobs, is_limited = q.is_limited OR excluded.is_limited;
    ELSE
        WITH counted AS (
            INSERT INTO @extschema@.job_quota AS q (rolname, jobs, is_limited)
            SELECT c.rolname, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END, is_limited
            FROM changed c GROUP BY c.rolname
            ON CONFLICT (rolname, transaction_id) DO UPDATE
                SET jobs = q.jobs + excluded.jobs, is_limited = q.is_limited OR excluded.is_limited
            RETURNING q.rolname)
        SELECT array_agg(c.rolname) INTO roles FROM counted c;
    END IF;
    IF is_limited THEN
        PERFORM @extschema@.check_role_quota(r.rolname) FROM unnest(roles) r (rolname);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.check_job_quota() IS
    'trigger: counts the jobs of each role, and refuses those beyond worker_setting.max_jobs_per_role (53400) as soon as they are defined';
REVOKE ALL ON FUNCTION @extschema@.check_job_quota() FROM PUBLIC;

CREATE TRIGGER count_new_jobs AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT WHEN (NOT @extschema@.is_superuser()) EXECUTE FUNCTION @extschema@.check_job_quota('limited');
CREATE TRIGGER count_new_jobs_of_superuser AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT WHEN (@extschema@.is_superuser()) EXECUTE FUNCTION @extschema@.check_job_quota();
CREATE TRIGGER count_changed_job AFTER UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname AND NOT @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.check_job_quota('limited');
CREATE TRIGGER count_changed_job_of_superuser AFTER UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname AND @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.check_job_quota();
CREATE TRIGGER count_deleted_jobs AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.check_job_quota();

CREATE FUNCTION @internal@.recheck_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- locks the row of the role, which its users must not lock for longer
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as check_role_quota()
SET jit = off -- as check_role_quota()
AS $$
DECLARE
    role CONSTANT name := NEW.rolname;
    total bigint;
BEGIN
    -- The first statement of a transaction has settled for all of them.
    PERFORM FROM @extschema@.job_quota q WHERE q.rolname = role AND q.transaction_id = NEW.transaction_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Nobody who has no limit to keep waits for those who have: what is left over is settled by the next one.
    IF NEW.is_limited THEN
        INSERT INTO @extschema@.job_quota AS q (rolname, transaction_id) VALUES (role, '0')
        ON CONFLICT (rolname, transaction_id) DO UPDATE SET jobs = q.jobs;
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN NULL;
    ELSE
        PERFORM FROM @extschema@.job_quota q WHERE q.rolname = role AND q.transaction_id = '0' FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    WITH settled AS (
        DELETE FROM @extschema@.job_quota q WHERE q.rolname = role AND q.transaction_id <> '0' RETURNING q.jobs)
    UPDATE @extschema@.job_quota q SET jobs = q.jobs + (SELECT sum(s.jobs) FROM settled s)
    WHERE q.rolname = role AND q.transaction_id = '0' RETURNING q.jobs INTO total;
    IF total IS NULL OR total > (SELECT s.max_jobs_per_role FROM @extschema@.worker_setting s WHERE s.only_row) THEN
        UPDATE @extschema@.job_quota q SET jobs = (SELECT count(*) FROM ONLY @extschema@.job j WHERE j.rolname = role)
        WHERE q.rolname = role AND q.transaction_id = '0';
    END IF;
    IF NEW.is_limited THEN
        PERFORM @extschema@.check_role_quota(role);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.recheck_job_quota() IS
    'trigger: refuses, at the end of a transaction, jobs beyond worker_setting.max_jobs_per_role (53400) that others have defined at the same time';
REVOKE ALL ON FUNCTION @extschema@.recheck_job_quota() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER settle_jobs AFTER INSERT OR UPDATE ON @extschema@.job_quota
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.transaction_id <> '0') EXECUTE FUNCTION @extschema@.recheck_job_quota();
