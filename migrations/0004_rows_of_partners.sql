-- The second wall between partners. Serve and worker speak to the database as `stepgate_app`, which owns nothing and
-- cannot bypass row-level security; every transaction names the partner it is for (or `*` for the whole installation)
-- in `stepgate.partner_id`. A transaction that forgets to say so sees no rows at all.
--
-- Roles belong to the whole server: another database of it may have made this one, maybe at this very moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stepgate_app') THEN
        CREATE ROLE stepgate_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role stepgate_app does not exist and % may not make it', current_user
            USING HINT = 'As an administrator: CREATE ROLE stepgate_app NOLOGIN; then grant it to the user of STEPGATE_DATABASE_URL.';
END;
$$;
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'stepgate_app', 'MEMBER') THEN
        EXECUTE format('GRANT stepgate_app TO %I', current_user);
    END IF;
END;
$$;

DO $$
BEGIN
    -- The migrator's own table; absent where the files are applied by hand.
    IF to_regclass('_sqlx_migrations') IS NOT NULL THEN
        GRANT SELECT ON _sqlx_migrations TO stepgate_app;
    END IF;
END;
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    partners, api_keys, cells, tenants, apps, policy_versions, operations, operation_steps TO stepgate_app;
GRANT SELECT, INSERT ON audit_log TO stepgate_app;

CREATE FUNCTION may_see_partner(partner_id text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN partner_id = current_setting('stepgate.partner_id', true) OR current_setting('stepgate.partner_id', true) = '*';
COMMENT ON FUNCTION may_see_partner IS 'Whether rows of this partner belong to the transaction at hand.';

ALTER TABLE partners ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON partners USING (may_see_partner(id));
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON api_keys USING (may_see_partner(coalesce(partner_id, '*')));
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON tenants USING (may_see_partner(partner_id));
ALTER TABLE apps ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON apps USING (may_see_partner(partner_id));
ALTER TABLE policy_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON policy_versions USING (may_see_partner(partner_id));
ALTER TABLE operations ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON operations USING (may_see_partner(partner_id));
-- A step is seen by whoever sees its operation.
ALTER TABLE operation_steps ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON operation_steps
    USING (EXISTS (SELECT FROM operations WHERE operations.id = operation_steps.operation_id));
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON audit_log USING (may_see_partner(partner_id));
-- Cells belong to nobody: tenants are placed in them, so every caller's transaction may read them.
ALTER TABLE cells ENABLE ROW LEVEL SECURITY;
CREATE POLICY cells_are_read ON cells FOR SELECT USING (true);
CREATE POLICY cells_are_kept ON cells USING (may_see_partner('*'));

-- Which kinds of operations there are is known to one place, `OperationKind`; a list here would have to be changed with it.
ALTER TABLE operations DROP CONSTRAINT operations_kind_check;

-- Placement looks at how full a cell is, whoever's tenants fill it, and learns nothing else.
CREATE FUNCTION tenants_in_cell(cell text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
RETURN (SELECT count(*) FROM public.tenants WHERE cell_id = cell AND state <> 'deleted');
REVOKE ALL ON FUNCTION tenants_in_cell FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenants_in_cell TO stepgate_app;
