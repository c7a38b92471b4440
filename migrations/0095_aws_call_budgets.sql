-- One budget of AWS calls per cell and operation over all workers. AWS throttles an account and region as a whole, so
-- workers that each keep to a rate of their own would be throttled together.

CREATE TABLE aws_call_budgets (
    scope         text NOT NULL,
    operation     text NOT NULL,
    limit_per_s   double precision NOT NULL CHECK (limit_per_s > 0),
    rate_per_s    double precision NOT NULL CHECK (rate_per_s > 0),
    tokens        double precision NOT NULL CHECK (tokens >= 0),
    refilled_at   timestamptz NOT NULL,
    throttled_at  timestamptz,
    PRIMARY KEY (scope, operation)
);
COMMENT ON TABLE aws_call_budgets IS 'Token buckets for calls of AWS that all workers share. May be emptied at any time: they begin anew.';
COMMENT ON COLUMN aws_call_budgets.scope IS 'Where the quota holds: the region of a cell.';
COMMENT ON COLUMN aws_call_budgets.operation IS 'Service and operation, or the group of operations that AWS counts together.';
COMMENT ON COLUMN aws_call_budgets.limit_per_s IS 'Calls a second that AWS allows: of the cell, or the documented quota.';
COMMENT ON COLUMN aws_call_budgets.rate_per_s IS 'Calls a second that are made at present: halved when AWS throttles, grown back slowly.';
COMMENT ON COLUMN aws_call_budgets.tokens IS 'Calls that may be made at once, as of refilled_at.';
COMMENT ON COLUMN aws_call_budgets.throttled_at IS 'When AWS throttled last; a burst of refusals halves the rate once.';
GRANT SELECT, INSERT, UPDATE, DELETE ON aws_call_budgets TO stepgate_app;
ALTER TABLE aws_call_budgets ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON aws_call_budgets USING (may_see_partner('*'));

ALTER TABLE cells ADD COLUMN aws_call_limits jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN cells.aws_call_limits IS 'Calls a second that AWS allows this account and region, by operation, where that is not the documented quota.';
