-- What a provider returns for each method is learned by pilot step-ups, and a tenant may have methods beside the
-- shipped ones.

ALTER TABLE tenants ADD COLUMN methods jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN tenants.methods IS 'Methods beside the shipped catalogue, and what the provider returned per method under the connection named there.';

CREATE TABLE blockid_pilots (
    id          text        PRIMARY KEY,
    tenant_id   text        NOT NULL REFERENCES tenants (id),
    partner_id  text        NOT NULL REFERENCES partners (id),
    method      text        NOT NULL,
    state_hash  bytea       NOT NULL,
    pkce        boolean     NOT NULL,
    connection  jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    taken_at    timestamptz,
    outcome     jsonb,
    CHECK (outcome IS NULL OR taken_at IS NOT NULL)
);
COMMENT ON TABLE blockid_pilots IS 'Step-ups that an administrator makes so that a method is learned. A pilot takes one answer.';
COMMENT ON COLUMN blockid_pilots.state_hash IS 'SHA-256 of the OAuth state (256 random bits). Nonce and PKCE verifier are derived from it and a key of the tenant; no code is ever stored.';
COMMENT ON COLUMN blockid_pilots.connection IS 'Connection it was begun under; another one voids it.';
COMMENT ON COLUMN blockid_pilots.outcome IS '{"learned": …} or {"refused": {"reason", "message"}}.';
CREATE INDEX blockid_pilots_of_tenant ON blockid_pilots (tenant_id, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON blockid_pilots TO stepgate_app;
ALTER TABLE blockid_pilots ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON blockid_pilots USING (may_see_partner(partner_id));
