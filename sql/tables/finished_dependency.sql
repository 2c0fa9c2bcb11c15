-- Which of the jobs in run_after have ended. Only the worker writes it.
CREATE TABLE @extschema@.finished_dependency (
    job_id bigint,
    after_job_id bigint,
    jl_id bigint NOT NULL,
    fulfilled boolean NOT NULL,
    state text,
    unchecked boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_id, after_job_id)
);

CREATE INDEX finished_dependency_unchecked ON @extschema@.finished_dependency (job_id) WHERE unchecked;

COMMENT ON TABLE @extschema@.finished_dependency IS
    'how the jobs in run_after have ended since the dependent job was last started for them; see job_chain';
COMMENT ON COLUMN @extschema@.finished_dependency.job_id IS
    'the job that runs after another; not positive: all of these whose numbers are greater than its negative, see unchecked';
COMMENT ON COLUMN @extschema@.finished_dependency.after_job_id IS 'the other job';
COMMENT ON COLUMN @extschema@.finished_dependency.jl_id IS 'the run of the other job that ended last';
COMMENT ON COLUMN @extschema@.finished_dependency.fulfilled IS 'whether it ended as run_when requires';

COMMENT ON COLUMN @extschema@.finished_dependency.state IS
    'how it ended: run_when is asked when the job could start; NULL in rows of version 1.0.0: fulfilled counts';
COMMENT ON COLUMN @extschema@.finished_dependency.unchecked IS
    'whether this is no job that runs after another, but the mark of an end of which the worker has yet to tell many';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.finished_dependency', '');
