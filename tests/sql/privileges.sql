-- Who may do what: everything that is not the owner's.
\pset footer off
SET search_path = "Elephant Test";
SELECT coalesce(r.rolname, 'PUBLIC') AS role, c.relname AS object, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace IN ('"Elephant Test"'::regnamespace, 'elephant_worker_internal'::regnamespace) AND a.grantee <> c.relowner
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT coalesce(r.rolname, 'PUBLIC') AS role, c.relname AS object, a.privilege_type AS privilege, string_agg(t.attname, ', ' ORDER BY t.attnum) AS columns
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace IN ('"Elephant Test"'::regnamespace, 'elephant_worker_internal'::regnamespace)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT coalesce(r.rolname, 'PUBLIC') AS role, p.proname AS function
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE p.pronamespace IN ('"Elephant Test"'::regnamespace, 'elephant_worker_internal'::regnamespace) AND a.grantee <> p.proowner
ORDER BY 1, p.proname;
-- What a future object would be given unasked.
SELECT * FROM pg_default_acl;
-- Functions that run with the owner's rights.
SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN ('"Elephant Test"'::regnamespace, 'elephant_worker_internal'::regnamespace) AND p.prosecdef ORDER BY p.proname;
-- Functions whose search_path is the caller's: none but the two that must commit, and the server's own in C.
SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN ('"Elephant Test"'::regnamespace, 'elephant_worker_internal'::regnamespace)
AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
AND p.prolang <> (SELECT l.oid FROM pg_language l WHERE l.lanname = 'internal') ORDER BY p.proname;
