-- version: 15
-- defect: public.plain -- nothing at all
-- defect: public.unique_only -- a unique constraint that could be the key
-- defect: public.nullable_unique -- a unique constraint that could not
-- defect: public.part -- a partitioned table, once
-- defect: public.child -- the parent's key does not hold for it
-- defect: "Odd Schema"."Order Line" -- quoted names
-- defect: public.unique_index -- a unique index is no constraint
-- defect: public.cache -- unlogged tables too
-- defect: public.a23456789012345678901234567890123456789012345678901234567890123 -- 63 bytes
-- trap: public.keyed -- it has one
-- trap: public.composite -- of two columns
-- trap: public.part_1 -- a leaf
-- trap: public.part_keyed -- a partitioned table that has one
-- trap: public.kept -- a materialised view
-- trap: public.far -- a foreign table
-- trap: public.parent -- the parent has its own
CREATE SCHEMA "Odd Schema";
CREATE TABLE plain (a int, b int);
CREATE TABLE unique_only (a int NOT NULL, b int NOT NULL, UNIQUE (a, b));
CREATE TABLE nullable_unique (a int, UNIQUE (a));
CREATE TABLE unique_index (a int NOT NULL);
CREATE UNIQUE INDEX ON unique_index (a);
CREATE TABLE part (a int, b int) PARTITION BY LIST (a);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1) PARTITION BY LIST (b);
CREATE TABLE part_1_1 PARTITION OF part_1 DEFAULT;
CREATE TABLE part_keyed (a int PRIMARY KEY) PARTITION BY LIST (a);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE "Odd Schema"."Order Line" (a int);
CREATE UNLOGGED TABLE cache (a int);
CREATE TABLE a23456789012345678901234567890123456789012345678901234567890123 (a int);
CREATE TABLE keyed (id int PRIMARY KEY);
CREATE TABLE composite (a int, b int, PRIMARY KEY (a, b));
CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (a text) SERVER files OPTIONS (filename '/dev/null');
-- Members of extensions and Alembic's own table are not read.
CREATE TABLE of_extension (a int);
ALTER EXTENSION file_fdw ADD TABLE of_extension;
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
