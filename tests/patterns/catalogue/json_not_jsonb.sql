-- version: 15
-- defect: public.event.payload -- the plain case
-- defect: public.event.many -- an array
-- defect: public.event.deep -- a domain over a domain
-- defect: "Other"."Event"."Payload" -- quoted names
-- defect: public.part.payload -- a partitioned table, once
-- trap: public.event."binary" -- jsonb
-- trap: public.event.json -- text named json
-- trap: public.event.path -- a jsonpath
-- trap: public.part_1.payload -- a leaf
-- trap: public.event.binary_domain -- a domain over jsonb
CREATE SCHEMA "Other";
CREATE DOMAIN document_base AS json;
CREATE DOMAIN document AS document_base;
CREATE DOMAIN binary_document AS jsonb;
CREATE TABLE event (
    id bigint PRIMARY KEY,
    payload json,
    many json[],
    deep document,
    "binary" jsonb,
    json text,
    path jsonpath,
    binary_domain binary_document
);
CREATE TABLE "Other"."Event" (id bigint PRIMARY KEY, "Payload" json);
CREATE TABLE part (id bigint PRIMARY KEY, payload json) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
