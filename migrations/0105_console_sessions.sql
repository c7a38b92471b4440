-- Browsers that are signed in to the console. Kept here and not in the browser, so that signing out ends a session
-- everywhere, and so that any copy of `serve` knows it.

CREATE TABLE console_sessions (
    id           bytea       PRIMARY KEY,
    partner_id   text        REFERENCES partners (id),
    issuer       text        NOT NULL,
    subject      text        NOT NULL,
    role         text        NOT NULL,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CHECK ((partner_id IS NULL) = (role IN ('operator', 'auditor')))
);
COMMENT ON TABLE console_sessions IS 'Browsers signed in to the console; removed when signed out, and some time after they expired.';
COMMENT ON COLUMN console_sessions.id IS 'SHA-256 of what the browser holds.';
COMMENT ON COLUMN console_sessions.issuer IS 'Name of the trusted issuer in the configuration. A session ends when the issuer is no longer one for signing in.';
COMMENT ON COLUMN console_sessions.last_seen_at IS 'Right to the minute.';
CREATE INDEX console_sessions_age ON console_sessions (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON console_sessions TO stepgate_app;
ALTER TABLE console_sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON console_sessions USING (may_see_partner(coalesce(partner_id, '*')));

CREATE TABLE console_links (
    id         bytea       PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE console_links IS 'Links of a demonstration that sign an operator in, once each: a used one is gone.';
COMMENT ON COLUMN console_links.id IS 'SHA-256 of what the link holds.';
GRANT SELECT, INSERT, DELETE ON console_links TO stepgate_app;
ALTER TABLE console_links ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON console_links USING (may_see_partner('*'));
