-- version: 15
-- defect: public.booking(building, number) -- both nullable
-- defect: public.one_null(building, number) -- one of them
-- defect: public.part(building, number) -- a partitioned table, once
-- defect: public."Booking"("Building", "Number") -- quoted names
-- defect: public.half_checked(building, number) -- a CHECK that has a say on one of them only
-- trap: public.given(building, number) -- all NOT NULL
-- trap: public.full_match(building, number) -- MATCH FULL
-- trap: public.checked(building, number) -- a CHECK: both or none
-- trap: public.counted(building, number) -- the same by num_nulls
-- trap: public.by_domain(building, number) -- a domain that is NOT NULL
-- trap: public.by_check(building, number) -- IS NOT NULL by a CHECK
-- trap: public.single(building_id) -- a single column
-- trap: public.part_1(building, number) -- the leaf's copy
CREATE DOMAIN given_number AS int NOT NULL;
CREATE TABLE building (id bigint PRIMARY KEY);
CREATE TABLE room (building bigint, number int, PRIMARY KEY (building, number));
CREATE TABLE booking (
    id bigint PRIMARY KEY, building bigint, number int, FOREIGN KEY (building, number) REFERENCES room
);
CREATE TABLE one_null (
    id bigint PRIMARY KEY, building bigint NOT NULL, number int, FOREIGN KEY (building, number) REFERENCES room
);
CREATE TABLE part (
    id bigint PRIMARY KEY, building bigint, number int, FOREIGN KEY (building, number) REFERENCES room
) PARTITION BY HASH (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE "Booking" (
    id bigint PRIMARY KEY, "Building" bigint, "Number" int, FOREIGN KEY ("Building", "Number") REFERENCES room
);
CREATE TABLE half_checked (
    id bigint PRIMARY KEY, building bigint, number int CHECK (number IS NULL OR number > 0),
    FOREIGN KEY (building, number) REFERENCES room
);
CREATE TABLE given (
    id bigint PRIMARY KEY, building bigint NOT NULL, number int NOT NULL,
    FOREIGN KEY (building, number) REFERENCES room
);
CREATE TABLE full_match (
    id bigint PRIMARY KEY, building bigint, number int, FOREIGN KEY (building, number) REFERENCES room MATCH FULL
);
CREATE TABLE checked (
    id bigint PRIMARY KEY, building bigint, number int, FOREIGN KEY (building, number) REFERENCES room,
    CHECK ((building IS NULL) = (number IS NULL))
);
CREATE TABLE counted (
    id bigint PRIMARY KEY, building bigint, number int, FOREIGN KEY (building, number) REFERENCES room,
    CHECK (num_nulls(building, number) IN (0, 2))
);
CREATE TABLE by_domain (
    id bigint PRIMARY KEY, building bigint NOT NULL, number given_number,
    FOREIGN KEY (building, number) REFERENCES room
);
CREATE TABLE by_check (
    id bigint PRIMARY KEY, building bigint NOT NULL, number int CHECK (number IS NOT NULL),
    FOREIGN KEY (building, number) REFERENCES room
);
CREATE TABLE single (id bigint PRIMARY KEY, building_id bigint REFERENCES building);
