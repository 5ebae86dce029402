-- Statements about files, databases, settings and the session.

--- tables
CREATE TABLE t (i INTEGER PRIMARY KEY, s VARCHAR DEFAULT 'x');
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL);

--- COPY FROM
-- with tables
COPY (SELECT range + 10 AS i, 'f' AS s FROM range(3)) TO '{dir}/f.csv';
COPY t FROM '{dir}/f.csv';
FROM t ORDER BY i;
COPY (SELECT 50 AS i) TO '{dir}/g.parquet';
COPY t (i) FROM '{dir}/g.parquet';
COPY dh.main.t FROM '{dir}/g.parquet' (FORMAT parquet);
COPY t FROM '{dir}/f.csv';
FROM t ORDER BY i;
COPY (SELECT 60 AS i, 's' AS s) TO '{dir}/h.json';
COPY t FROM '{dir}/h.json';
COPY t FROM '{dir}/nothing.csv';
COPY nothing FROM '{dir}/f.csv';
COPY (SELECT 'word' AS i, 's' AS s) TO '{dir}/bad.csv';
COPY t FROM '{dir}/bad.csv' (HEADER true);
FROM t ORDER BY i;

--- COPY TO
-- with tables
COPY t TO '{dir}/t.parquet';
FROM '{dir}/t.parquet';
COPY t (s) TO '{dir}/t.csv' (HEADER);
FROM '{dir}/t.csv';
COPY (SELECT i * 2 AS d FROM t) TO '{dir}/q.parquet';
FROM '{dir}/q.parquet';
COPY t TO '{dir}/t.json';
FROM '{dir}/t.json';
COPY t TO '{dir}/parts' (FORMAT parquet, PARTITION_BY (s));
SELECT i, s FROM read_parquet('{dir}/parts/**/*.parquet', hive_partitioning = true);
COPY nothing TO '{dir}/n.csv';
CREATE VIEW v AS SELECT i FROM t WHERE i < 3;
COPY v TO '{dir}/v.parquet';
FROM '{dir}/v.parquet';
FROM t ORDER BY i;

--- COPY FROM DATABASE
-- with tables
CREATE VIEW v AS SELECT i FROM t WHERE i < 3;
CREATE SEQUENCE q START 5;
CREATE INDEX ix ON t (s);
CREATE SCHEMA sc;
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE sc.u (m mood);
INSERT INTO sc.u VALUES ('b');
CREATE MACRO m(x) AS x + 1;
ATTACH ':memory:' AS other;
COPY FROM DATABASE dh TO other;
FROM other.t;
FROM other.sc.u;
SELECT other.m(1);
SELECT index_name FROM duckdb_indexes() WHERE database_name = 'other';
SELECT nextval('other.q');
FROM other.v;
DROP VIEW v;
DROP TABLE t;
DROP TABLE sc.u;
DROP SCHEMA sc;
DROP TYPE mood;
DROP SEQUENCE q;
DROP MACRO m;
COPY FROM DATABASE other TO dh;
FROM t ORDER BY i;
FROM sc.u;
FROM v;
SELECT m(1);
SELECT nextval('q');
SELECT index_name FROM duckdb_indexes() WHERE database_name = 'dh';
ATTACH ':memory:' AS third;
COPY FROM DATABASE dh TO third (SCHEMA);
FROM third.t;
COPY FROM DATABASE third TO dh (DATA);
DETACH other;
DETACH third;

--- EXPORT DATABASE, IMPORT DATABASE
-- with tables
CREATE VIEW v AS SELECT i FROM t WHERE i < 3;
CREATE SEQUENCE q START 5;
CREATE INDEX ix ON t (s);
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE u (m mood);
INSERT INTO u VALUES ('b');
CREATE MACRO m(x) AS x + 1;
EXPORT DATABASE '{dir}/ex' (FORMAT parquet);
EXPORT DATABASE dh TO '{dir}/ex2';
DROP VIEW v;
DROP TABLE t;
DROP TABLE u;
DROP TYPE mood;
DROP SEQUENCE q;
DROP MACRO m;
IMPORT DATABASE '{dir}/ex';
FROM t ORDER BY i;
FROM u;
FROM v;
SELECT m(1);
ATTACH ':memory:' AS other;
USE other;
IMPORT DATABASE '{dir}/ex';
FROM other.t;
USE dh;

