-- version: 15
-- defect: public.invoice.amount -- the plain case
-- defect: public.invoice.parts -- an array
-- defect: public.invoice.due -- a domain over a domain
-- defect: "Other"."Invoice"."Amount" -- quoted names
-- defect: public.part.amount -- a partitioned table, once
-- defect: public.summed.total -- a generated column
-- trap: public.invoice.exact -- numeric
-- trap: public.invoice.money -- a bigint named money
-- trap: public.invoice.own -- a type of our own that is named money
-- trap: public.part_1.amount -- a leaf
-- trap: public.invoice.cents -- bigint
CREATE SCHEMA "Other";
CREATE SCHEMA own;
CREATE DOMAIN due_base AS money;
CREATE DOMAIN due AS due_base;
CREATE TYPE own.money AS (amount numeric, currency text);
CREATE TABLE invoice (
    id bigint PRIMARY KEY,
    amount money,
    parts money[],
    due due,
    exact numeric(19, 4),
    money bigint,
    own own.money,
    cents bigint
);
CREATE TABLE "Other"."Invoice" (id bigint PRIMARY KEY, "Amount" money);
CREATE TABLE part (id bigint PRIMARY KEY, amount money) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE summed (id bigint PRIMARY KEY, one money, total money GENERATED ALWAYS AS (one * 2) STORED);
-- defect: public.summed.one -- what it is made of
