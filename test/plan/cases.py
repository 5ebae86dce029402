"""The queries whose plans have snapshots, and the sessions that plan them.

They are only planned. Plans follow from statistics, which are the same everywhere: the generators of the data are
pinned, and the suites' files say that they have as many rows as those of a larger scale, at which the defaults of the
settings decide between broadcasts and shuffles.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from plan import corner_queries
from plan.corner_data import make_corner_data
from plan.plan_text import describe
from support import clickbench, paths, tpcds, tpch
from support.session import Connection, bare_session, start_local_server

SNAPSHOTS = Path(__file__).parent / "snapshots"
WORKERS = 3
#: DuckDB's planner may look at these two
FIXED_SETTINGS = ("SET threads = 4", "SET memory_limit = '2GB'")
TPCH_SCALE = 0.1
TPCDS_SCALE = 0.1
HITS_ROWS = 100_000
#: Rows of TPC-H at scale factor 10
TPCH_ROWS = {
    "region": 5, "nation": 25, "supplier": 100_000, "customer": 1_500_000, "part": 2_000_000, "partsupp": 8_000_000,
    "orders": 15_000_000, "lineitem": 59_986_052,
}
#: Rows of TPC-DS at scale factor 10
TPCDS_ROWS = {
    "call_center": 24, "catalog_page": 12_000, "catalog_returns": 1_439_749, "catalog_sales": 14_401_261,
    "customer": 500_000, "customer_address": 250_000, "customer_demographics": 1_920_800, "date_dim": 73_049,
    "household_demographics": 7_200, "income_band": 20, "inventory": 133_110_000, "item": 102_000, "promotion": 500,
    "reason": 45, "ship_mode": 20, "store": 102, "store_returns": 2_875_432, "store_sales": 28_800_991,
    "time_dim": 86_400, "warehouse": 10, "web_page": 200, "web_returns": 719_217, "web_sales": 7_197_566,
    "web_site": 42,
}
CLICKBENCH_ROWS = {"hits": 99_997_497}


@dataclass(frozen=True)
class Case:
    #: The file of snapshots, below SNAPSHOTS and without its suffix
    file: str
    name: str
    sql: str
    #: What the plan shows
    note: str = ""
    before: tuple[str, ...] = ()
    workers: int = WORKERS

    @property
    def id(self) -> str:
        return f"{self.file}:{self.name}"


def _suite(file: str, queries: dict[int, str]) -> list[Case]:
    return [Case(file, f"Q{number}", sql) for number, sql in sorted(queries.items())]


@cache
def all_cases() -> list[Case]:
    corner = [Case(f"corner/{section}", query.name, query.sql, query.note, query.before, query.workers)
              for section, queries in corner_queries.SECTIONS.items() for query in queries]
    return [*_suite("tpch", tpch.queries()), *_suite("tpcds", tpcds.queries()),
            *_suite("clickbench", clickbench.queries()), *corner]


class Planner:
    """Sessions, opened when a case needs them; `directory` takes the data of the corner queries."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._sessions: dict[tuple[str, int], Connection] = {}

    def plan(self, case: Case) -> str:
        """The section of the snapshot file."""
        suite = case.file.split("/")[0]
        con = self._session(suite, case.workers).cursor()
        directory = str(self._data(case.workers))
        try:
            for statement in case.before:
                con.execute(statement.replace("{data}", directory)).fetchall()
            first, *rest = describe(con, case.sql.replace("{data}", directory))
        finally:
            con.close()
        query = [case.note, *case.before, *case.sql.split("\n")] if case.note else []
        lines = [f"{case.name}: {first}", *(f"  -- {line}" for line in query), *rest]
        return "\n".join(lines).replace(directory, "{data}") + "\n"

    def close(self) -> None:
        for con in self._sessions.values():
            con.close()

    def _data(self, workers: int) -> Path:
        return self._directory / f"workers_{workers}"

    def _session(self, suite: str, workers: int) -> Connection:
        if (suite, workers) not in self._sessions:
            con = bare_session()
            for setting in FIXED_SETTINGS:
                con.execute(setting)
            if suite == "tpch":
                _create_views(con, tpch.parquet_directory(TPCH_SCALE), TPCH_ROWS)
            elif suite == "tpcds":
                _create_views(con, tpcds.parquet_directory(TPCDS_SCALE), TPCDS_ROWS)
            elif suite == "clickbench":
                _create_views(con, clickbench.parquet_directory(HITS_ROWS), CLICKBENCH_ROWS)
            else:
                make_corner_data(con, self._data(workers))
            if workers:
                start_local_server(con, workers)
            self._sessions[suite, workers] = con
        return self._sessions[suite, workers]


def _create_views(con: Connection, directory: Path, rows: dict[str, int]) -> None:
    for table, count in rows.items():
        file = paths.quoted(directory / f"{table}.parquet")
        con.execute(f"CREATE VIEW {table} AS FROM read_parquet({file}, explicit_cardinality = {count})")
