-- version: 15
-- defect: public.job.status -- upper case against lower case
-- defect: public.job.level -- a number that is not in the list
-- defect: public.job.short -- longer than the type
-- defect: "Other"."Job"."Kind" -- quoted names
-- trap: public.good.status -- in the list
-- trap: public.good.level -- a number in the list
-- trap: public.good.ratio -- 1.0 and 1 are written differently
-- trap: public.good.flag -- a boolean
-- trap: public.good.code -- char(n) is padded
-- trap: public.good.free -- the CHECK is no list
-- trap: public.good.computed -- computed
-- trap: public.good.nothing -- no default
CREATE SCHEMA "Other";
CREATE TABLE job (
    id bigint PRIMARY KEY, status text DEFAULT 'PENDING' CHECK (status IN ('pending', 'done')),
    level smallint DEFAULT 0 CHECK (level IN (1, 2)), short varchar(3) DEFAULT 'long'
);
CREATE TABLE "Other"."Job" (id bigint PRIMARY KEY, "Kind" varchar(9) DEFAULT 'x' CHECK ("Kind" = 'a' OR "Kind" = 'b'));
CREATE TABLE good (
    id bigint PRIMARY KEY, status text DEFAULT 'pending' CHECK (status IN ('pending', 'done')),
    level int DEFAULT '2' CHECK (level BETWEEN 1 AND 3), ratio numeric DEFAULT 1.0 CHECK (ratio IN (1, 2)),
    flag boolean DEFAULT true CHECK (flag IN (true)), code char(3) DEFAULT 'a' CHECK (code IN ('a', 'b')),
    free text DEFAULT '' CHECK (length(free) < 9), computed text DEFAULT lower('A') CHECK (computed IN ('b')),
    nothing text CHECK (nothing IN ('b'))
);
