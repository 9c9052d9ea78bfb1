-- version: 15
CREATE SCHEMA "Sales";
CREATE FUNCTION current_tenant() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT current_setting('app.tenant')::bigint $$;

-- trap: public.tenant -- the tenants themselves, by their own key
CREATE TABLE tenant (id bigint PRIMARY KEY);
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant USING (id = (SELECT current_tenant()));

-- trap: public.invoice -- protected
CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint, owner_id bigint);
ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));

-- trap: public.payment -- protected, by a condition among others
CREATE TABLE payment (id bigint PRIMARY KEY, tenant_id bigint, owner_id bigint, secret boolean);
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON payment USING (NOT secret AND (tenant_id = current_tenant() OR owner_id = 3));

-- trap: public.document -- protected by way of a sub-select
CREATE TABLE membership (member bigint, team bigint, PRIMARY KEY (member, team));
CREATE TABLE document (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE document ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON document USING (tenant_id IN (SELECT m.team FROM membership m WHERE m.member = current_tenant()));

-- defect: public.forgotten -- has the column, has no row security
CREATE TABLE forgotten (id bigint PRIMARY KEY, tenant_id bigint);

-- defect: public.log -- partitioned
CREATE TABLE log (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
-- trap: public.log_2025 -- the partition of an unprotected table
CREATE TABLE log_2025 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

-- defect: "Sales"."Order" -- in another schema
CREATE TABLE "Sales"."Order" (id bigint PRIMARY KEY, tenant_id integer);

-- defect: public.only_forced -- FORCE without ENABLE
CREATE TABLE only_forced (id bigint PRIMARY KEY, tenant_id bigint);
ALTER TABLE only_forced FORCE ROW LEVEL SECURITY;

-- trap: public.event -- partitioned, protected
CREATE TABLE event (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON event USING (tenant_id = (SELECT current_tenant()));
-- trap: public.event_2025 -- its partition is protected by the parent's policies
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

-- trap: public.country -- shared by all tenants
CREATE TABLE country (id bigint PRIMARY KEY, code text);

-- trap: public.switched_off -- policy-without-row-security says it
CREATE TABLE switched_off (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY own ON switched_off USING (tenant_id = (SELECT current_tenant()));

-- trap: public.owned -- owner_id is tested by fewer tables than tenant_id
CREATE TABLE owned (id bigint PRIMARY KEY, owner_id bigint);

-- trap: public.tenant_view -- views are another pattern's matter
CREATE VIEW tenant_view AS SELECT tenant_id FROM forgotten;
