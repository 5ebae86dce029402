-- Statements that define what is in a database.

--- tables
CREATE TABLE t (i INTEGER PRIMARY KEY, k INTEGER, s VARCHAR);
INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, NULL);

--- CREATE SCHEMA
CREATE SCHEMA one;
CREATE SCHEMA one;
CREATE SCHEMA IF NOT EXISTS one;
CREATE OR REPLACE SCHEMA one;
CREATE SCHEMA dh.two;
CREATE TABLE one.t (i INTEGER);
CREATE TABLE dh.two.t AS SELECT 2 AS i;
FROM one.t;
FROM dh.two.t;
USE dh.one;
INSERT INTO t VALUES (5);
FROM t;
SELECT current_schema();
CREATE TABLE u AS FROM t;
FROM dh.one.u;
USE dh;
FROM u;
SET schema = 'two';
FROM t;
SET search_path = 'one,two';
FROM u;
USE dh.main;
CREATE SCHEMA main;
SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'dh' AND NOT internal;

--- DROP SCHEMA
CREATE SCHEMA one;
DROP SCHEMA one;
DROP SCHEMA one;
DROP SCHEMA IF EXISTS one;
CREATE SCHEMA two;
CREATE TABLE two.t (i INTEGER);
DROP SCHEMA two;
DROP SCHEMA two CASCADE;
FROM two.t;

--- CREATE TABLE
CREATE TABLE a (i INTEGER, s VARCHAR DEFAULT 'x', d DOUBLE DEFAULT 1 + 1, ts TIMESTAMP DEFAULT now());
INSERT INTO a (i) VALUES (1);
SELECT i, s, d, ts > TIMESTAMP '2000-01-01' FROM a;
CREATE TABLE a (i INTEGER);
CREATE TABLE IF NOT EXISTS a (other INTEGER);
DESCRIBE a;
CREATE OR REPLACE TABLE a (b BOOLEAN);
FROM a;
CREATE TABLE "Strange name" ("a ""b" INTEGER, "select" VARCHAR);
INSERT INTO "Strange name" VALUES (1, 'x');
SELECT "a ""b", "select" FROM "strange NAME";
CREATE TABLE b (i INTEGER, i INTEGER);
CREATE TABLE c (i NOTHING);
CREATE TABLE nothing.d (i INTEGER);
CREATE TABLE e (s STRUCT(a INTEGER, b INTEGER[]), m MAP(VARCHAR, INTEGER), f DECIMAL(10, 2), e ENUM('x', 'y'), v
    VARCHAR COLLATE NOCASE);
INSERT INTO e VALUES ({a: 1, b: [2]}, MAP {'k': 1}, 1.5, 'y', 'ABC');
FROM e WHERE v = 'abc';
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- PRIMARY KEY, UNIQUE
CREATE TABLE a (i INTEGER PRIMARY KEY, u INTEGER UNIQUE);
INSERT INTO a VALUES (1, 1), (2, NULL), (3, NULL);
INSERT INTO a VALUES (1, 5);
INSERT INTO a VALUES (5, 1);
UPDATE a SET i = 2 WHERE i = 1;
INSERT INTO a VALUES (NULL, 9);
CREATE TABLE b (i INTEGER, j INTEGER, PRIMARY KEY (i, j), CONSTRAINT named UNIQUE (j, i));
INSERT INTO b VALUES (1, 1), (1, 2);
INSERT INTO b VALUES (1, 1);
SELECT table_name, constraint_type, constraint_text, constraint_column_names, referenced_table, constraint_name
    FROM duckdb_constraints() WHERE database_name = 'dh';
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- CHECK, NOT NULL
CREATE TABLE a (i INTEGER NOT NULL CHECK (i > 0), j INTEGER, CONSTRAINT c CHECK (i < j));
INSERT INTO a VALUES (1, 2);
INSERT INTO a VALUES (0, 2);
INSERT INTO a VALUES (3, 2);
INSERT INTO a VALUES (NULL, 2);
UPDATE a SET j = 0;
UPDATE a SET i = NULL;
INSERT INTO a VALUES (5, NULL);
FROM a;
SELECT table_name, constraint_type, constraint_text, constraint_column_names, referenced_table, constraint_name
    FROM duckdb_constraints() WHERE database_name = 'dh';
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- FOREIGN KEY
CREATE TABLE a (i INTEGER PRIMARY KEY);
CREATE TABLE b (i INTEGER REFERENCES a (i), x INTEGER);
CREATE TABLE c (i INTEGER, FOREIGN KEY (i) REFERENCES a);
INSERT INTO a VALUES (1), (2);
INSERT INTO b VALUES (1, 1);
INSERT INTO b VALUES (3, 1);
DELETE FROM a WHERE i = 1;
DELETE FROM a WHERE i = 2;
UPDATE b SET i = 9;
DROP TABLE a;
SELECT table_name, constraint_type, constraint_text, constraint_column_names, referenced_table, constraint_name
    FROM duckdb_constraints() WHERE database_name = 'dh';
