-- How many jobs each role has, so that nobody has to count them: the sum of the last row of each transaction. A
-- transaction adds what it defines and deletes in rows of its own, and waits for nobody; right before it commits, one of
-- the role at a time adds what all have left to the row that stays. It adds a row for each statement and changes none:
-- whoever looked for a row that the same transaction has changed a thousand times would pass by a thousand versions.
CREATE TABLE @internal@.job_quota (
    rolname name,
    transaction_id xid8 DEFAULT pg_current_xact_id(),
    jobs bigint,
    is_limited boolean NOT NULL DEFAULT false,
    statement integer DEFAULT 1,
    is_to_settle boolean NOT NULL DEFAULT true,
    PRIMARY KEY (rolname, transaction_id, statement)
);

COMMENT ON TABLE @extschema@.job_quota IS 'how many jobs each role has: the sum of the last row of each transaction';
COMMENT ON COLUMN @extschema@.job_quota.rolname IS 'the role';
COMMENT ON COLUMN @extschema@.job_quota.transaction_id IS 'who has defined or deleted them; 0: earlier transactions';
COMMENT ON COLUMN @extschema@.job_quota.jobs IS 'number of jobs defined so far, less those deleted; NULL: not counted yet';
COMMENT ON COLUMN @extschema@.job_quota.is_limited IS
    'whether the transaction must not go beyond worker_setting.max_jobs_per_role: it is not that of a superuser';
COMMENT ON COLUMN @extschema@.job_quota.statement IS 'which of its statements has added the row, from 1';
COMMENT ON COLUMN @extschema@.job_quota.is_to_settle IS
    'whether what the transaction counts is to be settled after this statement: it is the first, or the first that has a limit to keep';
