#!/usr/bin/env python3
"""Starts a driver and three workers, runs queries on them, compares with plain DuckDB, and stops everything."""

import argparse
import os
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test"))

from support import tpch  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.compare import Result, difference, fetch  # noqa: E402
from support.pair import last_query, tasks_of  # noqa: E402
from support.session import Connection, cluster_session, plain_session, scalar  # noqa: E402

WORKERS = 3
EVEN_IF_SLOWER = "SET duckherder_mode = 'always'"
SHOWN_ROWS = 4
COLUMN_WIDTH = 16
QUERIES = {
    1: "sums and averages over all order lines, by two flags",
    3: "the unshipped orders of highest value: a join of three tables, top 10",
    6: "one sum over a filtered scan",
    12: "late orders by shipping mode: a join and a grouped count",
    18: "customers of very large orders: a subquery with HAVING",
}


def heading(text: str) -> None:
    print(f"\n== {text}")


def cell(value: object) -> str:
    text = f"{value:,.2f}" if isinstance(value, float) else str(value)
    return text if len(text) <= COLUMN_WIDTH else text[:COLUMN_WIDTH - 1] + "…"


def show_rows(result: Result) -> None:
    table = [result.names, *result.rows[:SHOWN_ROWS]]
    cells = [[cell(value) for value in row[:7]] for row in table]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        print("     " + "  ".join(value.ljust(width) for value, width in zip(row, widths)).rstrip())
    if len(result.rows) > SHOWN_ROWS:
        print(f"     … {len(result.rows) - SHOWN_ROWS} more rows")


def timed(con: Connection, sql: str) -> tuple[Result, float]:
    begin = time.perf_counter()
    result = fetch(con, sql)
    return result, (time.perf_counter() - begin) * 1000


def run_query(ours: Connection, plain: Connection, number: int) -> bool:
    sql = tpch.queries()[number]
    print(f"\nTPC-H {number}: {QUERIES[number]}")
    result, our_ms = timed(ours, sql)
    expected, plain_ms = timed(plain, sql)
    how = last_query(ours, sql)
    per_worker = Counter(task["worker_id"] for task in tasks_of(ours, how["query_id"]))
    counts = ", ".join(f"{worker} ran {count}" for worker, count in sorted(per_worker.items()))
    print(f"  {how['execution_mode']}, {how['num_stages']} stages, {how['num_tasks_generated']} tasks: {counts}")
    show_rows(result)
    problem = difference(expected, result, ordered=True)
    verdict = "equal" if not problem else f"DIFFERENT: {problem}"
    print(f"  {our_ms:.0f} ms; plain DuckDB: {len(expected.rows)} rows in {plain_ms:.0f} ms: {verdict}")
    return not problem


def run(directory: Path, scale: float) -> bool:
    heading("1. A driver and three workers, each a process of its own, on free ports of this machine")
    with Cluster(directory, workers=WORKERS, with_driver=True) as cluster:
        assert cluster.driver
        print(f"  duckherder driver   {cluster.driver.location}  pid {cluster.driver.pid}")
        for name, node in cluster.workers.items():
            print(f"  duckherder worker   {node.location}  pid {node.pid}  {name}")
        heading(f"2. TPC-H data at scale factor {scale:g} as Parquet files")
        data = tpch.parquet_directory(scale, ROOT / "build" / "demo-data")
        size = sum(file.stat().st_size for file in data.glob("*.parquet")) / 1e6
        print(f"  {data.relative_to(ROOT)}: {len(tpch.TABLES)} files, {size:.0f} MB")
        heading("3. A stock Python session loads the extension and is told where the driver is")
        with cluster_session(cluster) as ours, plain_session() as plain:
            for con in (ours, plain):
                tpch.create_views(con, data)
            print("  LOAD 'build/release/duckherder.duckdb_extension';")
            print(f"  SELECT duckherder_register_or_replace_driver('{cluster.driver.host}', {cluster.driver.port});")
            count = scalar(ours, "SELECT duckherder_get_worker_count()")
            print(f"  SELECT duckherder_get_worker_count();   -- {count}")
            ours.execute(EVEN_IF_SLOWER)
            print(f"  {EVEN_IF_SLOWER};         -- one machine has nothing to gain")
            heading("4. The same SQL on the workers and in plain DuckDB")
            equal = [run_query(ours, plain, number) for number in QUERIES]
        heading("5. Stopping the processes")
    print(f"\n{sum(equal)} of {len(equal)} results are equal to plain DuckDB's.")
    return all(equal)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sf", type=float, default=1.0, help="TPC-H scale factor (1)")
    scale = parser.parse_args().sf
    # So that a SIGTERM unwinds like Ctrl-C, and everything started here is stopped
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="duckherder-demo-") as directory:
        token = Path(directory) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32) + "\n")
        os.environ["DUCKHERDER_TOKEN_FILE"] = str(token)
        try:
            return 0 if run(Path(directory), scale) else 1
        except KeyboardInterrupt:
            print("\nInterrupted; the processes are stopped.")
            return 130


if __name__ == "__main__":
    sys.exit(main())
