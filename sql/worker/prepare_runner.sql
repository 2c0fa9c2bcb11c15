CREATE FUNCTION @internal@.runner_name(role oid) RETURNS name
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Made of oids: a renamed role keeps its runner, and two databases with jobs do not meet.
    RETURN format('elephant_worker_%s_%s', (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()), role);
END
$$;
COMMENT ON FUNCTION @extschema@.runner_name(oid) IS 'the login role through which runs become this role';
REVOKE ALL ON FUNCTION @extschema@.runner_name(oid) FROM PUBLIC;

-- `most`: how many sessions the role may have, as many as the worker has of it: a run could change the password of its
-- runner, through which the role could hold all connections.
CREATE FUNCTION @internal@.prepare_runner(role oid, verifier text, most integer) RETURNS name
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms' -- a run may hold a lock on its own runner, for which others must not wait
AS $$
DECLARE
    runner CONSTANT name := @extschema@.runner_name(role);
    rolname CONSTANT name := (SELECT r.rolname FROM pg_authid r WHERE r.oid = role);
    -- PostgreSQL 19 would warn of a password that expires soon, in the server's log, at each session. So passwords
    -- are valid for longer there, and close_idle_runners() ends that.
    validity CONSTANT interval := interval '10 minutes'
                                  + coalesce(current_setting('password_expiration_warning_threshold', true), '0')::interval;
    known pg_authid;
BEGIN
    SELECT * INTO known FROM pg_authid r WHERE r.rolname = runner;
    IF NOT FOUND THEN
        EXECUTE format('CREATE ROLE %I', runner);
        EXECUTE format('GRANT %I TO %I', rolname, runner);
        SELECT * INTO known FROM pg_authid r WHERE r.rolname = runner;
    END IF;
    -- Who may create roles could have been here first, or have been given this one since. That it is a member of other
    -- roles too is no reason to refuse it: whoever may grant any role could keep everybody's jobs from running by that,
    -- and gives away nothing but what is theirs.
    IF EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = known.oid)
       OR NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = known.oid AND m.roleid = role) THEN
        RAISE EXCEPTION 'the role "%" is not what it should be', runner
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = format('It should be a member of "%s", and nobody a member of it.', rolname),
                  HINT = format('Drop it, the worker makes it again: DROP ROLE %I;', runner);
    END IF;
    IF known.rolpassword IS DISTINCT FROM verifier OR NOT known.rolcanlogin OR known.rolconnlimit IS DISTINCT FROM most
       OR NOT known.rolinherit OR known.rolsuper OR known.rolcreatedb OR known.rolcreaterole OR known.rolreplication
       OR known.rolbypassrls
       OR known.rolvaliduntil IS NULL OR known.rolvaliduntil < clock_timestamp() + validity - interval '5 minutes' THEN
        EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN NOREPLICATION NOBYPASSRLS '
                       'CONNECTION LIMIT %s PASSWORD %L VALID UNTIL %L',
                       runner, most, verifier, clock_timestamp() + validity);
    END IF;
    PERFORM @extschema@.copy_role_settings(role, known.oid);
    RETURN runner;
END
$$;
COMMENT ON FUNCTION @extschema@.prepare_runner(oid, text, integer) IS
    'makes the login role through which runs become this role, for ten minutes (PostgreSQL 19: see close_idle_runners()) and with the worker''s secret, of which it gets the SCRAM verifier; returns its name';
REVOKE ALL ON FUNCTION @extschema@.prepare_runner(oid, text, integer) FROM PUBLIC;
