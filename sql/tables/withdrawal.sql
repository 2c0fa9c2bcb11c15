-- What cancel_job() has withdrawn of the requests to run a job, in one row, however many they are. Only the worker writes
-- it. Never dumped, since requests are not.
CREATE TABLE @internal@.withdrawal (
    job_id bigint,
    request_id bigint,
    visible pg_snapshot NOT NULL,
    PRIMARY KEY (job_id, request_id)
);

COMMENT ON TABLE @extschema@.withdrawal IS
    'up to which request the requests of users to run a job have been cancelled: those of lower numbers whose transactions had been committed then';
COMMENT ON COLUMN @extschema@.withdrawal.job_id IS 'the job';
COMMENT ON COLUMN @extschema@.withdrawal.request_id IS 'the request to cancel the job, which follows those that it is about';
COMMENT ON COLUMN @extschema@.withdrawal.visible IS 'what had been committed when the worker followed it';
