-- Roles belong to the cluster: another database may have created them already. An existing role
-- is adopted only where it can do nothing by itself.
DO $$
DECLARE
    wanted name;
BEGIN
    SELECT r.rolname INTO wanted FROM pg_roles r
    WHERE r.rolname <> 'pg_database_owner'
      AND NOT EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER'))
      AND has_schema_privilege(r.oid, '@extschema@'::regnamespace, 'CREATE')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" may create objects in the schema for elephant_worker', wanted
            USING ERRCODE = 'invalid_schema_definition',
                  DETAIL = 'Its functions could be called in place of the extension''s, by superusers too.',
                  HINT = 'Use a schema of its own: CREATE SCHEMA scheduler; CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE;';
    END IF;
    FOREACH wanted IN ARRAY ARRAY['job_scheduler', 'job_monitor', 'job_view_owner']::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        ELSIF EXISTS (
            SELECT FROM pg_roles r
            WHERE r.rolname = wanted
              AND (r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
                   OR r.rolbypassrls
                   OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
                   OR r.rolname = 'job_view_owner' AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
        ) THEN
            RAISE EXCEPTION 'role "%" exists and can do more than its name says', wanted
                USING ERRCODE = 'duplicate_object',
                      DETAIL = 'elephant_worker adopts a role of this name only where it is NOLOGIN, '
                               'has no attributes and is a member of no other role; job_view_owner also '
                               'must have no members.',
                      HINT = format('Rename it: ALTER ROLE %I RENAME TO …;', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA @extschema@ TO job_scheduler, job_monitor;
