#!/usr/bin/env python3
"""Which queries of TPC-H, TPC-DS and ClickBench equal plain DuckDB's, and how they ran, with several counts of workers.

Native tables go through embedded workers, Parquet files through worker processes of one thread. --write puts the table
into docs/coverage.md. Run it with build/deps/venv/bin/python.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test"))

from support.cluster import Cluster, use_new_token  # noqa: E402
from support.compare import Result, difference, fetch  # noqa: E402
from support.pair import last_query  # noqa: E402
from support.session import Connection, cluster_session, distribute_everything  # noqa: E402
from support.session import local_session, plain_session  # noqa: E402
from support.suites import SCALE_HELP, SUITES, Suite, numbers  # noqa: E402

DOCUMENT = ROOT / "docs" / "coverage.md"
QUERY_TIMEOUT_SECONDS = 300
HEADER = """# Coverage

How the queries of TPC-H (22), TPC-DS (99) and ClickBench (43) run, compared with plain DuckDB 1.5.5: each query is run
as it is, which gives its mode, and its answer compared; where it has several right answers (ClickBench cuts off ties),
the answer to the query with all columns as further sort keys. Written by `scripts/coverage.py --write`, one section a
run. `DISTRIBUTED`: everything but the final step ran on workers; `PARTIAL`: more ran in the session above distributed
parts; `LOCAL`: no worker took part. ClickBench's table is made up (`test/support/clickbench.py`). A cell with several
values names the counts of workers in brackets. The order of the rows is not compared here (the tests of TPC-H and
ClickBench do).

| data | tables | workers | queries | equal | DISTRIBUTED | PARTIAL | LOCAL |
|---|---|---:|---:|---:|---:|---:|---:|
"""


@dataclass
class Outcome:
    problem: str
    mode: str
    reason: str
    stages: int


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=tuple(SUITES), default="tpch")
    parser.add_argument("--scale", type=float, default=0.1, help=SCALE_HELP.replace("(1)", "(0.1)"))
    parser.add_argument("--tables", choices=("native", "parquet"), default="native")
    parser.add_argument("--workers", default="1,2,3,5", help="counts of workers (1,2,3,5)")
    parser.add_argument("--queries", default="", help="for example 1,3,6-8 (all)")
    parser.add_argument("--defaults", action="store_true",
                        help="leave the settings alone instead of cutting even small tables into many tasks")
    parser.add_argument("--write", action="store_true", help="put the result into docs/coverage.md")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def session(tables: str, workers: int, directory: Path) -> Iterator[Connection]:
    if tables == "native":
        with local_session(workers) as con:
            yield con
    else:
        with Cluster(directory, workers=workers) as cluster, cluster_session(cluster) as con:
            yield con


@contextlib.contextmanager
def limited(con: Connection) -> Iterator[None]:
    """A query that hangs fails."""
    timer = threading.Timer(QUERY_TIMEOUT_SECONDS, con.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run(con: Connection, sql: str, comparable: str, expected: Result) -> Outcome:
    try:
        with limited(con):
            actual = fetch(con, sql)
        row = last_query(con, sql)
        if comparable != sql:
            with limited(con):
                actual = fetch(con, comparable)
    except Exception as error:  # noqa: BLE001 it goes into the table
        return Outcome(f"{type(error).__name__}: {error}", "FAILED", "", 0)
    return Outcome(difference(expected, actual), row["execution_mode"], row["local_reason"] or "",
                   row["num_stages"] or 0)


def answers(suite: Suite, data: Path, queries: dict[str, str]) -> dict[str, tuple[str, Result]]:
    """Of plain DuckDB: what to compare for each query, and its answer."""
    found = {}
    with plain_session() as con:
        suite.create_sources(con, data, "VIEW")
        for name, sql in queries.items():
            result = fetch(con, sql)
            comparable = suite.comparable(sql, result)
            found[name] = comparable, result if comparable == sql else fetch(con, comparable)
    return found


def by_workers(values: dict[int, str]) -> str:
    """One value if it is the same with every count of workers."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} ({count})" for count, value in values.items())


