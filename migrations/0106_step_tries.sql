-- Every try of a step, beside what is known of the step as a whole: which AWS request the third of five tries failed on
-- is else only in the log.

ALTER TABLE operation_steps ADD COLUMN tries jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN operation_steps.tries IS 'The latest tries, oldest first: number, started_at, finished_at (absent while it runs, and of one that was killed), error, aws_request_id. `attempts` counts all.';
