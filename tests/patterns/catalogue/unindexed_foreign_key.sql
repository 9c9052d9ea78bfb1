-- version: 15
CREATE SCHEMA other;
CREATE TABLE parent (id bigint PRIMARY KEY, a int, b int, code numeric UNIQUE, name text UNIQUE, UNIQUE (a, b));

-- defect: public.plain(parent_id) -- no index at all
CREATE TABLE plain (id bigint PRIMARY KEY, parent_id bigint REFERENCES parent);

-- defect: public.second(parent_id) -- the key is not the first of the index
CREATE TABLE second (id bigint, parent_id bigint REFERENCES parent);
CREATE INDEX ON second (id, parent_id);

-- defect: public.included(parent_id) -- a column after INCLUDE is no key
CREATE TABLE included (id bigint, parent_id bigint REFERENCES parent);
CREATE INDEX ON included (id) INCLUDE (parent_id);

-- defect: public.brin(parent_id) -- BRIN finds no single rows
CREATE TABLE brin (id bigint, parent_id bigint REFERENCES parent);
CREATE INDEX ON brin USING brin (parent_id);

-- defect: public.partial(parent_id) -- the look-up does not imply the predicate
CREATE TABLE partial (id bigint, parent_id bigint REFERENCES parent, alive boolean);
CREATE INDEX ON partial (parent_id) WHERE alive;

-- defect: public.partial_two(parent_id) -- nor one that asks for another column's value as well
CREATE TABLE partial_two (id bigint, parent_id bigint REFERENCES parent, other_id bigint);
CREATE INDEX ON partial_two (parent_id) WHERE parent_id IS NOT NULL AND other_id IS NOT NULL;

-- defect: public.expression(parent_id) -- an expression is not the column
CREATE TABLE expression (id bigint, parent_id bigint REFERENCES parent);
CREATE INDEX ON expression ((parent_id + 0));

-- defect: public.cast_away(code) -- a bigint that references a numeric is cast for each comparison
CREATE TABLE cast_away (id bigint, code bigint REFERENCES parent (code));
CREATE INDEX ON cast_away (code);

-- defect: public.collated(name) -- the index is sorted otherwise than the column
CREATE TABLE collated (id bigint, name text REFERENCES parent (name));
CREATE INDEX ON collated (name COLLATE "POSIX");

