-- version: 15
DO $$ BEGIN CREATE ROLE pgpatterns_editor; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
CREATE SCHEMA "Sales";
CREATE TABLE a (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE a ENABLE ROW LEVEL SECURITY;
-- defect [warning]: public.a.everything -- all commands
CREATE POLICY everything ON a USING (true);
-- defect: public.a.insert_anything -- WITH CHECK
CREATE POLICY insert_anything ON a FOR INSERT WITH CHECK (true);
-- defect: public.a.half -- reads the tenant's rows, writes any
CREATE POLICY half ON a USING (tenant_id = 1) WITH CHECK (true);
-- defect: public.a.delete_anything -- deletes any
CREATE POLICY delete_anything ON a FOR DELETE USING (true::boolean);
-- defect: public.a.update_anything -- takes any row over
CREATE POLICY update_anything ON a FOR UPDATE USING ((SELECT true)) WITH CHECK (tenant_id = 1);
-- defect [info]: public.a.editor -- for a role by name, where others have conditions
CREATE POLICY editor ON a TO pgpatterns_editor USING (true);
-- defect: public.a.equal -- true by another name
CREATE POLICY equal ON a FOR DELETE USING (1 = 1);
-- trap: public.a.anybody_reads -- reading public data
CREATE POLICY anybody_reads ON a FOR SELECT USING (true);
-- trap: public.a.compares -- a condition
CREATE POLICY compares ON a USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
-- trap: public.a.is_true -- a column that may be true
CREATE POLICY is_true ON a FOR UPDATE USING ((id > 0) IS TRUE);
-- trap: public.a.nothing -- lets nothing through
CREATE POLICY nothing ON a FOR DELETE USING (false);
-- trap: public.a.conjoined -- AND with a condition
CREATE POLICY conjoined ON a FOR DELETE USING (true AND tenant_id = 1);

-- defect: "Sales"."Order".ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp -- quoted, 63 bytes, partitioned
CREATE TABLE "Sales"."Order" (id bigint, day date) PARTITION BY RANGE (day);
ALTER TABLE "Sales"."Order" ENABLE ROW LEVEL SECURITY;
CREATE POLICY ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp ON "Sales"."Order" USING (true);
-- trap: "Sales"."Order_2025"."Any" -- on a partition
CREATE TABLE "Sales"."Order_2025" PARTITION OF "Sales"."Order" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE POLICY "Any" ON "Sales"."Order_2025" USING (true);

-- defect [warning]: public.only_named.anything -- for a role by name, and nobody has a condition
CREATE TABLE only_named (id bigint PRIMARY KEY);
ALTER TABLE only_named ENABLE ROW LEVEL SECURITY;
CREATE POLICY anything ON only_named TO pgpatterns_editor USING (true) WITH CHECK (true);

-- trap: public.restricted.base -- all rules of the table are restrictive
CREATE TABLE restricted (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE restricted ENABLE ROW LEVEL SECURITY;
CREATE POLICY base ON restricted USING (true);
CREATE POLICY tenant ON restricted AS RESTRICTIVE USING (tenant_id = 1);

-- trap: public.piecewise.base -- a restrictive policy for each command that writes
CREATE TABLE piecewise (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE piecewise ENABLE ROW LEVEL SECURITY;
CREATE POLICY base ON piecewise USING (true);
CREATE POLICY i ON piecewise AS RESTRICTIVE FOR INSERT WITH CHECK (tenant_id = 1);
CREATE POLICY u ON piecewise AS RESTRICTIVE FOR UPDATE USING (tenant_id = 1);
CREATE POLICY d ON piecewise AS RESTRICTIVE FOR DELETE USING (tenant_id = 1);

-- defect: public.loose.base -- the restrictive policy concerns reading only
CREATE TABLE loose (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE loose ENABLE ROW LEVEL SECURITY;
CREATE POLICY base ON loose USING (true);
CREATE POLICY tenant ON loose AS RESTRICTIVE FOR SELECT USING (tenant_id = 1);
-- trap: public.loose.no_limit -- a restrictive policy grants nothing
CREATE POLICY no_limit ON loose AS RESTRICTIVE USING (true);
