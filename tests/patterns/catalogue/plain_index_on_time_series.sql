-- version: 15
CREATE DOMAIN moment AS timestamptz;
-- defect: public.audit_log.created_at -- a btree
CREATE TABLE audit_log (id bigint PRIMARY KEY, what text, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON audit_log (created_at);
-- defect: public.user_events.occurred_at -- no index
CREATE TABLE user_events (id bigint PRIMARY KEY, occurred_at timestamptz DEFAULT CURRENT_TIMESTAMP);
-- defect: public.metric_samples.recorded_at -- a domain, and statement_timestamp()
CREATE TABLE metric_samples (id bigint, value float8, recorded_at moment NOT NULL DEFAULT statement_timestamp());
CREATE INDEX ON metric_samples (id, recorded_at);
-- defect: public."AuditEntries"."CreatedAt" -- camel case
CREATE TABLE "AuditEntries" ("Id" bigint, "CreatedAt" timestamptz DEFAULT now());
-- defect: public.requests.created_at -- partitioned by the timestamp
CREATE TABLE requests (id bigint, created_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (created_at);
CREATE TABLE requests_2026 PARTITION OF requests FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
-- trap: public.requests_2026.created_at -- a partition

-- trap: public.login_log.created_at -- BRIN
CREATE TABLE login_log (id bigint, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON login_log USING brin (created_at);
-- trap: public.change_log.created_at -- its rows change
CREATE TABLE change_log (id bigint, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
-- trap: public.event_types.created_at -- a kind of event is no event
CREATE TABLE event_types (id bigint, created_at timestamptz DEFAULT now());
-- trap: public.logins.created_at -- no word for a log
CREATE TABLE logins (id bigint, created_at timestamptz DEFAULT now());
-- trap: public.outbox_events.created_at -- marked when it is processed
CREATE TABLE outbox_events (id bigint, created_at timestamptz DEFAULT now(), processed_at timestamptz);
-- trap: public.calendar_events.created_at -- an event with a time of its own
CREATE TABLE calendar_events (id bigint, starts_at timestamptz NOT NULL, created_at timestamptz DEFAULT now());
-- trap: public.job_events.created_at -- a status changes
CREATE TABLE job_events (id bigint, status text, created_at timestamptz DEFAULT now());
-- trap: public.paged_log.created_at -- sorted by, together with the key
CREATE TABLE paged_log (id bigint, created_at timestamptz DEFAULT now());
CREATE INDEX ON paged_log (created_at DESC, id);
-- trap: public.sent_log.sent_on -- a date that people give
CREATE TABLE sent_log (id bigint, sent_on date DEFAULT now(), created_at timestamptz);
-- trap: public.unique_log.created_at -- one row a moment
CREATE TABLE unique_log (created_at timestamptz PRIMARY KEY DEFAULT now());
