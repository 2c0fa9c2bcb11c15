-- Jobs and runs have the names of roles, which survive a dump. What role a name meant is kept here, for as long as
-- this cluster lives, so that another role of that name does not inherit them. Never dumped: a restore fills it anew.
-- Without a unique index nobody waits for a transaction that has just put the same name in.
CREATE TABLE @internal@.known_role (
    rolname name NOT NULL,
    role_oid oid NOT NULL
);

CREATE INDEX known_role_rolname ON @extschema@.known_role (rolname);

COMMENT ON TABLE @extschema@.known_role IS
    'which role each name meant when the first job with it was defined, or when a superuser last confirmed it; see confirm_role()';
COMMENT ON COLUMN @extschema@.known_role.rolname IS 'the name of a role that jobs run as or were defined by';
COMMENT ON COLUMN @extschema@.known_role.role_oid IS 'the role; 0: there was none when the job was restored';
