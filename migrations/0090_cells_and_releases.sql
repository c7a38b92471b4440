-- How much a cell takes, how it is reached, and which triggers and template its tenants run.

ALTER TABLE cells ADD COLUMN quotas jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN cells.quotas IS 'AWS quotas of the account and region as an operator gave them; what is absent is AWS''s default.';
ALTER TABLE cells ADD COLUMN role_arn text;
ALTER TABLE cells ADD COLUMN external_id text;
ALTER TABLE cells ADD CONSTRAINT external_id_goes_with_a_role CHECK (external_id IS NULL OR role_arn IS NOT NULL);
COMMENT ON COLUMN cells.role_arn IS 'Role that the service takes to reach the cell''s account; NULL when its own credentials belong there.';

-- A tenant's template outlives the binary that brought it: a stack can be rolled back to it.
CREATE TABLE templates (
    digest     text        PRIMARY KEY,
    body       text        NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE templates IS 'Templates of tenants'' stacks, by SHA-256 (hex).';

CREATE TABLE releases (
    id              text        PRIMARY KEY,
    cell_id         text        NOT NULL REFERENCES cells (id),
    name            text        NOT NULL,
    artifacts       jsonb       NOT NULL,
    template_digest text        NOT NULL REFERENCES templates (digest),
    created_at      timestamptz NOT NULL,
    UNIQUE (cell_id, name)
);
COMMENT ON TABLE releases IS 'What tenants of a cell can run: trigger artifacts and a template. Never changed.';
COMMENT ON COLUMN releases.name IS 'Version of the artifacts and a digest over all of it: the same name in two cells is the same thing.';

ALTER TABLE cells ADD COLUMN release_id text REFERENCES releases (id);
COMMENT ON COLUMN cells.release_id IS 'What new tenants get.';
ALTER TABLE tenants ADD COLUMN release_id text REFERENCES releases (id);
COMMENT ON COLUMN tenants.release_id IS 'What the tenant is to run; NULL follows the cell (tenants from before releases).';

GRANT SELECT, INSERT ON templates, releases TO stepgate_app;
-- Like cells they belong to nobody, and every caller's transaction may read them.
ALTER TABLE templates ENABLE ROW LEVEL SECURITY;
CREATE POLICY templates_are_read ON templates FOR SELECT USING (true);
CREATE POLICY templates_are_kept ON templates USING (may_see_partner('*'));
ALTER TABLE releases ENABLE ROW LEVEL SECURITY;
CREATE POLICY releases_are_read ON releases FOR SELECT USING (true);
CREATE POLICY releases_are_kept ON releases USING (may_see_partner('*'));

-- Placement looks at how busy a cell is, whoever's users sign in, and learns nothing else.
CREATE FUNCTION busiest_minute_of_cell(cell text, since timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
RETURN (SELECT coalesce(max(begun), 0) FROM (
            SELECT sum(m.events) AS begun
            FROM public.step_up_minutes m JOIN public.tenants t ON t.id = m.tenant_id
            WHERE t.cell_id = cell AND m.slice >= since AND m.outcome IN ('started', 'skipped', 'exempted')
            GROUP BY m.slice) AS minutes);
COMMENT ON FUNCTION busiest_minute_of_cell IS 'Sign-ins begun in the busiest minute since a time.';
REVOKE ALL ON FUNCTION busiest_minute_of_cell FROM PUBLIC;
GRANT EXECUTE ON FUNCTION busiest_minute_of_cell TO stepgate_app;
