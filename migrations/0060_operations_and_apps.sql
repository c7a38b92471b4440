-- Operations can be listed, watched and cancelled; apps can be changed and deleted; tenants can be sandboxes.

-- A watcher asks for what changed since what it saw last: every change of an operation or of one of its steps takes
-- the next number. Changes of one operation never run side by side (its tenant's row is locked first), so within an
-- operation the numbers are in the order of the commits.
CREATE SEQUENCE operation_revisions;
GRANT USAGE ON SEQUENCE operation_revisions TO stepgate_app;

ALTER TABLE operations
    ADD COLUMN revision bigint NOT NULL DEFAULT nextval('operation_revisions'),
    DROP CONSTRAINT operations_state_check,
    ADD CONSTRAINT operations_state_check CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled'));
ALTER TABLE operation_steps ADD COLUMN revision bigint NOT NULL DEFAULT nextval('operation_revisions');
COMMENT ON COLUMN operations.revision IS 'Grows with every change; the id of the event that tells of it.';

CREATE FUNCTION take_operation_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision = nextval('operation_revisions');
    RETURN NEW;
END;
$$;
-- What is written as it was is no change: a worker may record the same thing twice.
CREATE TRIGGER operations_change BEFORE UPDATE ON operations
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION take_operation_revision();
CREATE TRIGGER operation_steps_change BEFORE UPDATE ON operation_steps
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION take_operation_revision();
CREATE INDEX operations_page ON operations (partner_id, created_at DESC, id DESC);

ALTER TABLE apps
    ADD COLUMN revision   bigint NOT NULL DEFAULT 1,
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN removed_at timestamptz,
    ADD CHECK (removed_at IS NULL OR deleted_at IS NOT NULL);
COMMENT ON COLUMN apps.revision IS 'Grows with every change of name and settings; the resource''s ETag.';
COMMENT ON COLUMN apps.deleted_at IS 'Wanted: since when the app is not to be. The row stays, because policy versions and the audit log name it.';
COMMENT ON COLUMN apps.removed_at IS 'Since when its client and its policy item are gone from AWS.';
-- The name of a deleted app is free again.
ALTER TABLE apps DROP CONSTRAINT apps_tenant_id_name_key;
CREATE UNIQUE INDEX apps_tenant_id_name_key ON apps (tenant_id, name) WHERE deleted_at IS NULL;

ALTER TABLE tenants ADD COLUMN sandbox boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tenants.sandbox IS 'For trying out: nothing of it is protected against deletion. Fixed at creation.';
