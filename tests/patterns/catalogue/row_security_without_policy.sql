-- version: 15
CREATE SCHEMA "Sales";

-- defect: public.plain -- no policy at all
CREATE TABLE plain (id bigint PRIMARY KEY);
ALTER TABLE plain ENABLE ROW LEVEL SECURITY;

-- defect: public.parent -- a partitioned table counts
CREATE TABLE parent (id bigint, day date) PARTITION BY RANGE (day);
CREATE TABLE parent_2025 PARTITION OF parent FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;

-- defect: "Sales"."Order" -- quoted, in another schema, forced
CREATE TABLE "Sales"."Order" (id bigint PRIMARY KEY);
ALTER TABLE "Sales"."Order" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- defect: public.only_restrictive -- restrictive policies alone grant nothing
CREATE TABLE only_restrictive (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE only_restrictive ENABLE ROW LEVEL SECURITY;
CREATE POLICY narrow ON only_restrictive AS RESTRICTIVE USING (tenant_id = 1);

-- defect: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -- 63 bytes
CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (id bigint PRIMARY KEY);
ALTER TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt ENABLE ROW LEVEL SECURITY;

-- trap: public.with_policy -- has one
CREATE TABLE with_policy (id bigint PRIMARY KEY);
ALTER TABLE with_policy ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON with_policy FOR SELECT USING (true);

-- trap: public.plain_off -- row security is off
CREATE TABLE plain_off (id bigint PRIMARY KEY);

-- trap: public.only_forced -- FORCE without ENABLE does nothing
CREATE TABLE only_forced (id bigint PRIMARY KEY);
ALTER TABLE only_forced FORCE ROW LEVEL SECURITY;

-- trap: public.event -- its policy is on the parent
CREATE TABLE event (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON event USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
-- trap: public.event_2025 -- a partition: closed to direct access on purpose, reached through its parent
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE event_2025 ENABLE ROW LEVEL SECURITY;
-- trap: public.event_2026 -- a partition that is partitioned itself
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (id);
ALTER TABLE event_2026 ENABLE ROW LEVEL SECURITY;

-- trap: public.mixed -- restrictive and permissive
CREATE TABLE mixed (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE mixed ENABLE ROW LEVEL SECURITY;
CREATE POLICY narrow ON mixed AS RESTRICTIVE USING (tenant_id = 1);
CREATE POLICY wide ON mixed USING (true);
