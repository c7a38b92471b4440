-- A tenant is deleted in two strides: first nobody signs in any more and it can be restored; then, asked for again and
-- confirmed, it is purged: stack, secrets, if so wished its users, and rows. The tenant's own row stays, because
-- operations and the audit log name it, and so that its id is never used again.

ALTER TABLE tenants
    ADD COLUMN deletion jsonb,
    DROP CONSTRAINT tenants_state_check,
    ADD CONSTRAINT tenants_state_check CHECK (state IN ('awaiting_secret', 'active', 'deleting', 'purging', 'deleted')),
    ADD CONSTRAINT tenants_deletion_check CHECK ((state IN ('deleting', 'purging', 'deleted')) = (deletion IS NOT NULL));
COMMENT ON COLUMN tenants.deletion IS 'Since when it is deleted, until when it can be restored for certain, when its users were exported, how it is purged and what came of that.';

-- The names of a purged tenant are free again.
ALTER TABLE tenants
    DROP CONSTRAINT tenants_partner_id_name_key,
    DROP CONSTRAINT tenants_partner_id_external_id_key;
CREATE UNIQUE INDEX tenants_partner_id_name_key ON tenants (partner_id, name) WHERE state <> 'deleted';
CREATE UNIQUE INDEX tenants_partner_id_external_id_key ON tenants (partner_id, external_id) WHERE state <> 'deleted';

DROP INDEX tenants_due;
CREATE INDEX tenants_due ON tenants (next_attempt_at)
    WHERE state IN ('active', 'deleting', 'purging') AND generation > observed_generation;

ALTER TABLE operations ADD COLUMN report jsonb;
COMMENT ON COLUMN operations.report IS 'Of a purge: what was deleted and what is kept, until when. Stays when the tenant''s rows are gone.';

-- Exemptions are kept for as long as their tenant is.
GRANT DELETE ON exemptions TO stepgate_app;
