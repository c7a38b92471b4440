-- A minute's successes fall into one bucket or a few of about sixty, and the histogram was stored from the first bucket on: nearly
-- all of a counter's row was zeros, which were written, kept, added up and sent. Now it is stored from the first bucket that
-- counts something to the last: PostgreSQL's arrays may begin at any subscript.
--
-- The release before reads `to_complete`, which it could not with another first subscript, so there is a column beside it. What that
-- release counted, or counts meanwhile, is read from where it is. It itself knows no times of what this one counts: its reports lack
-- them, and an alarm of latency that it judges may clear for want of a sample. No release was made before this migration, so this
-- concerns nobody who did not build one.

ALTER TABLE step_up_minutes ADD COLUMN completion_buckets bigint[];
ALTER TABLE step_up_hours ADD COLUMN completion_buckets bigint[];
ALTER TABLE step_up_days ADD COLUMN completion_buckets bigint[];
COMMENT ON COLUMN step_up_minutes.completion_buckets IS 'Of successes: counts of the time from the beginning of the journey. The subscript is the bucket of `reporting::histogram` plus one.';
COMMENT ON COLUMN step_up_hours.completion_buckets IS 'As in step_up_minutes.';
COMMENT ON COLUMN step_up_days.completion_buckets IS 'As in step_up_minutes.';
COMMENT ON COLUMN step_up_minutes.to_complete IS 'As completion_buckets, from bucket 0 on. Not written any more; added to completion_buckets by whoever reads.';

CREATE OR REPLACE VIEW step_up_rollups WITH (security_invoker = true) AS
    SELECT 'minute' AS grain, * FROM step_up_minutes
    UNION ALL SELECT 'hour', * FROM step_up_hours
    UNION ALL SELECT 'day', * FROM step_up_days;

CREATE OR REPLACE FUNCTION add_counts(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    sums  bigint[] := a;
    first integer := array_lower(a, 1);
    last  integer := array_upper(a, 1);
    place integer := array_lower(b, 1);
    count bigint;
BEGIN
    IF first IS NULL THEN RETURN b; END IF;
    IF place IS NULL THEN RETURN a; END IF;
    -- What is assigned beyond an array's ends leaves nulls between.
    IF place < first THEN
        sums := array_fill(0::bigint, ARRAY[first - place], ARRAY[place]) || sums;
    END IF;
    IF array_upper(b, 1) > last THEN
        sums := sums || array_fill(0::bigint, ARRAY[array_upper(b, 1) - last]);
    END IF;
    FOREACH count IN ARRAY b LOOP
        IF count <> 0 THEN
            sums[place] := sums[place] + count;
        END IF;
        place := place + 1;
    END LOOP;
    RETURN sums;
END;
$$;
COMMENT ON FUNCTION add_counts IS 'Adds two histograms bucket by bucket, wherever each begins.';
