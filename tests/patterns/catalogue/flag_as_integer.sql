-- version: 15
-- defect: public.account.active -- 0 or 1 by a CHECK
-- defect: public.account.enabled -- by BETWEEN
-- defect: public.account.is_admin -- by its name
-- defect: public.account."hasPhoto" -- by its name, with a default of 0
-- defect: public.account.is_wide -- a bigint
-- defect: public.part.is_open -- a partitioned table, once
-- defect: public.account.is_domained -- a domain over smallint
-- trap: public.account.real -- a boolean
-- trap: public.account.visits -- a default of 0 is a counter's
-- trap: public.account.level -- a CHECK of ten values
-- trap: public.account.is_level -- its default is 5
-- trap: public.account.has_errors_count -- a count by its name
-- trap: public.account.issue -- is is not a whole word of it
-- trap: public.account.is_list -- an array
-- trap: public.reference.is_code -- a foreign key
-- trap: public.part_1.is_open -- a leaf
CREATE DOMAIN small AS smallint;
CREATE TABLE account (
    id bigint PRIMARY KEY,
    active smallint CHECK (active IN (0, 1)),
    enabled integer CHECK (enabled BETWEEN 0 AND 1),
    is_admin integer,
    "hasPhoto" smallint DEFAULT 0,
    is_wide bigint,
    is_domained small,
    real boolean,
    visits integer DEFAULT 0,
    level integer CHECK (level BETWEEN 0 AND 9),
    is_level integer DEFAULT 5,
    has_errors_count integer,
    issue integer,
    is_list integer[]
);
CREATE TABLE code (id integer PRIMARY KEY);
CREATE TABLE reference (id bigint PRIMARY KEY, is_code integer REFERENCES code);
CREATE INDEX ON reference (is_code);
CREATE TABLE part (id bigint PRIMARY KEY, is_open integer) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
