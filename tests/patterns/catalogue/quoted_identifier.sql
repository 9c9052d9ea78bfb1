-- version: 15
-- defect: public."Account" -- upper case in a table
-- defect: public."Account"."userName" -- upper case in a column
-- defect: public."order" -- a reserved word
-- defect: public.plain."user" -- a reserved word as a column
-- trap: public.plain.timestamp -- a word of the grammar that names columns without quotes
-- defect: public.plain."two words" -- a blank
-- trap: public.plain."größe" -- a letter of another alphabet
-- trap: public.plain.a$b -- a dollar sign behind a letter
-- defect: public.plain."Größe" -- upper case beside it
-- defect: public.plain."1st" -- a digit in front
-- defect: public."Odd View" -- a view
-- defect: public."Odd_index" -- an index
-- defect: public.plain."Odd check" -- a constraint
-- defect: public.plain(a) "Odd unique" -- a unique constraint
-- defect: "Odd" -- a schema
-- defect: public."Counter" -- a sequence of its own
-- defect: public."Do It"() -- a function
-- trap: public.plain -- plain
-- trap: public.plain.name -- name is no reserved word
-- trap: public.plain.value -- neither is value
-- trap: public.plain.type -- nor type
-- trap: public.plain.a_1 -- digits and underscores behind a letter
-- trap: public."Account"(id) -- its key's name is made from the table's
-- trap: public."Account_userName_idx" -- an index named after the table
-- trap: public.order_id_seq -- the sequence of a column
-- trap: public.plain(id) -- a primary key
CREATE SCHEMA "Odd";
CREATE TABLE "Account" (id bigint PRIMARY KEY, "userName" text);
CREATE INDEX ON "Account" ("userName");
CREATE TABLE "order" (id bigserial PRIMARY KEY);
CREATE TABLE plain (
    id bigint PRIMARY KEY, "user" text, "timestamp" text, "two words" text, "größe" int, "Größe" int, "a$b" int, "1st" int, name text, value int,
    type text, a_1 int, a int, CONSTRAINT "Odd check" CHECK (a > 0), CONSTRAINT "Odd unique" UNIQUE (a)
);
CREATE INDEX "Odd_index" ON plain (a_1);
CREATE VIEW "Odd View" AS SELECT 1 AS one;
CREATE SEQUENCE "Counter";
CREATE FUNCTION "Do It"() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- Neither this trigger nor those PostgreSQL makes for foreign keys (RI_ConstraintTrigger_…) count.
CREATE TRIGGER "Noted" BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TABLE child (id bigint PRIMARY KEY REFERENCES plain);
