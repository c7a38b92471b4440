-- A tenant's BlockID connection can be checked and changed. A change is made in stages: the new client secret is
-- staged in the cell beside the one in force, tried by the function that alone may read it, and promoted or taken back.
-- Until then the columns of `tenants` name the connection in force.

ALTER TABLE tenants
    ADD COLUMN blockid_extra_ca_pem text,
    ADD COLUMN blockid_check jsonb;
COMMENT ON COLUMN tenants.blockid_extra_ca_pem IS 'Trust anchors of the provider beside the public ones, PEM.';
COMMENT ON COLUMN tenants.blockid_check IS 'What the last preflight of the connection in force found; NULL when it is of another provider.';

CREATE TABLE connection_changes (
    id               text        PRIMARY KEY,
    tenant_id        text        NOT NULL REFERENCES tenants (id),
    partner_id       text        NOT NULL REFERENCES partners (id),
    state            text        NOT NULL CHECK (state IN ('staging', 'staged', 'done', 'failed')),
    connection       jsonb       NOT NULL,
    previous         jsonb       NOT NULL,
    issuer           text,
    version_id       text,
    operation_id     text        REFERENCES operations (id),
    failure          jsonb,
    lease_owner      text,
    lease_expires_at timestamptz,
    created_at       timestamptz NOT NULL,
    staged_at        timestamptz,
    finished_at      timestamptz,
    CHECK (state NOT IN ('staged', 'done') OR operation_id IS NOT NULL)
);
COMMENT ON TABLE connection_changes IS 'Changes of tenants'' BlockID connections. Holds no secret.';
COMMENT ON COLUMN connection_changes.state IS 'staging: the secret is on its way to the cell; staged: the worker''s turn.';
COMMENT ON COLUMN connection_changes.connection IS 'What is to be in force: tenant_dns, community, client_id, extra_ca_pem.';
COMMENT ON COLUMN connection_changes.issuer IS 'Issuer that the provider is expected to name, when it changes.';
COMMENT ON COLUMN connection_changes.version_id IS 'Version of the credentials secret that is to be in force; NULL when the secret stays.';
COMMENT ON COLUMN connection_changes.lease_owner IS 'Request that is staging; a repeat takes over once the lease has ended.';
CREATE UNIQUE INDEX connection_changes_open ON connection_changes (tenant_id) WHERE state IN ('staging', 'staged');
CREATE INDEX connection_changes_of_tenant ON connection_changes (tenant_id, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON connection_changes TO stepgate_app;
ALTER TABLE connection_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON connection_changes USING (may_see_partner(partner_id));
