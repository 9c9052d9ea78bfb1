-- version: 15
-- defect: public.item.item_b -- the plain case
-- defect: public.item.item_d -- written in another way
-- defect: "Other"."Item"."Two" -- quoted names
-- defect: public.part.part_b -- a partitioned table, once
-- defect: public.slow.slow_a -- the one that is validated stays
-- trap: public.item.item_a -- the one that stays
-- trap: public.good.good_a -- another limit
-- trap: public.good.good_b -- another limit
-- trap: public.child.parent_positive -- inherited
-- trap: public.part_1.part_a -- of a partition
-- trap: public.slow.slow_b -- validated
CREATE SCHEMA "Other";
CREATE TABLE item (
    id bigint PRIMARY KEY, price numeric CONSTRAINT item_a CHECK (price > 0) CONSTRAINT item_b CHECK (price > 0),
    kind text CONSTRAINT item_c CHECK (kind IN ('a', 'b')) CONSTRAINT item_d CHECK ((kind IN ('a', 'b')))
);
CREATE TABLE "Other"."Item" (
    id bigint PRIMARY KEY, "Price" int CONSTRAINT "One" CHECK ("Price" > 0) CONSTRAINT "Two" CHECK ("Price" > 0)
);
CREATE TABLE part (
    id bigint PRIMARY KEY, n int CONSTRAINT part_a CHECK (n > 0) CONSTRAINT part_b CHECK (n > 0)
) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE slow (id bigint PRIMARY KEY, n int CONSTRAINT slow_b CHECK (n > 0));
ALTER TABLE slow ADD CONSTRAINT slow_a CHECK (n > 0) NOT VALID;
CREATE TABLE good (id bigint PRIMARY KEY, n int CONSTRAINT good_a CHECK (n > 0) CONSTRAINT good_b CHECK (n > 1));
CREATE TABLE parent (id bigint PRIMARY KEY, n int CONSTRAINT parent_positive CHECK (n > 0));
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