DROP TABLE b;
DROP TABLE c;
DROP TABLE a;
CREATE TABLE tree (i INTEGER PRIMARY KEY, parent INTEGER REFERENCES tree (i));
INSERT INTO tree VALUES (1, NULL);
INSERT INTO tree VALUES (2, 1);
INSERT INTO tree VALUES (3, 7);
FROM tree;
CREATE TABLE d (i INTEGER REFERENCES nothing (i));

--- generated columns
CREATE TABLE a (i INTEGER, g INTEGER GENERATED ALWAYS AS (i * 2) VIRTUAL, s AS ('x' || i));
INSERT INTO a VALUES (1), (2);
FROM a;
SELECT g FROM a WHERE g = 4;
INSERT INTO a (i, g) VALUES (1, 1);
UPDATE a SET i = 5 WHERE g = 2;
UPDATE a SET g = 1;
FROM a;
SELECT sum(g), max(s) FROM a;
INSERT INTO a VALUES (9) RETURNING *;
UPDATE a SET i = 10 WHERE i = 9 RETURNING *;
DELETE FROM a WHERE i = 10 RETURNING *;
ALTER TABLE a DROP COLUMN g;
FROM a;
ALTER TABLE a RENAME COLUMN i TO j;
CREATE TEMP TABLE back AS FROM a;
FROM back;
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- CREATE TEMP TABLE
CREATE TEMP TABLE here (i INTEGER);
INSERT INTO here VALUES (1);
FROM here;
CREATE TEMPORARY TABLE here2 AS FROM here;
CREATE OR REPLACE TEMP TABLE here AS SELECT 7 AS x;
FROM here;
CREATE TABLE there AS FROM here;
FROM dh.there;
SELECT database_name, table_name FROM duckdb_tables();
DROP TABLE here;
FROM here;
CREATE TEMP VIEW tv AS FROM there;
FROM tv;
CREATE TEMP TABLE there (i INTEGER);
INSERT INTO there VALUES (1);
FROM there;
FROM dh.there;
DROP TABLE there;
FROM there;
CREATE TEMP SEQUENCE ts;
SELECT nextval('ts');
INSERT INTO there SELECT nextval('ts');
FROM there;
CREATE TEMP MACRO tm(x) AS x + 1;
SELECT tm(x) FROM there;
UPDATE there SET x = tm(x);
FROM there;

--- CREATE TABLE AS
-- with tables
CREATE TABLE u AS SELECT i, s || '!' AS x FROM t;
FROM u;
CREATE TABLE u AS SELECT 1;
CREATE TABLE IF NOT EXISTS u AS SELECT 1;
CREATE OR REPLACE TABLE u AS SELECT 1 AS one;
FROM u;
CREATE OR REPLACE TABLE u AS SELECT one + 1 AS two FROM u;
FROM u;
CREATE TABLE e AS FROM t WITH NO DATA;
FROM e;
CREATE TABLE n (a, b) AS SELECT 1, 2;
FROM n;
CREATE TABLE r AS FROM range(5);
FROM r;
CREATE TABLE bad AS SELECT error('no') AS x;
FROM bad;
CREATE TABLE f AS SELECT t.i, range FROM t JOIN range(3) ON range = i;
FROM f;
CREATE TABLE dup AS SELECT 1 AS a, 2 AS a;
DESCRIBE dup;
CREATE TABLE z AS SELECT NULL AS x;
DESCRIBE z;
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- DROP TABLE
-- with tables
CREATE VIEW v AS FROM t;
DROP VIEW t;
DROP TABLE v;
DROP TABLE t;
FROM v;
DROP TABLE t;
DROP TABLE IF EXISTS t;
DROP TABLE IF EXISTS nothing.t;
CREATE TABLE a (i INTEGER);
DROP TABLE dh.main.a CASCADE;

