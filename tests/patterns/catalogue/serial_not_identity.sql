-- version: 15
-- defect: public.account.id -- bigserial
-- defect: public.small.id -- smallserial
-- defect: public.beside.number -- a serial that is no key
-- defect: "Other"."Account"."Id" -- quoted names
-- defect: public.part.id -- a partitioned table, once
-- defect: public.owned.id -- made by hand, like serial
-- trap: public.by_identity.id -- an identity
-- trap: public.not_owned.id -- nextval of a sequence that it does not own
-- trap: public.shared_a.id -- owns a sequence that another table takes from too
-- trap: public.part_1.id -- a leaf
-- trap: public.owner_only.id -- owns a sequence and does not take from it
CREATE SCHEMA "Other";
CREATE TABLE account (id bigserial PRIMARY KEY);
CREATE TABLE small (id smallserial PRIMARY KEY);
CREATE TABLE beside (id bigint PRIMARY KEY, number serial);
CREATE TABLE "Other"."Account" ("Id" bigserial PRIMARY KEY);
CREATE TABLE part (id bigserial PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE SEQUENCE by_hand INCREMENT BY 5;
CREATE TABLE owned (id bigint PRIMARY KEY DEFAULT nextval('by_hand'));
ALTER SEQUENCE by_hand OWNED BY owned.id;
CREATE TABLE by_identity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE SEQUENCE free;
CREATE TABLE not_owned (id bigint PRIMARY KEY DEFAULT nextval('free'));
CREATE SEQUENCE shared;
CREATE TABLE shared_a (id bigint PRIMARY KEY DEFAULT nextval('shared'));
CREATE TABLE shared_b (id bigint PRIMARY KEY DEFAULT nextval('shared'));
ALTER SEQUENCE shared OWNED BY shared_a.id;
CREATE TABLE owner_only (id bigint PRIMARY KEY);
CREATE SEQUENCE idle OWNED BY owner_only.id;
