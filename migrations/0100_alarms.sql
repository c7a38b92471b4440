-- Alarms: what a tenant is watched for, and what was raised. An alarm is raised while it has no end; there is one of a
-- kind and tenant at a time.

CREATE TABLE alarm_settings (
    tenant_id  text        PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    partner_id text        NOT NULL REFERENCES partners (id),
    version    bigint      NOT NULL,
    thresholds jsonb       NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE alarm_settings IS 'Thresholds of tenants that were given their own; the others have the service''s.';
COMMENT ON COLUMN alarm_settings.version IS 'From 2: what a tenant begins with is version 1.';

CREATE TABLE alarms (
    id              text             PRIMARY KEY,
    partner_id      text             NOT NULL REFERENCES partners (id),
    tenant_id       text             NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    kind            text             NOT NULL CHECK (kind IN ('success_rate', 'provider_errors', 'latency')),
    threshold       double precision NOT NULL,
    window_min      integer          NOT NULL,
    value           double precision NOT NULL,
    sample          bigint           NOT NULL,
    raised_at       timestamptz      NOT NULL,
    last_breach_at  timestamptz      NOT NULL,
    cleared_at      timestamptz,
    cleared_because text             CHECK (cleared_because IN ('recovered', 'too_few', 'switched_off')),
    cleared_value   double precision,
    CHECK ((cleared_at IS NULL) = (cleared_because IS NULL))
);
COMMENT ON TABLE alarms IS 'One row an alarm, from its raising to its end; kept until the tenant is removed.';
COMMENT ON COLUMN alarms.threshold IS 'The limit that was passed, in the unit of the kind: a share, a count, ms.';
COMMENT ON COLUMN alarms.value IS 'What was measured when it was raised.';
COMMENT ON COLUMN alarms.last_breach_at IS 'End of the last window in which the limit was passed.';
-- Many workers, one alarm: whoever comes second inserts nothing.
CREATE UNIQUE INDEX alarms_raised ON alarms (tenant_id, kind) WHERE cleared_at IS NULL;
CREATE INDEX alarms_page ON alarms (raised_at DESC, id DESC);
CREATE INDEX alarms_of_tenant ON alarms (tenant_id, raised_at DESC, id DESC);

CREATE TABLE alarm_evaluations (
    only_row        boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    evaluated_until timestamptz NOT NULL
);
COMMENT ON TABLE alarm_evaluations IS 'Up to which minute everything was judged. A worker that moves it on does the judging in the same transaction, so every minute is judged once and none after a later one.';
INSERT INTO alarm_evaluations (evaluated_until) VALUES ('2000-01-01Z');

CREATE AGGREGATE sum_counts (bigint[]) (SFUNC = add_counts, STYPE = bigint[]);
COMMENT ON AGGREGATE sum_counts (bigint[]) IS 'Adds histograms bucket by bucket.';

-- The reserved name told of raising only.
UPDATE webhooks SET events = array_replace(events, 'alarm.failure_rate', 'alarm.raised') || '{alarm.cleared}'
    WHERE 'alarm.failure_rate' = ANY (events);

GRANT SELECT, INSERT, UPDATE, DELETE ON alarm_settings, alarms TO stepgate_app;
GRANT SELECT, UPDATE ON alarm_evaluations TO stepgate_app;
ALTER TABLE alarm_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON alarm_settings USING (may_see_partner(partner_id));
ALTER TABLE alarms ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON alarms USING (may_see_partner(partner_id));
ALTER TABLE alarm_evaluations ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON alarm_evaluations USING (may_see_partner('*'));
