-- Two transactions that each change run_after could together create a cycle that neither of them sees, so
-- one waits for the other.
CREATE TABLE @extschema@.dependency_lock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    changes bigint NOT NULL DEFAULT 0
);

COMMENT ON TABLE @extschema@.dependency_lock IS
    'one row, updated by every transaction that changes run_after of a job';
COMMENT ON COLUMN @extschema@.dependency_lock.only_row IS 'always true: there is one row';
COMMENT ON COLUMN @extschema@.dependency_lock.changes IS 'number of changes';

INSERT INTO @extschema@.dependency_lock (only_row) SELECT true WHERE NOT EXISTS (SELECT FROM @extschema@.dependency_lock);
