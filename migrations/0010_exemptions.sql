-- An exemption lets one user, or everybody at one app, in without a step-up for some hours: a lost phone, an outage of
-- the provider. Asked for by one person, approved by another, written down both times; it ends by itself.

CREATE TABLE exemptions (
    id           text        PRIMARY KEY,
    partner_id   text        NOT NULL REFERENCES partners (id),
    tenant_id    text        NOT NULL REFERENCES tenants (id),
    app_id       text        NOT NULL REFERENCES apps (id),
    user_sub     text,
    reason       text        NOT NULL,
    duration_min integer     NOT NULL CHECK (duration_min BETWEEN 1 AND 1440),
    state        text        NOT NULL CHECK (state IN ('pending', 'approved', 'revoked', 'expired')),
    asked_by     text        NOT NULL,
    created_at   timestamptz NOT NULL,
    approved_by  text,
    approved_at  timestamptz,
    expires_at   timestamptz,
    ended_at     timestamptz,
    CHECK ((approved_by IS NULL) = (approved_at IS NULL) AND (approved_at IS NULL) = (expires_at IS NULL)),
    -- Two persons and a day at most, whatever the code above says.
    CHECK (approved_by <> asked_by),
    CHECK (expires_at <= approved_at + interval '24 hours'),
    CHECK (state <> 'approved' OR approved_at IS NOT NULL),
    CHECK (state <> 'pending' OR approved_at IS NULL),
    CHECK ((state IN ('revoked', 'expired')) = (ended_at IS NOT NULL))
);
COMMENT ON TABLE exemptions IS 'Time-limited passes without a step-up; the approved ones are in the policy items of the triggers.';
COMMENT ON COLUMN exemptions.user_sub IS 'Cognito sub of the user; NULL means every user of the app.';
COMMENT ON COLUMN exemptions.duration_min IS 'How long it is to last, counted from its approval, min.';
COMMENT ON COLUMN exemptions.asked_by IS 'Id of the caller who asked; approved_by is never the same.';
COMMENT ON COLUMN exemptions.expires_at IS 'When it ends by itself; set by the approval.';
CREATE INDEX exemptions_of_tenant ON exemptions (tenant_id, created_at, id);
CREATE INDEX exemptions_live ON exemptions (app_id) WHERE state IN ('pending', 'approved');

GRANT SELECT, INSERT, UPDATE ON exemptions TO stepgate_app;
ALTER TABLE exemptions ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON exemptions USING (may_see_partner(partner_id));
