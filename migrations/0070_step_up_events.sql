-- Step-up events, as the triggers printed them, and what reports read: rollups by minute, hour and day.
--
-- An event is known by its id, which Cognito's retries share, so the same id may come with different times. It is
-- filed under `filed_at`, which repeats share as well: the beginning of its journey (the time inside the journey's
-- id), or the event's own time where it has no journey. So one partition can tell whether an event is new.

ALTER TABLE cells ADD COLUMN event_queue_url text;
COMMENT ON COLUMN cells.event_queue_url IS 'SQS queue with the step-up events of the cell; null until the cell is brought to a version that has one.';

CREATE TABLE step_up_events (
    event_id        text        NOT NULL,
    filed_at        timestamptz NOT NULL,
    at              timestamptz NOT NULL,
    partner_id      text        NOT NULL,
    tenant_id       text        NOT NULL,
    type            text        NOT NULL,
    app_id          text,
    journey_id      text,
    round           smallint,
    user_hash       text,
    reason          text,
    method          text,
    acr             text,
    amr             jsonb,
    aal             smallint,
    ial             smallint,
    policy_version  bigint,
    rule            text,
    policy_stale    boolean     NOT NULL,
    action          text,
    source          text,
    cold_start      boolean     NOT NULL,
    duration_ms     integer     NOT NULL,
    hops_ms         jsonb,
    trigger_version text        NOT NULL,
    fallback        boolean,
    PRIMARY KEY (event_id, filed_at)
) PARTITION BY RANGE (filed_at);
COMMENT ON TABLE step_up_events IS 'One row a fact, in partitions of a day (UTC) that the worker makes and drops.';
COMMENT ON COLUMN step_up_events.user_hash IS 'HMAC of the Cognito sub under the tenant''s key; no personal data in clear is stored.';
-- No foreign keys: events of a tenant outlive it until their partition is dropped, and a check per row would cost more than it tells.
CREATE INDEX step_up_events_of_tenant ON step_up_events (tenant_id, at DESC, event_id);
CREATE INDEX step_up_events_of_journey ON step_up_events (journey_id) WHERE journey_id IS NOT NULL;
CREATE INDEX step_up_events_of_user ON step_up_events (tenant_id, user_hash, at DESC) WHERE user_hash IS NOT NULL;

-- The first answer to a journey, whatever it was: a journey without one is abandoned once its session is over.
CREATE TABLE step_up_ends (
    journey_id text        NOT NULL,
    filed_at   timestamptz NOT NULL,
    PRIMARY KEY (journey_id, filed_at)
) PARTITION BY RANGE (filed_at);
COMMENT ON TABLE step_up_ends IS 'Journeys that were answered; kept as long as their events.';

-- What reports read. A row counts the events of one kind in one slice of time. Texts are empty, numbers 0, where an event has none.
-- `outcome` is the type of the event, or `ended`: a journey that got its first answer, counted when the journey began.
CREATE TABLE step_up_minutes (
    tenant_id       text        NOT NULL,
    slice           timestamptz NOT NULL,
    app_id          text        NOT NULL,
    method          text        NOT NULL,
    outcome         text        NOT NULL,
    reason          text        NOT NULL,
    policy_version  bigint      NOT NULL,
    trigger_version text        NOT NULL,
    partner_id      text        NOT NULL,
    events          bigint      NOT NULL,
    cold_starts     bigint      NOT NULL,
    -- Successes by another method than the one that the policy names first.
    fallbacks       bigint      NOT NULL,
    -- Of successes: time from the beginning of the journey. Counts by bucket, see `reporting::histogram`.
    to_complete     bigint[],
    PRIMARY KEY (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version)
) PARTITION BY RANGE (slice);
COMMENT ON TABLE step_up_minutes IS 'Rollup by minute, in partitions of a day that the worker makes and drops.';
CREATE TABLE step_up_hours (LIKE step_up_minutes INCLUDING COMMENTS, PRIMARY KEY (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version));
COMMENT ON TABLE step_up_hours IS 'Rollup by hour.';
CREATE TABLE step_up_days (LIKE step_up_minutes INCLUDING COMMENTS, PRIMARY KEY (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version));
COMMENT ON TABLE step_up_days IS 'Rollup by day (UTC).';

