"""What the clients of the soak run: queries with the answers of plain DuckDB, made before."""

import pickle
import random
from dataclasses import dataclass
from pathlib import Path

import duckdb

from support import paths, tpch
from support.compare import Result, fetch
from support.session import Connection, plain_session

NUMBERS = 200_000
ROWS = "SELECT l_orderkey, l_linenumber, l_comment FROM lineitem WHERE l_orderkey % 50 = 0"
#: Errors of the user, in the rows that a worker reads
WRONG = {
    "conversion": "SELECT sum(l_comment::INTEGER) FROM lineitem",
    "domain": "SELECT sum(ln(-l_quantity)) FROM lineitem",
    "said": "SELECT count(*) FROM orders WHERE o_orderkey > 1000 AND error('no such order')",
}
#: Long enough to be cancelled in any of their stages
LONG = ("SELECT l_suppkey % 100 AS g, sum(ln(l_orderkey + range)), count(DISTINCT l_partkey) FROM lineitem, range(20)"
        " GROUP BY ALL ORDER BY ALL",
        "SELECT a.l_orderkey, b.l_comment FROM lineitem a JOIN lineitem b ON a.l_partkey = b.l_partkey"
        " WHERE a.l_quantity > b.l_quantity")


@dataclass(frozen=True)
class Item:
    """`kind`: run; or how it is cancelled, which is interrupt, kill, close or disconnect."""
    kind: str
    schema: str
    sql: str
    #: Of the expected answer; empty if it has none
    name: str = ""
    delay: float = 0.0


@dataclass
class Expected:
    rows: Result | None
    error_class: str | None
    ordered: bool


def create_sources(con: Connection, scales: dict[str, Path], csv: Path) -> None:
    """The same for plain sessions and for those with workers: a schema for each scale."""
    for schema, directory in scales.items():
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        con.execute(f"USE memory.{schema}")
        tpch.create_views(con, directory)
        con.execute(f"CREATE VIEW numbers_csv AS FROM {paths.quoted(csv)}")
        con.execute(f"CREATE TABLE numbers AS SELECT i, i % 100 AS g, 'text ' || i AS s FROM range({NUMBERS}) r(i)")


def write_csv(path: Path) -> Path:
    plain_session().execute(f"COPY (SELECT i, i % 7 AS g FROM range({NUMBERS}) r(i)) TO {paths.quoted(path)}")
    return path


class Mix:
    """Draws what comes next; the answers are known."""

    def __init__(self, schemas: list[str], seed: int, cancels_only: bool = False):
        self.schemas = schemas
        self._cancels_only = cancels_only
        self._random = random.Random(seed)
        self._queries = {f"Q{number}": sql for number, sql in tpch.queries().items()}
        self._queries |= {"rows": ROWS, "native": "SELECT g, sum(i), max(s) FROM numbers GROUP BY g ORDER BY g",
                          "csv": "SELECT g, sum(i) FROM numbers_csv GROUP BY g ORDER BY g"}

    def compute(self, scales: dict[str, Path], csv: Path) -> dict[tuple[str, str], Expected]:
        result: dict[tuple[str, str], Expected] = {}
        with plain_session() as con:
            create_sources(con, scales, csv)
            for schema in self.schemas:
                con.execute(f"USE memory.{schema}")
                for name, sql in {**self._queries, **WRONG}.items():
                    try:
                        rows = fetch(con, sql)
                        result[schema, name] = Expected(rows, None, name.startswith("Q") or "ORDER BY" in sql)
                    except duckdb.Error as error:
                        result[schema, name] = Expected(None, type(error).__name__, False)
        return result

    def each(self) -> list[Item]:
        """Every query once."""
        return [Item("run", schema, sql, name) for schema in self.schemas
                for name, sql in {**self._queries, **WRONG}.items()]

    def next(self, may_disconnect: bool) -> Item:
        """Of ten queries seven are short and two fail or are cancelled."""
        draw = self._random.random()
        schema = self.schemas[0] if draw < 0.7 or len(self.schemas) == 1 else self.schemas[-1]
        if self._cancels_only or self._random.random() < 0.12:
            kinds = ["interrupt", "interrupt", "kill", "kill", "close"] + (["disconnect"] if may_disconnect else [])
            return self._cancelled(self._random.choice(kinds), self.schemas[0])
        if self._random.random() < 0.08:
            name = self._random.choice(list(WRONG))
            return Item("run", schema, WRONG[name], name)
        name = self._random.choice(list(self._queries))
        return Item("run", schema, self._queries[name], name)

    def _cancelled(self, kind: str, schema: str) -> Item:
        #: Most within the first stages; some after the end
        delay = self._random.choice((0.02, 0.1, 0.3, 0.6)) * self._random.random()
        if kind != "close" and self._random.random() < 0.5:
            name = self._random.choice([name for name in self._queries if name.startswith("Q")])
            return Item(kind, schema, self._queries[name], name, delay)
        return Item(kind, schema, LONG[1] if kind == "close" else self._random.choice(LONG), "", delay)


def save(path: Path, scales: dict[str, Path], csv: Path, expected: dict[tuple[str, str], Expected]) -> Path:
    path.write_bytes(pickle.dumps((scales, csv, expected)))
    return path
