-- version: 15
-- defect: public.event -- the plain case
-- defect: "Other"."Event" -- quoted names
-- defect: public.part_1 -- a partition has its own setting
-- defect: public.among -- among others
-- trap: public.plain -- nothing set
-- trap: public.tuned -- a threshold
-- trap: public.ontop -- switched on
-- trap: public.toast -- the TOAST part alone
CREATE SCHEMA "Other";
CREATE TABLE event (id bigint PRIMARY KEY) WITH (autovacuum_enabled = false);
CREATE TABLE "Other"."Event" (id bigint PRIMARY KEY) WITH (autovacuum_enabled = off);
CREATE TABLE part (id bigint PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0) WITH (autovacuum_enabled = 0);
CREATE TABLE among (id bigint PRIMARY KEY) WITH (fillfactor = 90, autovacuum_enabled = no);
CREATE TABLE plain (id bigint PRIMARY KEY);
CREATE TABLE tuned (id bigint PRIMARY KEY) WITH (autovacuum_vacuum_scale_factor = 0.01);
CREATE TABLE ontop (id bigint PRIMARY KEY) WITH (autovacuum_enabled = true);
CREATE TABLE toast (id bigint PRIMARY KEY, t text) WITH (toast.autovacuum_enabled = false);
