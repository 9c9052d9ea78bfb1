-- version: 15
CREATE DOMAIN must AS text NOT NULL;
CREATE SCHEMA other;
CREATE TABLE plain (
    a int, b int NOT NULL, c text, d text, e must, f text CHECK (f IS NOT NULL), deleted_at timestamptz,
    -- defect: public.plain(a, b) -- a can be null
    UNIQUE (a, b),
    -- defect: public.plain(c, d) -- both can
    UNIQUE (c, d),
    -- trap: public.plain(b, e) -- neither can: a domain
    UNIQUE (b, e),
    -- trap: public.plain(b, f) -- a CHECK
    UNIQUE (b, f),
    -- trap: public.plain(a) -- one column
    UNIQUE (a),
    -- trap: public.plain(b, c) -- nulls are equal
    UNIQUE NULLS NOT DISTINCT (b, c),
    -- trap: public.plain(c, deleted_at) -- soft deletion
    UNIQUE (c, deleted_at)
);
-- defect: public.by_index -- a unique index
CREATE UNIQUE INDEX by_index ON plain (b, d);
-- defect: public.by_partial -- partial on something else
CREATE UNIQUE INDEX by_partial ON plain (b, c, d) WHERE b > 0;
-- defect: other."Plain"("A", b) -- quoted, another schema
CREATE TABLE other."Plain" ("A" int, b int NOT NULL, UNIQUE ("A", b));
-- defect: public.split(id, name) -- a partitioned table
CREATE TABLE split (id bigint NOT NULL, name text, UNIQUE (id, name)) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- trap: public.split_0(id, name) -- a partition
-- trap: public.without_nulls -- the nulls are left out
CREATE UNIQUE INDEX without_nulls ON plain (b, a, c) WHERE a IS NOT NULL AND c IS NOT NULL;
-- trap: public.coalesced -- an expression that is never null
CREATE UNIQUE INDEX coalesced ON plain (b, coalesce(d, ''));
-- trap: public.not_unique -- no rule
CREATE INDEX not_unique ON plain (a, b);
-- trap: public.paired(a, b) -- a companion keeps the rule where it is null
CREATE TABLE paired (a int NOT NULL, b int, UNIQUE (a, b));
CREATE UNIQUE INDEX ON paired (a) WHERE b IS NULL;
-- trap: public.keyed(a, b) -- a primary key
CREATE TABLE keyed (a int, b int, PRIMARY KEY (a, b));
-- trap: public.of_source -- a CHECK says that there is no null where the index looks
CREATE TABLE sourced (
    id bigint NOT NULL, source text, provider bigint,
    CHECK ((source = 'manual' AND provider IS NULL) OR (source = 'idp' AND provider IS NOT NULL))
);
CREATE UNIQUE INDEX of_source ON sourced (id, provider) WHERE source = 'idp';
