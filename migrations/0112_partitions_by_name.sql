-- Partitions whose days are over are found by their names alone. Reading a date out of every name failed once the
-- planner, by newer statistics, read the names of all tables before it asked which of them are partitions.

CREATE OR REPLACE FUNCTION drop_event_partitions(parent text, before_day date) RETURNS integer
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
          AND c.relname < parent || '_' || to_char(before_day, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END;
$$;
