#!/usr/bin/env python3
"""What mode auto costs: each query on plain DuckDB, on a driver's workers (mode always) and in mode auto: TPC-H,
ClickBench and look-ups by key. The session has as many threads as plain DuckDB, and the workers together as many as
--workers and --threads say. Fails if auto takes more in total than the better of both modes allows, if one query takes
much more than in plain DuckDB, or if a result differs."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from measuring import compare, last_statistics, median  # noqa: E402
from sides import Side, start_borrower, start_plain  # noqa: E402
from support.suites import SUITES, numbers  # noqa: E402

LOOKUP_ROWS = 1_000_000
LOOKUP_STEP = 7919
#: Runs of a query that takes less than this are repeated, because the clock and the scheduler would decide
SHORT_SECONDS = 0.05
SHORT_RUNS = 7
#: What is allowed to a query in mode auto over plain DuckDB
FACTOR_MAX, EXTRA_MS_MAX = 1.5, 5.0
#: What is allowed to all queries together over the better of plain DuckDB and mode always, for each of them
TOTAL_FACTOR_MAX = 1.05
SIDES = ("plain", "always", "auto")
TITLE, KIND = "Mode auto", "a driver's workers"


@dataclass
class Query:
    suite: str
    name: str
    sql: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})
    mode: str = ""
    reason: str = ""
    #: What is wrong with the result in mode auto; empty if it equals plain DuckDB's
    problem: str = ""

    def ms(self, side: str) -> float:
        return median(self.seconds[side]) * 1000

    @property
    def better_ms(self) -> float:
        return min(self.ms("plain"), self.ms("always"))

    @property
    def excess(self) -> float:
        """Above 1: slower in mode auto than is allowed."""
        return self.ms("auto") / (FACTOR_MAX * self.ms("plain") + EXTRA_MS_MAX)


@dataclass
class Sides:
    plain: Side
    ours: Side

    def run(self, side: str, sql: str) -> float:
        if side == "plain":
            return self.plain.run(sql).seconds
        self.ours.execute(f"SET duckherder_mode = '{side}'")
        return self.ours.run(sql).seconds

    def measure(self, query: Query, runs: int, comparable: Callable) -> None:
        """The first run of each side warms up. All sides take turns."""
        warm = {side: self.run(side, query.sql) for side in SIDES}
        query.problem = compare(self.plain, self.ours, query.sql, comparable)
        for number in range(max(runs, SHORT_RUNS) if min(warm.values()) < SHORT_SECONDS else runs):
            for position in range(len(SIDES)):
                side = SIDES[(number + position) % len(SIDES)]
                query.seconds[side].append(self.run(side, query.sql))
        self.note(query, query.sql)

    def note(self, query: Query, last_sql: str) -> None:
        """What mode auto says of it."""
        self.run("auto", last_sql)
        last = last_statistics(self.ours, last_sql)
        query.mode, query.reason = last["execution_mode"], last.get("local_reason") or ""


def suite_queries(sides: Sides, suite_name: str, scale: float, wanted: str) -> list[Query]:
    suite = SUITES[suite_name]
    data = suite.parquet_directory(scale, ROOT / "build" / "bench-data")
    for side in (sides.plain, sides.ours):
        suite.create_sources(side, data, "OR REPLACE VIEW")
    names = suite.names(scale)
    chosen = [f"Q{number}" for number in numbers(wanted)] if wanted else names
    return [Query(suite.data(scale), name, names[name]) for name in chosen if name in names]


def lookups(sides: Sides, count: int) -> Query:
    """All together count as one query: each takes less than a millisecond."""
    for side in (sides.plain, sides.ours):
        side.execute("CREATE OR REPLACE TABLE keyed (id BIGINT PRIMARY KEY, v VARCHAR, w BIGINT)",
                     f"INSERT INTO keyed SELECT i, 'text ' || i, 2 * i FROM range({LOOKUP_ROWS}) r(i)")
    query = Query(f"{count:,} look-ups", "by key", "SELECT * FROM keyed WHERE id = 0")
    statements = [f"SELECT * FROM keyed WHERE id = {number * LOOKUP_STEP % LOOKUP_ROWS}" for number in range(count)]
    for side in SIDES:
        sides.run(side, query.sql)
        query.seconds[side].append(sum(sides.run(side, sql) for sql in statements))
    query.problem = compare(sides.plain, sides.ours, statements[-1], None)
    sides.note(query, statements[-1])
    return query


def rows_of(queries: list[Query]) -> str:
    lines = ["| data | query | plain ms | always ms | auto ms | auto / plain | mode | reason |",
             "|---|---|---:|---:|---:|---:|---|---|"]
    for query in queries:
        plain, always, auto = (query.ms(side) for side in SIDES)
        lines.append(f"| {query.suite} | {query.name} | {plain:.1f} | {always:.1f} | {auto:.1f} | {auto / plain:.2f} "
                     f"| {query.mode} | {query.reason} |")
    return "\n".join(lines)


def totals_of(queries: list[Query]) -> str:
    lines = ["| data | plain ms | always ms | the better of both ms | auto ms | auto / better | distributed |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    suites = list(dict.fromkeys(query.suite for query in queries))
    for title, members in [*((suite, [query for query in queries if query.suite == suite]) for suite in suites),
                           ("**all**", queries)]:
        plain, always, auto = (sum(query.ms(side) for query in members) for side in SIDES)
        better = sum(query.better_ms for query in members)
        distributed = sum(query.mode != "LOCAL" for query in members)
        lines.append(f"| {title} | {plain:.0f} | {always:.0f} | {better:.0f} | {auto:.0f} | {auto / better:.3f} "
                     f"| {distributed} of {len(members)} |")
    worst = max(queries, key=lambda query: query.excess)
    lines += ["", f"The worst query is {worst.name} of {worst.suite}: {worst.ms('plain'):.1f} ms plain, "
                  f"{worst.ms('auto'):.1f} ms in mode auto. {FACTOR_MAX} times plain and {EXTRA_MS_MAX:.0f} ms are "
                  f"allowed, which are {FACTOR_MAX * worst.ms('plain') + EXTRA_MS_MAX:.1f} ms."]
    return "\n".join(lines)


def misses(queries: list[Query]) -> list[str]:
    """What is not as it should be."""
    found = [f"{query.name} of {query.suite}: {query.problem}" for query in queries if query.problem]
    found += [f"{query.name} of {query.suite} takes {query.ms('auto'):.1f} ms, plain DuckDB {query.ms('plain'):.1f} ms"
              for query in queries if query.excess > 1]
    auto, better = sum(query.ms("auto") for query in queries), sum(query.better_ms for query in queries)
    if auto > TOTAL_FACTOR_MAX * better:
        found.append(f"all take {auto:.0f} ms, more than {TOTAL_FACTOR_MAX} x {better:.0f} ms")
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tpch", default="0.01,0.1,1,10", help="scale factors; '' is none (0.01,0.1,1,10)")
    parser.add_argument("--clickbench", default="0.01,0.1,1,10", help="millions of rows (0.01,0.1,1,10)")
    parser.add_argument("--queries", default="", help="of the suites, for example 1,3,6-8 (all)")
    parser.add_argument("--lookups", type=int, default=1000, help="look-ups by key (1000)")
    parser.add_argument("--runs", type=int, default=3, help=f"counted runs; short queries have {SHORT_RUNS} (3)")
    parser.add_argument("--session-threads", type=int, default=2, help="of plain DuckDB and of the session (2)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker (1)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    return parser.parse_args()


def scales(text: str) -> list[float]:
    return [float(part) for part in text.split(",") if part]


def section(options: argparse.Namespace, queries: list[Query]) -> str:
    return f"""{report.title(TITLE, KIND)}

