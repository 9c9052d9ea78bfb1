-- version: 15
CREATE SCHEMA "Sales";
CREATE TABLE open (id bigint PRIMARY KEY, tenant_id bigint);
CREATE TABLE secret (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON secret USING (tenant_id = 1);
CREATE TABLE "Sales"."Order" (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
ALTER TABLE "Sales"."Order" ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON "Sales"."Order" USING (tenant_id = 1);
CREATE TABLE forced (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON forced USING (tenant_id = 1);

-- defect [warning]: public.direct -- reads it
CREATE VIEW direct AS SELECT * FROM secret;
-- defect: public.counts -- reads no column of it
CREATE VIEW counts AS SELECT count(*) FROM secret;
-- defect: "Sales"."All Orders" -- partitioned table, quoted, another schema
CREATE VIEW "Sales"."All Orders" AS SELECT * FROM "Sales"."Order";
-- defect: public.joined -- in a sub-select of a condition
CREATE VIEW joined AS SELECT * FROM open WHERE EXISTS (SELECT FROM secret s WHERE s.id = open.id);
-- defect: public.second -- through another view
CREATE VIEW second AS SELECT * FROM direct;
-- trap: public.invoking -- security_invoker
CREATE VIEW invoking WITH (security_invoker = true) AS SELECT * FROM secret;
-- trap: public.invoking_on -- spelled otherwise
CREATE VIEW invoking_on WITH (security_invoker, security_barrier) AS SELECT * FROM secret;
-- trap: public.above_invoking -- the view below asks with the rights of who queries, whatever is above it
CREATE VIEW above_invoking AS SELECT * FROM invoking;
-- defect: public.barrier -- security_barrier is something else
CREATE VIEW barrier WITH (security_barrier = true) AS SELECT * FROM secret;
-- defect: public.switched_off -- security_invoker = false
CREATE VIEW switched_off WITH (security_invoker = false) AS SELECT * FROM secret;
-- defect: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -- 63 bytes
CREATE VIEW ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt AS SELECT id FROM secret;
-- defect [info]: public.of_forced -- policies apply to the owner as well
CREATE VIEW of_forced AS SELECT * FROM forced;
-- defect [warning]: public.kept -- a materialised view keeps what its owner saw
CREATE MATERIALIZED VIEW kept AS SELECT * FROM secret;

-- trap: public.plain -- reads an open table
CREATE VIEW plain AS SELECT * FROM open;
-- trap: public.above_kept -- reads a materialised view, which is reported itself
CREATE VIEW above_kept AS SELECT * FROM kept;
-- trap: public.constant -- reads nothing
CREATE VIEW constant AS SELECT 1 AS one;
-- trap: public.named_alike -- a CTE of that name, not the table
CREATE VIEW named_alike AS WITH secret AS (SELECT 1 AS id) SELECT * FROM secret;
-- trap: public.invoking_above -- right itself; the view below is reported
CREATE VIEW invoking_above WITH (security_invoker = on) AS SELECT * FROM direct;
-- trap: public.only_policies -- over a table whose row security is off
CREATE TABLE disabled (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY p ON disabled USING (tenant_id = 1);
CREATE VIEW only_policies AS SELECT * FROM disabled;
