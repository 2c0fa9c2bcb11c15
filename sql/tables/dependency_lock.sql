-- Two transactions that each change run_after could together make a cycle that neither of them sees:
-- they come one after the other.
CREATE TABLE @extschema@.dependency_lock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    changes bigint NOT NULL DEFAULT 0
);

COMMENT ON TABLE @extschema@.dependency_lock IS 'one row, which who changes run_after of a job changes too';
COMMENT ON COLUMN @extschema@.dependency_lock.only_row IS 'always true: there is one row';
COMMENT ON COLUMN @extschema@.dependency_lock.changes IS 'counts the changes';

INSERT INTO @extschema@.dependency_lock (only_row) SELECT true WHERE NOT EXISTS (SELECT FROM @extschema@.dependency_lock);
