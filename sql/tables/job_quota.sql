-- Transactions that define jobs for the same role count them one after the other, each when it commits.
CREATE TABLE @internal@.job_quota (
    rolname name PRIMARY KEY,
    changes bigint NOT NULL DEFAULT 1
);

COMMENT ON TABLE @extschema@.job_quota IS
    'a row for each role, updated by every transaction that defines jobs for it, right before it commits';
COMMENT ON COLUMN @extschema@.job_quota.rolname IS 'the role';
COMMENT ON COLUMN @extschema@.job_quota.changes IS 'number of such transactions';
