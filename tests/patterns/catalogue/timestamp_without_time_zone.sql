-- version: 15
-- defect: public.visit.came_at -- the plain case
-- defect: public.visit.rounded -- with a precision
-- defect: public.visit.moments -- an array
-- defect: public.visit.moment -- a domain over a domain
-- defect: public.visit.local -- a default in UTC of its own: the default must change too
-- defect: public.log.at -- a partitioned table, by the very column
-- defect: "S p a c e"."Visit"."Came At" -- quoted names
-- defect: public.indexed.at -- an expression index stands in the way
-- defect: public.indexed.made -- a generated column
-- trap: public.visit.zoned -- timestamptz
-- trap: public.visit.zoned_moment -- a domain over timestamptz
-- trap: public.visit.day -- a date
-- trap: public.visit.clock -- a time of day
-- trap: public.visit.span -- a range of timestamps is no timestamp
-- trap: public.log_2020.at -- a leaf
-- trap: public.visit.text_time -- text
CREATE SCHEMA "S p a c e";
CREATE DOMAIN moment_base AS timestamp(3);
CREATE DOMAIN moment AS moment_base;
CREATE DOMAIN zoned_moment AS timestamptz;
CREATE FUNCTION now_of(text) RETURNS timestamp IMMUTABLE LANGUAGE sql AS $$ SELECT timestamp '2020-01-01' $$;
CREATE TABLE visit (
    id bigint PRIMARY KEY,
    came_at timestamp DEFAULT now(),
    rounded timestamp(0),
    moments timestamp[],
    moment moment,
    local timestamp DEFAULT (now() AT TIME ZONE 'utc'),
    zoned timestamptz,
    zoned_moment zoned_moment,
    day date,
    clock time,
    span tsrange,
    text_time text
);
CREATE TABLE log (id bigint, at timestamp, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE log_2020 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE "S p a c e"."Visit" (id bigint PRIMARY KEY, "Came At" timestamp);
CREATE TABLE indexed (
    id bigint PRIMARY KEY, at timestamp, day text, made timestamp GENERATED ALWAYS AS (now_of(day)) STORED
);
CREATE INDEX ON indexed (date_trunc('day', at));
