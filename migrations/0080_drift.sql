-- What AWS has of a tenant is compared with what is wanted, again and again, and what differs is kept until it is gone.

ALTER TABLE tenants
    ADD COLUMN conditions       jsonb  NOT NULL DEFAULT '{}',
    ADD COLUMN drift_mode       text   NOT NULL DEFAULT 'report',
    ADD COLUMN drift            jsonb  NOT NULL DEFAULT '{}',
    ADD COLUMN drift_due_at     timestamptz,
    ADD COLUMN drift_claimed_at timestamptz,
    ADD COLUMN drift_claim      bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN tenants.conditions IS 'Status of each condition and since when: {"Ready": {"status": "True", "since": "…"}}. Reason and message are derived.';
COMMENT ON COLUMN tenants.drift_mode IS 'Wanted: whether what was changed past Stepgate is reported, or also written back.';
COMMENT ON COLUMN tenants.drift IS 'What the last check came to: {"checked_at", "generation", "findings", "worst", "not_checked", "error"}.';
COMMENT ON COLUMN tenants.drift_due_at IS 'When the next check is due; NULL is at once. While a check runs, when it is taken for lost.';
COMMENT ON COLUMN tenants.drift_claimed_at IS 'When the last check began: what the budget of checks a minute is counted by.';
COMMENT ON COLUMN tenants.drift_claim IS 'Grows with every check that begins; an outcome of an earlier one is not recorded.';
CREATE INDEX tenants_drift_due ON tenants (drift_due_at) WHERE state = 'active';
CREATE INDEX tenants_drift_claimed ON tenants (drift_claimed_at);

CREATE TABLE drift_findings (
    tenant_id    text        NOT NULL REFERENCES tenants (id),
    path         text        NOT NULL,
    partner_id   text        NOT NULL REFERENCES partners (id),
    severity     text        NOT NULL CHECK (severity IN ('critical', 'high', 'medium')),
    wanted       jsonb       NOT NULL,
    observed     jsonb       NOT NULL,
    healable     boolean     NOT NULL,
    operation_id text        REFERENCES operations (id),
    found_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, path)
);
COMMENT ON TABLE drift_findings IS 'What of a tenant is not in AWS as it is wanted. A row goes when the difference is gone; the audit log remembers.';
COMMENT ON COLUMN drift_findings.path IS 'What differs, from the outside in: `app_clients/app_…/auth_flows`.';
COMMENT ON COLUMN drift_findings.operation_id IS 'Operation that writes it back, in mode `heal`.';
COMMENT ON COLUMN drift_findings.found_at IS 'When it was first seen to be so.';

GRANT SELECT, INSERT, UPDATE, DELETE ON drift_findings TO stepgate_app;
ALTER TABLE drift_findings ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON drift_findings USING (may_see_partner(partner_id));
