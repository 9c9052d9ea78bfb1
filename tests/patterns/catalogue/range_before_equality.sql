-- version: 15
CREATE TYPE kind AS ENUM ('a', 'b', 'c');
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE days (day date PRIMARY KEY);
CREATE TABLE plain (
    id bigint PRIMARY KEY, created_at timestamptz, day date, price numeric(10, 2), parent_id bigint REFERENCES parent,
    status text, kind kind, name text, count int, amount float8, states text[], span tstzrange, ratified date REFERENCES days
);
-- defect: public.created_parent -- a time before a foreign key
CREATE INDEX created_parent ON plain (created_at, parent_id);
-- defect: public.day_status -- a date before a status
CREATE INDEX day_status ON plain (day DESC, status);
-- defect: public.price_kind -- a number before an enum
CREATE INDEX price_kind ON plain (price, kind, id);
-- defect: public.amount_two -- before two of them
CREATE INDEX amount_two ON plain (amount, status, parent_id) INCLUDE (name) WHERE name IS NOT NULL;
-- defect: public.split_created -- a partitioned table
CREATE TABLE split (id bigint, created_at timestamp, "orderState" varchar(9)) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_created ON split (created_at, "orderState");
-- trap: public."split_0_created_at_orderState_idx" -- a partition's

-- trap: public.right_order -- equality first
CREATE INDEX right_order ON plain (kind, created_at);
-- trap: public.created_id -- the key behind a time makes it unique, for pages
CREATE INDEX created_id ON plain (created_at, id);
-- trap: public.created_name -- a name is no status
CREATE INDEX created_name ON plain (created_at, name);
-- trap: public.count_status -- an integer need not be a range
CREATE INDEX count_status ON plain (count, status);
-- trap: public.rule -- unique
CREATE UNIQUE INDEX rule ON plain (created_at, kind, id);
-- trap: public.both_ways -- the right order is there as well
CREATE INDEX both_ways ON plain (day, kind);
CREATE INDEX kind_day ON plain (kind, day);
-- trap: public.ratified_status -- a date that is a foreign key
CREATE INDEX ratified_status ON plain (ratified, status);
-- trap: public.formula -- an expression
CREATE INDEX formula ON plain ((price * 2), status);
-- trap: public.block -- BRIN has no order
CREATE INDEX block ON plain USING brin (created_at, parent_id);
