CREATE FUNCTION @extschema@.confirm_role(rolname name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    role_oid CONSTANT oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = confirm_role.rolname);
BEGIN
    IF role_oid IS NULL THEN
        RAISE EXCEPTION 'role "%" does not exist', confirm_role.rolname
            USING ERRCODE = 'undefined_object',
                  DETAIL = 'Jobs of a role that is gone cannot be given to it.',
                  HINT = format('Create it first; or give its jobs another role: UPDATE @extschema@.member_job SET rolname = ... WHERE rolname = %L;',
                                confirm_role.rolname);
    END IF;
    DELETE FROM @extschema@.known_role k WHERE k.rolname = confirm_role.rolname;
    INSERT INTO @extschema@.known_role (rolname, role_oid) VALUES (confirm_role.rolname, role_oid);
END
$$;
COMMENT ON FUNCTION @extschema@.confirm_role(name) IS
    'for superusers: gives a role that was created again, or renamed, the jobs and the log of the earlier role of its name; 42704 if there is no such role';
REVOKE ALL ON FUNCTION @extschema@.confirm_role(name) FROM PUBLIC;
