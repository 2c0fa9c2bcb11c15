-- Looks for each of them at the end of its rows, which are many where a superuser has defined many jobs.
CREATE FUNCTION @internal@.counted_jobs(role name) RETURNS TABLE (transaction_id xid8, jobs bigint)
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as check_role_quota()
SET enable_sort = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE counted AS (
        (SELECT q.transaction_id, q.jobs FROM @extschema@.job_quota q
         WHERE q.rolname = role ORDER BY q.transaction_id DESC, q.statement DESC LIMIT 1)
        UNION ALL
        SELECT e.transaction_id, e.jobs
        FROM counted c
        CROSS JOIN LATERAL (SELECT q.transaction_id, q.jobs FROM @extschema@.job_quota q
                            WHERE q.rolname = role AND q.transaction_id < c.transaction_id
                            ORDER BY q.transaction_id DESC, q.statement DESC LIMIT 1) e)
    SELECT c.transaction_id, c.jobs FROM counted c;
END
$$;
COMMENT ON FUNCTION @extschema@.counted_jobs(name) IS
    'what each transaction has counted of the jobs of a role: the last row of each in job_quota';
REVOKE ALL ON FUNCTION @extschema@.counted_jobs(name) FROM PUBLIC;

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
                        FROM @extschema@.counted_jobs(role) q) THEN
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

CREATE FUNCTION @internal@.count_jobs(role name, number bigint, is_limited boolean) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as check_role_quota()
SET enable_sort = off
SET enable_bitmapscan = off
SET jit = off -- what has no index would seem to be worth compiling
AS $$
#variable_conflict use_column
DECLARE
    before record;
BEGIN
    SELECT q.jobs, q.is_limited, q.statement INTO before FROM @extschema@.job_quota q
    WHERE q.rolname = role AND q.transaction_id = pg_current_xact_id()
    ORDER BY q.transaction_id DESC, q.statement DESC LIMIT 1;
    INSERT INTO @extschema@.job_quota (rolname, jobs, is_limited, statement, is_to_settle)
    VALUES (role, coalesce(before.jobs, 0) + number, is_limited OR coalesce(before.is_limited, false),
            coalesce(before.statement, 0) + 1, before.statement IS NULL OR is_limited AND NOT before.is_limited);
    RETURN coalesce(before.statement, 0) + 1;
END
$$;
COMMENT ON FUNCTION @extschema@.count_jobs(name, bigint, boolean) IS
    'adds to what this transaction has counted of the jobs of a role; returns which of its statements that is';
REVOKE ALL ON FUNCTION @extschema@.count_jobs(name, bigint, boolean) FROM PUBLIC;

