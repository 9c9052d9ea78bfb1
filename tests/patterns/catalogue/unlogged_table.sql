-- version: 15
-- defect: public.cache -- the plain case
-- defect: public.staging -- one without a key
-- defect: "Other"."Cache" -- quoted names
-- defect: public.child -- one that inherits
-- trap: public.logged -- set LOGGED later
-- trap: public.plain -- logged from the start
-- trap: public.part -- a partitioned table has no storage
-- trap: public.part_1 -- an unlogged leaf: its root speaks for it
-- trap: public.kept -- a materialised view
CREATE SCHEMA "Other";
CREATE UNLOGGED TABLE cache (id bigint PRIMARY KEY);
CREATE UNLOGGED TABLE staging (a int);
CREATE UNLOGGED TABLE "Other"."Cache" (id bigint PRIMARY KEY);
CREATE UNLOGGED TABLE logged (id bigint PRIMARY KEY);
ALTER TABLE logged SET LOGGED;
CREATE TABLE plain (id bigint PRIMARY KEY);
CREATE UNLOGGED TABLE child (PRIMARY KEY (id)) INHERITS (plain);
CREATE TABLE part (id bigint PRIMARY KEY) PARTITION BY HASH (id);
CREATE UNLOGGED TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
-- Temporary tables are not read.
CREATE TEMPORARY TABLE passing (a int);
