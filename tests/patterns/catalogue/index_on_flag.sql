-- version: 15
CREATE TYPE two AS ENUM ('on', 'it''s off');
CREATE TYPE three AS ENUM ('a', 'b', 'c');
CREATE DOMAIN flag AS boolean NOT NULL;
CREATE TABLE plain (
    id bigint PRIMARY KEY, lost boolean DEFAULT false, active boolean NOT NULL DEFAULT true, side two DEFAULT 'on',
    choice three, marked flag, name text, flags boolean[]
);
-- defect: public.on_lost -- the only key
CREATE INDEX on_lost ON plain (lost);
-- defect: public.on_active -- the leading key
CREATE INDEX on_active ON plain (active, name);
-- defect: public.on_side -- an enum of two
CREATE INDEX on_side ON plain (side);
-- defect: public.on_marked -- a domain
CREATE INDEX on_marked ON plain (marked);
-- defect: public.on_hash -- a hash index
CREATE INDEX on_hash ON plain USING hash (lost);
-- defect: public.on_carrying -- with INCLUDE, partial on something else
CREATE INDEX on_carrying ON plain (lost) INCLUDE (name) WHERE name IS NOT NULL;
-- defect: public.split_flag -- a partitioned table
CREATE TABLE split (id bigint, flag boolean) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_flag ON split (flag);
-- trap: public.split_0_flag_idx -- a partition's

-- trap: public.on_choice -- an enum of three
CREATE INDEX on_choice ON plain (choice);
-- trap: public.behind -- behind another key
CREATE INDEX behind ON plain (name, lost);
-- trap: public.about_it -- partial on the flag
CREATE INDEX about_it ON plain (lost) WHERE lost;
-- trap: public.one_default -- unique: one row a value
CREATE UNIQUE INDEX one_default ON plain (active) WHERE id > 0;
-- trap: public.on_flags -- an array
CREATE INDEX on_flags ON plain (flags);
-- trap: public.partial -- the better way
CREATE INDEX partial ON plain (id) WHERE NOT active;
-- trap: public.lone_flag_key -- behind a constraint
CREATE TABLE lone (flag boolean DEFAULT true UNIQUE);
