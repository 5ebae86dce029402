#!/usr/bin/env python3
"""TPC-H, TPC-DS or ClickBench: worker processes of one thread against one stock DuckDB with as many threads, as
ratios. The data is generated once, into build/bench-data."""

import argparse
import contextlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from measuring import measure, measure_fixed_cost  # noqa: E402
from sides import start_sides  # noqa: E402
from support.suites import SCALE_HELP, SUITES, numbers  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=tuple(SUITES), default="tpch")
    parser.add_argument("--scale", "--sf", type=float, default=1.0, help=SCALE_HELP)
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each query (3)")
    parser.add_argument("--queries", default="", help="for example 1,3,6-8 (all)")
    parser.add_argument("--tables", choices=("parquet", "native"), default="parquet")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker (1)")
    parser.add_argument("--embedded", action="store_true", help="workers in the session's process instead")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


def setup_text(options: argparse.Namespace) -> str:
    where = "embedded workers" if options.embedded else "worker processes"
    threads = options.workers * options.threads
    return f"{options.workers} {where} of {options.threads} thread against one stock process of {threads} threads"\
        + (" (the session itself has one more)." if not options.embedded else ".")


def main() -> int:
    options = arguments()
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    suite = SUITES[options.suite]
    say(f"data: {suite.data(options.scale)}")
    data = suite.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    queries = suite.names(options.scale)
    if options.queries:
        queries = {name: queries[name] for name in (f"Q{number}" for number in numbers(options.queries))}
    with contextlib.ExitStack() as stack:
        plain, ours = start_sides(stack, options.workers, options.threads, options.embedded)
        for side in (plain, ours):
            suite.create_sources(side, data, "TABLE" if options.tables == "native" else "VIEW")
        fixed = measure_fixed_cost(plain, ours)
        measurements = measure(plain, ours, queries, options.runs, say, suite.comparable)
    body = report.table(measurements, fixed, options.workers)
    sources = f"{options.tables}, {'embedded workers' if options.embedded else 'worker processes'}"
    text = report.section(suite.data(options.scale), sources, setup_text(options), options.runs, body)
    print(text)
    if options.write:
        report.write(suite.data(options.scale), sources, text)
    wrong = [measurement.name for measurement in measurements if measurement.problem]
    if wrong:
        say(f"different results: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
