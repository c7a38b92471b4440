-- The planner may look at every table before it looks for partitions, and names such as pg_toast_13000 are no dates.

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
          AND CASE WHEN c.relname ~ '_[0-9]{8}$' THEN to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
                   ELSE false END
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END;
$$;