--- ATTACH, DETACH
-- with tables
-- succeeds
ATTACH IF NOT EXISTS '{there}' AS dh ({options});
FROM t ORDER BY i;
-- there
ATTACH '{there}' AS again ({options});
-- there: [(1, 'a'), (2, 'b'), (3, None)]
FROM again.t;
-- there: [(3,)]
SELECT count(*) FROM again.t JOIN dh.t USING (i);
-- there
DETACH again;
FROM again.t;
DETACH again;
DETACH DATABASE IF EXISTS again;
ATTACH ':memory:' AS dh;
DETACH dh;
BEGIN;
FROM t ORDER BY i;
ROLLBACK;
ATTACH ':memory:' AS small;
USE small;
USE dh;
DETACH small;
-- there
ATTACH OR REPLACE '{there}' AS new ({options});
-- there
ATTACH OR REPLACE '{there}' AS new ({options});
-- there: [(3,)]
SELECT count(*) FROM new.t;
-- there
DETACH new;
-- there
ATTACH '{there}' AS reading ({options}, READ_ONLY);
-- there: [(3,)]
SELECT count(*) FROM reading.t;
-- refused: read-only
INSERT INTO reading.t VALUES (9, 'x');
-- refused: read-only
CREATE TABLE reading.u (i INTEGER);
-- refused: read-only
CALL duckherder_execute('reading', 'INSERT INTO t VALUES (9, NULL)');
-- there
DETACH reading;
USE memory;
BEGIN;
SELECT count(*) FROM dh.t;
DETACH dh;
COMMIT;
-- there
ATTACH IF NOT EXISTS '{there}' AS dh ({options});
-- succeeds
ATTACH OR REPLACE '{there}' AS dh ({options});
FROM dh.t;
USE dh;

--- USE
-- with tables
USE memory;
SELECT current_database();
FROM dh.t;
USE dh;
USE dh.main;
USE nothing;
CREATE SCHEMA s;
USE dh.s;
CREATE TABLE x (i INTEGER);
USE dh.main;
FROM s.x;
FROM x;

--- SET, RESET
-- with tables
SET threads = 2;
SET default_null_order = 'nulls_first';
SELECT s FROM t ORDER BY s;
SET default_order = 'desc';
SELECT i FROM t ORDER BY i;
RESET default_order;
RESET default_null_order;
SELECT i FROM t ORDER BY i;
SET TimeZone = 'Asia/Tokyo';
SELECT strftime(TIMESTAMPTZ '2024-01-01 00:00:00+00', '%H:%M') FROM t WHERE i = 1;
RESET TimeZone;
SET SESSION integer_division = true;
SELECT i / 2 FROM t;
RESET integer_division;
SET nothing = 1;
SET GLOBAL ieee_floating_point_ops = false;
SELECT i / 0 FROM t;
RESET GLOBAL ieee_floating_point_ops;
SET schema = 'main';
SELECT current_setting('threads') FROM t;
SELECT i FROM t WHERE i > 0 AND current_setting('threads') = 2 ORDER BY i;
SET scalar_subquery_error_on_multiple_rows = false;
SELECT (SELECT i FROM t WHERE i = 2);
RESET scalar_subquery_error_on_multiple_rows;
SET default_collation = 'nocase';
SELECT s = upper(s) FROM t WHERE i = 1;
SELECT i FROM t WHERE s = 'A';
RESET default_collation;
SELECT i FROM t WHERE s = 'A';
SELECT s FROM t ORDER BY s COLLATE NOCASE DESC NULLS FIRST;
SET errors_as_json = true;
RESET errors_as_json;
SET preserve_insertion_order = false;
SELECT count(*) FROM t;
RESET preserve_insertion_order;
SET search_path = 'dh.main,memory.main';
SELECT count(*) FROM t;
USE dh;

--- PRAGMA
-- with tables
PRAGMA table_info('t');
PRAGMA table_info('dh.main.t');
PRAGMA show_tables;
PRAGMA show_tables_expanded;
PRAGMA show_databases;
-- succeeds
PRAGMA database_size;
SELECT name FROM pragma_database_list();
SELECT name FROM pragma_table_info('t');
PRAGMA functions;
PRAGMA collations;
PRAGMA version;
-- succeeds
PRAGMA storage_info('t');
PRAGMA enable_verification;
FROM t ORDER BY i;
INSERT INTO t VALUES (10, 'v');
UPDATE t SET s = 'w' WHERE i = 10;
DELETE FROM t WHERE i = 10;
PRAGMA disable_verification;
PRAGMA enable_profiling = 'no_output';
FROM t ORDER BY i;
PRAGMA disable_profiling;
PRAGMA nothing;
PRAGMA verify_parallelism;
FROM t ORDER BY i;
PRAGMA disable_verify_parallelism;
PRAGMA force_checkpoint;
PRAGMA import_database('{dir}');
PRAGMA user_agent;
PRAGMA platform;

--- CHECKPOINT
-- with tables
CHECKPOINT;
CHECKPOINT dh;
-- refused: CHECKPOINT works while nobody else writes
FORCE CHECKPOINT dh;
FROM t ORDER BY i;
CHECKPOINT nothing;
BEGIN;
INSERT INTO t VALUES (5, 'x');
-- succeeds
ROLLBACK;
CALL checkpoint('dh');
FROM t ORDER BY i;

--- VACUUM, ANALYZE
-- with tables
VACUUM;
VACUUM ANALYZE;
ANALYZE;
-- refused: only implemented for DuckDB tables
VACUUM t;
-- refused: only implemented for DuckDB tables
VACUUM ANALYZE t;
-- refused: only implemented for DuckDB tables
ANALYZE t;
-- there
CALL duckherder_execute('dh', 'VACUUM t');
-- there
CALL duckherder_execute('dh', 'ANALYZE t');
VACUUM nothing;
VACUUM FULL;
FROM t ORDER BY i;

