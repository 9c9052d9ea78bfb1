-- version: 15
-- defect: public.capital -- a child
-- defect: public.harbour -- a grandchild
-- defect: public."both" -- a child of two
-- defect: "Other"."Capital" -- quoted, of a parent in another schema
-- trap: public.place -- the parent
-- trap: public.part -- a partitioned table
-- trap: public.part_1 -- a partition that is partitioned
-- trap: public.part_1_1 -- a leaf
-- trap: public.alike -- made LIKE another
CREATE SCHEMA "Other";
CREATE TABLE place (id bigint PRIMARY KEY, name text);
CREATE TABLE named (name text);
CREATE TABLE capital (PRIMARY KEY (id)) INHERITS (place);
CREATE TABLE harbour (PRIMARY KEY (id)) INHERITS (capital);
CREATE TABLE "both" (PRIMARY KEY (id)) INHERITS (place, named);
CREATE TABLE "Other"."Capital" (PRIMARY KEY (id)) INHERITS (place);
CREATE TABLE part (id bigint PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY HASH (id);
CREATE TABLE part_1_1 PARTITION OF part_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE alike (LIKE place INCLUDING ALL);