--- CREATE VIEW
-- with tables
CREATE VIEW v AS SELECT i, s FROM t WHERE i < 3;
FROM v;
SELECT s FROM v WHERE i = 1;
CREATE VIEW v AS SELECT 1;
CREATE VIEW IF NOT EXISTS v AS SELECT 1;
CREATE OR REPLACE VIEW v AS SELECT k, count(*) AS n FROM t GROUP BY k;
FROM v;
CREATE VIEW named (a, b) AS SELECT i, s FROM t;
SELECT a, b FROM named;
CREATE VIEW over AS SELECT a + 1 AS c FROM named;
FROM over;
CREATE VIEW full_name AS FROM dh.main.t;
SELECT count(*) FROM full_name;
CREATE VIEW bad AS FROM nothing;
CREATE VIEW cte AS WITH x AS (FROM t) SELECT count(*) AS n FROM x;
FROM cte;
CREATE VIEW values_of AS VALUES (1), (2);
FROM values_of;
SELECT a.i FROM v AS a(i, n);
SELECT count(*) FROM named JOIN t ON a = i;
INSERT INTO v VALUES (1, 2);
UPDATE v SET n = 1;
DELETE FROM v;
SELECT view_name, sql, column_count FROM duckdb_views() WHERE database_name = 'dh';
CREATE TEMP VIEW here AS SELECT i FROM t;
FROM here;
CREATE VIEW pivoted AS PIVOT t ON k IN (1, 2) USING sum(i);
FROM pivoted;
CREATE RECURSIVE VIEW nums(n) AS VALUES (1) UNION ALL SELECT n + 1 FROM nums WHERE n < 4;
FROM nums;
CREATE TEMP TABLE mine (i INTEGER);
CREATE MACRO m(x) AS x * 10;
CREATE VIEW with_macro AS SELECT m(i) AS x FROM t;
FROM with_macro;
SELECT column_name, column_type FROM (DESCRIBE named);
DROP TABLE t;
FROM v;
DROP VIEW v;
DROP VIEW v;
DROP VIEW IF EXISTS v;

--- names of the database within definitions
-- with tables
USE memory;
CREATE VIEW dh.v AS SELECT t.i, dh.t.k FROM dh.t WHERE dh.main.t.i < 3;
FROM dh.v;
CREATE VIEW dh.w AS SELECT (SELECT max(i) FROM dh.main.t) AS m, count(*) AS n FROM dh.v;
FROM dh.w;
CREATE SEQUENCE dh.q START 7;
CREATE TABLE dh.d (id INTEGER DEFAULT nextval('dh.q'), x INTEGER);
INSERT INTO dh.d (x) VALUES (1);
ALTER TABLE dh.d ALTER x SET DEFAULT nextval('dh.main.q');
INSERT INTO dh.d DEFAULT VALUES;
ALTER TABLE dh.d ADD COLUMN y INTEGER DEFAULT currval('dh.q');
INSERT INTO dh.d (x) VALUES (2);
FROM dh.d;
CREATE MACRO dh.most() AS (SELECT max(i) FROM dh.t);
SELECT dh.most();
CREATE MACRO dh.few(n) AS TABLE SELECT * FROM dh.main.t WHERE i <= n;
FROM dh.few(2);
CREATE VIEW dh.m AS SELECT dh.most() AS x;
FROM dh.m;
CREATE TYPE dh.mood AS ENUM ('a', 'b');
CREATE TABLE dh.e (m dh.mood DEFAULT 'a');
INSERT INTO dh.e DEFAULT VALUES;
FROM dh.e;
CREATE SCHEMA dh.s;
CREATE TABLE dh.s.t AS SELECT 'in s' AS x;
CREATE VIEW dh.s.v AS FROM dh.s.t;
FROM dh.s.v;
CREATE TABLE dh.f (i INTEGER REFERENCES dh.t (i));
CREATE TABLE dh.f (i INTEGER);
CREATE INDEX fx ON dh.f (i);
CREATE UNIQUE INDEX fy ON dh.main.f (i);
DROP INDEX dh.fy;
INSERT INTO dh.f VALUES (1);
INSERT INTO dh.f VALUES (77);
COMMENT ON TABLE dh.f IS 'x';
ALTER TABLE dh.f RENAME COLUMN i TO j;
DROP INDEX dh.fx;
DROP TABLE dh.f;
USE dh;
SELECT sql FROM duckdb_views() WHERE view_name IN ('v', 'w', 'm') AND database_name = 'dh' AND schema_name =
    'main';
