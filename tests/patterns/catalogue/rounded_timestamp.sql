-- version: 15
-- defect: public.visit.second -- timestamptz(0)
-- defect: public.visit.milli -- timestamptz(3)
-- defect: public.visit.local -- timestamp(0)
-- defect: public.visit.many -- an array
-- defect: public.visit.deep -- the precision is the inner domain's
-- defect: public.part.at -- a partitioned table, once
-- trap: public.visit."full" -- timestamptz
-- trap: public.visit.six -- 6 digits are all that PostgreSQL keeps
-- trap: public.visit.clock -- time(0) is no moment
-- trap: public.visit.lasts -- interval(0)
-- trap: public.part_1.at -- a leaf
CREATE DOMAIN rounded AS timestamptz(2);
CREATE DOMAIN deep AS rounded;
CREATE TABLE visit (
    id bigint PRIMARY KEY,
    second timestamptz(0),
    milli timestamptz(3),
    local timestamp(0),
    many timestamptz(0)[],
    deep deep,
    "full" timestamptz,
    six timestamptz(6),
    clock time(0),
    lasts interval(0)
);
CREATE TABLE part (id bigint PRIMARY KEY, at timestamptz(1)) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