--- CALL
-- with tables
CALL pragma_table_info('t');
CALL range(3);
CALL duckdb_settings();
CALL nothing();
-- succeeds
CALL pragma_database_size();

--- LOAD, INSTALL
LOAD parquet;
LOAD nothing_like_this;
LOAD json;
FORCE INSTALL '{dir}/nothing';

--- CREATE SECRET, DROP SECRET
CREATE SECRET se (TYPE http, BEARER_TOKEN 'x');
CREATE SECRET se (TYPE http, BEARER_TOKEN 'x');
CREATE OR REPLACE SECRET se (TYPE http, BEARER_TOKEN 'y');
SELECT name, type FROM duckdb_secrets();
DROP SECRET se;
DROP SECRET se;
DROP SECRET IF EXISTS se;

--- several statements in one text
-- with tables
INSERT INTO t VALUES (10, 'x'); INSERT INTO t VALUES (11, 'y'); SELECT count(*) FROM t;
BEGIN; DELETE FROM t; ROLLBACK;
FROM t ORDER BY i;
INSERT INTO t VALUES (12, 'z'); SELECT nothing FROM t; DELETE FROM t;
FROM t ORDER BY i;
CREATE TABLE n (i INTEGER); DROP TABLE n; CREATE TABLE n AS FROM t;
FROM n;
SELECT 1;

--- duckherder_query, duckherder_execute
-- with tables
-- there: [(3,)]
FROM duckherder_query('dh', 'SELECT max(i) AS m FROM t');
-- there: [(1, 'a')]
FROM duckherder_query('dh', 'FROM t WHERE i = 1');
-- there: [(1,)]
SELECT count(*) FROM duckherder_query('dh', 'PRAGMA database_size');
-- there: [(9,)]
FROM duckherder_query('dh', 'INSERT INTO t VALUES (9, NULL) RETURNING i');
-- there
CALL duckherder_execute('dh', 'CREATE TABLE made AS SELECT 42 AS x');
-- there: [(42,)]
FROM made;
-- there
CALL duckherder_execute('dh', 'DELETE FROM t WHERE i = 9');
-- there
CALL duckherder_execute('dh', 'SET threads = 2');
FROM t ORDER BY i;
-- refused: One SQL statement is needed, not 2
FROM duckherder_query('dh', 'SELECT 1; SELECT 2');
-- refused: BEGIN, COMMIT and ROLLBACK belong there
CALL duckherder_execute('dh', 'COMMIT');
-- refused: There is no SQL statement in the text
CALL duckherder_execute('dh', '');
-- refused: not the database of a Duckherder driver
FROM duckherder_query('memory', 'SELECT 1');
-- refused: nothing
FROM duckherder_query('dh', 'SELECT nothing FROM t');
-- there
BEGIN;
-- there
CALL duckherder_execute('dh', 'INSERT INTO t VALUES (10, NULL)');
-- there: [(4,)]
SELECT count(*) FROM t;
-- there
ROLLBACK;
-- there: [(3,)]
SELECT count(*) FROM t;

--- functions about the catalog
-- with tables
CREATE VIEW v AS FROM t;
SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables WHERE table_catalog =
    'dh';
SELECT column_name, data_type FROM information_schema.columns WHERE table_catalog = 'dh';
SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'dh';
SELECT constraint_type, table_name FROM information_schema.table_constraints WHERE table_catalog = 'dh';
SELECT name, type, tbl_name, sql FROM sqlite_master;
SELECT table_name FROM dh.information_schema.tables WHERE table_catalog = 'dh';
SELECT count(*) > 0 FROM dh.pg_catalog.pg_class;
SELECT table_name FROM dh.duckdb_tables WHERE database_name = 'dh';
SELECT count(*) FROM dh.main.sqlite_master;
SELECT database_name, internal, type, readonly FROM duckdb_databases() WHERE NOT internal AND database_name <>
    'dh';
SELECT relname FROM pg_catalog.pg_class;
SELECT tablename FROM pg_tables;
SELECT table_name, estimated_size FROM duckdb_tables();
SELECT 't'::regclass IS NULL;
SELECT stats('x') IS NULL FROM t;
SELECT count(*) > 0 FROM duckdb_dependencies();
SELECT currval('nothing');
SELECT has_table_privilege('t', 'SELECT');
SELECT checkpoint FROM t;
SELECT obj_description(0, 'x');
-- refused: The driver can be asked
SELECT txid_current();
SELECT pg_get_viewdef(0);
SELECT json_execute_serialized_sql(json_serialize_sql('SELECT count(*) FROM t'));
FROM sql_auto_complete('SELECT * FRO');
FROM duckdb_approx_database_count();
SELECT function_name FROM duckdb_functions() WHERE database_name = 'dh';
