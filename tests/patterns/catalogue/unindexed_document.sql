-- version: 15
CREATE DOMAIN document AS jsonb;
CREATE DOMAIN nested AS document;
CREATE SCHEMA other;
CREATE TABLE plain (
    id bigint PRIMARY KEY,
    -- defect: public.plain.doc -- jsonb without an index
    doc jsonb,
    -- defect: public.plain.search -- tsvector without an index
    search tsvector,
    -- defect: public.plain.deep -- a domain over a domain over jsonb
    deep nested,
    -- trap: public.plain.by_btree -- a plain btree is reported by btree-on-container
    by_btree jsonb,
    -- defect: public.plain.ruled -- a unique index does not search within
    ruled jsonb UNIQUE,
    -- defect: public.plain.half_built -- an invalid one neither
    half_built jsonb,
    -- defect: public.plain.carried -- nor INCLUDE
    carried jsonb,
    -- trap: public.plain.raw -- json has no such operators
    raw json,
    -- trap: public.plain.many -- an array of documents
    many jsonb[],
    -- trap: public.plain.name -- text
    name text
);
CREATE INDEX ON plain (by_btree);
CREATE INDEX half_built_ix ON plain USING gin (half_built);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_built_ix'::regclass;
CREATE INDEX ON plain (name) INCLUDE (carried);
-- defect: other."Odd"."Doc" -- quoted, in another schema, generated
CREATE TABLE other."Odd" (name text, "Doc" tsvector GENERATED ALWAYS AS (to_tsvector('simple', name)) STORED);
-- defect: public.split.doc -- a partitioned table
CREATE TABLE split (id bigint, doc jsonb) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- trap: public.split_0.doc -- a partition

CREATE TABLE indexed (
    -- trap: public.indexed.doc -- GIN
    doc jsonb,
    -- trap: public.indexed.living -- partial GIN
    living jsonb,
    -- trap: public.indexed.part -- GIN on a part of it
    part jsonb,
    -- trap: public.indexed.search -- GIN
    search tsvector,
    -- trap: public.indexed.gist -- GiST
    gist tsvector,
    -- trap: public.indexed.second -- a later key of a GIN index
    second jsonb
);
CREATE INDEX ON indexed USING gin (doc jsonb_path_ops);
CREATE INDEX ON indexed USING gin (living) WHERE search IS NOT NULL;
CREATE INDEX ON indexed USING gin ((part -> 'tags'));
CREATE INDEX ON indexed USING gin (search, second);
CREATE INDEX ON indexed USING gist (gist);
