"""Faults by a seed: all TPC-H queries on workers whose tasks and outputs fail, get lost or come late.

usage: seeded.py [--seeds 100] [--first 1] [--percent 15] [--scale 0.1] [--queries 1,2,...]

Each seed has a driver and three workers of its own, real processes with test/chaos/seeded_faults.hpp in them. A query
has to return the rows of plain DuckDB, however often its tasks are retried, unless an output breaks off of which the
session has used a part; without retries, those rows or an error that names a worker. Afterwards nothing may be left
on the workers. `--first N --seeds 1` does the same again. Ends with 1 if anything was wrong, or if no fault led to a
retry.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos.matrix import PLACE_ERRORS  # noqa: E402
from chaos.nodes import Environment, Nodes  # noqa: E402
from support import faults, paths, tpch  # noqa: E402
from support.cluster import use_new_token  # noqa: E402
from support.compare import Result, difference, fetch  # noqa: E402
from support.pair import last_query  # noqa: E402
from support.session import Connection, bare_session, plain_session  # noqa: E402

#: A query that takes longer hangs
LIMIT_SECONDS = 120


@dataclass
class Query:
    number: int
    sql: str
    expected: Result


@dataclass
class Tally:
    queries: int = 0
    retries: int = 0
    errors: int = 0
    wrong: int = 0

    def add(self, other: "Tally") -> None:
        self.queries += other.queries
        self.retries += other.retries
        self.errors += other.errors
        self.wrong += other.wrong


def problem_of(con: Connection, query: Query, retries: int, tally: Tally) -> str | None:
    con.execute(f"SET duckherder_task_retries = {retries}")
    tally.queries += 1
    try:
        rows = fetch(con, query.sql)
    except duckdb.Error as error:
        tally.errors += 1
        if retries and faults.USED not in str(error):
            return f"{type(error).__name__}: {error}"
        clear = type(error).__name__ in PLACE_ERRORS and "worker" in str(error).lower()
        return None if clear else f"no clear error: {type(error).__name__}: {error}"
    told = last_query(con, query.sql)
    tally.retries += told["retries"]
    if told["execution_mode"] != "DISTRIBUTED":
        return f"it ran {told['execution_mode']}"
    return difference(query.expected, rows, ordered=True)


def run_seed(seed: int, percent: int, queries: list[Query], data: Path, directory: Path) -> Tally:
    tally = Tally()
    directory.mkdir()
    environment = Environment(variables=faults.variables(seed, percent))
    nodes = Nodes(directory, environment, None, paths.FAULTY_WORKER)
    try:
        with nodes:
            con = bare_session()
            tpch.create_views(con, data)
            con.execute(f"SELECT duckherder_register_or_replace_driver('{nodes.driver.host}', {nodes.driver.port})")
            con.execute("SET duckherder_mode = 'always'")
            con.execute(f"SET duckherder_query_timeout = {LIMIT_SECONDS * 1000}")
            for query in queries:
                for retries in (faults.RETRIES, 0):
                    if problem := problem_of(con, query, retries, tally):
                        tally.wrong += 1
                        print(f"seed {seed}: Q{query.number} with {retries} retries: {problem[:500]}", flush=True)
            con.close()
            nodes.check_nothing_left()
    except (AssertionError, RuntimeError, TimeoutError, duckdb.Error) as error:
        tally.wrong += 1
        print(f"seed {seed}: {error}\n{nodes.logs()}", flush=True)
    return tally


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=100)
    arguments.add_argument("--first", type=int, default=1)
    arguments.add_argument("--percent", type=int, default=15)
    arguments.add_argument("--scale", type=float, default=0.1)
    arguments.add_argument("--queries", default=",".join(map(str, range(1, 23))))
    chosen = arguments.parse_args()
    total = Tally()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="duckherder-seeded-") as name:
        use_new_token(Path(name))
        data = tpch.parquet_directory(chosen.scale)
        with plain_session() as con:
            tpch.create_views(con, data)
            texts = tpch.queries()
            queries = [Query(number, texts[number], fetch(con, texts[number]))
                       for number in map(int, chosen.queries.split(","))]
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            total.add(run_seed(seed, chosen.percent, queries, data, Path(name) / f"seed-{seed}"))
    print(f"{chosen.seeds} seeds, {total.queries} queries, {total.retries} retries, {total.errors} errors, "
          f"{total.wrong} problems, {time.monotonic() - begin:.0f} s")
    return 1 if total.wrong or not total.retries else 0


if __name__ == "__main__":
    sys.exit(main())
