-- The audit log becomes a trail that proves itself: every entry gets its place in commit order, and a worker seals
-- the entries of each chain (one per partner, one for the installation) by a hash that includes the one before.

-- An entry outlives what it is about, and what belongs to the installation has no partner.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_tenant_id_fkey,
    ALTER COLUMN partner_id DROP NOT NULL,
    ADD COLUMN outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'denied')),
    ADD COLUMN actor_role text;
COMMENT ON COLUMN audit_log.partner_id IS 'Whose chain it belongs to; NULL for the installation''s.';
COMMENT ON COLUMN audit_log.actor IS 'Id of the caller, `worker`, or `command_line`.';
COMMENT ON COLUMN audit_log.reason IS 'In the actor''s words; empty where none is asked for.';
DROP POLICY partner_rows ON audit_log;
CREATE POLICY partner_rows ON audit_log USING (may_see_partner(coalesce(partner_id, '*')));

-- The order in which entries were committed. `position` is handed out while a transaction runs, so it says in which
-- order entries were begun. A deferred trigger runs as the last thing of a commit, and the lock that it takes is held
-- until others can see the commit: numbers are handed out in commit order, and once one is seen, all lower ones are.
CREATE SEQUENCE audit_commit_order;
CREATE TABLE audit_commits (
    commit_order bigint PRIMARY KEY,
    position     bigint NOT NULL UNIQUE REFERENCES audit_log (position),
    partner_id   text   REFERENCES partners (id)
);
COMMENT ON TABLE audit_commits IS 'In which order the entries of the audit log were committed.';
CREATE INDEX audit_commits_of_partner ON audit_commits (partner_id, commit_order);
INSERT INTO audit_commits SELECT row_number() OVER (ORDER BY position), position, partner_id FROM audit_log;
SELECT setval('audit_commit_order', coalesce(max(commit_order), 0) + 1, false) FROM audit_commits;

CREATE FUNCTION note_audit_commit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stepgate.audit_commits', 0));
    INSERT INTO public.audit_commits (commit_order, position, partner_id)
    VALUES (nextval('public.audit_commit_order'), NEW.position, NEW.partner_id);
    RETURN NULL;
END;
$$;
REVOKE ALL ON FUNCTION note_audit_commit FROM PUBLIC;
CREATE CONSTRAINT TRIGGER audit_log_commit_order AFTER INSERT ON audit_log
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_audit_commit();

CREATE TABLE audit_seals (
    chain        text        NOT NULL,
    sequence     bigint      NOT NULL CHECK (sequence > 0),
    commit_order bigint      NOT NULL UNIQUE REFERENCES audit_commits (commit_order),
    position     bigint      NOT NULL UNIQUE REFERENCES audit_log (position),
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    sealed_at    timestamptz NOT NULL,
    PRIMARY KEY (chain, sequence)
);
COMMENT ON TABLE audit_seals IS 'Place of each entry in its chain, and the hash over it and everything before it.';
COMMENT ON COLUMN audit_seals.chain IS 'Id of the partner, or `installation`.';
COMMENT ON COLUMN audit_seals.sequence IS 'From 1, without gaps.';

CREATE TRIGGER audit_commits_rows_stay BEFORE UPDATE OR DELETE ON audit_commits
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_commits_stay BEFORE TRUNCATE ON audit_commits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_seals_rows_stay BEFORE UPDATE OR DELETE ON audit_seals
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_seals_stay BEFORE TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Refused attempts are written down once, then counted: a caller in a loop costs one row an hour, however fast it is.
CREATE TABLE audit_denials (
    actor           text        NOT NULL,
    operation       text        NOT NULL,
    code            text        NOT NULL,
    partner_id      text        REFERENCES partners (id),
    actor_role      text        NOT NULL,
    since           timestamptz NOT NULL,
    repeats         bigint      NOT NULL DEFAULT 0,
    last_at         timestamptz NOT NULL,
    last_path       text        NOT NULL,
    last_request_id text,
    PRIMARY KEY (actor, operation, code)
);
COMMENT ON TABLE audit_denials IS 'Open windows of refused attempts; the worker closes them with an entry that tells how many there were.';
COMMENT ON COLUMN audit_denials.repeats IS 'Attempts after the first, which has an entry of its own.';
CREATE INDEX audit_denials_due ON audit_denials (since);

GRANT SELECT ON audit_commits TO stepgate_app;
GRANT SELECT, INSERT ON audit_seals TO stepgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_denials TO stepgate_app;
ALTER TABLE audit_commits ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON audit_commits USING (may_see_partner(coalesce(partner_id, '*')));
ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON audit_seals USING (may_see_partner(chain));
ALTER TABLE audit_denials ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON audit_denials USING (may_see_partner(coalesce(partner_id, '*')));
