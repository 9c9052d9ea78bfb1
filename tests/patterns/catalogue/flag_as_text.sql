-- version: 15
-- defect: public.account.active -- Y or N by a CHECK
-- defect: public.account.enabled -- by a CHECK with OR
-- defect: public.account.visible -- a default of 'true'
-- defect: public.account.locked -- a default of 'N' on one character
-- defect: public.account.is_admin -- by its name
-- defect: public.account."hasPhoto" -- by its name, camelCase
-- defect: public.part.is_open -- a partitioned table, once
-- defect: public.account.mode -- yes and no, in an ANY of an array
-- trap: public.account.real -- a boolean
-- trap: public.account.is_public -- a CHECK lets a third value through
-- trap: public.account.sex -- two values, and no yes or no
-- trap: public.account.country -- a default of NO, which is Norway
-- trap: public.account.island -- is is not a whole word of it
-- trap: public.account.is_of_kind -- its default is no yes or no
-- trap: public.account.is_list -- an array
-- trap: public.reference.is_code -- a foreign key
-- trap: public.part_1.is_open -- a leaf
CREATE TABLE account (
    id bigint PRIMARY KEY,
    active char(1) CHECK (active IN ('Y', 'N')),
    enabled varchar(1) CHECK (enabled = 'Y' OR enabled = 'N'),
    visible varchar(5) DEFAULT 'true',
    locked char(1) DEFAULT 'N',
    is_admin varchar(3),
    "hasPhoto" text,
    mode varchar(3) CHECK (mode = ANY (ARRAY['yes', 'no'])),
    real boolean,
    is_public text CHECK (is_public IN ('yes', 'no', 'unlisted')),
    sex char(1) CHECK (sex IN ('M', 'F')),
    country varchar(2) DEFAULT 'NO',
    island text,
    is_of_kind text DEFAULT 'plain',
    is_list text[]
);
CREATE TABLE code (id text PRIMARY KEY);
CREATE TABLE reference (id bigint PRIMARY KEY, is_code text REFERENCES code);
CREATE INDEX ON reference (is_code);
CREATE TABLE part (id bigint PRIMARY KEY, is_open varchar(1)) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
