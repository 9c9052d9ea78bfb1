-- version: 15
CREATE SCHEMA other;
CREATE TABLE plain (a int, b int, c text);
-- defect: public.broken -- a build that failed
CREATE INDEX broken ON plain (a);
-- defect: public.broken_unique -- a unique one, over values that were equal
CREATE UNIQUE INDEX broken_unique ON plain (b) WHERE c IS NOT NULL;
-- defect: public.broken_ccnew -- what REINDEX CONCURRENTLY left behind
CREATE INDEX broken_ccnew ON plain (c);
-- defect: other."Broken" -- quoted, in another schema
CREATE TABLE other.plain (a int);
CREATE INDEX "Broken" ON other.plain (a);
-- defect: public.view_broken -- of a materialised view
CREATE MATERIALIZED VIEW summary AS SELECT 1 AS a;
CREATE INDEX view_broken ON summary (a);
-- defect: public.not_everywhere -- a partitioned table's, and one partition has none
CREATE TABLE split (id bigint, a int) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE split_1 PARTITION OF split FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX not_everywhere ON ONLY split (a);
CREATE INDEX leaf_attached ON split_0 (a);
ALTER INDEX not_everywhere ATTACH PARTITION leaf_attached;
-- defect: public.leaf_broken -- a partition's own, attached to nothing
CREATE INDEX leaf_broken ON split_1 (a);
UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (
    'broken'::regclass, 'broken_unique'::regclass, 'broken_ccnew'::regclass, 'other."Broken"'::regclass,
    'view_broken'::regclass, 'leaf_broken'::regclass);

-- trap: public.leaf_attached -- valid, though its parent is not
-- trap: public.fine -- valid
CREATE INDEX fine ON plain (a, b);
-- trap: public.everywhere -- valid on a partitioned table
CREATE INDEX everywhere ON split (a, id);
-- trap: public.both_sides -- was made partition by partition, and is complete
CREATE INDEX both_sides ON ONLY split (id);
CREATE INDEX side_0 ON split_0 (id);
CREATE INDEX side_1 ON split_1 (id);
ALTER INDEX both_sides ATTACH PARTITION side_0;
ALTER INDEX both_sides ATTACH PARTITION side_1;
-- trap: public.empty_split_ix -- a partitioned table without partitions lacks nothing
CREATE TABLE empty_split (a int) PARTITION BY HASH (a);
CREATE INDEX empty_split_ix ON empty_split (a);
