-- defect: public.item.quantity_positive -- a CHECK
-- defect: public.item(owner_id) -- a foreign key
-- defect: public.item.label_given -- NOT NULL of PostgreSQL 18
-- defect: public.part.size_positive -- on a partitioned table, once
-- defect: "Other"."Item"."Positive" -- quoted names
-- defect: public.part(owner_id) -- a foreign key of a partitioned table (18)
-- defect: public.twice(owner_id) twice_a -- two keys over the same columns
-- defect: public.twice(owner_id) twice_b -- the other one
-- trap: public.item.price_positive -- validated later
-- trap: public.item.never -- NOT ENFORCED, which is never validated
-- trap: public.item(second_owner) -- a foreign key that is NOT ENFORCED
-- trap: public.item.name -- its NOT NULL is valid
-- trap: public.part_1.size_positive -- the leaf's copy
-- trap: public.item(third_owner) -- valid from the start
CREATE SCHEMA "Other";
CREATE TABLE owner (id bigint PRIMARY KEY);
CREATE TABLE item (
    id bigint PRIMARY KEY, quantity int, price int, label text, name text CONSTRAINT name_given NOT NULL,
    owner_id bigint, second_owner bigint, third_owner bigint REFERENCES owner,
    CONSTRAINT never CHECK (quantity < 9) NOT ENFORCED,
    CONSTRAINT second_fk FOREIGN KEY (second_owner) REFERENCES owner NOT ENFORCED
);
ALTER TABLE item ADD CONSTRAINT quantity_positive CHECK (quantity > 0) NOT VALID;
ALTER TABLE item ADD CONSTRAINT owner_fk FOREIGN KEY (owner_id) REFERENCES owner NOT VALID;
ALTER TABLE item ADD CONSTRAINT label_given NOT NULL label NOT VALID;
ALTER TABLE item ADD CONSTRAINT price_positive CHECK (price > 0) NOT VALID;
ALTER TABLE item VALIDATE CONSTRAINT price_positive;
CREATE TABLE part (id bigint, size int, owner_id bigint, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
ALTER TABLE part ADD CONSTRAINT size_positive CHECK (size > 0) NOT VALID;
ALTER TABLE part ADD CONSTRAINT part_owner FOREIGN KEY (owner_id) REFERENCES owner NOT VALID;
CREATE TABLE "Other"."Item" (id bigint PRIMARY KEY, "Size" int);
ALTER TABLE "Other"."Item" ADD CONSTRAINT "Positive" CHECK ("Size" > 0) NOT VALID;
CREATE TABLE twice (id bigint PRIMARY KEY, owner_id bigint);
ALTER TABLE twice ADD CONSTRAINT twice_a FOREIGN KEY (owner_id) REFERENCES owner NOT VALID;
ALTER TABLE twice ADD CONSTRAINT twice_b FOREIGN KEY (owner_id) REFERENCES owner NOT VALID;
