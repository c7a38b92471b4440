-- Whether a policy version reached the triggers is told by the operations of its app that lie ahead of what
-- the tenant was last brought to; the partial index on open operations does not hold the failed ones.
CREATE INDEX operations_of_tenant ON operations (tenant_id, target_generation);
