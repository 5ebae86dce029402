-- Statements that read.

--- tables
CREATE TABLE t (i INTEGER, k INTEGER, s VARCHAR);
INSERT INTO t SELECT range, range % 3, 'row ' || range FROM range(20);
INSERT INTO t VALUES (NULL, NULL, NULL);
CREATE TABLE p (pos INTEGER, price DOUBLE);
INSERT INTO p VALUES (0, 1.5), (7, 2.5), (12, 9.5);

--- SELECT
-- with tables
SELECT * FROM t ORDER BY i LIMIT 3 OFFSET 2;
SELECT DISTINCT k FROM t;
SELECT DISTINCT ON (k) k, i FROM t ORDER BY k, i;
SELECT k, sum(i), list(i ORDER BY i DESC) FROM t GROUP BY k;
SELECT k, s, count(*) FROM t GROUP BY GROUPING SETS ((k), (s), ()) HAVING count(*) > 1;
SELECT k, count(*) FROM t GROUP BY ROLLUP (k);
SELECT k, count(*) FROM t GROUP BY CUBE (k);
SELECT COLUMNS('i|k') + 1 FROM t;
SELECT * EXCLUDE (s) REPLACE (i * 2 AS i) FROM t;
SELECT i FROM t ORDER BY i DESC NULLS LAST LIMIT 10%;
SELECT i FROM dh.t WHERE dh.main.t.i = 3;
SELECT t.i AS x, x + 1 FROM main.t WHERE x > 10;
SELECT (SELECT max(i) FROM t AS u WHERE u.k = t.k) FROM t;
SELECT i FROM t WHERE EXISTS (FROM p WHERE pos = i);
SELECT i IN (SELECT pos FROM p) FROM t;
SELECT [x * 2 FOR x IN list(i)] FROM t;
SELECT struct_pack(a := i, b := s).b FROM t;
SELECT t FROM t WHERE i = 1;
SELECT i FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY i) = 1;
SELECT nothing FROM t;
SELECT * FROM nothing;
SELECT i / 0, 1 // 0 FROM t WHERE i = 1;
SELECT s::INTEGER FROM t;
SELECT error('no ' || s) FROM t WHERE i = 3;
SELECT unnest([1, 2]), i FROM t;
SELECT rowid, i FROM t WHERE rowid < 3;
SELECT current_database(), current_schema();
SELECT i FROM t AT (VERSION => 1);

--- VALUES
VALUES (1, 'x'), (2, NULL);
FROM (VALUES (1), (2)) v(x);
CREATE TABLE t (i INTEGER, k INTEGER, s VARCHAR);
INSERT INTO t SELECT range, range % 3, 'row ' || range FROM range(20);
INSERT INTO t VALUES (NULL, NULL, NULL);
CREATE TABLE p (pos INTEGER, price DOUBLE);
INSERT INTO p VALUES (0, 1.5), (7, 2.5), (12, 9.5);
SELECT x, s FROM (VALUES (1), (2)) v(x) JOIN t ON x = i;

--- FROM first
-- with tables
FROM t;
FROM t SELECT i WHERE i < 3;
FROM t, p WHERE pos = i;
FROM t LIMIT 0;
TABLE t;
FROM range(3);
FROM t JOIN range(3) r(i) USING (i);

--- WITH
-- with tables
WITH a AS (SELECT k, count(*) AS n FROM t GROUP BY k), b AS (FROM a WHERE n > 1) FROM b JOIN a USING (k);
WITH a AS MATERIALIZED (SELECT max(i) AS m FROM t) SELECT m, (SELECT m FROM a) FROM a;
WITH a AS NOT MATERIALIZED (FROM t) SELECT count(*) FROM a, a AS b;
WITH a(x) AS (VALUES (1)) INSERT INTO t SELECT x, x, 'with' FROM a;
FROM t WHERE s = 'with';

