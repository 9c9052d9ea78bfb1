-- version: 15
-- defect: public.visit.came_at -- 'now' as a constant
-- defect: public.visit.left_at -- a moment to the second
-- defect: "Other"."Visit"."At" -- quoted names, without a zone
-- defect: public.part.came_at -- a partitioned table, once
-- trap: public.good.came_at -- now()
-- trap: public.good.epoch -- the epoch
-- trap: public.good.always -- infinity
-- trap: public.good.ends -- the end of 32 bits
-- trap: public.good.last -- the last second of a year
-- trap: public.good.born -- a date
-- trap: public.good.words -- text
-- trap: public.part_1.came_at -- a partition
CREATE SCHEMA "Other";
CREATE TABLE visit (
    id bigint PRIMARY KEY, came_at timestamptz DEFAULT 'now'::timestamptz,
    left_at timestamptz DEFAULT '2023-04-05 06:07:08.123456+00'
);
CREATE TABLE "Other"."Visit" (id bigint PRIMARY KEY, "At" timestamp DEFAULT '2021-01-02T03:04:05');
CREATE TABLE part (id bigint PRIMARY KEY, came_at timestamptz DEFAULT '2023-04-05 06:07:08') PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE good (
    id bigint PRIMARY KEY, came_at timestamptz DEFAULT now(), epoch timestamptz DEFAULT '1970-01-01 00:00:00+00',
    always timestamptz DEFAULT 'infinity', ends timestamp DEFAULT '2038-01-19 03:14:07',
    last timestamp DEFAULT '2030-12-31 23:59:59', born date DEFAULT '2020-02-03', words text DEFAULT '2023-04-05 06:07:08'
);
