-- What cannot be stored is kept whole for a while, and how far behind the reading of events is, is known to all.

ALTER TABLE quarantined_events ADD COLUMN bodies text[] NOT NULL DEFAULT '{}';
COMMENT ON TABLE quarantined_events IS 'What came through a cell''s queue and could not be stored, by call and reason; kept as long as single events are.';
COMMENT ON COLUMN quarantined_events.count IS 'How many events, or whole messages, it was.';
COMMENT ON COLUMN quarantined_events.sample IS 'The first characters of the first of them.';
COMMENT ON COLUMN quarantined_events.bodies IS 'The events or messages whole, as they came, as many as a row may hold.';
CREATE INDEX quarantined_events_received_at ON quarantined_events (received_at);
GRANT DELETE ON quarantined_events TO stepgate_app;

CREATE TABLE event_intake (
    cell_id   text             PRIMARY KEY REFERENCES cells (id),
    looked_at timestamptz      NOT NULL,
    lag_s     double precision NOT NULL
);
COMMENT ON TABLE event_intake IS 'How far behind a worker was when it last read a cell''s event queue: the age of the oldest event that it found, 0 when the queue was empty.';
GRANT SELECT, INSERT, UPDATE ON event_intake TO stepgate_app;
ALTER TABLE event_intake ENABLE ROW LEVEL SECURITY;
CREATE POLICY installation_rows ON event_intake USING (may_see_partner('*'));
