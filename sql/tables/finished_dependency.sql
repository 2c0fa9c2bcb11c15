-- What jobs with run_after wait for and has happened. Only the worker writes it.
CREATE TABLE @extschema@.finished_dependency (
    job_id bigint,
    after_job_id bigint,
    jl_id bigint NOT NULL,
    fulfilled boolean NOT NULL,
    PRIMARY KEY (job_id, after_job_id)
);

COMMENT ON TABLE @extschema@.finished_dependency IS
    'how jobs that others run after have ended, since those were started for that; see job_chain';
COMMENT ON COLUMN @extschema@.finished_dependency.job_id IS 'the job that runs after another';
COMMENT ON COLUMN @extschema@.finished_dependency.after_job_id IS 'the other';
COMMENT ON COLUMN @extschema@.finished_dependency.jl_id IS 'the run of the other that has ended last';
COMMENT ON COLUMN @extschema@.finished_dependency.fulfilled IS 'whether it ended as run_when wants';

SELECT pg_catalog.pg_extension_config_dump('@extschema@.finished_dependency', '');
