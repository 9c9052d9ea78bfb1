-- version: 15
CREATE DOMAIN document AS jsonb;
CREATE DOMAIN checked_document AS document CHECK (VALUE IS NOT NULL);
CREATE DOMAIN tag AS text;
CREATE TYPE mood AS ENUM ('good', 'bad', 'so so');
CREATE TABLE plain (
    id bigint PRIMARY KEY, doc jsonb, tags text[], search tsvector, during tstzrange, many datemultirange, name text,
    path int[], checked checked_document, labels tag[], moods mood[], raw json
);
-- defect: public.on_jsonb -- jsonb
CREATE INDEX on_jsonb ON plain (doc);
-- defect: public.on_array -- an array
CREATE INDEX on_array ON plain (tags);
-- defect: public.on_search -- tsvector
CREATE INDEX on_search ON plain (search);
-- defect: public.on_range -- a range
CREATE INDEX on_range ON plain (during);
-- defect: public.on_multirange -- a multirange
CREATE INDEX on_multirange ON plain (many);
-- defect: public.on_domain -- a domain over a domain over jsonb
CREATE INDEX on_domain ON plain (checked);
-- defect: public.on_domains -- an array of a domain
CREATE INDEX on_domains ON plain (labels);
-- defect: public.on_moods -- an array of an enum, partial
CREATE INDEX on_moods ON plain (moods) WHERE name IS NOT NULL;
-- defect: public.behind -- behind another key
CREATE INDEX behind ON plain (name, tags DESC);
-- defect: public.part -- an expression that is jsonb
CREATE INDEX part ON plain ((doc -> 'part'));
-- defect: public.split_doc -- of a partitioned table
CREATE TABLE split (id bigint, doc jsonb) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_doc ON split (doc);
-- trap: public.split_0_doc_idx -- a partition's

-- trap: public.ginned -- GIN
CREATE INDEX ginned ON plain USING gin (doc jsonb_path_ops, tags);
-- trap: public.gisted -- GiST
CREATE INDEX gisted ON plain USING gist (during);
-- trap: public.one_value -- an expression that takes one value out
CREATE INDEX one_value ON plain ((doc ->> 'name'));
-- trap: public.bound -- a bound of a range is a single value
CREATE INDEX bound ON plain (lower(during));
-- trap: public.rule -- unique: equality is what it is for
CREATE UNIQUE INDEX rule ON plain (tags);
-- trap: public.ruled_doc_key -- behind a constraint
CREATE TABLE ruled (doc jsonb UNIQUE);
-- trap: public.carried -- after INCLUDE
CREATE INDEX carried ON plain (name) INCLUDE (doc, tags);
-- trap: public.sorted_path -- a path is sorted and searched by its beginning
CREATE INDEX sorted_path ON plain (path);
-- trap: public.hashed -- a hash index says equality
CREATE INDEX hashed ON plain USING hash (doc);
-- trap: public.excl_during_excl -- an exclusion constraint
CREATE TABLE excl (during tstzrange, EXCLUDE USING gist (during WITH &&));
