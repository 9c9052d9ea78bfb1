-- version: 15
CREATE SCHEMA "Sales";
CREATE SCHEMA auth;
CREATE EXTENSION citext;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('request.sub', true), '')::uuid $$;
CREATE FUNCTION current_tenant() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION "Sales"."Current Tenants"() RETURNS bigint[] LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ARRAY[1]; END';
CREATE FUNCTION tenants() RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN NEXT 1; END';
CREATE FUNCTION careless() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION answer() RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 42; END';
CREATE FUNCTION has_access(tenant bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END';
CREATE FUNCTION has_access(tenant bigint, role text) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END';

CREATE TABLE member (team_id bigint, user_id uuid, role text, PRIMARY KEY (team_id, user_id));
CREATE TABLE a (
    id bigint PRIMARY KEY, tenant_id bigint, team_id bigint, user_id uuid, code varchar(10), owner name,
    at timestamptz, day date, note citext, public boolean
);
ALTER TABLE a ENABLE ROW LEVEL SECURITY;

-- defect: public.a.setting -- the plain case
CREATE POLICY setting ON a USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer);
-- defect: public.a.only_check -- in WITH CHECK
CREATE POLICY only_check ON a FOR INSERT WITH CHECK (tenant_id = current_setting('app.tenant')::bigint);
-- defect: public.a.half_wrapped -- wrapped in USING, not in WITH CHECK
CREATE POLICY half_wrapped ON a USING (tenant_id = (SELECT current_tenant())) WITH CHECK (tenant_id = current_tenant());
-- defect: public.a.uid -- a function in another schema
CREATE POLICY uid ON a USING (user_id = auth.uid());
-- defect: public.a.own -- a function of one's own
CREATE POLICY own ON a USING (current_tenant() = tenant_id);
-- defect: public.a.careless -- VOLATILE: declared by omission
CREATE POLICY careless ON a USING (tenant_id = careless());
-- defect: public.a.in_array -- right of ANY, with a cast
CREATE POLICY in_array ON a USING (tenant_id = ANY (string_to_array(current_setting('app.tenants'), ',')::bigint[]));
-- defect: public.a.in_own_array -- right of ANY, without a cast
CREATE POLICY in_own_array ON a USING (code = ANY (string_to_array(current_setting('app.codes'), ',')));
-- defect: public.a.in_list -- in a list
CREATE POLICY in_list ON a USING (tenant_id IN (current_tenant(), 7));
-- defect: public.a.correlated -- inside a sub-select that depends on the row
CREATE POLICY correlated ON a USING (EXISTS (
    SELECT 1 FROM member m WHERE m.team_id = a.team_id AND m.user_id = auth.uid()));
-- defect: public.a.correlated_unqualified -- the same, as one may write it
CREATE POLICY correlated_unqualified ON a USING (EXISTS (
    SELECT 1 FROM member WHERE member.team_id = tenant_id AND role = current_setting('app.role')));
-- defect: public.a.deep -- two levels down, the outer one depends on the row
CREATE POLICY deep ON a USING (team_id IN (
    SELECT m.team_id FROM member m WHERE m.role IN (SELECT current_setting('app.role') WHERE a.public)));
-- defect: public.a.all_wrapped -- the whole comparison is wrapped, column and all: it depends on the row
CREATE POLICY all_wrapped ON a USING ((SELECT auth.uid() = a.user_id));
-- defect: public.a.looked_up -- left of IN
CREATE POLICY looked_up ON a USING (auth.uid() IN (SELECT m.user_id FROM member m WHERE m.role = 'admin'));
-- defect: public.a.tested_for_null -- three times, once in a test
CREATE POLICY tested_for_null ON a USING (
    tenant_id IS NOT NULL AND current_setting('app.tenant', true) IS NOT NULL
    AND tenant_id::text = current_setting('app.tenant', true));