SELECT column_default FROM duckdb_columns() WHERE table_name = 'd';
FROM v;
FROM m;
INSERT INTO d (x) VALUES (3);
SELECT max(id) FROM d;
CREATE SCHEMA dh;
CREATE TABLE dh.dh.t AS SELECT 'schema dh' AS x;
FROM dh.dh.t;
CREATE VIEW amb AS FROM dh.dh.t;
FROM amb;

--- ALTER VIEW
-- with tables
CREATE VIEW v AS SELECT i FROM t;
ALTER VIEW v RENAME TO w;
FROM w;
FROM v;
ALTER VIEW IF EXISTS v RENAME TO x;
ALTER VIEW t RENAME TO x;
ALTER TABLE w RENAME TO x;

--- CREATE INDEX, DROP INDEX
-- with tables
CREATE INDEX by_k ON t (k);
SELECT s FROM t WHERE k = 2;
CREATE INDEX by_k ON t (s);
-- succeeds
CREATE INDEX IF NOT EXISTS by_k ON t (s);
CREATE UNIQUE INDEX u ON t (s);
INSERT INTO t VALUES (9, 9, 'a');
CREATE INDEX ex ON t ((k + 1), lower(s));
SELECT i FROM t WHERE k + 1 = 3;
CREATE INDEX bad ON t (nothing);
CREATE INDEX bad ON nothing (i);
INSERT INTO t VALUES (10, 1, 'c'), (11, 1, 'd');
CREATE UNIQUE INDEX twice ON t (k);
SELECT index_name, table_name, is_unique, expressions FROM duckdb_indexes() WHERE database_name = 'dh';
DROP INDEX by_k;
DROP INDEX by_k;
DROP INDEX IF EXISTS by_k;
DROP INDEX dh.main.ex;
DROP INDEX u;
SELECT count(*) FROM duckdb_indexes();
CREATE INDEX "odd name" ON t USING ART (i, k);
DROP INDEX "odd name";
CREATE VIEW v AS FROM t;
CREATE INDEX vi ON v (i);

--- CREATE SEQUENCE, DROP SEQUENCE
CREATE SEQUENCE q;
CREATE SEQUENCE q;
CREATE SEQUENCE IF NOT EXISTS q;
SELECT nextval('q'), nextval('q');
SELECT currval('q');
CREATE OR REPLACE SEQUENCE q START 10 INCREMENT BY 5 MAXVALUE 20;
SELECT currval('q');
SELECT nextval('dh.main.q') FROM range(2);
SELECT nextval('q');
SELECT nextval('q');
CREATE SEQUENCE cyc MINVALUE 1 MAXVALUE 2 CYCLE;
SELECT nextval('cyc') FROM range(3);
CREATE SEQUENCE ids START 100;
CREATE TABLE t (id INTEGER DEFAULT nextval('ids'), s VARCHAR);
INSERT INTO t (s) VALUES ('a'), ('b');
INSERT INTO t (s) VALUES ('c') RETURNING id;
INSERT INTO t BY NAME SELECT 'r' || range AS s FROM range(3);
FROM t;
INSERT INTO t VALUES (nextval('ids'), 'x');
UPDATE t SET id = nextval('ids') WHERE s = 'x';
FROM t WHERE s = 'x';
CREATE TABLE made AS SELECT nextval('ids') AS n, s FROM t WHERE s = 'a';
FROM made;
SELECT nextval('nothing');
CREATE TEMP TABLE here AS SELECT range::VARCHAR AS s FROM range(2);
INSERT INTO t (s) SELECT s FROM here;
FROM t WHERE s IN ('0', '1');
DROP SEQUENCE ids;
DROP SEQUENCE q;
DROP SEQUENCE q;
DROP SEQUENCE IF EXISTS q;
SELECT sequence_name, start_value, cycle FROM duckdb_sequences() WHERE database_name = 'dh';
-- refused: all of the query runs at that driver
CREATE TEMP TABLE mine AS SELECT nextval('cyc') AS n, s FROM here;

