"""What the corner queries read: small tables and files, each row of which follows from its number."""

from pathlib import Path

from support import paths
from support.session import Connection

#: One thread, so that DuckDB's sketches of distinct values do not depend on which thread saw which rows
TABLES = """
CREATE TABLE t AS
SELECT i, (i % 1000)::INTEGER AS g, (i % 7)::INTEGER AS h, 's' || i % 5000 AS s, i / 3 AS d,
       TIMESTAMP '2024-01-01' + to_seconds(i) AS at, i % 50000 AS wide
FROM range(200000) r(i);

CREATE TABLE u AS
SELECT i * 2 AS i, (i % 700)::INTEGER AS g, 'v' || i % 300 AS v, TIMESTAMP '2024-01-01' + to_seconds(i * 5) AS at
FROM range(150000) r(i);

CREATE TABLE small AS SELECT i::INTEGER AS g, 'name ' || i AS name FROM range(1000) r(i);

CREATE TABLE keyed AS SELECT i AS id, 'k' || i AS name FROM range(150000) r(i);

CREATE UNIQUE INDEX keyed_id ON keyed (id);

CREATE TABLE filled AS FROM t LIMIT 0;

CREATE TABLE few AS SELECT i FROM range(100) r(i);

CREATE SEQUENCE numbers;

COPY t TO '{data}/t.parquet' (ROW_GROUP_SIZE 20480);

CREATE VIEW p AS FROM '{data}/t.parquet';

COPY (FROM t WHERE i < 50000) TO '{data}/many/a.parquet';

COPY (FROM t WHERE i BETWEEN 50000 AND 99999) TO '{data}/many/b.parquet';

COPY (FROM t WHERE i >= 100000) TO '{data}/many/c.parquet' (ROW_GROUP_SIZE 20480);

COPY (SELECT i, g, s FROM t) TO '{data}/t.csv';

COPY (SELECT i, g, s FROM t WHERE i < 20000) TO '{data}/t.json';

ATTACH 'ducklake:{data}/l.ducklake' AS lake (DATA_PATH '{data}/lake', DATA_INLINING_ROW_LIMIT 0);

CREATE TABLE lake.rows AS SELECT i, g, s FROM t WHERE i < 100000;

CALL lake.set_option('parquet_row_group_size', 20480);

INSERT INTO lake.rows SELECT i, g, s FROM t WHERE i >= 100000;

CREATE TABLE lake.changed AS SELECT i, g, s FROM t;

DELETE FROM lake.changed WHERE i % 100 = 0;

CREATE TABLE lake.parted (i BIGINT, g INTEGER, s VARCHAR);

ALTER TABLE lake.parted SET PARTITIONED BY (g);

CREATE TABLE lake.sorted AS SELECT i, g, s FROM t LIMIT 0;

ALTER TABLE lake.sorted SET SORTED BY (s);

ATTACH 'ducklake:{data}/s.ducklake' AS secret (DATA_PATH '{data}/secret', DATA_INLINING_ROW_LIMIT 0, ENCRYPTED);

CREATE TABLE secret.rows (i BIGINT, g INTEGER, s VARCHAR);

ATTACH 'ducklake:{data}/i.ducklake' AS inlining (DATA_PATH '{data}/inlining');

CREATE TABLE inlining.rows AS SELECT i, g, s FROM t;

INSERT INTO inlining.rows VALUES (1, 1, 'a');

ATTACH '{data}/other.duckdb' AS other;

CREATE TABLE other.t AS SELECT i, g, s FROM t;
"""


def make_corner_data(con: Connection, directory: Path) -> None:
    """In memory, and below the directory."""
    (directory / "many").mkdir(parents=True)
    con.execute(f"LOAD {paths.quoted(paths.require(paths.DUCKLAKE_EXTENSION))}")
    threads = con.execute("SELECT current_setting('threads')").fetchone()
    con.execute("SET threads = 1")
    for statement in TABLES.strip().split(";\n"):
        con.execute(statement.replace("{data}", str(directory)))
    con.execute(f"SET threads = {threads[0] if threads else 1}")