The session and plain DuckDB have {options.session_threads} threads, {options.workers} workers {options.threads} each.
{report.counted(options.runs)} after a warm-up, at least {SHORT_RUNS} of queries below {SHORT_SECONDS * 1000:.0f} ms,
all three by turns. The better of both is that of plain DuckDB and mode `always`, for each query.

{totals_of(queries)}

{rows_of(queries)}

{report.origin()}
"""


def measure_all(options: argparse.Namespace) -> list[Query]:
    queries: list[Query] = []
    with contextlib.ExitStack() as stack:
        sides = Sides(start_plain(stack, options.session_threads),
                      start_borrower(stack, options.workers, options.threads))
        sides.ours.execute(f"SET threads = {options.session_threads}")
        if options.lookups:
            queries.append(lookups(sides, options.lookups))
        for suite, text in (("tpch", options.tpch), ("clickbench", options.clickbench)):
            for scale in scales(text):
                for query in suite_queries(sides, suite, scale, options.queries):
                    sides.measure(query, options.runs, SUITES[suite].comparable)
                    queries.append(query)
                report.say(f"{SUITES[suite].data(scale)} is done")
    return queries


def main() -> int:
    options = arguments()
    queries = measure_all(options)
    text = section(options, queries)
    print(text)
    if options.write:
        report.write(TITLE, KIND, text)
    found = misses(queries)
    for miss in found:
        report.say(f"missed: {miss}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