--- WITH RECURSIVE
-- with tables
WITH RECURSIVE r AS (SELECT 0 AS i UNION ALL SELECT t.i FROM r JOIN t ON t.i = r.i + 1) FROM r;
WITH RECURSIVE r(n) AS (VALUES (1) UNION SELECT (n * 2) % 7 FROM r) FROM r;
WITH RECURSIVE r(k, n) USING KEY (k) AS (SELECT 1, 1 UNION SELECT k, n + 1 FROM r WHERE n < 5) FROM r;
CREATE TABLE r AS WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x, (SELECT max(i) AS m FROM t)
    WHERE n < m) FROM x;
SELECT count(*), max(n) FROM r;

--- PIVOT, UNPIVOT
-- with tables
PIVOT t ON k USING sum(i);
PIVOT t ON k IN (0, 1) USING count(*) GROUP BY s;
FROM t PIVOT (sum(i) FOR k IN (0, 1, 2));
PIVOT (SELECT k, i FROM t WHERE i < 6) ON i GROUP BY k;
UNPIVOT (SELECT i, k FROM t) ON i, k INTO NAME n VALUE v;
FROM t UNPIVOT INCLUDE NULLS (v FOR n IN (i, k));
CREATE TABLE wide AS PIVOT t ON k USING max(i);
FROM wide;

--- UNION, INTERSECT, EXCEPT
-- with tables
SELECT k FROM t UNION SELECT pos FROM p;
SELECT k FROM t UNION ALL SELECT pos FROM p;
SELECT i FROM t INTERSECT SELECT pos FROM p;
SELECT k FROM t INTERSECT ALL SELECT i FROM t;
SELECT i FROM t EXCEPT SELECT pos FROM p;
SELECT k FROM t EXCEPT ALL SELECT i FROM t;
SELECT 1 AS pos UNION BY NAME SELECT price, pos FROM p;
SELECT k FROM t UNION ALL BY NAME FROM p;

--- windows
-- with tables
SELECT i, row_number() OVER (ORDER BY i), lag(s) OVER w, sum(i) OVER (w ROWS 2 PRECEDING) FROM t WINDOW w AS
    (PARTITION BY k ORDER BY i);
