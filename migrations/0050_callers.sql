-- Who may call: keys that can do less than their role, that follow one another, and the answers to requests that
-- callers may repeat. And what callers know tenants by: ids and labels of their own.

ALTER TABLE api_keys
    ADD COLUMN scopes      text[],
    ADD COLUMN replaced_by text REFERENCES api_keys (id);
COMMENT ON COLUMN api_keys.scopes IS 'What of its role the key may use; NULL is everything.';
COMMENT ON COLUMN api_keys.replaced_by IS 'Key that rotation put in its place; this one then works until expires_at only.';
CREATE INDEX api_keys_page ON api_keys (partner_id, created_at, id);

ALTER TABLE tenants
    ADD COLUMN external_id text,
    ADD COLUMN labels      jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT tenants_partner_id_external_id_key UNIQUE (partner_id, external_id);
COMMENT ON COLUMN tenants.external_id IS 'What the partner''s own system calls the tenant; unique at the partner.';
COMMENT ON COLUMN tenants.labels IS 'Names and values of the partner''s choosing, to select tenants by.';
CREATE INDEX tenants_labels ON tenants USING gin (labels jsonb_path_ops);

ALTER TABLE operations ADD COLUMN traceparent text;
COMMENT ON COLUMN operations.traceparent IS 'W3C trace context of the request that opened it, so that the worker''s log lines can be found by it.';

CREATE TABLE idempotency_keys (
    id               bytea       PRIMARY KEY,
    partner_id       text        REFERENCES partners (id),
    fingerprint      bytea       NOT NULL,
    lease_owner      text        NOT NULL,
    lease_expires_at timestamptz NOT NULL,
    status           integer,
    location         text,
    answer           text,
    created_at       timestamptz NOT NULL,
    CHECK ((status IS NULL) = (answer IS NULL))
);
COMMENT ON TABLE idempotency_keys IS 'Requests that may be repeated: under way, or with the one answer they got. Kept for a day.';
COMMENT ON COLUMN idempotency_keys.id IS 'SHA-256 of caller and key. The key itself is not kept: it keys the fingerprint.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'HMAC of operation and body. The body is not kept: it may hold a secret.';
COMMENT ON COLUMN idempotency_keys.answer IS 'Body of the answer, without secrets. Written by the transaction that did what it tells.';
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO stepgate_app;
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON idempotency_keys USING (may_see_partner(coalesce(partner_id, '*')));

-- An operator's request may end in a transaction for one partner's rows, in which the operator's own row is not seen. It
-- may still write the answer to it, and to nothing else: the request knows the row's id and holds its lease.
CREATE FUNCTION record_idempotent_answer(row_id bytea, owner text, new_status integer, new_location text, new_answer text)
RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
BEGIN ATOMIC
    WITH written AS (
        UPDATE public.idempotency_keys SET status = new_status, location = new_location, answer = new_answer
        WHERE id = row_id AND lease_owner = owner AND status IS NULL RETURNING id)
    SELECT count(*) = 1 FROM written;
END;
REVOKE ALL ON FUNCTION record_idempotent_answer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_idempotent_answer TO stepgate_app;

-- What operators do to the installation itself belongs to no partner.
ALTER TABLE audit_log ALTER COLUMN partner_id DROP NOT NULL;
ALTER POLICY partner_rows ON audit_log USING (may_see_partner(coalesce(partner_id, '*')));
