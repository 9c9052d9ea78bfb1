-- version: 15
-- defect: public.shift.starts -- the plain case
-- defect: public.shift.rounded -- with a precision
-- defect: public.shift.breaks -- an array
-- defect: public.shift.ends -- a domain over a domain
-- defect: public.part.at -- a partitioned table, once
-- trap: public.shift.clock -- time without time zone
-- trap: public.shift.moment -- timestamptz
-- trap: public.shift.lasts -- an interval
-- trap: public.part_1.at -- a leaf
-- trap: public.shift.zone -- text
CREATE DOMAIN ending_base AS timetz;
CREATE DOMAIN ending AS ending_base;
CREATE TABLE shift (
    id bigint PRIMARY KEY,
    starts time with time zone,
    rounded timetz(0),
    breaks timetz[],
    ends ending,
    clock time,
    moment timestamptz,
    lasts interval,
    zone text
);
CREATE TABLE part (id bigint PRIMARY KEY, at timetz) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
