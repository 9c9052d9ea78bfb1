-- version: 15
CREATE SCHEMA other;
CREATE TABLE member (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- defect: public.member(mail) -- a dead member's address is taken
    mail text UNIQUE,
    -- trap: public.member(code) -- others point at it
    code text UNIQUE,
    -- trap: public.member(public_id) -- made by machine
    public_id uuid DEFAULT gen_random_uuid() UNIQUE,
    -- trap: public.member(reset_token) -- made by machine, as its name says
    reset_token text UNIQUE,
    -- trap: public.member(number) -- a sequence
    number serial UNIQUE,
    tenant int, name text, kind text,
    deleted_at timestamptz,
    -- defect: public.member(tenant, name) -- of two columns
    UNIQUE (tenant, name),
    -- trap: public.member(tenant, kind, deleted_at) -- the deletion is part of it
    UNIQUE (tenant, kind, deleted_at)
);
-- trap: public.member(id) -- the primary key
CREATE TABLE pointing (code text REFERENCES member (code));
-- defect: public.by_lower -- a unique index on an expression
CREATE UNIQUE INDEX by_lower ON member (lower(mail));
-- defect: public.by_kind -- partial on something else
CREATE UNIQUE INDEX by_kind ON member (name) WHERE kind = 'x';
-- trap: public.alive -- partial on it
CREATE UNIQUE INDEX alive ON member (kind, mail) WHERE deleted_at IS NULL;
-- trap: public.by_coalesce -- the deletion in an expression
CREATE UNIQUE INDEX by_coalesce ON member (name, coalesce(deleted_at, 'infinity'));
-- trap: public.by_name -- not unique
CREATE INDEX by_name ON member (name);
-- defect: other."Member"("Mail") -- quoted, another schema, deferrable
CREATE TABLE other."Member" ("Mail" text UNIQUE DEFERRABLE, "discardedAt" timestamp);
-- trap: public.living(mail) -- no soft deletion
CREATE TABLE living (mail text UNIQUE, deleted boolean);
-- defect: public.split(id, mail) -- a partitioned table
CREATE TABLE split (id bigint, mail text, archived_at timestamptz, UNIQUE (id, mail)) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- trap: public.split_0(id, mail) -- a partition
