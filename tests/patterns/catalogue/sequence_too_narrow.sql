-- version: 15
-- defect: public.widened_id_seq -- the column was widened, its sequence was not
-- defect: public.narrow_column -- a bigint sequence for an integer column that is no key
-- defect: public.down -- a descending one of integer for a bigint column
-- defect: public.small -- a smallint sequence for an integer column
-- defect: "Other"."Counter" -- quoted, limited to the maximum of integer
-- trap: public.plain_id_seq -- integer for integer
-- trap: public.wide_id_seq -- bigint for bigint
-- trap: public.cycling -- it begins again
-- trap: public.limited -- a limit of its own, with its use not known
-- trap: public.key_sequence -- an integer primary key is integer-primary-key's
-- trap: public.by_identity_id_seq -- an identity
-- trap: public.unused -- feeds nothing
-- trap: public.wide_down -- descending, bigint for bigint
CREATE SCHEMA "Other";
CREATE TABLE widened (id serial PRIMARY KEY);
ALTER TABLE widened ALTER COLUMN id TYPE bigint;
CREATE SEQUENCE narrow_column;
CREATE SEQUENCE down AS integer INCREMENT BY -1;
CREATE SEQUENCE wide_down INCREMENT BY -1;
CREATE SEQUENCE small AS smallint;
CREATE SEQUENCE "Other"."Counter" MAXVALUE 2147483647;
CREATE SEQUENCE cycling AS integer CYCLE;
CREATE SEQUENCE limited MAXVALUE 9999;
CREATE SEQUENCE key_sequence;
CREATE SEQUENCE unused AS smallint;
CREATE TABLE many (
    id bigint PRIMARY KEY,
    one integer DEFAULT nextval('narrow_column'),
    two bigint DEFAULT nextval('down'),
    three integer DEFAULT nextval('small'),
    four bigint DEFAULT nextval('"Other"."Counter"'),
    five bigint DEFAULT nextval('cycling'),
    six bigint DEFAULT nextval('limited'),
    seven bigint DEFAULT nextval('wide_down')
);
CREATE TABLE plain (id serial PRIMARY KEY);
CREATE TABLE wide (id bigserial PRIMARY KEY);
CREATE TABLE keyed (id integer PRIMARY KEY DEFAULT nextval('key_sequence'));
CREATE TABLE by_identity (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
