-- version: 15
-- defect: public.invoice.bypass -- a setting beside the tenant
-- defect: public.invoice.unset -- a setting that is not there
-- defect: public.invoice.writes -- in WITH CHECK
-- defect: "Other"."Invoice"."Way out" -- quoted names, within a sub-select
-- trap: public.good.tenant -- the tenant alone
-- trap: public.good.role_too -- the role is asked for as well
-- trap: public.good.service -- PostgREST's own
-- trap: public.good.narrow -- restrictive
-- trap: public.good.looked_up -- a table says so
-- trap: public.good.two_sided -- the row must meet a condition too
CREATE SCHEMA "Other";
CREATE TABLE admin (name text PRIMARY KEY);
CREATE TABLE invoice (id bigint PRIMARY KEY, tenant bigint);
CREATE POLICY bypass ON invoice
    USING (current_setting('app.bypass', true) = 'on' OR tenant = (SELECT current_setting('app.tenant')::bigint));
CREATE POLICY unset ON invoice
    USING (nullif(current_setting('app.tenant', true), '') IS NULL OR tenant = current_setting('app.tenant')::bigint);
CREATE POLICY writes ON invoice FOR INSERT WITH CHECK (tenant = 1 OR current_setting('app.job')::boolean);
CREATE TABLE "Other"."Invoice" (id bigint PRIMARY KEY, tenant bigint);
CREATE POLICY "Way out" ON "Other"."Invoice" USING ((SELECT current_setting('app.all', true)) = 'on' OR tenant = 1);
CREATE TABLE good (id bigint PRIMARY KEY, tenant bigint, owner text);
CREATE POLICY tenant ON good USING (tenant = (SELECT current_setting('app.tenant')::bigint));
CREATE POLICY role_too ON good
    USING ((current_setting('app.bypass', true) = 'on' AND CURRENT_USER = 'job') OR tenant = 1);
CREATE POLICY service ON good USING (current_setting('request.jwt.claims', true)::json ->> 'role' = 'x' OR tenant = 1);
CREATE POLICY narrow ON good AS RESTRICTIVE USING (current_setting('app.open', true) = 'on' OR tenant = 1);
CREATE POLICY looked_up ON good
    USING (EXISTS (SELECT FROM admin WHERE name = current_setting('app.user', true)) OR tenant = 1);
CREATE POLICY two_sided ON good USING ((current_setting('app.bypass', true) = 'on' AND owner = 'x') OR tenant = 1);
