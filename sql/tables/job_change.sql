-- What has become of the definitions. Without a sequence, so that no copy of the table can leave one behind.
CREATE TABLE @extschema@.job_change (
    job_id bigint NOT NULL,
    version integer NOT NULL,
    rolname name NOT NULL,
    job_name text,
    changed_at timestamptz NOT NULL,
    changed_by name NOT NULL,
    session_role name NOT NULL,
    call text NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'change', 'delete', 'give', 'receive')),
    old_values jsonb,
    new_values jsonb,
    PRIMARY KEY (job_id, version, rolname)
);

COMMENT ON TABLE @extschema@.job_change IS
    'the changes of jobs; users see them through my_job_change and member_job_change';
COMMENT ON COLUMN @extschema@.job_change.job_id IS 'the job, which may have been deleted since';
COMMENT ON COLUMN @extschema@.job_change.version IS 'the version of the job that the change has made, from 1';
COMMENT ON COLUMN @extschema@.job_change.rolname IS
    'the role of the job; a change of the role has a row for the old one, with the old values, and a row for the new one, with the new values';
COMMENT ON COLUMN @extschema@.job_change.job_name IS 'the name of the job then';
COMMENT ON COLUMN @extschema@.job_change.changed_at IS 'when it was changed';
COMMENT ON COLUMN @extschema@.job_change.changed_by IS 'who changed it: the role with whose rights that was done, in a function that is SECURITY DEFINER its owner';
COMMENT ON COLUMN @extschema@.job_change.session_role IS 'the role that the session had logged in as';
COMMENT ON COLUMN @extschema@.job_change.call IS
    'what the session says it was changed with, a function of the extension, or INSERT, UPDATE or DELETE; whoever changes the job can say anything, by setting elephant_worker.call';
COMMENT ON COLUMN @extschema@.job_change.action IS
    'create; change; delete; give: rolname has given the job to another role; receive: rolname has got it from another role';
COMMENT ON COLUMN @extschema@.job_change.old_values IS
    'what the attributes that have changed were before; for delete: all that were not NULL';
COMMENT ON COLUMN @extschema@.job_change.new_values IS
    'what the attributes that have changed are since; for create: all that are not NULL';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.job_change', '');
