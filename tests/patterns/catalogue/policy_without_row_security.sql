-- version: 15
CREATE SCHEMA "Sales";

-- defect: public.plain -- forgotten
CREATE TABLE plain (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY p ON plain USING (tenant_id = 1);

-- defect: public.parent -- a partitioned table counts
CREATE TABLE parent (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
CREATE POLICY p ON parent USING (tenant_id = 1);
-- trap: public.parent_2025 -- a partition is not reported beside its parent
CREATE TABLE parent_2025 PARTITION OF parent FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE POLICY p ON parent_2025 USING (tenant_id = 1);

-- defect: "Sales"."Order" -- switched off again
CREATE TABLE "Sales"."Order" (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE "Sales"."Order" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Own Rows" ON "Sales"."Order" USING (tenant_id = 1);
CREATE POLICY "More Rows" ON "Sales"."Order" FOR SELECT USING (true);
ALTER TABLE "Sales"."Order" DISABLE ROW LEVEL SECURITY;

-- defect: public.only_forced -- FORCE does not enable
CREATE TABLE only_forced (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE only_forced FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON only_forced USING (tenant_id = 1);

-- defect: public.only_restrictive -- does nothing either
CREATE TABLE only_restrictive (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY p ON only_restrictive AS RESTRICTIVE USING (tenant_id = 1);

-- trap: public."right" -- enabled
CREATE TABLE "right" (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE "right" ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON "right" USING (tenant_id = 1);

-- trap: public.none -- neither the one nor the other
CREATE TABLE "none" (id bigint PRIMARY KEY, tenant_id bigint);

-- trap: public.enabled_without -- another pattern's matter
CREATE TABLE enabled_without (id bigint PRIMARY KEY);
ALTER TABLE enabled_without ENABLE ROW LEVEL SECURITY;

-- trap: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -- 63 bytes, enabled
CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt ENABLE ROW LEVEL SECURITY;
CREATE POLICY ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp ON ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt USING (tenant_id = 1);
