CREATE FUNCTION @internal@.check_request_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts what the role may not see
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few requests
SET jit = off -- compiling takes longer than counting
AS $$
DECLARE
    most CONSTANT integer := (SELECT s.max_requests_per_role FROM @extschema@.worker_setting s WHERE s.only_row);
    first bigint;
BEGIN
    first := (SELECT r.request_id FROM @extschema@.worker_request r
              WHERE r.kind IN ('run', 'cancel', 'cancel run') AND r.kind = NEW.kind AND r.rolname = NEW.rolname
                AND abs(r.request_id) < NEW.request_id
              ORDER BY abs(r.request_id) LIMIT 1);
    -- There are no more of them than numbers since the first, so they are counted only if that were too many.
    IF most IS NULL OR first IS NULL OR NEW.request_id - first < most THEN
        RETURN NEW;
    END IF;
    PERFORM FROM @extschema@.worker_request r
    WHERE r.kind IN ('run', 'cancel', 'cancel run') AND r.kind = NEW.kind AND r.rolname = NEW.rolname
      AND abs(r.request_id) < NEW.request_id
    ORDER BY abs(r.request_id) OFFSET most - 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" has reached max_requests_per_role', NEW.rolname
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = format('%s requests of this role wait for the worker, as many as '
                                  'worker_setting.max_requests_per_role allows.', most),
                  HINT = 'Ask again when some of them have started, or call cancel_job() or cancel_run() for those '
                         'that need not run. A superuser can raise the limit, or make the request.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_request_quota() IS
    'trigger: refuses more waiting requests of a role than worker_setting.max_requests_per_role (54000)';
REVOKE ALL ON FUNCTION @extschema@.check_request_quota() FROM PUBLIC;

-- By its name the last: it needs the number and the role of the request.
CREATE TRIGGER refuse_excess BEFORE INSERT ON @extschema@.worker_request
    FOR EACH ROW WHEN (NEW.kind IN ('run', 'cancel', 'cancel run') AND NOT @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.check_request_quota();
