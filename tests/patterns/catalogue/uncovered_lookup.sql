-- version: 15
CREATE TABLE a (id bigint PRIMARY KEY);
CREATE TABLE b (id bigint PRIMARY KEY, name text, a_id bigint REFERENCES a);
-- defect: public.plain_b -- the way back of a link table
CREATE TABLE plain (a_id bigint REFERENCES a, b_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id));
CREATE INDEX plain_b ON plain (b_id);
-- defect: public.keyed_b -- with a key of its own, and a time
CREATE TABLE keyed (
    id bigint PRIMARY KEY, a_id bigint REFERENCES a, b_id bigint REFERENCES b, since timestamptz, UNIQUE (a_id, b_id)
);
CREATE INDEX keyed_b ON keyed (b_id);
-- defect: public."Links B" -- quoted, text keys
CREATE TABLE named (name text PRIMARY KEY);
CREATE TABLE "Links" ("Left" text REFERENCES named, "Right" text REFERENCES named, PRIMARY KEY ("Left", "Right"));
CREATE INDEX "Links B" ON "Links" ("Right");
-- defect: public.split_b -- a partitioned table
CREATE TABLE split (a_id bigint REFERENCES a, b_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id)) PARTITION BY HASH (a_id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX split_b ON split (b_id);
-- trap: public.split_0_b_id_idx -- a partition's

-- trap: public.both_b -- both columns are there
CREATE TABLE double (a_id bigint REFERENCES a, b_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id));
CREATE INDEX both_b ON double (b_id, a_id);
-- trap: public.carrying_b -- the other one is carried
CREATE TABLE carrying (a_id bigint REFERENCES a, b_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id));
CREATE INDEX carrying_b ON carrying (b_id) INCLUDE (a_id);
-- trap: public.loaded_b -- more than a link: its rows are read anyway
CREATE TABLE loaded (a_id bigint REFERENCES a, b_id bigint REFERENCES b, body jsonb, PRIMARY KEY (a_id, b_id));
CREATE INDEX loaded_b ON loaded (b_id);
-- trap: public.three_b -- three ends
CREATE TABLE three (a_id bigint REFERENCES a, b_id bigint REFERENCES b, c_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id, c_id));
CREATE INDEX three_b ON three (b_id);
-- trap: public.b_a -- not a link table
CREATE INDEX b_a ON b (a_id);
-- trap: public.partial_b -- partial
CREATE TABLE partial (a_id bigint REFERENCES a, b_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id));
CREATE INDEX partial_b ON partial (b_id) WHERE a_id > 7;
-- trap: public.hashed_b -- a hash index holds one key
CREATE TABLE hashed (a_id bigint REFERENCES a, b_id bigint REFERENCES b, PRIMARY KEY (a_id, b_id));
CREATE INDEX hashed_b ON hashed USING hash (b_id);
