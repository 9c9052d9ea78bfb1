-- version: 15
CREATE SCHEMA other;
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE member (
    id bigint PRIMARY KEY, name text, mail text UNIQUE, age int, tags text[], parent_id bigint REFERENCES parent,
    state text, deleted_at timestamptz
);
-- defect: public.by_name -- a plain index
CREATE INDEX by_name ON member (name);
-- defect: public.by_two -- of two keys, with its order
CREATE INDEX by_two ON member (age DESC NULLS LAST, name) INCLUDE (mail);
-- defect: public.by_tags -- GIN
CREATE INDEX by_tags ON member USING gin (tags);
-- defect: public.by_state -- partial on something else
CREATE INDEX by_state ON member (age) WHERE state = 'new' OR state = 'old';
-- defect: public.by_lower -- an expression
CREATE INDEX by_lower ON member (lower(name) COLLATE "C" text_pattern_ops);
-- defect: other."By Name" -- quoted, another schema, camel case, timestamp without zone
CREATE TABLE other."Member" ("Name" text, "archivedAt" timestamp);
CREATE INDEX "By Name" ON other."Member" ("Name");
-- defect: public.split_name -- a partitioned table
CREATE TABLE split (id bigint, name text, discarded_at timestamptz) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_name ON split (name);
-- trap: public.split_0_name_idx -- a partition's

-- trap: public.alive -- partial on it already
CREATE INDEX alive ON member (name) WHERE deleted_at IS NULL;
-- trap: public.dead -- for the dead
CREATE INDEX dead ON member (id) WHERE deleted_at IS NOT NULL;
-- trap: public.by_deletion -- the column is a key
CREATE INDEX by_deletion ON member (deleted_at, name);
-- trap: public.by_both -- it is in an expression
CREATE INDEX by_both ON member ((deleted_at IS NULL), age);
-- trap: public.member_mail_key -- unique
-- trap: public.by_parent -- the foreign key's look-up asks for dead rows too
CREATE INDEX by_parent ON member (parent_id);
-- trap: public.by_block -- BRIN
CREATE INDEX by_block ON member USING brin (age);
-- trap: public.never_dead -- not nullable: another meaning
CREATE TABLE always (name text, deleted_at timestamptz NOT NULL DEFAULT 'infinity');
CREATE INDEX never_dead ON always (name);
-- trap: public.flagged_name -- not a time
CREATE TABLE flagged (name text, deleted_at boolean);
CREATE INDEX flagged_name ON flagged (name);
-- trap: public.undeleted_name -- another word
CREATE TABLE undeleted (name text, undeleted_at timestamptz, last_deleted_at_by timestamptz);
CREATE INDEX undeleted_name ON undeleted (name);
