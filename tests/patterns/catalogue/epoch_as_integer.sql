-- version: 15
-- defect: public.mission.launched_at -- the plain case
-- defect: public.mission."landedAt" -- camel case, quoted
-- defect: "Other"."Odd".unix_timestamp -- quoted names, another schema
-- defect: public.part.token_epoch -- a partitioned table, once
-- defect: public.mission.through_domain_at -- a domain over integer
-- defect: public.mission.start_epoch -- a word of a time
-- trap: public.part_1.token_epoch -- a partition of it
-- trap: public.mission.wide_at -- bigint does not end
-- trap: public.mission.seat -- "at" is no word of it
-- trap: public.mission.at -- alone it says nothing
-- trap: public.mission.play_time -- a duration
-- trap: public.mission.arrivals_at -- an array
-- trap: public.mission.shown_at -- a time already
-- trap: public.slot.starts_at -- a member of the primary key
CREATE SCHEMA "Other";
CREATE DOMAIN seconds AS integer;
CREATE TABLE mission (
    id bigint PRIMARY KEY, launched_at integer, "landedAt" integer, through_domain_at seconds, wide_at bigint, seat integer,
    at integer, play_time integer, arrivals_at integer[], shown_at timestamptz,
    start_epoch integer
);
CREATE TABLE "Other"."Odd" (id bigint PRIMARY KEY, unix_timestamp integer);
CREATE TABLE part (id bigint PRIMARY KEY, token_epoch integer) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE slot (starts_at integer PRIMARY KEY);
