"""TPC-H by the pinned extension: the data as Parquet files, generated once, and the 22 queries."""

import math
from functools import cache
from pathlib import Path

import duckdb

from support import paths
from support.generated import export_tables, generate_once
from support.session import Connection
from support.versions import by_first_duckdb

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")


def _generator(database: str = ":memory:") -> Connection:
    con = duckdb.connect(database, config={"allow_unsigned_extensions": "true"})
    con.execute(f"LOAD {paths.quoted(paths.require(paths.TPCH_EXTENSION))}")
    return con


@cache
@by_first_duckdb(lambda answer: {int(number): text for number, text in answer.items()})
def queries() -> dict[int, str]:
    with _generator() as con:
        return dict(con.execute("SELECT query_nr, query FROM tpch_queries()").fetchall())


@by_first_duckdb(Path)
def parquet_directory(scale: float, base: Path = paths.ROOT / "build" / "test-data") -> Path:
    """Generates the data if it is not there."""
    def fill(fresh: Path) -> None:
        with _generator(str(fresh / "tpch.duckdb")) as con:
            # In parts that fit in memory; the database file takes what is done
            children = max(1, math.ceil(scale))
            for step in range(children):
                part = f", children = {children}, step = {step}" if children > 1 else ""
                con.execute(f"CALL dbgen(sf = {scale}{part})")
                con.execute("CHECKPOINT")
            export_tables(con, TABLES, fresh)
        (fresh / "tpch.duckdb").unlink()

    return generate_once(base / f"tpch-sf{scale:g}", fill)


def create_sources(con: Connection, directory: Path, kind: str) -> None:
    """`kind`: VIEW over the files, or TABLE with their rows."""
    for table in TABLES:
        con.execute(f"CREATE {kind} {table} AS FROM {paths.quoted(directory / (table + '.parquet'))}")


def create_views(con: Connection, directory: Path) -> None:
    create_sources(con, directory, "VIEW")


def create_tables(con: Connection, directory: Path) -> None:
    create_sources(con, directory, "TABLE")
