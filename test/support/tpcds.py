"""TPC-DS by the pinned extension: the data as Parquet files, generated once, and the 99 queries."""

from functools import cache
from pathlib import Path

import duckdb

from support import paths
from support.generated import export_tables, generate_once
from support.session import Connection
from support.versions import by_first_duckdb


def _generator(database: str = ":memory:") -> Connection:
    con = duckdb.connect(database, config={"allow_unsigned_extensions": "true"})
    con.execute(f"LOAD {paths.quoted(paths.require(paths.TPCDS_EXTENSION))}")
    return con


@cache
@by_first_duckdb(lambda answer: {int(number): text for number, text in answer.items()})
def queries() -> dict[int, str]:
    with _generator() as con:
        return dict(con.execute("SELECT query_nr, query FROM tpcds_queries()").fetchall())


@by_first_duckdb(Path)
def parquet_directory(scale: float, base: Path = paths.ROOT / "build" / "test-data") -> Path:
    """Generates the data if it is not there."""
    def fill(fresh: Path) -> None:
        with _generator(str(fresh / "tpcds.duckdb")) as con:
            con.execute(f"CALL dsdgen(sf = {scale})")
            tables = [name for name, in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            export_tables(con, tables, fresh)
        (fresh / "tpcds.duckdb").unlink()

    return generate_once(base / f"tpcds-sf{scale:g}", fill)


def create_sources(con: Connection, directory: Path, kind: str) -> None:
    """`kind`: VIEW over the files, or TABLE with their rows."""
    for file in sorted(directory.glob("*.parquet")):
        con.execute(f"CREATE {kind} {file.stem} AS FROM {paths.quoted(file)}")
