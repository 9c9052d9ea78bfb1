-- version: 15
CREATE SCHEMA other;
-- defect: public.plain_b -- equal to plain_a
CREATE TABLE plain (id bigint, a int, b text, c int);
CREATE INDEX plain_a ON plain (a);
CREATE INDEX plain_b ON plain (a);

-- defect: public.copy_of_primary -- a plain copy of the primary key
CREATE TABLE keyed (id bigint PRIMARY KEY, mail text UNIQUE, twin text);
CREATE INDEX copy_of_primary ON keyed (id);
-- defect: public.copy_of_unique -- a plain copy of a unique constraint
CREATE INDEX copy_of_unique ON keyed (mail);
-- defect: public.unique_again -- a unique index beside the constraint
CREATE UNIQUE INDEX unique_again ON keyed (mail);
-- trap: public.keyed_mail_key -- it backs the constraint

-- defect: public.formula_b -- equal expressions
CREATE TABLE formula (a int, b text);
CREATE INDEX formula_a ON formula (lower(b), (a + 1));
CREATE INDEX formula_b ON formula (lower(b), (a + 1));

-- defect: public.detailed_b -- equal in opclass, collation, order, INCLUDE in another sequence, predicate
CREATE TABLE detailed (a text, b int, c int, d int);
CREATE INDEX detailed_a ON detailed (a COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (b, c) WHERE d > 0;
CREATE INDEX detailed_b ON detailed (a COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (c, b) WHERE d > 0;

-- defect: public.view_b -- of a materialised view
CREATE MATERIALIZED VIEW summary AS SELECT 1 AS id, 'x'::text AS name;
CREATE INDEX view_a ON summary (name);
CREATE INDEX view_b ON summary (name);

-- defect: public.identity_b -- the replica identity stays
CREATE TABLE identified (id bigint NOT NULL);
CREATE UNIQUE INDEX identity_z ON identified (id);
CREATE UNIQUE INDEX identity_b ON identified (id);
ALTER TABLE identified REPLICA IDENTITY USING INDEX identity_z;
-- trap: public.identity_z -- the replica identity

-- defect: public.two_rules_b_key -- two unique constraints of one column
CREATE TABLE two_rules (b int, CONSTRAINT two_rules_a_key UNIQUE (b));
ALTER TABLE two_rules ADD CONSTRAINT two_rules_b_key UNIQUE (b);

-- defect: public.split_b -- on a partitioned table; the partition's copies go with it
CREATE TABLE split (id bigint, a int) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_a ON split (a);
CREATE INDEX split_b ON split (a);
-- trap: public.split_0_a_idx1 -- attached to the parent's
-- defect: public.leaf_own -- a partition's own copy of what it has from its parent
CREATE INDEX leaf_own ON split_0 (a);

-- defect: other."B ""x" -- quoted, in another schema
CREATE TABLE other.plain (a int);
CREATE INDEX "A" ON other.plain (a);
CREATE INDEX "B ""x" ON other.plain (a);

-- trap: public.descending -- DESC is another order
CREATE INDEX descending ON plain (a DESC);
-- trap: public.nulls_first -- so is NULLS FIRST
CREATE INDEX nulls_first ON plain (a NULLS FIRST);
-- trap: public.hashed -- another access method
CREATE INDEX hashed ON plain USING hash (a);
-- trap: public.patterned -- another operator class
CREATE INDEX simple_text ON plain (b);
CREATE INDEX patterned ON plain (b text_pattern_ops);
-- trap: public.collated -- another collation
CREATE INDEX collated ON plain (b COLLATE "C");
-- trap: public.partial_one -- partial
CREATE INDEX partial_one ON plain (a) WHERE c = 1;
-- trap: public.partial_two -- another predicate
CREATE INDEX partial_two ON plain (a) WHERE c = 2;
-- trap: public.including -- it carries another column
CREATE INDEX including ON plain (a) INCLUDE (c);
-- trap: public.two_columns -- more keys
CREATE INDEX two_columns ON plain (a, c);
-- trap: public.swapped -- other order of keys
CREATE INDEX swapped ON plain (c, a);
-- trap: public.nulls_equal -- NULLS NOT DISTINCT is another rule
CREATE TABLE ruled (a int);
CREATE UNIQUE INDEX nulls_differ ON ruled (a);
CREATE UNIQUE INDEX nulls_equal ON ruled (a) NULLS NOT DISTINCT;
-- trap: public.half_built -- invalid: another pattern's matter
CREATE TABLE building (a int);
CREATE INDEX built ON building (a);
CREATE INDEX half_built ON building (a);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_built'::regclass;
-- trap: public.lone_unique -- unique, and the other is not: only the plain one is a copy
-- defect: public.lone_plain -- the plain copy
CREATE TABLE lone (a int);
CREATE UNIQUE INDEX lone_unique ON lone (a);
CREATE INDEX lone_plain ON lone (a);
-- trap: public.at_once -- checked at once, where the constraint waits for the end of the transaction
CREATE TABLE late (a int, CONSTRAINT late_key UNIQUE (a) DEFERRABLE);
CREATE UNIQUE INDEX at_once ON late (a);
-- trap: public.upper_case -- another expression
CREATE INDEX upper_case ON formula (upper(b), (a + 1));
-- trap: public.excl_two -- two exclusion constraints have operators of their own
CREATE TABLE excl (during daterange, CONSTRAINT excl_one EXCLUDE USING gist (during WITH &&),
    CONSTRAINT excl_two EXCLUDE USING gist (during WITH -|-));