-- defect: public.half_built(parent_id) -- an invalid index serves nobody
CREATE TABLE half_built (id bigint, parent_id bigint REFERENCES parent);
CREATE INDEX half_built_ix ON half_built (parent_id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_built_ix'::regclass;

-- defect [info]: public.prefix_only(a, b) -- a part of a composite key
CREATE TABLE prefix_only (id bigint, a int, b int, FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX ON prefix_only (b);

-- defect [info]: public.gapped(a, b) -- with another column between the two
CREATE TABLE gapped (id bigint, a int, b int, FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX ON gapped (a, id, b);

-- defect [warning]: public.composite(a, b) -- both columns, behind another
CREATE TABLE composite (id bigint, a int, b int, FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX ON composite (id, a, b);

-- defect: public.link(parent_id) -- the second half of a link table's key
CREATE TABLE link (plain_id bigint REFERENCES plain, parent_id bigint REFERENCES parent, PRIMARY KEY (plain_id, parent_id));
-- trap: public.link(plain_id) -- the first half of the primary key

-- defect: other."Odd.Name""s"("Parent Id") -- quoted names, in another schema
CREATE TABLE other."Odd.Name""s" (id bigint, "Parent Id" bigint REFERENCES parent);

-- defect: public.a_table_whose_name_is_exactly_as_long_as_postgresql_lets_a_name(parent_id) -- 63 bytes
CREATE TABLE a_table_whose_name_is_exactly_as_long_as_postgresql_lets_a_name (parent_id bigint REFERENCES parent);

-- defect: public.split(parent_id) -- a partitioned table is reported once, its partitions not at all
CREATE TABLE split (id bigint, parent_id bigint REFERENCES parent) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE split_1 PARTITION OF split FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX ON split_0 (parent_id);
-- trap: public.split_1 -- a partition: its parent is reported

-- defect: public.split_own_0(parent_id) -- a partition's own key, which the parent does not have
CREATE TABLE split_own (id bigint, parent_id bigint) PARTITION BY HASH (id);
CREATE TABLE split_own_0 PARTITION OF split_own FOR VALUES WITH (MODULUS 1, REMAINDER 0);
ALTER TABLE split_own_0 ADD FOREIGN KEY (parent_id) REFERENCES parent;

-- defect: public.tree(parent_id) -- a table that references itself
CREATE TABLE tree (id bigint PRIMARY KEY, parent_id bigint REFERENCES tree);

-- defect: public.many_parents(measure_id) -- a key that points at a partitioned table has copies, and is one key
CREATE TABLE measure (id bigint PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE measure_0 PARTITION OF measure FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measure_1 PARTITION OF measure FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE many_parents (measure_id bigint REFERENCES measure);

-- defect: public.twice(parent_id) -- two keys over one column are cured by one index
CREATE TABLE twice (parent_id bigint REFERENCES parent, FOREIGN KEY (parent_id) REFERENCES plain);

-- defect: public.short(a) -- the wider key beside it lacks its index too
-- defect: public.short(b, a) -- one index serves both
CREATE TABLE lone (a int PRIMARY KEY);
CREATE TABLE short (a int REFERENCES lone, b int, FOREIGN KEY (b, a) REFERENCES parent (b, a));

-- trap: public.primary_first(parent_id) -- a primary key is an index
CREATE TABLE primary_first (parent_id bigint PRIMARY KEY REFERENCES parent);

-- trap: public.unique_first(parent_id) -- so is a unique constraint
CREATE TABLE unique_first (id bigint, parent_id bigint REFERENCES parent, UNIQUE (parent_id, id));

-- trap: public.any_order(a, b) -- the key's columns in another order
CREATE TABLE any_order (id bigint, a int, b int, FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX ON any_order (b DESC, a NULLS FIRST, id);

-- trap: public.hashed(parent_id) -- a hash index
CREATE TABLE hashed (parent_id bigint REFERENCES parent);
CREATE INDEX ON hashed USING hash (parent_id);

-- trap: public.not_null(parent_id) -- partial on what the look-up implies
CREATE TABLE not_null (parent_id bigint REFERENCES parent);
CREATE INDEX ON not_null (parent_id) WHERE parent_id IS NOT NULL;

-- trap: public.not_null_two(a, b) -- on both columns of the key
CREATE TABLE not_null_two (a int, b int, FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX ON not_null_two (a, b) WHERE a IS NOT NULL AND b IS NOT NULL;

-- trap: public.narrower(parent_id) -- int and bigint are compared by one operator family
CREATE TABLE narrower (parent_id int REFERENCES parent);
CREATE INDEX ON narrower (parent_id);

-- trap: public.varied(name) -- so are varchar and text
CREATE TABLE varied (name varchar(20) REFERENCES parent (name));
CREATE INDEX ON varied (name);

-- trap: public.patterned(name) -- text_pattern_ops holds the same equality
CREATE TABLE patterned (name text REFERENCES parent (name));
CREATE INDEX ON patterned (name text_pattern_ops);

-- trap: public.own_collation(name) -- the column's collation is the index's
CREATE TABLE named (name text COLLATE "C" PRIMARY KEY);
CREATE TABLE own_collation (name text COLLATE "C" REFERENCES named);
CREATE INDEX ON own_collation (name);

-- trap: public.whole_split(parent_id) -- a valid index on the partitioned table
CREATE TABLE whole_split (id bigint, parent_id bigint REFERENCES parent) PARTITION BY HASH (id);
CREATE TABLE whole_split_0 PARTITION OF whole_split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX ON whole_split (parent_id);

-- trap: public.each_split(parent_id) -- no index on the parent, one on each of its partitions, two levels deep
CREATE TABLE each_split (id bigint, parent_id bigint REFERENCES parent) PARTITION BY HASH (id);
CREATE TABLE each_split_0 PARTITION OF each_split FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE each_split_1 PARTITION OF each_split FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (id);
CREATE TABLE each_split_1_0 PARTITION OF each_split_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX ON each_split_0 (parent_id);
CREATE INDEX ON each_split_1_0 (parent_id, id);

-- trap: public.domained(parent_id) -- a domain over a domain is compared as its base
CREATE DOMAIN key AS bigint;
CREATE DOMAIN parent_key AS key;
CREATE TABLE domained (parent_id parent_key REFERENCES parent);
CREATE INDEX ON domained (parent_id);
