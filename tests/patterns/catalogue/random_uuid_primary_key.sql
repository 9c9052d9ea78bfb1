-- target: 18
-- defect: public.device.id -- gen_random_uuid()
-- defect: public.by_extension.id -- uuid_generate_v4() of uuid-ossp, here a stand-in
-- defect: public.version_four.id -- uuidv4() of PostgreSQL 18
-- defect: public.composite.id -- a member of a composite key
-- defect: public.through_domain.id -- a domain over uuid
-- defect: "Other"."Device"."Id" -- quoted names
-- defect: public.part.id -- a partitioned table, once
-- trap: public.ordered.id -- uuidv7() grows
-- trap: public.made_elsewhere.id -- no default: who knows
-- trap: public.beside.public_id -- random, and no key
-- trap: public.part_1.id -- a leaf
-- trap: public.numbered.id -- an identity
-- trap: public.version_one.id -- uuid_generate_v1() is not random
CREATE SCHEMA "Other";
CREATE SCHEMA ext;
CREATE FUNCTION ext.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
CREATE FUNCTION ext.uuid_generate_v1() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
CREATE DOMAIN key AS uuid;
CREATE TABLE device (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE by_extension (id uuid PRIMARY KEY DEFAULT ext.uuid_generate_v4());
CREATE TABLE version_four (id uuid PRIMARY KEY DEFAULT uuidv4());
CREATE TABLE composite (tenant bigint, id uuid DEFAULT gen_random_uuid(), PRIMARY KEY (tenant, id));
CREATE TABLE through_domain (id key PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE "Other"."Device" ("Id" uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE part (id uuid PRIMARY KEY DEFAULT gen_random_uuid()) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE ordered (id uuid PRIMARY KEY DEFAULT uuidv7());
CREATE TABLE made_elsewhere (id uuid PRIMARY KEY);
CREATE TABLE beside (id bigint PRIMARY KEY, public_id uuid UNIQUE DEFAULT gen_random_uuid());
CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE version_one (id uuid PRIMARY KEY DEFAULT ext.uuid_generate_v1());
