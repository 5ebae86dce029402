#!/usr/bin/env python3
"""Star queries over TPC-H with dynamic filters on and off: the rows that leave the scan of the large table, bytes
exchanged and times, beside plain DuckDB. Joins are shuffled whatever their sizes (duckherder_broadcast_limit = 0), as
between two large tables, and then as the sizes suggest."""

import argparse
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from measuring import Measurement, measure, median  # noqa: E402
from sides import Side, start_sides  # noqa: E402
from support.suites import SUITES  # noqa: E402

#: Each joins lineitem with a dimension of which a condition leaves little
QUERIES = {
    "part of one brand and container": """
        SELECT count(*), sum(l_extendedprice) FROM lineitem JOIN part ON p_partkey = l_partkey
        WHERE p_brand = 'Brand#23' AND p_container = 'MED BOX'""",
    "suppliers of one nation": """
        SELECT n_name, count(*), sum(l_quantity) FROM lineitem JOIN supplier ON s_suppkey = l_suppkey
        JOIN nation ON n_nationkey = s_nationkey WHERE n_name = 'PERU' GROUP BY n_name""",
    "orders of the richest customers": """
        SELECT o_orderpriority, count(*), sum(l_extendedprice * (1 - l_discount)) FROM lineitem
        JOIN orders ON o_orderkey = l_orderkey JOIN customer ON c_custkey = o_custkey
        WHERE c_acctbal > 9990 GROUP BY o_orderpriority""",
}
LIMITS = {"shuffled": "0", "by size": None}
TITLE = "Dynamic filters on and off"


@dataclass
class Case:
    measurement: Measurement
    scanned_rows: int


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", "--sf", type=float, default=1.0, help="scale factor (1)")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each query (3)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of one thread (2)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


def rows_of_largest_scan(ours: Side, query_id: str) -> int:
    """That left it for the rest of their task, or for a feed."""
    return ours.result("SELECT max(r)::BIGINT FROM (SELECT sum(rows) AS r FROM duckherder_tasks() WHERE query_id = "
                       f"'{query_id}' AND row_end IS NOT NULL GROUP BY stage_id)").rows[0][0]


def measure_case(plain: Side, ours: Side, sql: str, runs: int) -> Case:
    measurement = measure(plain, ours, {"": sql}, runs, lambda _: None)[0]
    return Case(measurement, rows_of_largest_scan(ours, measurement.statistics["query_id"]))


def row(name: str, how: str, off: Case, on: Case) -> str:
    cells = [name, how, f"{off.scanned_rows:,}", f"{on.scanned_rows:,}",
             f"{off.scanned_rows / max(on.scanned_rows, 1):,.0f}"]
    cells += [f"{case.measurement.statistics['bytes_exchanged']:,}" for case in (off, on)]
    cells += [f"{on.measurement.plain_ms:.0f}"] + [f"{case.measurement.ours_ms:.0f}" for case in (off, on)]
    cells += [f"{1000 * median(run.cpu_seconds for run in case.measurement.ours):.0f}" for case in (off, on)]
    wrong = off.measurement.problem or on.measurement.problem
    return "| " + " | ".join([*cells, on.measurement.statistics["execution_mode"], wrong or "yes"]) + " |"


def main() -> int:
    options = arguments()
    suite = SUITES["tpch"]
    data = suite.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    lines = ["| query | join | rows from the scan, off | on | times fewer | bytes exchanged, off | on | plain ms "
             "| ms, off | on | CPU ms, off | on | mode | equal |", "|---|---|" + "---:|" * 10 + "---|---|"]
    with contextlib.ExitStack() as stack:
        plain, ours = start_sides(stack, options.workers)
        for side in (plain, ours):
            suite.create_sources(side, data, "VIEW")
        for how, limit in LIMITS.items():
            ours.execute(f"SET duckherder_broadcast_limit = {limit}" if limit else
                         "RESET duckherder_broadcast_limit")
            for name, sql in QUERIES.items():
                cases = []
                for filters in ("false", "true"):
                    ours.execute(f"SET duckherder_dynamic_filters = {filters}")
                    cases.append(measure_case(plain, ours, sql, options.runs))
                lines.append(row(name, how, *cases))
    text = f"""{report.title(TITLE, suite.data(options.scale))}

{options.workers} worker processes of 1 thread, Parquet; medians of {options.runs} runs after a warm-up. `shuffled`:
with `duckherder_broadcast_limit = 0`; `by size`: as it is by default, where the dimension is broadcast, and
DuckDB's own join filters do the same within a task whether ours are on or off.

{chr(10).join(lines)}

{report.origin()}
"""
    print(text)
    if options.write:
        report.write(TITLE, suite.data(options.scale), text)
    return 1 if any(not line.endswith("| yes |") for line in lines[2:]) else 0


if __name__ == "__main__":
    sys.exit(main())
