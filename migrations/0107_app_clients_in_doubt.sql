-- Cognito makes an app client anew whenever it is asked to, and a call whose answer is lost may take effect late. Such an
-- app is looked after until it is certain that its pool holds the client in its row and no other.

ALTER TABLE apps
    ADD COLUMN client_asked_at timestamptz,
    ADD COLUMN client_look_at  timestamptz,
    ADD CHECK ((client_asked_at IS NULL) = (client_look_at IS NULL));
COMMENT ON COLUMN apps.client_asked_at IS 'When Cognito was last asked for a client, from before the call until it is certain that it made no other than client_id. NULL: certain.';
COMMENT ON COLUMN apps.client_look_at IS 'When the pool is next looked through for others.';
CREATE INDEX apps_client_look ON apps (client_look_at) WHERE client_look_at IS NOT NULL;
