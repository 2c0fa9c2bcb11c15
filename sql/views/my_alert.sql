CREATE VIEW @extschema@.my_alert WITH (security_barrier) AS
SELECT * FROM @extschema@.all_alert a
WHERE a.rolname = current_user;

COMMENT ON VIEW @extschema@.my_alert IS 'the alerts about jobs and runs of the current role';
COMMENT ON COLUMN @extschema@.my_alert.muted IS 'see all_alert';
GRANT SELECT ON @extschema@.my_alert TO job_scheduler;
