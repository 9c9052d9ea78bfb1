-- What PostgreSQL 18 brought, and what needs extensions.
CREATE EXTENSION btree_gist;
CREATE EXTENSION btree_gin;
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE rate (id bigint, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));

-- defect [warning]: public.temporal(rate_id, during) -- a temporal key without an index
CREATE TABLE temporal (rate_id bigint, during daterange, FOREIGN KEY (rate_id, PERIOD during) REFERENCES rate (id, PERIOD during));

-- defect [info]: public.temporal_btree(rate_id, during) -- a btree serves the first part only
CREATE TABLE temporal_btree (rate_id bigint, during daterange, FOREIGN KEY (rate_id, PERIOD during) REFERENCES rate (id, PERIOD during));
CREATE INDEX ON temporal_btree (rate_id, during);

-- defect: public.validated(parent_id) -- NOT VALID, and enforced on all that is new
CREATE TABLE validated (parent_id bigint);
ALTER TABLE validated ADD FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;

-- defect: public.virtual(parent_id) -- beside a virtual column
CREATE TABLE virtual (parent_id bigint REFERENCES parent, twice bigint GENERATED ALWAYS AS (parent_id * 2) VIRTUAL);

-- trap: public.temporal_gist(rate_id, during) -- GiST
CREATE TABLE temporal_gist (rate_id bigint, during daterange, FOREIGN KEY (rate_id, PERIOD during) REFERENCES rate (id, PERIOD during));
CREATE INDEX ON temporal_gist USING gist (rate_id, during);

-- trap: public.temporal_key(rate_id, during) -- a temporal primary key is a GiST index
CREATE TABLE temporal_key (rate_id bigint, during daterange, PRIMARY KEY (rate_id, during WITHOUT OVERLAPS),
    FOREIGN KEY (rate_id, PERIOD during) REFERENCES rate (id, PERIOD during));

-- trap: public.unenforced(parent_id) -- NOT ENFORCED: nothing is looked up
CREATE TABLE unenforced (parent_id bigint REFERENCES parent NOT ENFORCED);

-- trap: public.temporal_order(rate_id, during) -- the other way round
CREATE TABLE temporal_order (rate_id bigint, during daterange, FOREIGN KEY (rate_id, PERIOD during) REFERENCES rate (id, PERIOD during));
CREATE INDEX ON temporal_order USING gist (during, rate_id);

-- trap: public.gisted(parent_id) -- GiST with the operators of btree_gist
CREATE TABLE gisted (parent_id bigint REFERENCES parent);
CREATE INDEX ON gisted USING gist (parent_id);

-- trap: public.ginned(parent_id) -- GIN with those of btree_gin
CREATE TABLE ginned (parent_id bigint REFERENCES parent);
CREATE INDEX ON ginned USING gin (parent_id);

-- trap: public.excluded(parent_id) -- the index of an exclusion constraint
CREATE TABLE excluded (parent_id bigint REFERENCES parent, during daterange,
    EXCLUDE USING gist (parent_id WITH =, during WITH &&));
