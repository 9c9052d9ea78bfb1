-- version: 15
-- defect: public.narrow -- the beginning of wide
CREATE TABLE plain (a int, b int, c int, d text, id bigint PRIMARY KEY);
CREATE INDEX narrow ON plain (a);
CREATE INDEX wide ON plain (a, b);
-- trap: public.wide -- the wider one
-- defect: public.formula -- an expression at the beginning
CREATE INDEX formula ON plain (lower(d));
CREATE INDEX formula_wide ON plain (lower(d), a);
-- defect: public.carrying -- what it carries is in the wider one
CREATE INDEX carrying ON plain (b) INCLUDE (c);
CREATE INDEX carrying_wide ON plain (b, a) INCLUDE (c, d);
-- defect: public.keyless -- the same keys, and nothing carried
CREATE INDEX keyless ON plain (c, b);
CREATE INDEX keyless_wide ON plain (c, b) INCLUDE (a);
-- defect: public.before_key -- beside a unique constraint
CREATE TABLE ruled (a int, b int, c int, UNIQUE (a, b));
CREATE INDEX before_key ON ruled (a);
-- defect: public.partial_narrow -- equal predicates
CREATE INDEX partial_narrow ON ruled (c) WHERE b > 0;
CREATE INDEX partial_wide ON ruled (c, a) WHERE b > 0;
-- defect: public.view_narrow -- of a materialised view
CREATE MATERIALIZED VIEW summary AS SELECT 1 AS a, 2 AS b;
CREATE INDEX view_narrow ON summary (a);
CREATE INDEX view_wide ON summary (a, b);
-- defect: public.split_narrow -- of a partitioned table
CREATE TABLE split (a int, b int) PARTITION BY HASH (a);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_narrow ON split (a);
CREATE INDEX split_wide ON split (a, b);
-- trap: public.split_0_a_idx -- attached

-- trap: public.unique_narrow -- unique: a rule
CREATE TABLE rule (a int, b int, c int, d text);
CREATE UNIQUE INDEX unique_narrow ON rule (a);
CREATE INDEX beside_rule ON rule (a, b);
-- trap: public.second_key -- not the beginning
CREATE INDEX second_key ON rule (b);
-- trap: public.descending -- another order
CREATE INDEX descending ON rule (c DESC);
CREATE INDEX ascending_wide ON rule (c, a);
-- trap: public.partial_other -- the wider one holds other rows
CREATE TABLE apart (a int, b int, c int, d text, e jsonb);
CREATE INDEX partial_other ON apart (a);
CREATE INDEX partial_other_wide ON apart (a, b) WHERE c > 0;
-- trap: public.carries_more -- what it carries is nowhere else
CREATE INDEX carries_more ON apart (b) INCLUDE (c);
CREATE INDEX carries_less ON apart (b, a);
-- trap: public.collated -- another collation
CREATE INDEX collated ON apart (d COLLATE "C");
CREATE INDEX not_collated_wide ON apart (d, a);
-- trap: public.hashed -- another method
CREATE INDEX hashed ON apart USING hash (d);
-- trap: public.beside_invalid -- the wider one is invalid
CREATE TABLE building (a int, b int);
CREATE INDEX beside_invalid ON building (a);
CREATE INDEX half_built ON building (a, b);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_built'::regclass;
-- trap: public.clustered -- CLUSTER goes by it
CREATE TABLE stacked (a int, b int);
CREATE INDEX clustered ON stacked (a);
CREATE INDEX stacked_wide ON stacked (a, b);
ALTER TABLE stacked CLUSTER ON clustered;
-- trap: public.copy_b -- a copy is a duplicate, not redundant
CREATE TABLE copied (a int);
CREATE INDEX copy_a ON copied (a);
CREATE INDEX copy_b ON copied (a);
