CREATE FUNCTION @internal@.runner_settings(role oid, OUT setdatabase oid, OUT setconfig text[]) RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT d.setdatabase,
           ARRAY(SELECT c FROM pg_db_role_setting s, unnest(s.setconfig) c
                 WHERE s.setrole = role AND s.setdatabase = d.setdatabase AND c !~ '^(role|session_authorization)=')
           || CASE WHEN d.setdatabase = 0
                   THEN ARRAY['role=' || (SELECT r.rolname FROM pg_roles r WHERE r.oid = role)] ELSE '{}' END
    FROM (SELECT 0::oid UNION SELECT s.setdatabase FROM pg_db_role_setting s WHERE s.setrole = role) d (setdatabase);
END
$$;
COMMENT ON FUNCTION @extschema@.runner_settings(oid) IS
    'the defaults that sessions of a role''s runner should have, by database (0: all), as pg_db_role_setting stores them';
REVOKE ALL ON FUNCTION @extschema@.runner_settings(oid) FROM PUBLIC;

CREATE FUNCTION @internal@.copy_role_settings(role oid, runner oid) RETURNS void
-- plpgsql, which keeps its plans: this is done for each session that is opened.
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    offender name;
BEGIN
    -- Not even read where they are long: the worker would take its time for each session. 8000 bytes as they are stored.
    SELECT r.rolname INTO offender
    FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
    WHERE s.setrole IN (role, runner) AND pg_column_size(s.setconfig) > 8000 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the defaults that ALTER ROLE has given role "%" are too long', offender
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = 'Those for one database, or for all, can have 8000 bytes.',
                  HINT = format('To remove them: ALTER ROLE %1$I RESET ALL; for those of one database: ALTER ROLE %1$I IN DATABASE ... RESET ALL;',
                                offender);
    END IF;
    -- The catalog is copied and not ALTER ROLE ... SET repeated: that would need to know how each
    -- setting quotes its value.
    DELETE FROM pg_db_role_setting s
    WHERE s.setrole = runner
      AND NOT EXISTS (SELECT FROM @extschema@.runner_settings(role) w
                      WHERE w.setdatabase = s.setdatabase AND w.setconfig = s.setconfig);
    INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
    SELECT w.setdatabase, runner, w.setconfig FROM @extschema@.runner_settings(role) w
    WHERE NOT EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = runner AND s.setdatabase = w.setdatabase);
END
$$;
COMMENT ON FUNCTION @extschema@.copy_role_settings(oid, oid) IS
    'copies the defaults that ALTER ROLE ... SET gave a role to its runner, so that runs have them as if the role had logged in';
REVOKE ALL ON FUNCTION @extschema@.copy_role_settings(oid, oid) FROM PUBLIC;
