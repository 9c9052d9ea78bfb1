-- defect [warning]: public.book(author_id) -- integer that points at bigint
-- defect [error]: public.book(price_id) -- bigint that points at numeric: the child's column is cast
-- defect [warning]: public.book(shelf) -- varchar(5) that points at varchar(20)
-- trap: public.book(room) -- text that points at varchar(20): nothing is lost, nothing is cast
-- defect [error]: public.book(code) -- varchar that points at char(3)
-- defect [warning]: public.line(tenant, number) number -- one pair of a composite key
-- defect [warning]: public.part(author_id) -- a partitioned table, once
-- defect [warning]: public."Row"("Author") -- quoted names
-- defect [warning]: public.relaxed(author_id) -- NOT ENFORCED, and mismatched all the same
-- defect [warning]: public.two_targets(author_id) to public.author(id) -- two keys over one column
-- defect [warning]: public.two_targets(author_id) to public.wide(id) -- the other one
-- defect [warning]: public.self(parent) -- a table that points at itself
-- trap: public.good(author_id) -- the same type
-- trap: public.good(through_domain) -- a domain over the same type
-- trap: public.good(collated) -- the same type in another collation
-- trap: public.part_1(author_id) -- a leaf's copy
-- trap: public.good_line(tenant, number) -- composite, pairs alike, written in another order
-- trap: public.booking(room, during) -- temporal key with PERIOD
CREATE EXTENSION btree_gist;
CREATE DOMAIN author_key AS bigint;
CREATE TABLE author (id bigint PRIMARY KEY);
CREATE TABLE price (id numeric PRIMARY KEY);
CREATE TABLE wide (id bigint PRIMARY KEY);
CREATE TABLE shelf (id varchar(20) PRIMARY KEY);
CREATE TABLE code (id char(3) PRIMARY KEY);
CREATE TABLE collated (id text COLLATE "C" PRIMARY KEY);
CREATE TABLE "order" (tenant bigint, number bigint, PRIMARY KEY (tenant, number));
CREATE TABLE book (
    id bigint PRIMARY KEY,
    author_id integer REFERENCES author,
    price_id bigint REFERENCES price,
    shelf varchar(5) REFERENCES shelf,
    room text REFERENCES shelf,
    code varchar(3) REFERENCES code
);
CREATE TABLE line (id bigint PRIMARY KEY, tenant bigint, number integer, FOREIGN KEY (tenant, number) REFERENCES "order");
CREATE TABLE part (id bigint PRIMARY KEY, author_id integer REFERENCES author) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE "Row" (id bigint PRIMARY KEY, "Author" smallint REFERENCES author);
CREATE TABLE relaxed (id bigint PRIMARY KEY, author_id integer REFERENCES author NOT ENFORCED);
CREATE TABLE two_targets (id bigint PRIMARY KEY, author_id integer REFERENCES author REFERENCES wide);
CREATE TABLE self (id bigint PRIMARY KEY, parent integer REFERENCES self);
CREATE TABLE good (
    id bigint PRIMARY KEY,
    author_id bigint REFERENCES author,
    through_domain author_key REFERENCES author,
    collated text REFERENCES collated
);
CREATE TABLE good_line (
    id bigint PRIMARY KEY, number bigint, tenant bigint,
    FOREIGN KEY (tenant, number) REFERENCES "order" (tenant, number)
);
CREATE TABLE room_free (room bigint, during tstzrange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
CREATE TABLE booking (
    id bigint PRIMARY KEY, room bigint, during tstzrange,
    FOREIGN KEY (room, PERIOD during) REFERENCES room_free (room, PERIOD during)
);
