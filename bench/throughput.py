#!/usr/bin/env python3
"""Several clients at once, each with streams of the 22 TPC-H queries in an order of its own: queries per minute and how
long the slow ones take. The clients are sessions, each a process of its own, that borrow the workers of a driver;
plain DuckDB beside them is one process, with as many threads as the workers have together and a connection for each
client. The data is generated once, into build/bench-data."""

import argparse
import contextlib
import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from clients import SUITE, Clients, Outcome, Setup, Stream, make_streams  # noqa: E402
from sides import cpu_seconds  # noqa: E402
from support.cluster import BY_ROWS, Cluster, use_new_token  # noqa: E402
from support.compare import fetch  # noqa: E402
from support.session import plain_session  # noqa: E402
from support.suites import numbers  # noqa: E402

HEAD = ("| clients | queries | plain per minute | duckherder per minute | ratio | plain p95 ms | duckherder p95 ms "
        "| plain CPU ms per query | duckherder CPU ms per query | LOCAL | plain errors | duckherder errors |")


@dataclass
class Throughput:
    """Of all clients together."""

    seconds: float
    cpu_seconds: float
    outcome: Outcome

    @property
    def per_minute(self) -> float:
        return 60 * len(self.outcome.seconds) / self.seconds

    @property
    def slow_ms(self) -> float:
        """The 95th percentile."""
        if len(self.outcome.seconds) < 2:
            return math.nan
        return 1000 * statistics.quantiles(self.outcome.seconds, n=20, method="inclusive")[-1]

    @property
    def cpu_ms_per_query(self) -> float:
        return 1000 * self.cpu_seconds / max(len(self.outcome.seconds), 1)


def measure(setup: Setup, processes: list[list[Stream]], helper_pids: list[int]) -> Throughput:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Clients(setup, streams)) for streams in processes]
        for one in clients:
            one.receive("its start")
        pids = [*helper_pids, *(one.pid for one in clients)]
        before = sum(map(cpu_seconds, pids))
        begin = time.perf_counter()
        for one in clients:
            one.send("begin")
        outcome = Outcome()
        for one in clients:
            outcome.add(one.receive("its streams"))
        # The processes have not ended: these still count
        return Throughput(time.perf_counter() - begin, sum(map(cpu_seconds, pids)) - before, outcome)


def row(clients: int, plain: Throughput, ours: Throughput) -> str:
    cells = [str(clients), str(len(ours.outcome.seconds)), f"{plain.per_minute:.0f}", f"{ours.per_minute:.0f}",
             f"{ours.per_minute / (plain.per_minute or math.nan):.2f}", f"{plain.slow_ms:.0f}", f"{ours.slow_ms:.0f}",
             f"{plain.cpu_ms_per_query:.0f}", f"{ours.cpu_ms_per_query:.0f}", str(ours.outcome.local),
             str(len(plain.outcome.errors)), str(len(ours.outcome.errors))]
    return "| " + " | ".join(cells) + " |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", "--sf", type=float, default=1.0, help="scale factor (1)")
    parser.add_argument("--clients", default="1,4,16", help="numbers of clients (1,4,16)")
    parser.add_argument("--streams", type=int, default=1, help="how often each client runs the 22 queries (1)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of one thread (2)")
    parser.add_argument("--seed", type=int, default=1, help="of the orders of the queries (1)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


def measure_all(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The lines of the table, and all errors."""
    data = SUITE.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    queries = SUITE.names(options.scale)
    with plain_session() as con:
        SUITE.create_sources(con, data, "VIEW")
        rows = {name: len(fetch(con, sql).rows) for name, sql in queries.items()}
    lines = [HEAD, "|" + "---:|" * (HEAD.count("|") - 1)]
    errors: list[str] = []
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duckherder-bench-")))
        use_new_token(directory)
        cluster = stack.enter_context(Cluster(directory, options.workers, threads=1, with_driver=True))
        driver = cluster.driver
        assert driver
        nodes = [driver.pid, *(node.pid for node in cluster.workers.values())]
        plain_setup = Setup(data, queries, rows, [f"SET threads = {options.workers}"], False)
        # The sessions only finish what the workers send
        our_setup = Setup(data, queries, rows, [
            "SET threads = 1", BY_ROWS,
            f"SELECT duckherder_register_or_replace_driver('{driver.host}', {driver.port})"], True)
        for clients in numbers(options.clients):
            streams = make_streams(list(queries), clients, options.streams, options.seed)
            plain = measure(plain_setup, [streams], [])
            ours = measure(our_setup, [[stream] for stream in streams], nodes)
            errors += plain.outcome.errors + ours.outcome.errors
            lines.append(row(clients, plain, ours))
            report.say(lines[-1])
    return lines, errors


def section(options: argparse.Namespace, sources: str, lines: list[str]) -> str:
    times = "once" if options.streams == 1 else f"{options.streams} times"
    return f"""{report.title(SUITE.data(options.scale), sources)}

Each client runs the 22 queries {times}, in an order of its own. Plain DuckDB: one process of {options.workers} threads,
and a connection for each client. Duckherder: a driver, {options.workers} worker processes of 1 thread, and a session
in a process of its own for each client, which has one more thread. Parquet. Queries per minute: all of them over the
time until the last has ended; a ratio above 1 means that duckherder ran more. `p95` is the 95th percentile of the
queries' times, CPU that of all processes of the side. `LOCAL`: queries of duckherder that no worker took part in. A
wrong number of rows is an error, too.

{chr(10).join(lines)}

{report.origin()}
"""


def main() -> int:
    options = arguments()
    report.say(f"data: {SUITE.data(options.scale)}")
    lines, errors = measure_all(options)
    sources = "clients at once"
    text = section(options, sources, lines)
    print(text)
    if options.write:
        report.write(SUITE.data(options.scale), sources, text)
    for error in errors:
        report.say(f"error: {error}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
