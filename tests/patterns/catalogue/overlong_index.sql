-- version: 15
-- options: {"keys": 3}
CREATE TABLE wide (a int, b int, c int, d int, e int, f int, g int, h int, i int, j text);
-- defect: public.four -- one too many
CREATE INDEX four ON wide (a, b, c, d);
-- defect: public.five -- expressions count
CREATE INDEX five ON wide (a, b, (c + 1), lower(j), e DESC);
-- defect: public.ginned -- any method
CREATE INDEX ginned ON wide USING brin (a, b, c, d);
-- defect: public.many -- more indexes than columns
CREATE TABLE many (a int, b int);
CREATE INDEX many_1 ON many (a);
CREATE INDEX many_2 ON many (b);
CREATE INDEX many_3 ON many (a, b);
-- trap: public.three -- as many as may be
CREATE INDEX three ON wide (a, b, c);
-- trap: public.carrying -- what is carried is no key
CREATE INDEX carrying ON wide (a, b) INCLUDE (c, d, e);
-- trap: public.rule -- a rule over many columns
CREATE UNIQUE INDEX rule ON wide (a, b, c, d, e);
-- trap: public.keyed_pkey -- a primary key
CREATE TABLE keyed (a int, b int, c int, d int, PRIMARY KEY (a, b, c, d));
-- trap: public.even -- as many indexes as columns
CREATE TABLE even (a int, b int);
CREATE INDEX ON even (a);
CREATE INDEX ON even (b);