def one_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:200]


def section(title: str, options: argparse.Namespace, outcomes: dict[str, dict[int, Outcome]]) -> str:
    settings = "default settings" if options.defaults else \
        "`duckherder_mode = 'always'`, `duckherder_min_rows = 1` and `duckherder_min_task_bytes = 1`"
    where = "embedded workers" if options.tables == "native" else "worker processes of one thread"
    command = " ".join(["scripts/coverage.py", *(word for word in sys.argv[1:] if word != "--write")])
    lines = [title, "", f"{options.workers.replace(',', ', ')} {where}; {settings}.", f"Command: `{command}`.", "",
             "| query | equal | mode | stages | reason |", "|---|---|---|---|---|"]
    for name, runs in outcomes.items():
        cells = [by_workers({count: one_cell(text(outcome)) for count, outcome in runs.items()}) for text in (
            lambda outcome: outcome.problem or "yes", lambda outcome: outcome.mode,
            lambda outcome: str(outcome.stages), lambda outcome: outcome.reason)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(data: str, tables: str, outcomes: dict[str, dict[int, Outcome]], count: int) -> str:
    runs = [all_runs[count] for all_runs in outcomes.values()]
    modes = [sum(run.mode == mode for run in runs) for mode in ("DISTRIBUTED", "PARTIAL", "LOCAL")]
    equal = sum(not run.problem for run in runs)
    return f"| {data} | {tables} | {count} | {len(runs)} | {equal} | {' | '.join(map(str, modes))} |"


def write(data: str, tables: str, title: str, rows: list[str], text: str) -> None:
    """Replaces the rows and the section of this data and kind of tables, and keeps the others."""
    old = DOCUMENT.read_text() if DOCUMENT.exists() else HEADER
    head, *sections = old.split("\n## ")
    kept = [line for line in head.removeprefix(HEADER).splitlines()
            if line.strip() and not line.startswith(f"| {data} | {tables} |")]
    others = ["## " + part.strip() for part in sections if "## " + part.split("\n")[0] != title]
    body = "\n\n".join(sorted([*others, text]))
    DOCUMENT.write_text(HEADER + "\n".join(sorted(kept + rows)) + "\n\n" + body + "\n")


def main() -> int:
    options = arguments()
    suite = SUITES[options.suite]
    # Small data is the tests', large data the benchmarks': often it is there already
    data = suite.parquet_directory(options.scale, ROOT / "build" / ("test-data" if options.scale < 1 else "bench-data"))
    queries = suite.names(options.scale)
    if options.queries:
        queries = {name: queries[name] for name in (f"Q{number}" for number in numbers(options.queries))}
    counts = numbers(options.workers)
    expected = answers(suite, data, queries)
    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in queries}
    with tempfile.TemporaryDirectory(prefix="duckherder-coverage-") as temporary:
        use_new_token(Path(temporary))
        for count in counts:
            directory = Path(temporary) / str(count)
            directory.mkdir()
            with session(options.tables, count, directory) as con:
                suite.create_sources(con, data, "TABLE" if options.tables == "native" else "VIEW")
                if not options.defaults:
                    distribute_everything(con)
                for name, sql in queries.items():
                    outcome = run(con, sql, *expected[name])
                    outcomes[name][count] = outcome
                    if outcome.problem:
                        say(f"{name}, {count} workers: {outcome.problem[:2000]}")
            say(summary(suite.data(options.scale), options.tables, outcomes, count))
    title = f"## {suite.data(options.scale)}, {options.tables}"
    text = section(title, options, outcomes)
    print(text)
    if options.write:
        rows = [summary(suite.data(options.scale), options.tables, outcomes, count) for count in counts]
        write(suite.data(options.scale), options.tables, title, rows, text)
    return 1 if any(outcome.problem for runs in outcomes.values() for outcome in runs.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
