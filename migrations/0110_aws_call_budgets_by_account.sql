-- Budgets of AWS calls hold for an account and region, which is how AWS counts: cells of one region in different accounts
-- no longer take each other's calls.
--
-- Rows of the release before are named by the region alone. It goes on with them while it runs, so they stay; a later
-- migration takes them away. While both releases run, each keeps to its own rows, and what is too much together AWS
-- refuses, which slows both down.

CREATE FUNCTION aws_call_scope(account text, in_region text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, public
RETURN coalesce(
    account,
    (SELECT c.account_id FROM public.cells c WHERE c.region = in_region AND c.role_arn IS NULL
     ORDER BY c.created_at DESC LIMIT 1),
    'own') || '/' || in_region;
COMMENT ON FUNCTION aws_call_scope IS 'Scope of budgets in an account and region; a NULL account is that of the service''s own credentials, which a cell without a role tells.';
REVOKE ALL ON FUNCTION aws_call_scope FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aws_call_scope TO stepgate_app;

COMMENT ON COLUMN aws_call_budgets.scope IS 'Where the quota holds: account and region of a cell, ACCOUNT/REGION. Rows with a region alone are those of an earlier release.';

-- What was learned from refusals goes on: a fleet that AWS throttles is not asked at full speed by the update.
INSERT INTO aws_call_budgets (scope, operation, limit_per_s, rate_per_s, tokens, refilled_at, throttled_at)
SELECT aws_call_scope(c.account_id, c.region), b.operation, b.limit_per_s, b.rate_per_s, 0, b.refilled_at, b.throttled_at
FROM aws_call_budgets b JOIN cells c ON c.region = b.scope
ON CONFLICT DO NOTHING;
