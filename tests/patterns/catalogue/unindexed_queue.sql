-- version: 15
CREATE SCHEMA other;
CREATE TYPE progress AS ENUM ('waiting', 'running', 'done');
-- defect: public.job.status -- no index
CREATE TABLE job (id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'pending', created_at timestamptz DEFAULT now());
-- defect: public.task.task_state -- an enum, and a time to run at
CREATE TABLE task (task_state progress DEFAULT 'waiting', run_at timestamptz, created_at timestamptz);
-- defect: public.mail.status -- two indexes, neither of both
CREATE TABLE mail (status varchar(20) DEFAULT 'QUEUED', created_at timestamp);
CREATE INDEX ON mail (status);
CREATE INDEX ON mail (created_at);
-- defect: other."Work"."jobStatus" -- camel case, another schema
CREATE TABLE other."Work" ("jobStatus" text DEFAULT 'new', "scheduledAt" timestamptz);
-- defect: public.split.status -- a partitioned table
CREATE TABLE split (id bigint, status text DEFAULT 'pending', created_at timestamptz) PARTITION BY HASH (id);
CREATE TABLE split_0 PARTITION OF split FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- trap: public.split_0.status -- a partition

-- trap: public.served.status -- partial on the status
CREATE TABLE served (id bigint, status text DEFAULT 'pending', created_at timestamptz);
CREATE INDEX ON served (created_at) WHERE status = 'pending';
-- trap: public.paired.status -- an index of both
CREATE TABLE paired (status text DEFAULT 'pending', created_at timestamptz, priority int);
CREATE INDEX ON paired (status, priority, created_at);
-- trap: public.prioritised.status -- partial, in another order
CREATE TABLE prioritised (status text DEFAULT 'pending', created_at timestamptz, priority int);
CREATE INDEX ON prioritised (priority) WHERE status IN ('pending', 'retry');
-- trap: public.post.status -- a draft does not wait
CREATE TABLE post (status text DEFAULT 'draft', created_at timestamptz);
-- trap: public.knowledge_base.status -- what is ready is done
CREATE TABLE knowledge_base (status text DEFAULT 'ready', created_at timestamptz);
-- trap: public.undefaulted.status -- no default
CREATE TABLE undefaulted (status text, created_at timestamptz);
-- trap: public.timeless.status -- no time
CREATE TABLE timeless (status text DEFAULT 'pending', day date);
-- trap: public.country.statement -- another word
CREATE TABLE country (statement text DEFAULT 'pending', estate text DEFAULT 'new', created_at timestamptz);
-- trap: public.computed.status -- not a constant
CREATE TABLE computed (status text DEFAULT lower('PENDING'), created_at timestamptz);
