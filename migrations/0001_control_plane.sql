-- The control plane's first tables. Ids are typed text (`tnt_…`) made by the service; times are UTC.
-- Every row that belongs to a partner carries `partner_id`, so that row-level security can stand on it.

CREATE TABLE partners (
    id          text        PRIMARY KEY,
    name        text        NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE partners IS 'Organisations that onboard tenants through the API.';

CREATE TABLE api_keys (
    id           text        PRIMARY KEY,
    partner_id   text        REFERENCES partners (id),
    role         text        NOT NULL CHECK (role IN ('operator', 'auditor', 'partner_admin', 'partner_reader')),
    name         text        NOT NULL,
    prefix       text        NOT NULL UNIQUE,
    secret_hash  bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CHECK ((partner_id IS NULL) = (role IN ('operator', 'auditor')))
);
COMMENT ON COLUMN api_keys.prefix IS 'Visible part of the key, by which it is found; the secret part is random, 256 bits.';
COMMENT ON COLUMN api_keys.secret_hash IS 'SHA-256 of the whole key: a random 256-bit secret needs no slow hash.';

CREATE TABLE cells (
    id                        text        PRIMARY KEY,
    account_id                text        NOT NULL,
    region                    text        NOT NULL,
    architecture              text        NOT NULL CHECK (architecture IN ('arm64', 'x86_64')),
    state                     text        NOT NULL CHECK (state IN ('ready', 'closed')),
    artifact_bucket           text        NOT NULL,
    log_group_name            text        NOT NULL,
    artifacts                 jsonb       NOT NULL,
    allowed_provider_networks text[]      NOT NULL DEFAULT '{}',
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    UNIQUE (account_id, region)
);
COMMENT ON TABLE cells IS 'AWS account x region in which tenants are placed, with what its tenants share.';
COMMENT ON COLUMN cells.artifacts IS 'Trigger artifacts in the bucket: {"version", "challenge": {"key", "sha256_base64"}, "verify": {...}}.';
COMMENT ON COLUMN cells.allowed_provider_networks IS 'CIDR networks beside the public internet in which providers may be; operator only.';

CREATE TABLE tenants (
    id                      text        PRIMARY KEY,
    partner_id              text        NOT NULL REFERENCES partners (id),
    cell_id                 text        NOT NULL REFERENCES cells (id),
    name                    text        NOT NULL,
    state                   text        NOT NULL CHECK (state IN ('awaiting_secret', 'active', 'deleting', 'deleted')),
    blockid_tenant_dns      text        NOT NULL,
    blockid_community       text        NOT NULL,
    blockid_client_id       text        NOT NULL,
    pool                    jsonb       NOT NULL,
    credentials_secret_name text        NOT NULL UNIQUE,
    credentials_secret_arn  text,
    settings_secret_name    text        NOT NULL UNIQUE,
    event_hash_key          bytea       NOT NULL,
    generation              bigint      NOT NULL DEFAULT 1,
    observed_generation     bigint      NOT NULL DEFAULT 0,
    observed                jsonb       NOT NULL DEFAULT '{}',
    last_error              jsonb,
    failed_passes           integer     NOT NULL DEFAULT 0,
    next_attempt_at         timestamptz NOT NULL,
    lease_owner             text,
    lease_expires_at        timestamptz,
    fencing_token           bigint      NOT NULL DEFAULT 0,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    UNIQUE (partner_id, name)
);
COMMENT ON COLUMN tenants.generation IS 'Grows with every change of what is wanted, including its apps and policies.';
COMMENT ON COLUMN tenants.observed_generation IS 'The generation that AWS was last brought to.';
COMMENT ON COLUMN tenants.observed IS 'What the reconciler found in AWS: user_pool_id, function and role ARNs, settings secret ARN, table names, stack id.';
COMMENT ON COLUMN tenants.fencing_token IS 'Grows with every lease; a write with an older one is refused.';
COMMENT ON COLUMN tenants.event_hash_key IS 'Key of the HMAC that hides user ids in events; not a credential.';
CREATE INDEX tenants_due ON tenants (next_attempt_at) WHERE state IN ('active', 'deleting') AND generation > observed_generation;
CREATE INDEX tenants_page ON tenants (partner_id, created_at, id);

CREATE TABLE apps (
    id              text        PRIMARY KEY,
    tenant_id       text        NOT NULL REFERENCES tenants (id),
    partner_id      text        NOT NULL REFERENCES partners (id),
    name            text        NOT NULL,
    settings        jsonb       NOT NULL,
    client_id       text,
    policy_version  bigint      NOT NULL,
    policy_item_generation bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
COMMENT ON COLUMN apps.settings IS 'Token validity, session validity, allowed origins, action step-up.';
COMMENT ON COLUMN apps.client_id IS 'Cognito app client id, once the reconciler made it.';
COMMENT ON COLUMN apps.policy_version IS 'Version in force; rows of policy_versions hold the documents.';
CREATE INDEX apps_page ON apps (tenant_id, created_at, id);

CREATE TABLE policy_versions (
    app_id      text        NOT NULL REFERENCES apps (id),
    version     bigint      NOT NULL,
    partner_id  text        NOT NULL REFERENCES partners (id),
    document    jsonb       NOT NULL,
    author      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (app_id, version)
);
COMMENT ON COLUMN policy_versions.author IS 'Id of the API key or subject that wrote it.';

CREATE TABLE operations (
    id                text        PRIMARY KEY,
    partner_id        text        NOT NULL REFERENCES partners (id),
    tenant_id         text        NOT NULL REFERENCES tenants (id),
    resource_id       text        NOT NULL,
    kind              text        NOT NULL CHECK (kind IN ('create_tenant', 'update_tenant', 'create_app', 'update_policy')),
    target_generation bigint      NOT NULL,
    state             text        NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'failed')),
    error             jsonb,
    request_id        text,
    created_at        timestamptz NOT NULL,
    started_at        timestamptz,
    finished_at       timestamptz
);
CREATE INDEX operations_open ON operations (tenant_id, target_generation) WHERE state IN ('pending', 'running');

CREATE TABLE operation_steps (
    operation_id   text        NOT NULL REFERENCES operations (id),
    position       integer     NOT NULL,
    name           text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'skipped')),
    attempts       integer     NOT NULL DEFAULT 0,
    detail         text,
    error          text,
    aws_request_id text,
    started_at     timestamptz,
    finished_at    timestamptz,
    PRIMARY KEY (operation_id, position)
);
COMMENT ON TABLE operation_steps IS 'What the reconciler did for an operation, in the order of its plan.';