CREATE TABLE quarantined_events (
    id          text        PRIMARY KEY,
    cell_id     text        NOT NULL REFERENCES cells (id),
    reason      text        NOT NULL,
    count       bigint      NOT NULL,
    sample      text        NOT NULL,
    received_at timestamptz NOT NULL
);
COMMENT ON TABLE quarantined_events IS 'What came through a cell''s queue and could not be stored: the first characters of it, and how many events it was.';

-- Partitions are the owner's: serve and worker may have them made and dropped, by the day, and nothing else.
CREATE FUNCTION make_event_partitions(from_day date, to_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    day   date := from_day;
    made  integer := 0;
    part  text;
    parent text;
BEGIN
    IF to_day - from_day > 400 THEN
        RAISE EXCEPTION 'at most 400 days of partitions in a call';
    END IF;
    -- Two workers must not make the same one.
    PERFORM pg_advisory_xact_lock(hashtext('make_event_partitions'));
    WHILE day <= to_day LOOP
        FOREACH parent IN ARRAY ARRAY['step_up_events', 'step_up_ends', 'step_up_minutes'] LOOP
            part := parent || '_' || to_char(day, 'YYYYMMDD');
            IF to_regclass('public.' || quote_ident(part)) IS NULL THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                    part, parent, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
        END LOOP;
        day := day + 1;
    END LOOP;
    RETURN made;
END;
$$;
CREATE FUNCTION drop_event_partitions(parent text, before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    part    text;
    dropped integer := 0;
BEGIN
    IF parent NOT IN ('step_up_events', 'step_up_ends', 'step_up_minutes') THEN
        RAISE EXCEPTION '% has no partitions that may be dropped', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('make_event_partitions'));
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = ('public.' || quote_ident(parent))::regclass
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END;
$$;
REVOKE ALL ON FUNCTION make_event_partitions, drop_event_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_event_partitions, drop_event_partitions TO stepgate_app;

CREATE FUNCTION add_counts(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN a IS NULL THEN b WHEN b IS NULL THEN a
    ELSE (SELECT array_agg(coalesce(x, 0) + coalesce(y, 0) ORDER BY i)
          FROM unnest(a, b) WITH ORDINALITY AS both_counts (x, y, i)) END;
COMMENT ON FUNCTION add_counts IS 'Adds two histograms bucket by bucket.';

CREATE FUNCTION counts_of(buckets integer[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT array_agg((SELECT count(*) FROM unnest(buckets) AS b WHERE b = i) ORDER BY i)
        FROM generate_series(0, (SELECT max(b) FROM unnest(buckets) AS b)) AS i);
COMMENT ON FUNCTION counts_of IS 'The histogram of a list of bucket numbers.';

GRANT SELECT, INSERT ON step_up_events, step_up_ends, quarantined_events TO stepgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON step_up_minutes, step_up_hours, step_up_days TO stepgate_app;
ALTER TABLE step_up_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON step_up_events USING (may_see_partner(partner_id));
ALTER TABLE step_up_minutes ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON step_up_minutes USING (may_see_partner(partner_id));
ALTER TABLE step_up_hours ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON step_up_hours USING (may_see_partner(partner_id));
ALTER TABLE step_up_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_rows ON step_up_days USING (may_see_partner(partner_id));
ALTER TABLE step_up_ends ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON step_up_ends USING (may_see_partner('*'));
ALTER TABLE quarantined_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON quarantined_events USING (may_see_partner('*'));

-- One name for what reports read. A report asks for one grain, and the other two tables are then not touched.
CREATE VIEW step_up_rollups WITH (security_invoker = true) AS
    SELECT 'minute' AS grain, * FROM step_up_minutes
    UNION ALL SELECT 'hour', * FROM step_up_hours
    UNION ALL SELECT 'day', * FROM step_up_days;
GRANT SELECT ON step_up_rollups TO stepgate_app;
