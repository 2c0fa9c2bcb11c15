CREATE TYPE @extschema@.import_result AS (
    source_id text,
    action text,
    job_name text,
    rolname name,
    schedule_before text,
    schedule text,
    job_id bigint,
    note text,
    definition jsonb
);

COMMENT ON TYPE @extschema@.import_result IS 'what becomes of a job, or a line, of another scheduler';
COMMENT ON COLUMN @extschema@.import_result.source_id IS 'what the source knows it by: its number, or its line; NULL for a job that nothing there becomes';
COMMENT ON COLUMN @extschema@.import_result.action IS
    'import: it becomes a job; change: it is one already, and changes; none: it is one already, and stays as it is; leave out: the note says why; remark: a variable, which only has a meaning for others; gone: nothing in the source becomes this job any more, and it stays; delete: with prune, it does not stay';
COMMENT ON COLUMN @extschema@.import_result.job_name IS 'the name of the job';
COMMENT ON COLUMN @extschema@.import_result.rolname IS 'the role of the job';
COMMENT ON COLUMN @extschema@.import_result.schedule_before IS 'when it is due, as the source has it';
COMMENT ON COLUMN @extschema@.import_result.schedule IS 'the schedule of the job';
COMMENT ON COLUMN @extschema@.import_result.job_id IS 'the number of the job; NULL for a new one in a dry run';
COMMENT ON COLUMN @extschema@.import_result.note IS 'why it is left out, or what will differ';
COMMENT ON COLUMN @extschema@.import_result.definition IS 'the attributes of the job that differ from the defaults';
