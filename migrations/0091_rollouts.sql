-- Rollouts bring tenants to another release, a few first, then more, and back when it does harm. Everything that a worker
-- must know to go on with one is here.

CREATE TABLE rollouts (
    id               text        PRIMARY KEY,
    release_name     text        NOT NULL,
    plan             jsonb       NOT NULL,
    state            text        NOT NULL CHECK (state IN ('running', 'paused', 'rolling_back', 'succeeded', 'rolled_back', 'cancelled')),
    wave             integer     NOT NULL DEFAULT 0,
    waves            integer     NOT NULL,
    soaking_since    timestamptz,
    health           jsonb,
    stopped          jsonb,
    created_by       text        NOT NULL,
    lease_owner      text,
    lease_expires_at timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    CHECK ((state IN ('succeeded', 'rolled_back', 'cancelled')) = (finished_at IS NOT NULL))
);
COMMENT ON COLUMN rollouts.plan IS 'What was asked for: labels, size of the canary and of the waves, soak, gate.';
COMMENT ON COLUMN rollouts.wave IS 'Wave under way, from 0, the canary.';
COMMENT ON COLUMN rollouts.soaking_since IS 'Since when every tenant of the wave is settled and is watched.';
COMMENT ON COLUMN rollouts.health IS 'Steps-up of the updated tenants before and after, as last looked at.';
COMMENT ON COLUMN rollouts.stopped IS 'Why it is taken back.';
CREATE INDEX rollouts_live ON rollouts (created_at) WHERE finished_at IS NULL;
CREATE INDEX rollouts_page ON rollouts (created_at, id);

CREATE TABLE rollout_cells (
    rollout_id text NOT NULL REFERENCES rollouts (id),
    cell_id    text NOT NULL REFERENCES cells (id),
    release_id text NOT NULL REFERENCES releases (id),
    PRIMARY KEY (rollout_id, cell_id)
);
COMMENT ON TABLE rollout_cells IS 'Cells of a rollout, and the release there that has its name.';

CREATE TABLE rollout_tenants (
    rollout_id      text        NOT NULL REFERENCES rollouts (id),
    -- Not a reference: a tenant may be gone before its rollout is forgotten.
    tenant_id       text        NOT NULL,
    partner_id      text        NOT NULL,
    wave            integer     NOT NULL,
    stage           text        NOT NULL,
    from_release_id text        REFERENCES releases (id),
    to_release_id   text        NOT NULL REFERENCES releases (id),
    operation_id    text,
    probe_before    jsonb,
    probes          integer     NOT NULL DEFAULT 0,
    detail          text,
    started_at      timestamptz,
    updated_at      timestamptz,
    PRIMARY KEY (rollout_id, tenant_id)
);
COMMENT ON COLUMN rollout_tenants.from_release_id IS 'What it ran before, and is brought back to.';
COMMENT ON COLUMN rollout_tenants.probe_before IS 'What its functions answered before they were changed.';
COMMENT ON COLUMN rollout_tenants.updated_at IS 'When its functions were changed: steps-up from then on are those of the new release.';
CREATE INDEX rollout_tenants_by_stage ON rollout_tenants (rollout_id, wave, stage);

GRANT SELECT, INSERT, UPDATE ON rollouts, rollout_tenants TO stepgate_app;
GRANT SELECT, INSERT ON rollout_cells TO stepgate_app;
ALTER TABLE rollouts ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON rollouts USING (may_see_partner('*'));
ALTER TABLE rollout_cells ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON rollout_cells USING (may_see_partner('*'));
ALTER TABLE rollout_tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON rollout_tenants USING (may_see_partner('*'));
