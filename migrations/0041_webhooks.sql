-- Webhooks of partners. What is to be told is written in the transaction that makes it true (an outbox): a message
-- and a delivery for each webhook that asked for it. Workers send deliveries until they are accepted or given up.

CREATE TABLE webhooks (
    id              text        PRIMARY KEY,
    partner_id      text        NOT NULL REFERENCES partners (id),
    url             text        NOT NULL,
    description     text        NOT NULL,
    events          text[]      NOT NULL,
    enabled         boolean     NOT NULL DEFAULT true,
    disabled_reason text,
    failing_since   timestamptz,
    key_id          text        NOT NULL,
    sealed_data_key bytea       NOT NULL,
    sealed_secret   bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
COMMENT ON COLUMN webhooks.failing_since IS 'First failure since the last success.';
COMMENT ON COLUMN webhooks.key_id IS 'Which of the installation''s encryption keys seals the data key.';
COMMENT ON COLUMN webhooks.sealed_secret IS 'The signing secret, sealed with the data key.';
CREATE INDEX webhooks_page ON webhooks (partner_id, created_at, id);

CREATE TABLE webhook_messages (
    id         text        PRIMARY KEY,
    partner_id text        NOT NULL REFERENCES partners (id),
    tenant_id  text,
    type       text        NOT NULL,
    body       text        NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN webhook_messages.body IS 'The CloudEvent to the byte: every attempt sends the same.';
CREATE INDEX webhook_messages_age ON webhook_messages (created_at);

CREATE TABLE webhook_deliveries (
    id              text        PRIMARY KEY,
    partner_id      text        NOT NULL REFERENCES partners (id),
    webhook_id      text        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    message_id      text        NOT NULL REFERENCES webhook_messages (id),
    state           text        NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    last_status     integer,
    last_error      text,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz
);
COMMENT ON COLUMN webhook_deliveries.attempts IS 'Attempts begun. A claim is an attempt: its number is what the outcome is recorded under.';
COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS 'While an attempt runs, when it is taken for lost.';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_page ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_of_message ON webhook_deliveries (message_id);

CREATE TABLE webhook_attempts (
    delivery_id text        NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number      integer     NOT NULL,
    partner_id  text        NOT NULL REFERENCES partners (id),
    at          timestamptz NOT NULL,
    duration_ms integer     NOT NULL,
    status      integer,
    error       text,
    PRIMARY KEY (delivery_id, number)
);
COMMENT ON TABLE webhook_attempts IS 'The delivery log. Of an answer only its status is kept.';

GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks, webhook_messages, webhook_deliveries, webhook_attempts TO stepgate_app;
ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON webhooks USING (may_see_partner(partner_id));
ALTER TABLE webhook_messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON webhook_messages USING (may_see_partner(partner_id));
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON webhook_deliveries USING (may_see_partner(partner_id));
ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON webhook_attempts USING (may_see_partner(partner_id));
