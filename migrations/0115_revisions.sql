-- Partners, cells and webhooks are changed only as they were read: a revision is their ETag.
--
-- A trigger counts, not the statements: the release before this one changes rows too while both run, and cells and webhooks
-- are changed from several places. What no caller may change does not count, such as what `cell apply` registers or
-- how deliveries fare: nobody can overwrite it, and it would refuse changes for no reason.

CREATE FUNCTION take_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision = OLD.revision + 1;
    RETURN NEW;
END;
$$;

ALTER TABLE partners ADD COLUMN revision bigint NOT NULL DEFAULT 1;
ALTER TABLE cells ADD COLUMN revision bigint NOT NULL DEFAULT 1;
ALTER TABLE webhooks ADD COLUMN revision bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN partners.revision IS 'Grows with every change of the name; the resource''s ETag.';
COMMENT ON COLUMN cells.revision IS 'Grows with every change of state, quotas and limits of calls; the resource''s ETag.';
COMMENT ON COLUMN webhooks.revision IS 'Grows with every change of what callers may change, whoever makes it; the resource''s ETag.';

CREATE TRIGGER partners_change BEFORE UPDATE ON partners
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION take_revision();
CREATE TRIGGER cells_change BEFORE UPDATE ON cells
    FOR EACH ROW WHEN ((OLD.state, OLD.quotas, OLD.aws_call_limits) IS DISTINCT FROM (NEW.state, NEW.quotas, NEW.aws_call_limits))
    EXECUTE FUNCTION take_revision();
CREATE TRIGGER webhooks_change BEFORE UPDATE ON webhooks
    FOR EACH ROW WHEN ((OLD.url, OLD.description, OLD.events, OLD.enabled, OLD.disabled_reason) IS DISTINCT FROM
        (NEW.url, NEW.description, NEW.events, NEW.enabled, NEW.disabled_reason))
    EXECUTE FUNCTION take_revision();

CREATE INDEX releases_page ON releases (cell_id, created_at, id);
