-- Roles belong to the cluster: another database may have created them already. An existing role
-- is adopted only where it can do nothing by itself.
DO $$
DECLARE
    wanted name;
    offence text;
BEGIN
    SELECT r.rolname INTO wanted FROM pg_roles r
    WHERE r.rolname <> 'pg_database_owner'
      AND NOT EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(
                          r.oid, s.oid, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                             THEN 'SET, USAGE' ELSE 'MEMBER' END))
      AND has_schema_privilege(r.oid, '@extschema@'::regnamespace, 'CREATE')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" may create objects in the schema for elephant_worker', wanted
            USING ERRCODE = 'invalid_schema_definition',
                  DETAIL = 'Its functions could be called in place of the extension''s, by superusers too.',
                  HINT = 'Use a schema of its own: CREATE SCHEMA scheduler; CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE;';
    END IF;
    -- Or own it: an owner can take the right to create from themselves, and give it back when this is over.
    SELECT r.rolname INTO wanted
    FROM pg_namespace n
    JOIN pg_database d ON d.datname = current_database()
    JOIN pg_roles r ON r.oid = CASE WHEN n.nspowner = 'pg_database_owner'::regrole THEN d.datdba ELSE n.nspowner END
    WHERE n.oid = '@extschema@'::regnamespace AND NOT r.rolsuper;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" owns the schema for elephant_worker', wanted
            USING ERRCODE = 'invalid_schema_definition',
                  DETAIL = 'It can create functions there, which could be called in place of the extension''s, by superusers too.',
                  HINT = 'Use a schema of its own: CREATE SCHEMA scheduler; CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE;';
    END IF;
    -- Or have left something there, which would be preferred where its arguments suit better. Who else than the
    -- first superuser owns something is a dependency of it.
    SELECT format('%s of role "%s"', pg_describe_object(d.classid, d.objid, 0), r.rolname) INTO offence
    FROM pg_depend d
    JOIN pg_shdepend o ON o.classid = d.classid AND o.objid = d.objid AND o.objsubid = 0 AND o.deptype = 'o'
                          AND o.refclassid = 'pg_authid'::regclass
                          AND o.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
    JOIN pg_roles r ON r.oid = o.refobjid AND NOT r.rolsuper
    WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = '@extschema@'::regnamespace AND d.deptype = 'n'
    ORDER BY d.classid, d.objid LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the schema for elephant_worker holds %', offence
            USING ERRCODE = 'invalid_schema_definition',
                  DETAIL = 'What is not a superuser''s could be called in place of the extension''s, by superusers too.',
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
                      HINT = format('Rename it: ALTER ROLE %I RENAME TO ...;', wanted);
        END IF;
        -- Who made the role beforehand could go on giving it to others, or be a member of it. On PostgreSQL 16 and
        -- later who creates a role becomes its administrator, as if a superuser had said so.
        WITH RECURSIVE given AS (
            SELECT m.member, m.grantor, m.admin_option,
                   to_jsonb(m) @> '{"admin_option": true, "inherit_option": false, "set_option": false}' AS to_creator
            FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE r.rolname = wanted),
        trusted (oid) AS (
            SELECT r.oid FROM pg_roles r WHERE r.rolsuper
            UNION
            SELECT g.member FROM trusted t JOIN given g ON g.grantor = t.oid AND g.admin_option AND NOT g.to_creator)
        SELECT string_agg(format('to "%s" by "%s"%s', n.rolname, b.rolname,
                                 CASE WHEN g.admin_option THEN ' with ADMIN OPTION' END), ', ' ORDER BY n.rolname)
        INTO offence
        FROM given g
        JOIN pg_roles n ON n.oid = g.member AND NOT n.rolsuper
        LEFT JOIN pg_roles b ON b.oid = g.grantor
        WHERE g.to_creator OR g.grantor NOT IN (SELECT t.oid FROM trusted t);
        IF offence IS NOT NULL THEN
            RAISE EXCEPTION 'role "%" exists and has been granted by others than superusers', wanted
                USING ERRCODE = 'duplicate_object',
                      DETAIL = format('It has been granted %s. elephant_worker adopts a role of this name only if '
                                      'superusers have given it, or roles to whom these gave the ADMIN OPTION.', offence),
                      HINT = format('If no other database has elephant_worker: DROP ROLE %I; else revoke what is listed.', wanted);
        END IF;
        -- What it owns here may have been left by whoever made it: a function that is SECURITY DEFINER, or one in an
        -- index or a materialized view, would have the rights that the role is given from now on.
        SELECT pg_describe_object(o.classid, o.objid, 0) INTO offence
        FROM pg_shdepend o
        JOIN pg_roles r ON r.oid = o.refobjid AND r.rolname = wanted
        WHERE o.refclassid = 'pg_authid'::regclass AND o.deptype = 'o'
          AND o.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
        ORDER BY o.classid, o.objid LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'role "%" exists and owns %', wanted, offence
                USING ERRCODE = 'duplicate_object',
                      DETAIL = 'Whoever can call or change that could act with the rights that elephant_worker gives to the role.',
                      HINT = format('If you do not need what the role owns in this database: DROP OWNED BY %I;', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA @extschema@ TO job_scheduler, job_monitor;
