-- version: 15
CREATE TABLE parent (id bigint PRIMARY KEY, a int, b int, UNIQUE (a, b));
CREATE TABLE plain (
    id bigint PRIMARY KEY, sparse bigint REFERENCES parent, dense bigint NOT NULL REFERENCES parent,
    tree bigint REFERENCES plain, single bigint REFERENCES parent UNIQUE, checked bigint REFERENCES parent CHECK (checked IS NOT NULL),
    hashed bigint REFERENCES parent, kinded bigint REFERENCES parent, a int, b int, name text,
    FOREIGN KEY (a, b) REFERENCES parent (a, b)
);
-- defect: public.on_sparse -- a nullable key
CREATE INDEX on_sparse ON plain (sparse);
-- defect: public.on_hashed -- by hash
CREATE INDEX on_hashed ON plain USING hash (hashed);
-- defect: public.on_both -- of two columns, in another order
CREATE INDEX on_both ON plain (b, a);
-- defect: public.on_carrying -- with INCLUDE
CREATE INDEX on_carrying ON plain (kinded DESC) INCLUDE (name);
-- defect: public.split_parent -- a partitioned table
CREATE TABLE split (id bigint, "Parent" bigint REFERENCES parent) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_parent ON split ("Parent");
-- trap: public."split_0_Parent_idx" -- a partition's

-- trap: public.on_dense -- never null
CREATE INDEX on_dense ON plain (dense);
-- trap: public.on_tree -- the roots of a tree are searched for
CREATE INDEX on_tree ON plain (tree);
-- trap: public.plain_single_key -- unique
-- trap: public.on_checked -- a CHECK keeps it from being null
CREATE INDEX on_checked ON plain (checked);
-- trap: public.on_partial -- partial already
CREATE INDEX on_partial ON plain (sparse) WHERE sparse IS NOT NULL;
-- trap: public.on_wider -- with another key
CREATE INDEX on_wider ON plain (sparse, name);
-- trap: public.on_name -- no foreign key
CREATE INDEX on_name ON plain (name);
-- trap: public.link_right -- an end of a link table
CREATE TABLE link (plain_id bigint REFERENCES plain, parent_id bigint REFERENCES parent, UNIQUE (plain_id, parent_id));
CREATE INDEX link_right ON link (parent_id);