SELECT i, rank() OVER (ORDER BY k), ntile(3) OVER (ORDER BY i) FROM t;
SELECT median(i) OVER (ORDER BY i RANGE BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM t;
SELECT first_value(i IGNORE NULLS) OVER (ORDER BY i NULLS FIRST), arg_max(s, i) OVER () FROM t;

--- joins
-- with tables
SELECT i, price FROM t LEFT JOIN p ON i = pos;
SELECT i, price FROM t RIGHT JOIN p ON i = pos;
SELECT i, price FROM t FULL JOIN p ON i = pos + 15;
SELECT count(*) FROM t, p;
SELECT i, price FROM t ASOF JOIN p ON i >= pos;
SELECT i, price FROM t ASOF LEFT JOIN p ON i >= pos;
SELECT t.i, u.k FROM (FROM t ORDER BY i LIMIT 3) t POSITIONAL JOIN (FROM t ORDER BY i DESC LIMIT 5) u;
FROM t SEMI JOIN p ON i = pos;
FROM t ANTI JOIN p ON i = pos;
SELECT count(*) FROM t JOIN p ON i < pos;
SELECT count(*) FROM t NATURAL JOIN (SELECT 1 AS k);
SELECT i, x FROM t, LATERAL (SELECT i * 2 AS x WHERE i < 4);
SELECT i, n FROM t, LATERAL (SELECT count(*) AS n FROM p WHERE pos < i);

--- sampling
-- with tables
SELECT count(*) FROM t USING SAMPLE 5 ROWS;
SELECT count(*) FROM t TABLESAMPLE 100%;
SELECT count(*) <= 21 FROM t USING SAMPLE 50% (bernoulli, 42);
SELECT count(*) FROM t USING SAMPLE reservoir(3 ROWS) REPEATABLE (1);

--- files and table functions
-- with tables
COPY (FROM range(10) r(i)) TO '{dir}/r.parquet';
COPY (FROM range(10) r(i)) TO '{dir}/r.csv';
SELECT count(*), sum(i) FROM '{dir}/r.parquet' JOIN t USING (i);
SELECT count(*) FROM read_csv('{dir}/r.csv') JOIN t USING (i);
CREATE TABLE loaded AS FROM '{dir}/r.parquet';
INSERT INTO loaded FROM '{dir}/r.csv';
SELECT sum(i) FROM loaded;
SELECT count(*) FROM query('SELECT i FROM t');
SELECT count(*) FROM query_table('t');
SELECT count(*) FROM query_table(['t', 't']);
SELECT * FROM summary((SELECT i FROM t)) LIMIT 0;
FROM generate_series(1, 3);
SELECT i, repeat('x', i) FROM t WHERE i < 2;
FROM glob('{dir}/nothing*');
SELECT json_serialize_sql('SELECT 1') IS NULL FROM t WHERE i = 1;

--- EXPLAIN
-- with tables
-- succeeds
EXPLAIN SELECT k, count(*) FROM t GROUP BY k;
-- succeeds
EXPLAIN INSERT INTO t FROM t;
-- succeeds
EXPLAIN CREATE TABLE u AS FROM t;
FROM u;
-- succeeds
EXPLAIN (FORMAT json) FROM t;
-- succeeds
EXPLAIN DELETE FROM t;
SELECT count(*) FROM t;
-- succeeds
EXPLAIN CREATE TABLE v (i INTEGER);
FROM v;
-- succeeds
EXPLAIN DROP TABLE t;
SELECT count(*) FROM t;

--- EXPLAIN ANALYZE
-- with tables
-- succeeds
EXPLAIN ANALYZE SELECT k, count(*) FROM t GROUP BY k;
-- succeeds
EXPLAIN ANALYZE INSERT INTO t FROM t;
SELECT count(*) FROM t;
-- succeeds
EXPLAIN ANALYZE DELETE FROM t WHERE i = 1;
SELECT count(*) FROM t;
-- succeeds
EXPLAIN ANALYZE CREATE TABLE v AS FROM t;
SELECT count(*) FROM v;

--- DESCRIBE, SHOW, SUMMARIZE
-- with tables
DESCRIBE t;
DESCRIBE SELECT i + 1 AS x, s FROM t;
DESCRIBE dh.main.t;
SHOW t;
SHOW TABLES;
SHOW DATABASES;
SELECT database, schema, name, column_names FROM (SHOW ALL TABLES) WHERE database = 'dh';
SHOW TABLES FROM dh.main;
SUMMARIZE t;
SUMMARIZE SELECT i FROM t;
DESCRIBE;
DESCRIBE nothing;
SELECT column_name FROM (DESCRIBE t);
SELECT column_name, max FROM (SUMMARIZE t);
DESCRIBE TABLE t;

--- PREPARE, EXECUTE, DEALLOCATE
-- with tables
PREPARE q AS SELECT count(*) FROM t WHERE i < $1 AND k = $2;
EXECUTE q(10, 1);
EXECUTE q('7', 0);
EXECUTE q(1);
EXECUTE q('x', 0);
PREPARE n AS SELECT i + $x FROM t WHERE i < $y;
EXECUTE n(x := 1, y := 3);
PREPARE w AS INSERT INTO t VALUES (?, ?, ?);
EXECUTE w(100, 1, 'hundred');
EXECUTE w(101, NULL, NULL);
PREPARE d AS DELETE FROM t WHERE i >= ? RETURNING i;
EXECUTE d(100);
EXECUTE d(100);
PREPARE u AS UPDATE t SET s = ? WHERE i = ?;
EXECUTE u('x', 1);
SELECT s FROM t WHERE i = 1;
PREPARE l AS SELECT i FROM t ORDER BY i LIMIT ?;
EXECUTE l(2);
PREPARE a AS SELECT ?::INTEGER[] || list(i ORDER BY i) FROM t WHERE i < 2;
EXECUTE a([7, 8]);
DEALLOCATE q;
EXECUTE q(1, 1);
DEALLOCATE PREPARE w;
DROP TABLE t;
EXECUTE u('x', 1);
CREATE TABLE t (i BIGINT, k INTEGER, s VARCHAR);
EXECUTE u('x', 1);
EXECUTE d(0);

--- tables here and there in one query
-- with tables
CREATE TEMP TABLE here AS SELECT range AS i, range % 4 AS k, 'here ' || range AS name FROM range(0, 30, 3);
SELECT t.i, name FROM t JOIN here USING (i);
SELECT t.i, name FROM t FULL JOIN here USING (i);
SELECT count(*) FROM t, here WHERE t.i < here.i;
SELECT t.i, here.i FROM t ASOF JOIN here ON t.i >= here.i;
SELECT here.i, pos, price FROM here ASOF LEFT JOIN p ON here.i >= pos;
FROM t SEMI JOIN here USING (i);
FROM here ANTI JOIN t USING (i);
SELECT a.i, b.i FROM (FROM t ORDER BY i LIMIT 4) a POSITIONAL JOIN (FROM here ORDER BY i) b;
SELECT k FROM t UNION SELECT k FROM here;
SELECT k FROM t EXCEPT ALL SELECT k FROM here;
SELECT i FROM t INTERSECT SELECT i FROM here UNION ALL SELECT pos FROM p;
SELECT name, (SELECT sum(i) FROM t WHERE t.k = here.k) FROM here;
SELECT i, (SELECT max(name) FROM here WHERE here.k = t.k) FROM t;
SELECT i FROM t WHERE i IN (SELECT i FROM here WHERE k > 1);
SELECT i FROM here WHERE NOT EXISTS (FROM t, p WHERE t.i = here.i AND pos < t.i);
SELECT h.i, n FROM here h, LATERAL (SELECT count(*) AS n FROM t WHERE t.k = h.k);
WITH RECURSIVE r AS (SELECT i FROM here WHERE i = 3 UNION ALL SELECT t.i FROM r JOIN t ON t.i = r.i + 1) FROM r;
WITH RECURSIVE r AS (SELECT i FROM t WHERE i = 3 UNION SELECT here.i FROM r JOIN here ON here.i = r.i + 3) FROM r;
WITH RECURSIVE r AS (SELECT 0 AS i UNION ALL SELECT t.i FROM r JOIN t ON t.i = r.i + 1 JOIN here ON here.k = t.k %
    4 WHERE here.i < 12) SELECT count(*), max(i) FROM r;
WITH a AS MATERIALIZED (SELECT t.k, count(*) AS n FROM t JOIN here USING (k) GROUP BY t.k) FROM a JOIN a AS b
    USING (k) JOIN p ON pos = a.k;
SELECT k, sum(i) OVER (PARTITION BY k ORDER BY i) FROM (SELECT i, k FROM t UNION ALL SELECT i, k FROM here);
PIVOT (SELECT k, i FROM t UNION ALL SELECT k, i FROM here) ON k USING sum(i);
SELECT name FROM here WHERE i = (SELECT max(t.i) FROM t JOIN here USING (i));
SELECT count(*) FROM t a JOIN here USING (i) JOIN t b ON b.i = here.i + 1 JOIN p ON pos < b.i;
SELECT DISTINCT ON (k) k, i, name FROM (SELECT t.k, t.i, name FROM t LEFT JOIN here USING (i)) ORDER BY k, i DESC;
INSERT INTO here SELECT i, k, s FROM t WHERE i = 1;
UPDATE here SET name = s FROM t WHERE t.i = here.i;
DELETE FROM here WHERE i IN (SELECT pos FROM p);
FROM here ORDER BY i;
SELECT count(*) FROM t TABLESAMPLE 100% JOIN here USING (i);
SELECT * FROM (SELECT i FROM t ORDER BY i DESC LIMIT 3) JOIN here USING (i);
SELECT unnest([i, i + 1]) AS u, name FROM here JOIN t USING (i);
SELECT count(*) FROM here, (FROM t LIMIT 0);
SELECT list(name ORDER BY name) FROM here JOIN t USING (k) WHERE s LIKE 'row 1%';

--- names here and there
-- with tables
CREATE VIEW v AS SELECT i, k FROM t WHERE i < 5;
CREATE TABLE memory.main.t AS SELECT 2 AS i, 100 AS k, 'local' AS s;
CREATE VIEW memory.main.v AS SELECT 'local' AS i;
SELECT t.s, l.s FROM dh.t JOIN memory.main.t l USING (i);
WITH x AS (SELECT * FROM t WHERE i < 5) SELECT count(*), sum(x.i) FROM x JOIN memory.main.t USING (i) JOIN x AS y
    ON y.i = x.i;
WITH x AS (FROM v) SELECT count(*) FROM x JOIN memory.main.t USING (i) JOIN x AS y ON y.i = x.i;
PRAGMA enable_verification;
FROM t;
-- refused: Unoptimized statement differs
FROM v;
SELECT count(*) FROM t JOIN memory.main.t l USING (i);
INSERT INTO t VALUES (50, 5, 'verified');
UPDATE t SET k = 6 WHERE i = 50;
DELETE FROM t WHERE i = 49 RETURNING *;
CREATE TABLE u AS FROM t;
SELECT count(*) FROM u;
PRAGMA disable_verification;
FROM memory.main.t;
FROM t WHERE i = 50;
USE memory;
FROM t;
SELECT count(*) FROM dh.t;
INSERT INTO dh.t SELECT * FROM t;
INSERT INTO t SELECT * FROM dh.t WHERE i = 50;
FROM t;
SELECT count(*) FROM dh.t;
USE dh;

--- SET VARIABLE
-- with tables
SET VARIABLE n = 5;
SELECT count(*) FROM t WHERE i < getvariable('n');
SET VARIABLE m = (SELECT max(i) FROM t);
SELECT getvariable('m');
INSERT INTO t VALUES (getvariable('m') + 1, 0, 'v');
SELECT max(i) FROM t;
RESET VARIABLE n;
SELECT count(*) FROM t WHERE i < getvariable('n');
DELETE FROM t WHERE i = getvariable('m');
SELECT count(*) FROM t;
UPDATE t SET k = getvariable('m') WHERE i = 1;
SELECT k FROM t WHERE i = 1;

--- optimizer disabled
-- with tables
PRAGMA disable_optimizer;
SELECT k, count(*) FROM t WHERE i > 3 GROUP BY k;
SELECT i, price FROM t JOIN p ON i = pos;
SELECT (SELECT max(i) FROM t u WHERE u.k = t.k) FROM t;
SELECT i FROM t ORDER BY i LIMIT 3;
SELECT rowid, i FROM t WHERE i < 2;
SELECT count(*) FROM t;
-- refused: PRAGMA enable_optimizer
INSERT INTO t VALUES (1, 1, 'x');
-- refused: PRAGMA enable_optimizer
UPDATE t SET i = 1;
-- refused: PRAGMA enable_optimizer
DELETE FROM t;
-- refused: PRAGMA enable_optimizer
CREATE TABLE u AS FROM t;
-- refused: PRAGMA enable_optimizer
MERGE INTO t USING p ON i = pos WHEN MATCHED THEN DELETE;
CREATE TABLE v (i INTEGER);
CREATE VIEW w AS SELECT i FROM t WHERE i < 2;
-- refused: PRAGMA enable_optimizer
SELECT * FROM w;
DROP VIEW w;
CREATE SEQUENCE q;
-- refused: PRAGMA enable_optimizer
SELECT nextval('q');
PRAGMA enable_optimizer;
SELECT count(*) FROM t;
SET disabled_optimizers = 'filter_pushdown,statistics_propagation';
SELECT i, price FROM t JOIN p ON i = pos WHERE price > 2;
SET disabled_optimizers = 'extension';
SELECT i, price FROM t JOIN p ON i = pos WHERE price > 2;
-- refused: disabled_optimizers
DELETE FROM t;
-- refused: disabled_optimizers
SELECT nextval('q');
-- refused: disabled_optimizers
INSERT INTO t SELECT nextval('q'), 0, 'x';
RESET disabled_optimizers;
SELECT count(*) FROM t;
