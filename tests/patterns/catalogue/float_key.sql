-- version: 15
-- defect: public.reading.at -- in the primary key
-- defect: public.price.amount -- in a unique constraint
-- defect: public.child.at -- in a foreign key
-- defect: "Other"."Reading"."Value" -- quoted names, a unique index
-- defect: public.part.at -- a partitioned table, once
-- trap: public.reading.value -- no key
-- trap: public.part_1.at -- a partition
-- trap: public.exact.amount -- numeric
-- trap: public.partly.amount -- a partial index
-- trap: public.partly.list -- an array
CREATE SCHEMA "Other";
CREATE TABLE reading (at double precision PRIMARY KEY, value double precision);
CREATE TABLE price (id bigint PRIMARY KEY, amount real, UNIQUE (amount));
CREATE TABLE child (id bigint PRIMARY KEY, at double precision REFERENCES reading);
CREATE TABLE "Other"."Reading" (id bigint PRIMARY KEY, "Value" real);
CREATE UNIQUE INDEX ON "Other"."Reading" (id, "Value");
CREATE TABLE part (at real PRIMARY KEY) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1);
CREATE TABLE exact (id bigint PRIMARY KEY, amount numeric UNIQUE);
CREATE TABLE partly (id bigint PRIMARY KEY, amount real, list real[] UNIQUE);
CREATE UNIQUE INDEX ON partly (amount) WHERE amount = 0;
