-- version: 15
-- defect: public.account.email -- the plain case
-- defect: public.account.login -- a unique index
-- defect: "Other"."Account"."Email" -- quoted names
-- defect: public.person.work_email -- varchar, the last word
-- trap: public.good.email -- a unique index on lower()
-- trap: public.good.username -- no unique rule
-- trap: public.good.code -- no name that says so, and no query
-- trap: public.pair.email -- unique with another column
-- trap: public.number.login -- no text
CREATE SCHEMA "Other";
CREATE TABLE account (id bigint PRIMARY KEY, email text UNIQUE, login text);
CREATE UNIQUE INDEX ON account (login);
CREATE TABLE "Other"."Account" (id bigint PRIMARY KEY, "Email" text UNIQUE);
CREATE TABLE person (id bigint PRIMARY KEY, work_email varchar(99) UNIQUE);
CREATE TABLE good (id bigint PRIMARY KEY, email text UNIQUE, username text, code text UNIQUE);
CREATE UNIQUE INDEX ON good (lower(email));
CREATE TABLE pair (id bigint PRIMARY KEY, team bigint, email text, UNIQUE (team, email));
CREATE TABLE number (id bigint PRIMARY KEY, login bigint UNIQUE);
