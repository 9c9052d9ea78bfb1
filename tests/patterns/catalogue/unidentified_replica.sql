-- version: 15
-- defect: public.event -- no primary key
-- defect: public.nothing -- REPLICA IDENTITY NOTHING
-- defect: "Other"."Event" -- quoted names
-- defect: public.unique_only -- a unique rule is not taken by itself
-- trap: public.keyed -- a primary key
-- trap: public.whole -- FULL
-- trap: public.indexed -- USING INDEX
-- trap: public.unpublished -- in no publication
-- trap: public.added_only -- inserts alone are published
CREATE SCHEMA "Other";
CREATE TABLE event (what text);
CREATE TABLE nothing (id bigint PRIMARY KEY);
ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE TABLE "Other"."Event" (what text);
CREATE TABLE unique_only (id bigint NOT NULL UNIQUE);
CREATE TABLE keyed (id bigint PRIMARY KEY);
CREATE TABLE whole (what text);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE indexed (id bigint NOT NULL CONSTRAINT indexed_id UNIQUE);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id;
CREATE TABLE unpublished (what text);
CREATE TABLE added_only (what text);
CREATE PUBLICATION changes FOR TABLE event, nothing, "Other"."Event", unique_only, keyed, whole, indexed;
CREATE PUBLICATION additions FOR TABLE added_only WITH (publish = 'insert');
