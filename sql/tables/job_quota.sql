-- How many jobs each role has, so that nobody has to count them: the sum of its rows. A transaction adds what it defines
-- and deletes in a row of its own, and waits for nobody; right before it commits, one of the role at a time adds what
-- all have left to the row that stays.
CREATE TABLE @internal@.job_quota (
    rolname name,
    transaction_id xid8 DEFAULT pg_current_xact_id(),
    jobs bigint,
    is_limited boolean NOT NULL DEFAULT false,
    PRIMARY KEY (rolname, transaction_id)
);

COMMENT ON TABLE @extschema@.job_quota IS 'how many jobs each role has: the sum of its rows';
COMMENT ON COLUMN @extschema@.job_quota.rolname IS 'the role';
COMMENT ON COLUMN @extschema@.job_quota.transaction_id IS 'who has defined or deleted them; 0: earlier transactions';
COMMENT ON COLUMN @extschema@.job_quota.jobs IS 'number of jobs defined, less those deleted; NULL: not counted yet';
COMMENT ON COLUMN @extschema@.job_quota.is_limited IS
    'whether the transaction must not go beyond worker_setting.max_jobs_per_role: it is not that of a superuser';