-- defect: public.a.branch -- one branch is wrapped, the other is not
CREATE POLICY branch ON a USING (tenant_id = (SELECT current_tenant()) OR current_setting('app.admin', true) = 'on');
-- defect: public.a.in_case -- in a CASE
CREATE POLICY in_case ON a USING (CASE WHEN current_setting('app.all', true) = 'on' THEN true ELSE tenant_id = 1 END);
-- defect: public.a.claims -- out of a JSON setting
CREATE POLICY claims ON a USING (user_id = (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid);
-- defect: public.a.argument -- as an argument beside a column
CREATE POLICY argument ON a USING (has_access(tenant_id, current_setting('app.role')));
-- defect: public.a.role_member -- a look-up in the catalog for each row
CREATE POLICY role_member ON a USING (public OR pg_has_role('postgres', 'member'));
-- defect: public.a.alone -- no column at all: still evaluated for each row
CREATE POLICY alone ON a FOR SELECT USING (current_setting('app.admin', true) = 'on');
-- defect: public.a.ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp -- 63 bytes
CREATE POLICY ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp ON a USING (user_id = auth.uid());

-- defect: "Sales"."Order"."Own Rows" -- quoted, partitioned
CREATE TABLE "Sales"."Order" (id bigint, "Tenant" bigint, day date) PARTITION BY RANGE (day);
CREATE POLICY "Own Rows" ON "Sales"."Order" USING ("Tenant" = ANY ("Sales"."Current Tenants"()));
-- trap: "Sales"."Order_2025"."Own Rows" -- on a partition
CREATE TABLE "Sales"."Order_2025" PARTITION OF "Sales"."Order" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE POLICY "Own Rows" ON "Sales"."Order_2025" USING ("Tenant" = current_tenant());

-- trap: public.a.wrapped -- right
CREATE POLICY wrapped ON a USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
-- trap: public.a.wrapped_and_cast -- the cast outside, and a default inside
CREATE POLICY wrapped_and_cast ON a
    USING (tenant_id = (SELECT coalesce(nullif(current_setting('app.tenant', true), ''), '0'))::bigint);
-- trap: public.a.wrapped_array -- an array from a sub-select
CREATE POLICY wrapped_array ON a
    USING (tenant_id = ANY ((SELECT string_to_array(current_setting('app.tenants'), ',')::bigint[])::bigint[]));
-- trap: public.a.array_of_rows -- ARRAY(SELECT …)
CREATE POLICY array_of_rows ON a USING (tenant_id = ANY (ARRAY(SELECT tenants())));
-- trap: public.a.uncorrelated -- a sub-select with a table, which depends on no row
CREATE POLICY uncorrelated ON a USING (team_id IN (SELECT m.team_id FROM member m WHERE m.user_id = auth.uid()));
-- trap: public.a.same_alias -- its table has the column's name as well
CREATE POLICY same_alias ON a USING (team_id IN (SELECT team_id FROM member WHERE user_id = auth.uid()));
-- trap: public.a.itself -- a sub-select on the policy's own table, which names its own alias
CREATE POLICY itself ON a USING (team_id IN (SELECT a.team_id FROM public.member a WHERE a.user_id = auth.uid()));
-- trap: public.a.correlated_wrapped -- depends on the row, the call inside is wrapped
CREATE POLICY correlated_wrapped ON a USING (EXISTS (
    SELECT 1 FROM member m WHERE m.team_id = a.team_id AND m.user_id = (SELECT auth.uid())));
-- trap: public.a.admin_only -- a sub-select on a table, which depends on no row
CREATE POLICY admin_only ON a USING (EXISTS (SELECT 1 FROM member WHERE user_id = auth.uid() AND role = 'admin'));
-- trap: public.a.united -- UNION, WITH and sub-selects in FROM, none of which depend on the row
CREATE POLICY united ON a USING (team_id IN (
    WITH mine AS (SELECT m.team_id, m.role FROM member m WHERE m.user_id = auth.uid())
    SELECT mine.team_id FROM mine JOIN LATERAL (SELECT mine.role AS r) l ON l.r = 'x'
    UNION SELECT s.team_id FROM (SELECT team_id FROM member WHERE role = current_setting('app.role')) s));
-- trap: public.a.of_the_row -- has to run for each row
CREATE POLICY of_the_row ON a USING (has_access(tenant_id));
-- trap: public.a.of_the_row_wrapped -- with the session's part wrapped
CREATE POLICY of_the_row_wrapped ON a USING (has_access(tenant_id, (SELECT current_setting('app.role'))));
-- trap: public.a.immutable -- folded when the query is planned
CREATE POLICY immutable ON a USING (tenant_id = answer());
-- trap: public.a.constant -- nothing is called
CREATE POLICY constant ON a USING (tenant_id = 3 AND public);
-- trap: public.a.clock -- a clock costs nothing
CREATE POLICY clock ON a USING (at > now() AND day <= CURRENT_DATE);
-- trap: public.a.docs -- the documentation's own example
CREATE POLICY docs ON a USING (owner = CURRENT_USER);
-- trap: public.a.formatted -- STABLE, but of the row
CREATE POLICY formatted ON a USING (to_char(at, 'YYYY') = '2025' AND date_trunc('day', at) = at);
-- trap: public.a.of_an_extension -- a function of an extension, of the row
CREATE POLICY of_an_extension ON a USING (note = 'x'::citext AND lower(note) = 'x');
-- trap: public.a.from_function -- a function in FROM keeps its rows
CREATE POLICY from_function ON a USING (EXISTS (SELECT 1 FROM tenants() t(id) WHERE t.id = a.tenant_id));
