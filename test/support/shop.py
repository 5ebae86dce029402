"""The tables that clients' questions are asked about: here, or in the database of a driver."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from support import paths, tpch
from support.cluster import BY_ROWS, Cluster

#: One of everything that a catalog can say of a table
TABLES = '''
CREATE TYPE channel AS ENUM ('web', 'shop', 'phone');
CREATE SEQUENCE numbers START 7 INCREMENT 3;
CREATE TABLE regions (region VARCHAR PRIMARY KEY, manager VARCHAR NOT NULL DEFAULT 'nobody',
    CHECK (length(region) > 2));
INSERT INTO regions VALUES ('north', 'Ann'), ('south', 'Bo'), ('east', 'Cy'), ('west', DEFAULT), ('none', 'Di');
CREATE TABLE sales (id INTEGER PRIMARY KEY, region VARCHAR NOT NULL REFERENCES regions (region),
    sold TIMESTAMP NOT NULL, amount DECIMAL(10, 2), item UUID, how channel DEFAULT 'web', tags VARCHAR[],
    place STRUCT(x DOUBLE, y DOUBLE), noted TIMESTAMPTZ, "Order No" BIGINT UNIQUE, weight FLOAT,
    day DATE GENERATED ALWAYS AS (CAST(sold AS DATE)));
INSERT INTO sales SELECT range, ['north', 'south', 'east', 'west'][1 + range % 7 % 4],
    TIMESTAMP '2024-01-01' + INTERVAL 47 MINUTE * range, (range * 37 % 10007) / 100, NULL,
    ['web', 'shop'][1 + range % 2], NULL, NULL, NULL, range * 10, range / 8 FROM range(20000);
CREATE INDEX sales_of_a_region ON sales (region);
CREATE UNIQUE INDEX sales_once ON sales (sold, id);
CREATE VIEW by_region AS SELECT region, count(*) AS sales, sum(amount) AS amount FROM sales GROUP BY region;
CREATE TABLE parts (a INTEGER, b VARCHAR, c TINYINT, PRIMARY KEY (b, a));
CREATE TABLE pieces (x VARCHAR, y INTEGER, FOREIGN KEY (x, y) REFERENCES parts (b, a));
CREATE MACRO twice(x) AS x * 2;
CREATE SCHEMA archive;
CREATE TABLE archive."Old Sales" (id HUGEINT, "the ""note""" BLOB, t TIME, i INTERVAL, j JSON, o BOOLEAN);
CREATE VIEW archive.everything AS SELECT * FROM archive."Old Sales";
COMMENT ON TABLE sales IS 'what was sold';
COMMENT ON COLUMN sales.amount IS 'in euros';
COMMENT ON VIEW by_region IS 'the sum of each region';
'''


def tables() -> list[str]:
    line_items = paths.quoted(tpch.parquet_directory(0.01) / "lineitem.parquet")
    statements = [statement.strip() for statement in TABLES.split(";\n")]
    return [*filter(None, statements), f"CREATE VIEW lineitem AS FROM {line_items}"]


@contextlib.contextmanager
def served(directory: Path, workers: int) -> Iterator[Cluster]:
    """A driver whose database has them."""
    init = directory / "shop.sql"
    init.write_text(";\n".join([BY_ROWS, *tables()]) + ";\n")
    with Cluster(directory, workers, with_driver=True, driver_options=["--init", str(init)]) as cluster:
        yield cluster
