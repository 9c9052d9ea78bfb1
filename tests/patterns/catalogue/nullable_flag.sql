-- version: 15
-- defect: public.account.active -- with a default, and null all the same
-- defect: public.account.admin -- without
-- defect: public.account.domained -- a domain over boolean
-- defect: "Other"."Account"."Active" -- quoted names
-- defect: public.part.active -- a partitioned table, once
-- defect: public.parent.active -- reported on the parent
-- defect: public.account.checked -- a CHECK, but not for null
-- trap: public.account.given -- NOT NULL
-- trap: public.account.many -- an array
-- trap: public.account.by_domain -- a domain that is NOT NULL
-- trap: public.account.by_check -- IS NOT NULL by a CHECK
-- trap: public.account.made -- a generated column
-- trap: public.part_1.active -- a leaf
-- trap: public.child.active -- the parent's
-- trap: public.keyed.active -- in a primary key
CREATE SCHEMA "Other";
CREATE DOMAIN flag AS boolean;
CREATE DOMAIN given_flag AS boolean NOT NULL;
CREATE TABLE account (
    id bigint PRIMARY KEY,
    active boolean DEFAULT true,
    admin boolean,
    domained flag,
    checked boolean CHECK (checked OR id > 0),
    given boolean NOT NULL,
    many boolean[],
    by_domain given_flag,
    by_check boolean CHECK (by_check IS NOT NULL),
    made boolean GENERATED ALWAYS AS (id > 5) STORED
);
CREATE TABLE "Other"."Account" (id bigint PRIMARY KEY, "Active" boolean);
CREATE TABLE part (id bigint PRIMARY KEY, active boolean) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE parent (id bigint PRIMARY KEY, active boolean);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE keyed (id bigint, active boolean, PRIMARY KEY (id, active));
