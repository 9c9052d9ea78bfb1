-- version: 15
-- defect: public.item.price -- double precision
-- defect: public.item.unit_cost -- real
-- defect: public.item."totalAmount" -- camelCase
-- defect: public.item.price_usd -- a currency behind it
-- defect: public.item.fees -- an array
-- defect: public.item.balance -- a domain over double precision
-- defect: public.part.total -- a partitioned table, once
-- defect: public.item.cost_per_second -- what follows per is what is paid for
-- trap: public.item.seconds_per_cost -- money behind it is
-- trap: public.item.exact_price -- numeric
-- trap: public.item.tax_rate -- a rate is no money
-- trap: public.item.total_time -- a duration
-- trap: public.item.total_seconds -- another
-- trap: public.item.taxonomy -- tax is not a whole word of it
-- trap: public.item.cost_factor -- a factor
-- trap: public.item.priced_at -- priced is another word
-- trap: public.item.height -- no word of money
-- trap: public.item.price_text -- money in front, text behind
-- trap: public.part_1.total -- a leaf
CREATE DOMAIN fraction AS double precision;
CREATE TABLE item (
    id bigint PRIMARY KEY,
    price double precision,
    unit_cost real,
    "totalAmount" float8,
    price_usd float4,
    fees float8[],
    balance fraction,
    exact_price numeric,
    tax_rate float8,
    total_time float8,
    total_seconds float8,
    taxonomy float8,
    cost_factor float8,
    priced_at float8,
    height float8,
    price_text float8,
    cost_per_second float8,
    seconds_per_cost float8
);
CREATE TABLE part (id bigint PRIMARY KEY, total float8) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
