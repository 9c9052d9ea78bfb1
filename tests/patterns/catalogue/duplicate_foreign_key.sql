-- defect: public.book(author_id) second -- the plain case: the first by name stays
-- defect: public.book(author_id) third -- a third one
-- defect: public.line(tenant, number) line_again -- composite
-- defect: public.crossed(number, tenant) zz_crossed -- the same pairs, written in another order
-- defect: public.differing(author_id) b_cascade -- another ON DELETE: both act
-- defect: public.enforced(author_id) a_relaxed -- the one that is NOT ENFORCED gives way, whatever its name
-- defect: public.part(author_id) part_again -- a partitioned table, once
-- defect: "Other"."Book"("Author") "Second" -- quoted names
-- trap: public.two_tables(author_id) -- one column that points at two tables
-- trap: public.two_columns(a) -- two columns that point at one
-- trap: public.swapped(a, b) -- the pairs differ
-- trap: public.two_keys(code) -- two unique keys of one table
-- trap: public.part_1(author_id) -- the leaf's copies
-- trap: public.single(author_id) -- one
CREATE SCHEMA "Other";
CREATE TABLE author (id bigint PRIMARY KEY, code bigint UNIQUE);
CREATE TABLE editor (id bigint PRIMARY KEY);
CREATE TABLE orders (tenant bigint, number bigint, PRIMARY KEY (tenant, number));
CREATE TABLE book (
    id bigint PRIMARY KEY, author_id bigint,
    CONSTRAINT first FOREIGN KEY (author_id) REFERENCES author,
    CONSTRAINT second FOREIGN KEY (author_id) REFERENCES author,
    CONSTRAINT third FOREIGN KEY (author_id) REFERENCES author
);
CREATE TABLE line (
    id bigint PRIMARY KEY, tenant bigint, number bigint,
    CONSTRAINT line FOREIGN KEY (tenant, number) REFERENCES orders,
    CONSTRAINT line_again FOREIGN KEY (tenant, number) REFERENCES orders
);
CREATE TABLE crossed (
    id bigint PRIMARY KEY, tenant bigint, number bigint,
    CONSTRAINT aa_crossed FOREIGN KEY (tenant, number) REFERENCES orders (tenant, number),
    CONSTRAINT zz_crossed FOREIGN KEY (number, tenant) REFERENCES orders (number, tenant)
);
CREATE TABLE differing (
    id bigint PRIMARY KEY, author_id bigint,
    CONSTRAINT a_plain FOREIGN KEY (author_id) REFERENCES author,
    CONSTRAINT b_cascade FOREIGN KEY (author_id) REFERENCES author ON DELETE CASCADE
);
CREATE TABLE enforced (
    id bigint PRIMARY KEY, author_id bigint,
    CONSTRAINT a_relaxed FOREIGN KEY (author_id) REFERENCES author NOT ENFORCED,
    CONSTRAINT b_enforced FOREIGN KEY (author_id) REFERENCES author
);
CREATE TABLE part (
    id bigint PRIMARY KEY, author_id bigint,
    CONSTRAINT part_a_first FOREIGN KEY (author_id) REFERENCES author,
    CONSTRAINT part_again FOREIGN KEY (author_id) REFERENCES author
) PARTITION BY HASH (id);

CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE "Other"."Book" (
    id bigint PRIMARY KEY, "Author" bigint,
    CONSTRAINT "First" FOREIGN KEY ("Author") REFERENCES author,
    CONSTRAINT "Second" FOREIGN KEY ("Author") REFERENCES author
);
CREATE TABLE two_tables (id bigint PRIMARY KEY, author_id bigint REFERENCES author REFERENCES editor);
CREATE TABLE two_columns (id bigint PRIMARY KEY, a bigint REFERENCES author, b bigint REFERENCES author);
CREATE TABLE swapped (
    id bigint PRIMARY KEY, a bigint, b bigint,
    FOREIGN KEY (a, b) REFERENCES orders (tenant, number), FOREIGN KEY (a, b) REFERENCES orders (number, tenant)
);
CREATE TABLE two_keys (
    id bigint PRIMARY KEY, code bigint,
    FOREIGN KEY (code) REFERENCES author (id), FOREIGN KEY (code) REFERENCES author (code)
);
CREATE TABLE single (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
