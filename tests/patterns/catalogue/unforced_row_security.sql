-- version: 15
CREATE SCHEMA "Sales";

-- defect [info]: public.plain -- not forced
CREATE TABLE plain (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON plain USING (tenant_id = 1);

-- defect: public.parent -- partitioned
CREATE TABLE parent (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON parent USING (tenant_id = 1);
-- trap: public.parent_2025 -- a partition, not forced
CREATE TABLE parent_2025 PARTITION OF parent FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE parent_2025 ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON parent_2025 USING (tenant_id = 1);

-- defect: "Sales"."Order" -- forced and released again
CREATE TABLE "Sales"."Order" (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE "Sales"."Order" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE "Sales"."Order" NO FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON "Sales"."Order" FOR SELECT USING (tenant_id = 1);

-- defect: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -- 63 bytes
CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt ENABLE ROW LEVEL SECURITY;
CREATE POLICY ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp ON ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt USING (tenant_id = 1);

-- trap: public.forced -- forced
CREATE TABLE forced (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON forced USING (tenant_id = 1);

-- trap: public.disabled -- no row security
CREATE TABLE disabled (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY p ON disabled USING (tenant_id = 1);

-- trap: public.without_policy -- closed to all but the owner
CREATE TABLE without_policy (id bigint PRIMARY KEY);
ALTER TABLE without_policy ENABLE ROW LEVEL SECURITY;

-- trap: public.only_view -- a view has none
CREATE VIEW only_view AS SELECT * FROM forced;
