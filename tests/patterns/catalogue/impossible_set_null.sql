-- version: 15
-- defect: public.book(author_id) delete -- the plain case
-- defect: public.moved(author_id) update -- ON UPDATE
-- defect: "Other"."Book"("authorId") delete -- quoted names
-- defect: public.part(author_id) delete -- a partitioned table, once
-- defect: public.bare(author_id) delete -- SET DEFAULT without a default
-- trap: public.may(author_id) -- the column may be null
-- trap: public.defaulted(author_id) -- SET DEFAULT with a default
-- trap: public.cascade(author_id) -- CASCADE
-- trap: public.pair(a, b) -- one of two columns may be null
-- trap: public.plain(author_id) -- no action at all
CREATE SCHEMA "Other";
CREATE TABLE author (id bigint PRIMARY KEY);
CREATE TABLE two (a bigint, b bigint, PRIMARY KEY (a, b));
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author ON DELETE SET NULL);
CREATE TABLE moved (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author ON UPDATE SET NULL);
CREATE TABLE "Other"."Book" (id bigint PRIMARY KEY, "authorId" bigint NOT NULL REFERENCES author ON DELETE SET NULL);
CREATE TABLE part (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author ON DELETE SET NULL)
    PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE bare (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author ON DELETE SET DEFAULT);
CREATE TABLE may (id bigint PRIMARY KEY, author_id bigint REFERENCES author ON DELETE SET NULL);
CREATE TABLE defaulted (id bigint PRIMARY KEY, author_id bigint NOT NULL DEFAULT 0 REFERENCES author ON DELETE SET DEFAULT);
CREATE TABLE cascade (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author ON DELETE CASCADE);
CREATE TABLE pair (id bigint PRIMARY KEY, a bigint NOT NULL, b bigint, FOREIGN KEY (a, b) REFERENCES two ON DELETE SET NULL);
CREATE TABLE plain (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author);
