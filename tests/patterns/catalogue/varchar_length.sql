-- version: 15
-- defect: public.account.email -- the plain case
-- defect: public.account.nicknames -- an array of varchar(n)
-- defect: public.account.code -- a domain over a domain over varchar(n)
-- defect: public.account.codes -- an array of that domain
-- defect: public.account."Full Name" -- a quoted name, with a collation that must stay
-- defect: public.measurement.station -- a partitioned table, once, not its leaf
-- defect: other.account.email -- the same name in another schema
-- defect: public.country.iso -- a key; the foreign keys to it change along
-- defect: public.city.country -- one of them
-- defect: public.under_view.title -- a view reads it: reported, and left to a person
-- defect: public.split_by.region -- the partition key: the same
-- defect: public.parent.label -- inherited by a child, reported on the parent
-- trap: public.account.note -- text
-- trap: public.account.free -- varchar without a length
-- trap: public.account.fixed -- char(n) is another pattern's
-- trap: public.measurement_1.station -- a leaf
-- trap: public.child.label -- the parent's
-- trap: public.account.flags -- varbit(n) only sounds alike
-- trap: public.account.checked -- a domain over text with a limit of its own
-- trap: public.account.short -- a type of our own that is named varchar
-- trap: public.view_of_it -- a view has no storage
CREATE SCHEMA other;
CREATE SCHEMA odd;
CREATE DOMAIN code_base AS varchar(8);
CREATE DOMAIN code AS code_base CHECK (value <> '');
CREATE DOMAIN limited AS text CHECK (char_length(value) <= 5);
CREATE TYPE odd."varchar" AS ENUM ('a');
CREATE TABLE account (
    id bigint PRIMARY KEY,
    email varchar(255),
    nicknames varchar(20)[],
    code code,
    codes code[],
    "Full Name" varchar(50) COLLATE "C",
    note text,
    free varchar,
    fixed char(3),
    flags varbit(9),
    checked limited,
    short odd."varchar"
);
CREATE TABLE other.account (id bigint PRIMARY KEY, email varchar(255));
CREATE TABLE measurement (id bigint, station varchar(9), taken date, PRIMARY KEY (id, taken)) PARTITION BY RANGE (taken);
CREATE TABLE measurement_1 PARTITION OF measurement FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE split_by (id bigint, region varchar(9), PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE country (iso varchar(2) PRIMARY KEY);
CREATE TABLE city (id bigint PRIMARY KEY, country varchar(2) REFERENCES country);
CREATE INDEX ON city (country);
CREATE TABLE under_view (id bigint PRIMARY KEY, title varchar(80));
CREATE VIEW view_of_it AS SELECT title FROM under_view;
CREATE TABLE parent (id bigint PRIMARY KEY, label varchar(10));
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
-- A member of an extension is not read at all.
CREATE EXTENSION hstore;
CREATE TABLE of_extension (name varchar(9));
ALTER EXTENSION hstore ADD TABLE of_extension;
