-- Roles belong to the cluster: another database may have created them already. An existing role
-- is adopted only where it can do nothing by itself.
DO $$
DECLARE
    wanted name;
BEGIN
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
