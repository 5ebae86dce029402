-- Statements that change definitions.

--- tables
CREATE TABLE t (i INTEGER PRIMARY KEY, k INTEGER, s VARCHAR);
INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, NULL);

--- ALTER TABLE, columns
-- with tables
ALTER TABLE t ADD COLUMN a INTEGER;
ALTER TABLE t ADD COLUMN b VARCHAR DEFAULT 'b';
ALTER TABLE t ADD COLUMN a INTEGER;
ALTER TABLE t ADD COLUMN IF NOT EXISTS a INTEGER;
ALTER TABLE IF EXISTS nothing ADD COLUMN a INTEGER;
ALTER TABLE nothing ADD a INTEGER;
FROM t;
ALTER TABLE t DROP COLUMN a;
ALTER TABLE t DROP COLUMN a;
ALTER TABLE t DROP IF EXISTS a;
ALTER TABLE t DROP COLUMN i;
ALTER TABLE t RENAME COLUMN b TO c;
ALTER TABLE t RENAME nothing TO d;
ALTER TABLE t RENAME c TO k;
FROM t;
ALTER TABLE t ALTER c SET DEFAULT 'new';
INSERT INTO t (i) VALUES (10);
ALTER TABLE t ALTER COLUMN c DROP DEFAULT;
INSERT INTO t (i) VALUES (11);
ALTER TABLE t ALTER s SET NOT NULL;
UPDATE t SET s = 'x' WHERE s IS NULL;
ALTER TABLE t ALTER s SET NOT NULL;
INSERT INTO t (i) VALUES (12);
ALTER TABLE t ALTER s DROP NOT NULL;
INSERT INTO t (i) VALUES (12);
ALTER TABLE t ALTER k TYPE VARCHAR;
ALTER TABLE t ALTER k SET DATA TYPE INTEGER USING coalesce(k, '0')::INTEGER * 10;
ALTER TABLE t ALTER s TYPE INTEGER;
FROM t;
CREATE TABLE np (a INTEGER, b INTEGER);
INSERT INTO np VALUES (1, 1), (2, 2);
ALTER TABLE np ADD PRIMARY KEY (a);
INSERT INTO np VALUES (1, 3);
ALTER TABLE np ADD PRIMARY KEY (b);
ALTER TABLE np ALTER b TYPE DOUBLE;
FROM np;
ALTER TABLE t ADD COLUMN g INTEGER AS (i);
ALTER TABLE t ADD CONSTRAINT c CHECK (i > 0);
ALTER TABLE np ADD UNIQUE (b);
ALTER TABLE np ADD FOREIGN KEY (b) REFERENCES t (i);
ALTER TABLE np DROP CONSTRAINT x;
ALTER TABLE np SET SCHEMA main;
ALTER TABLE np SET (x = 1);
ALTER TABLE np RESET (x);
ALTER TABLE np SET SORTED BY (a);
ALTER TABLE np SET PARTITIONED BY (a);
SELECT table_name, constraint_type, constraint_text, constraint_column_names, referenced_table, constraint_name
    FROM duckdb_constraints() WHERE database_name = 'dh';
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- ALTER TABLE, fields of structs
CREATE TABLE st (s STRUCT(a INTEGER, b STRUCT(c INTEGER)));
INSERT INTO st VALUES ({a: 1, b: {c: 2}});
ALTER TABLE st ADD COLUMN s.d VARCHAR DEFAULT 'x';
FROM st;
ALTER TABLE st ADD COLUMN s.b.e INTEGER;
FROM st;
ALTER TABLE st DROP COLUMN s.a;
FROM st;
ALTER TABLE st RENAME COLUMN s.d TO f;
FROM st;
ALTER TABLE st DROP COLUMN s.nothing;
ALTER TABLE st ADD COLUMN IF NOT EXISTS s.f INTEGER;
ALTER TABLE st DROP COLUMN IF EXISTS s.nothing;
SELECT s.b.c FROM st;
SELECT table_name, sql, has_primary_key, index_count FROM duckdb_tables() WHERE database_name = 'dh';
SELECT table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() WHERE
    database_name = 'dh';

--- ALTER TABLE, RENAME TO
-- with tables
ALTER TABLE t RENAME TO u;
FROM u;
FROM t;
CREATE TABLE t (i INTEGER);
ALTER TABLE t RENAME TO u;
ALTER TABLE IF EXISTS nothing RENAME TO x;
CREATE INDEX ux ON u (k);
ALTER TABLE u RENAME TO w;
FROM w WHERE k = 1;

--- COMMENT ON
-- with tables
CREATE VIEW v AS FROM t;
CREATE INDEX ix ON t (k);
CREATE SEQUENCE q;
CREATE TYPE ty AS ENUM ('a');
CREATE MACRO m(x) AS x;
CREATE MACRO tm(x) AS TABLE SELECT x;
CREATE SCHEMA sc;
COMMENT ON TABLE t IS 'the table';
COMMENT ON COLUMN t.s IS 'a column';
COMMENT ON VIEW v IS 'the view';
COMMENT ON COLUMN v.s IS 'of the view';
COMMENT ON INDEX ix IS 'the index';
COMMENT ON SEQUENCE q IS 'the sequence';
COMMENT ON TYPE ty IS 'the type';
COMMENT ON MACRO m IS 'the macro';
COMMENT ON MACRO TABLE tm IS 'the table macro';
COMMENT ON SCHEMA sc IS 'the schema';
COMMENT ON DATABASE dh IS 'the database';
COMMENT ON TABLE nothing IS 'x';
COMMENT ON COLUMN t.nothing IS 'x';
SELECT table_name, comment FROM duckdb_tables() WHERE database_name = 'dh';
SELECT view_name, comment FROM duckdb_views() WHERE database_name = 'dh';
SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'dh';
SELECT index_name, comment FROM duckdb_indexes();
SELECT sequence_name, comment FROM duckdb_sequences() WHERE database_name = 'dh';
SELECT type_name, comment FROM duckdb_types() WHERE type_name = 'ty';
SELECT function_name, comment FROM duckdb_functions() WHERE database_name = 'dh' AND NOT internal;
COMMENT ON TABLE t IS NULL;
SELECT comment FROM duckdb_tables() WHERE table_name = 't';
SELECT comment FROM duckdb_schemas() WHERE schema_name = 'sc';
SELECT comment FROM duckdb_databases() WHERE database_name = 'dh';

--- CREATE TRIGGER and other things that DuckDB has not
CREATE TRIGGER x;
CREATE ROLE x;
GRANT SELECT ON t TO x;
LOCK TABLE t;
LISTEN x;
DECLARE c CURSOR FOR SELECT 1;
SAVEPOINT s;
CREATE MATERIALIZED VIEW v AS SELECT 1;
CREATE DATABASE x;
DROP DATABASE nothing;
CREATE UNLOGGED TABLE ul (i INTEGER);
CREATE COLLATION c FROM x;
ALTER SEQUENCE nothing RENAME TO x;
ALTER SCHEMA main RENAME TO x;
CREATE SEQUENCE q;
ALTER SEQUENCE q OWNED BY nothing;
CREATE TABLE own (i INTEGER);
ALTER SEQUENCE q OWNED BY own;
DROP TABLE own;
SELECT nextval('q');
