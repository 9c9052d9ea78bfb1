-- version: 15
-- defect: public.person(team_id) -- a circle of two
-- defect: public.a(b) -- a circle of three
-- defect: "Other"."Egg"("Hen") -- quoted names
-- defect: public.p_one(two) -- one of them is partitioned
-- trap: public.node(parent) -- its own table
-- trap: public.loose(firm) -- may be null
-- trap: public.late(later) -- deferrable
-- trap: public.given(giver) -- has a default
CREATE SCHEMA "Other";
CREATE TABLE team (id bigint PRIMARY KEY, lead bigint NOT NULL);
CREATE TABLE person (id bigint PRIMARY KEY, team_id bigint NOT NULL REFERENCES team);
ALTER TABLE team ADD FOREIGN KEY (lead) REFERENCES person;
CREATE TABLE a (id bigint PRIMARY KEY, b bigint NOT NULL);
CREATE TABLE c (id bigint PRIMARY KEY, a bigint NOT NULL REFERENCES a);
CREATE TABLE b (id bigint PRIMARY KEY, c bigint NOT NULL REFERENCES c);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
CREATE TABLE "Other"."Hen" (id bigint PRIMARY KEY, "Egg" bigint NOT NULL);
CREATE TABLE "Other"."Egg" (id bigint PRIMARY KEY, "Hen" bigint NOT NULL REFERENCES "Other"."Hen");
ALTER TABLE "Other"."Hen" ADD FOREIGN KEY ("Egg") REFERENCES "Other"."Egg";
CREATE TABLE p_one (id bigint PRIMARY KEY, two bigint NOT NULL) PARTITION BY HASH (id);
CREATE TABLE p_one_1 PARTITION OF p_one FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE two (id bigint PRIMARY KEY, one bigint NOT NULL REFERENCES p_one);
ALTER TABLE p_one ADD FOREIGN KEY (two) REFERENCES two;
CREATE TABLE node (id bigint PRIMARY KEY, parent bigint NOT NULL REFERENCES node);
CREATE TABLE firm (id bigint PRIMARY KEY, loose bigint NOT NULL);
CREATE TABLE loose (id bigint PRIMARY KEY, firm bigint REFERENCES firm);
ALTER TABLE firm ADD FOREIGN KEY (loose) REFERENCES loose;
CREATE TABLE later (id bigint PRIMARY KEY, late bigint NOT NULL);
CREATE TABLE late (id bigint PRIMARY KEY, later bigint NOT NULL REFERENCES later DEFERRABLE);
ALTER TABLE later ADD FOREIGN KEY (late) REFERENCES late;
CREATE TABLE giver (id bigint PRIMARY KEY, given bigint NOT NULL);
CREATE TABLE given (id bigint PRIMARY KEY, giver bigint NOT NULL DEFAULT 0 REFERENCES giver);
ALTER TABLE giver ADD FOREIGN KEY (given) REFERENCES given;
