-- version: 15
-- defect: public.upload.file_uuid -- varchar(36) by its name
-- defect: public.upload.guid -- char(32) by its name
-- defect: public.upload.token -- varchar(36) by its default
-- defect: public.upload."parentUuid" -- camelCase in quotes
-- defect: public.text_key.uuid -- text in a primary key, by its name
-- defect: public.default_key.id -- text in a primary key, by its default
-- defect: public.child.parent_uuid -- text in a foreign key, by its name
-- defect: public.domained.uuid -- a domain over char(36)
-- trap: public.upload.real_uuid -- a uuid
-- trap: public.upload.md5 -- 32 characters of a hash
-- trap: public.upload.external_id -- 36 characters of something
-- trap: public.upload.uuids_seen -- text, no key; and the word is not whole
-- trap: public.upload.note_uuid -- text outside of keys
-- trap: public.upload.uuid_list -- an array
-- trap: public.upload.short_uuid -- varchar(8) holds no UUID
CREATE DOMAIN uuid_text AS char(36);
CREATE TABLE upload (
    id bigint PRIMARY KEY,
    file_uuid varchar(36),
    guid char(32),
    token varchar(36) DEFAULT gen_random_uuid()::text,
    "parentUuid" varchar(36),
    real_uuid uuid,
    md5 varchar(32),
    external_id varchar(36),
    uuids_seen text,
    note_uuid text,
    uuid_list varchar(36)[],
    short_uuid varchar(8)
);
CREATE TABLE text_key (uuid text PRIMARY KEY);
CREATE TABLE default_key (id text PRIMARY KEY DEFAULT replace(gen_random_uuid()::text, '-', ''));
CREATE TABLE child (id bigint PRIMARY KEY, parent_uuid text REFERENCES text_key);
CREATE INDEX ON child (parent_uuid);
CREATE TABLE domained (uuid uuid_text PRIMARY KEY);