CREATE FUNCTION @internal@.check_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts what a role may not see
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as check_role_quota()
SET jit = off -- what has no index would seem to be worth compiling
AS $$
DECLARE
    is_limited CONSTANT boolean := TG_NARGS > 0 AND TG_ARGV[0] = 'limited';
    roles name[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        roles := ARRAY[NEW.rolname];
        PERFORM @extschema@.count_jobs(OLD.rolname, -1, false), @extschema@.count_jobs(NEW.rolname, 1, is_limited);
    ELSE
        roles := ARRAY(SELECT c.rolname FROM (SELECT n.rolname, count(*) AS jobs FROM changed n GROUP BY n.rolname) c
                       WHERE @extschema@.count_jobs(c.rolname, CASE TG_OP WHEN 'INSERT' THEN c.jobs ELSE -c.jobs END,
                                                    is_limited) IS NOT NULL);
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

CREATE FUNCTION @internal@.lock_job_quota(role name, session_lock_timeout text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '10s' -- statement_timeout does not end a wait of a transaction that commits
AS $$
DECLARE
    -- lock_timeout is that of a single wait, and who comes next may make it wait again: so it waits for a while at a time,
    -- in which a deadlock is found.
    patience CONSTANT interval := greatest('2s', 2 * current_setting('deadlock_timeout')::interval);
    give_up_at timestamptz;
BEGIN
    PERFORM @extschema@.keep_lock_timeout(session_lock_timeout);
    give_up_at := clock_timestamp() + current_setting('lock_timeout')::interval;
    LOOP
        PERFORM set_config('lock_timeout', ceil(greatest(1, 1000 * extract(epoch FROM least(
                               patience, give_up_at - clock_timestamp()))))::text, true);
        BEGIN
            INSERT INTO @extschema@.job_quota AS q (rolname, transaction_id) VALUES (role, '0')
            ON CONFLICT (rolname, transaction_id, statement) DO UPDATE SET jobs = q.jobs;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() >= give_up_at THEN
                RAISE EXCEPTION 'another transaction has defined or deleted jobs of role "%" and does not end', role
                    USING ERRCODE = 'lock_not_available',
                          DETAIL = 'Until it ends, nobody knows how many jobs count for worker_setting.max_jobs_per_role.',
                          HINT = 'Try again when it has ended: pg_stat_activity and pg_prepared_xacts show what stays open.';
            END IF;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.lock_job_quota(name, text) IS
    'waits until no other transaction settles how many jobs a role has, up to 10 seconds or lock_timeout of the session, which is given to it (55P03)';
REVOKE ALL ON FUNCTION @extschema@.lock_job_quota(name, text) FROM PUBLIC;

CREATE FUNCTION @internal@.recheck_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- locks the row of the role, which its users must not lock for longer
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- as check_role_quota()
SET jit = off -- as check_role_quota()
AS $$
#variable_conflict use_variable
DECLARE
    role CONSTANT name := NEW.rolname;
    is_limited boolean;
    total bigint;
BEGIN
    -- As the last of its statements has left it.
    SELECT q.is_limited INTO is_limited FROM @extschema@.job_quota q
    WHERE q.rolname = role AND q.transaction_id = NEW.transaction_id
    ORDER BY q.transaction_id DESC, q.statement DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Nobody who has no limit to keep waits for those who have: what is left over is settled by the next one.
    IF is_limited THEN
        PERFORM @extschema@.lock_job_quota(role, current_setting('lock_timeout'));
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN NULL;
    ELSE
        PERFORM FROM @extschema@.job_quota q WHERE q.rolname = role AND q.transaction_id = '0' FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    WITH settled AS (
        DELETE FROM @extschema@.job_quota q WHERE q.rolname = role AND q.transaction_id <> '0'
        RETURNING q.transaction_id, q.statement, q.jobs)
    UPDATE @extschema@.job_quota q
    SET jobs = q.jobs + (SELECT sum(l.jobs) FROM (SELECT DISTINCT ON (s.transaction_id) s.jobs FROM settled s
                                                  ORDER BY s.transaction_id, s.statement DESC) l)
    WHERE q.rolname = role AND q.transaction_id = '0' RETURNING q.jobs INTO total;
    IF total IS NULL OR total > (SELECT s.max_jobs_per_role FROM @extschema@.worker_setting s WHERE s.only_row) THEN
        -- With what others have left since, which is in the count: they do not wait.
        WITH settled AS (DELETE FROM @extschema@.job_quota q WHERE q.rolname = role AND q.transaction_id <> '0')
        UPDATE @extschema@.job_quota q SET jobs = (SELECT count(*) FROM ONLY @extschema@.job j WHERE j.rolname = role)
        WHERE q.rolname = role AND q.transaction_id = '0';
    END IF;
    IF is_limited THEN
        PERFORM @extschema@.check_role_quota(role);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.recheck_job_quota() IS
    'trigger: refuses, at the end of a transaction, jobs beyond worker_setting.max_jobs_per_role (53400) that others have defined at the same time';
REVOKE ALL ON FUNCTION @extschema@.recheck_job_quota() FROM PUBLIC;

-- Once for all statements of a transaction. Where constraints are checked at once, the first of them may have been settled,
-- or left to others, before one comes that has a limit to keep.
CREATE CONSTRAINT TRIGGER settle_jobs AFTER INSERT ON @extschema@.job_quota
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.transaction_id <> '0' AND NEW.is_to_settle) EXECUTE FUNCTION @extschema@.recheck_job_quota();
