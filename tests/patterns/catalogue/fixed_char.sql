-- version: 15
-- defect: public.price.currency -- the plain case
-- defect: public.price.one -- char alone is char(1)
-- defect: public.price.many -- an array
-- defect: public.price.code -- a domain over a domain over char(n)
-- defect: "Other"."Price"."Currency" -- quoted all over
-- defect: public.part.kind -- a partitioned table, once
-- trap: public.price.tiny -- "char", the one-byte type of the catalogs
-- trap: public.price.loose -- bpchar without a length does not pad
-- trap: public.price.length -- varchar(n)
-- trap: public.price.name -- the type name
-- trap: public.part_1.kind -- a leaf
-- trap: public.price.bits -- bit(n) is padded by nothing
CREATE SCHEMA "Other";
CREATE DOMAIN iso AS char(2);
CREATE DOMAIN iso_checked AS iso CHECK (value ~ '^[A-Z]+$');
CREATE TABLE price (
    id bigint PRIMARY KEY,
    currency char(3),
    one char,
    many character(4)[],
    code iso_checked,
    tiny "char",
    loose bpchar,
    length varchar(3),
    name name,
    bits bit(3)
);
CREATE TABLE "Other"."Price" (id bigint PRIMARY KEY, "Currency" char(3));
CREATE TABLE part (id bigint, kind char(4), PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
