CREATE VIEW @internal@.replaced_role WITH (security_barrier) AS
SELECT DISTINCT k.rolname
FROM @extschema@.known_role k
WHERE k.role_oid <> to_regrole(quote_ident(k.rolname))::oid;

COMMENT ON VIEW @extschema@.replaced_role IS
    'names of roles that have jobs or runs of an earlier role of the same name, which are not theirs; see confirm_role()';
COMMENT ON COLUMN @extschema@.replaced_role.rolname IS 'the name of both';
GRANT SELECT ON @extschema@.replaced_role TO job_scheduler, job_monitor;