--- CREATE TYPE, DROP TYPE
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE mood AS ENUM ('x');
CREATE TYPE IF NOT EXISTS mood AS ENUM ('x');
CREATE TABLE t (m mood);
INSERT INTO t VALUES ('happy'), ('sad');
INSERT INTO t VALUES ('angry');
SELECT m FROM t ORDER BY m;
SELECT 'sad'::mood AS x;
SELECT 'sad'::dh.main.mood AS x;
CREATE TYPE num AS INTEGER;
CREATE TABLE u (n num, s STRUCT(m mood));
INSERT INTO u VALUES (1, {m: 'sad'});
FROM u;
CREATE TYPE pair AS STRUCT(a num, b mood[]);
CREATE TABLE p (x pair);
INSERT INTO p VALUES ({a: 1, b: ['sad']});
FROM p;
CREATE TYPE un AS UNION(a INTEGER, b VARCHAR);
SELECT 'x'::un::VARCHAR;
CREATE TYPE from_query AS ENUM (SELECT s FROM (VALUES ('p'), ('q')) v(s));
SELECT 'p'::from_query AS v;
SELECT enum_range(NULL::mood);
DROP TYPE un;
DROP TYPE un;
DROP TYPE IF EXISTS un;
SELECT 'x'::un;
SELECT type_name, logical_type, labels FROM duckdb_types() WHERE database_name = 'dh' AND NOT internal;
CREATE TYPE bad AS nothing;
DROP TYPE mood;
CREATE OR REPLACE TYPE num AS BIGINT;
SELECT typeof(1::num);
ALTER TABLE t ALTER m TYPE VARCHAR;
FROM t;

--- CREATE MACRO, DROP MACRO
-- with tables
CREATE MACRO plus(a, b) AS a + b;
SELECT plus(i, k) FROM t;
CREATE MACRO plus(a) AS a;
CREATE MACRO IF NOT EXISTS plus(a) AS a;
CREATE OR REPLACE MACRO plus(a, b := 5) AS a + b;
SELECT plus(i), plus(i, b := 1) FROM t;
SELECT dh.main.plus(1);
CREATE FUNCTION twice(x) AS x * 2;
SELECT sum(twice(i)) FROM t;
CREATE MACRO over(a) AS a, (a, b) AS a * b, (a, b, c) AS a - b - c;
SELECT over(5), over(5, 6), over(5, 6, 7);
SELECT over();
CREATE MACRO few(n) AS TABLE SELECT * FROM t WHERE i <= n;
FROM few(2);
SELECT count(*) FROM few(2) JOIN t USING (i);
CREATE MACRO tab(a) AS TABLE (SELECT a AS x), (a, b) AS TABLE (SELECT a + b AS y);
FROM tab(1);
FROM tab(1, 2);
CREATE MACRO most() AS (SELECT max(i) FROM t);
SELECT most();
CREATE MACRO typed(a INTEGER) AS a + 1;
SELECT typed('5');
SELECT function_name, function_type, parameters, macro_definition FROM duckdb_functions() WHERE database_name =
    'dh' AND NOT internal;
CREATE TEMP MACRO local(x) AS x || '!';
SELECT local(s) FROM t;
INSERT INTO t SELECT twice(i) + 10, plus(i), local(s) FROM few(2);
FROM t;
DROP MACRO plus;
DROP MACRO plus;
DROP MACRO IF EXISTS plus;
DROP MACRO TABLE few;
DROP FUNCTION twice;
SELECT twice(1);
