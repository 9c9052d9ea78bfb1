-- version: 15
CREATE SCHEMA "Sales";
CREATE EXTENSION btree_gin;
CREATE FUNCTION me() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT current_setting('app.me')::bigint $$;
CREATE DOMAIN label AS text;

-- defect [warning]: public.a.tenant_id -- no index
CREATE TABLE a (id bigint PRIMARY KEY, tenant_id bigint, second bigint);
CREATE INDEX ON a (second, tenant_id);
CREATE POLICY p ON a USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
CREATE POLICY again ON a FOR SELECT USING (me() = tenant_id);
-- trap: public.a.second -- leads an index
CREATE POLICY q ON a USING (second = me());

-- defect: public.inc.tenant_id -- only after INCLUDE, in a BRIN index and in an invalid one
CREATE TABLE inc (id bigint PRIMARY KEY, tenant_id bigint);
CREATE INDEX ON inc (id) INCLUDE (tenant_id);
CREATE INDEX ON inc USING brin (tenant_id);
CREATE INDEX inc_invalid ON inc (tenant_id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'inc_invalid'::regclass;
CREATE POLICY p ON inc USING (tenant_id = me());

-- defect: "Sales"."Order"."Tenant" -- quoted, partitioned, one partition has an index
CREATE TABLE "Sales"."Order" (id bigint, "Tenant" bigint, day date) PARTITION BY RANGE (day);
CREATE TABLE "Sales"."Order_2025" PARTITION OF "Sales"."Order" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE "Sales"."Order_2026" PARTITION OF "Sales"."Order" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON "Sales"."Order_2025" ("Tenant");
CREATE POLICY p ON "Sales"."Order" USING ("Tenant" = (SELECT me()));
-- trap: "Sales"."Order_2026"."Tenant" -- a partition
CREATE POLICY p ON "Sales"."Order_2026" USING ("Tenant" = (SELECT me()));

-- defect: public.arrays.tenant_id -- = ANY
CREATE TABLE arrays (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY p ON arrays USING (tenant_id = ANY (string_to_array(current_setting('app.tenants'), ',')::bigint[]));

-- defect: public.either.owner_id -- OR: both are needed, one is there
CREATE TABLE either (id bigint PRIMARY KEY, owner_id bigint, team_id bigint);
CREATE INDEX ON either (team_id);
CREATE POLICY p ON either USING (owner_id = me() OR team_id = me());

-- defect: public.texts.code -- varchar against text
CREATE TABLE texts (id bigint PRIMARY KEY, code varchar(20), label label);
CREATE POLICY p ON texts USING (code = (SELECT current_setting('app.code')));
-- defect: public.texts.label -- a domain over text
CREATE POLICY q ON texts USING (label = (SELECT current_setting('app.code')));

-- defect: public.casts.tenant_id -- cast, so that no index could serve it either
CREATE TABLE casts (id bigint PRIMARY KEY, tenant_id bigint);
CREATE POLICY p ON casts USING (tenant_id::text = (SELECT current_setting('app.tenant')));

-- defect: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc -- 63 bytes
CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (id bigint PRIMARY KEY, ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc bigint);
CREATE POLICY p ON ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt USING (ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc = me());

-- defect: public.users.owner -- CURRENT_USER is a value of the session
CREATE TABLE users (id bigint PRIMARY KEY, owner name);
CREATE POLICY p ON users USING (owner = CURRENT_USER);
-- defect: public.users.login -- text against CURRENT_USER takes the collation "C", which the index has not
ALTER TABLE users ADD login text, ADD nick text, ADD alias text;
CREATE INDEX ON users (login);
CREATE POLICY q ON users USING (login = (SELECT CURRENT_USER));
-- trap: public.users.nick -- an index of that collation
CREATE INDEX ON users (nick COLLATE "C");
CREATE POLICY r ON users USING (nick = CURRENT_USER);
-- trap: public.users.alias -- the column's collation, said explicitly
CREATE INDEX ON users (alias);
CREATE POLICY s ON users USING (alias = SESSION_USER::text COLLATE "default");

-- trap: public.lead.tenant_id -- leads a composite index
CREATE TABLE lead (id bigint PRIMARY KEY, tenant_id bigint);
CREATE INDEX ON lead (tenant_id, id);
CREATE POLICY p ON lead USING (tenant_id = (SELECT me()));

-- trap: public.keyed.tenant_id -- leads the primary key
CREATE TABLE keyed (tenant_id bigint, id bigint, PRIMARY KEY (tenant_id, id));
CREATE POLICY p ON keyed USING (tenant_id = (SELECT me()));

-- trap: public.hashed.tenant_id -- hash serves equality
CREATE TABLE hashed (id bigint PRIMARY KEY, tenant_id bigint, state bigint);
CREATE INDEX ON hashed USING hash (tenant_id);
CREATE POLICY p ON hashed USING (tenant_id = (SELECT me()));

-- trap: public.partial.tenant_id -- a partial index leads with it
CREATE TABLE partial (id bigint PRIMARY KEY, tenant_id bigint, deleted_at timestamptz);
CREATE INDEX ON partial (tenant_id) WHERE deleted_at IS NULL;
CREATE POLICY p ON partial USING (tenant_id = (SELECT me()));

-- trap: public.parted.tenant_id -- each partition has an index of its own
CREATE TABLE parted (id bigint, tenant_id bigint, day date) PARTITION BY RANGE (day);
CREATE TABLE parted_2025 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX ON parted_2025 (tenant_id);
CREATE POLICY p ON parted USING (tenant_id = (SELECT me()));

-- trap: public.both_and.kind -- AND: the other column finds the rows
CREATE TABLE both_and (id bigint PRIMARY KEY, kind bigint, tenant_id bigint);
CREATE INDEX ON both_and (tenant_id);
CREATE POLICY p ON both_and USING (kind = me() AND tenant_id = (SELECT me()));

-- trap: public.hopeless.tenant_id -- OR with what no index serves
CREATE TABLE hopeless (id bigint PRIMARY KEY, tenant_id bigint, public boolean, team bigint);
CREATE POLICY p ON hopeless USING (tenant_id = me() OR public);
-- trap: public.hopeless.public -- a flag
CREATE POLICY q ON hopeless USING (public = (SELECT current_setting('app.public')::boolean));
-- trap: public.hopeless.team -- IN (SELECT …) is looked up in the sub-select's result
CREATE POLICY r ON hopeless USING (team IN (SELECT h.second FROM a h WHERE h.tenant_id = me()));

-- trap: public.constants.state -- a constant
CREATE TABLE constants (id bigint PRIMARY KEY, state text, at timestamptz, tenant_id bigint);
CREATE POLICY p ON constants USING (state = 'public');
-- trap: public.constants.at -- not equality
CREATE POLICY q ON constants USING (at > now());
-- trap: public.constants.tenant_id -- WITH CHECK looks for no row
CREATE POLICY r ON constants FOR INSERT WITH CHECK (tenant_id = me());
-- trap: public.constants.id -- a correlated sub-select
CREATE POLICY s ON constants USING (id = (SELECT max(h.id) FROM a h WHERE h.tenant_id = constants.tenant_id));
