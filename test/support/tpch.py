"""TPC-H by the pinned extension: the data as Parquet files, generated once, and the 22 queries."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

import duckdb

from support import paths
from support.session import Connection

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
ROW_GROUP_ROWS = 122880


def _generator(database: str = ":memory:") -> Connection:
    con = duckdb.connect(database, config={"allow_unsigned_extensions": "true"})
    con.execute(f"LOAD {paths.quoted(paths.require(paths.TPCH_EXTENSION))}")
    return con


@cache
def queries() -> dict[int, str]:
    with _generator() as con:
        return dict(con.execute("SELECT query_nr, query FROM tpch_queries()").fetchall())


def parquet_directory(scale: float, base: Path = paths.ROOT / "build" / "test-data") -> Path:
    """Generates the data if it is not there; complete or absent, whoever else generates it at the same time."""
    directory = base / f"tpch-sf{scale:g}"
    if directory.exists():
        return directory
    base.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=base, prefix="generating-"))
    try:
        with _generator(str(fresh / "tpch.duckdb")) as con:
            con.execute(f"CALL dbgen(sf = {scale})")
            for table in TABLES:
                target = paths.quoted(fresh / f"{table}.parquet")
                con.execute(f"COPY {table} TO {target} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS})")
        (fresh / "tpch.duckdb").unlink()
        fresh.chmod(0o755)
        try:
            fresh.rename(directory)
        except OSError:
            # Somebody else was faster
            if not directory.exists():
                raise
        return directory
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def create_views(con: Connection, directory: Path) -> None:
    for table in TABLES:
        con.execute(f"CREATE VIEW {table} AS FROM {paths.quoted(directory / (table + '.parquet'))}")


def create_tables(con: Connection, directory: Path) -> None:
    for table in TABLES:
        con.execute(f"CREATE TABLE {table} AS FROM {paths.quoted(directory / (table + '.parquet'))}")
