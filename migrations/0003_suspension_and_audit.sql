-- A tenant can be suspended: its triggers then issue no tokens and open no challenges. And what people do that
-- weakens or restores protection is written down, with a reason, where it cannot be changed.

ALTER TABLE tenants
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspension_reason text,
    ADD CHECK ((suspended_at IS NULL) = (suspension_reason IS NULL));
COMMENT ON COLUMN tenants.suspended_at IS 'Wanted: since when the tenant is suspended.';

ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (kind IN (
    'create_tenant', 'update_tenant', 'create_app', 'update_policy', 'suspend_tenant', 'resume_tenant'));

CREATE TABLE audit_log (
    position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text        NOT NULL UNIQUE,
    partner_id  text        NOT NULL REFERENCES partners (id),
    tenant_id   text        REFERENCES tenants (id),
    resource_id text        NOT NULL,
    action      text        NOT NULL,
    actor       text        NOT NULL,
    reason      text        NOT NULL,
    detail      jsonb       NOT NULL DEFAULT '{}',
    request_id  text,
    at          timestamptz NOT NULL
);
COMMENT ON TABLE audit_log IS 'Who did what, when and why. Rows are added, never changed or removed.';
COMMENT ON COLUMN audit_log.actor IS 'Id of the API key, or `worker`.';
COMMENT ON COLUMN audit_log.detail IS 'What else is worth knowing. No secrets, no user attributes.';
CREATE INDEX audit_log_of_tenant ON audit_log (tenant_id, position);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END;
$$;
CREATE TRIGGER audit_log_rows_stay BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_log_stays BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
