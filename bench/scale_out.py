#!/usr/bin/env python3
"""TPC-H on nodes of a fraction of a core each: worker processes of one thread against plain DuckDB of one thread on one
such node, as speed-ups, and where the rest of the workers' time went. Every node is a process in a control group of its
own (needs root, and version 1 or 2 of control groups); so is the session, whose group has a share of its own,
--session-share, by default a whole core: it stands for the user's machine, not for one more node. The machine needs as
many cores as all nodes have together. The data is generated once, into build/bench-data."""

import argparse
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from control_groups import SMALLEST_SHARE, ControlGroups, Unavailable  # noqa: E402
from measuring import geometric_mean, last_statistics, median  # noqa: E402
from sides import Run, Side, start_plain, start_session  # noqa: E402
from support.compare import Result, difference  # noqa: E402
from support.suites import SUITES, numbers  # noqa: E402

SUITE = SUITES["tpch"]
#: Of one query: the tasks' time, and that of workers without a task while the slowest worker still had some of the
#: stage, in ms of all workers together. A stage that another one overlaps counts as if it had run alone.
TASK_TIME = """
    SELECT coalesce(sum(busy), 0)::DOUBLE, coalesce(sum({nodes} * slowest - busy), 0)::DOUBLE
    FROM (SELECT sum(ms) AS busy, max(ms) AS slowest
          FROM (SELECT stage_id, sum(duration_ms) AS ms FROM duckherder_tasks() WHERE query_id = '{query_id}'
                GROUP BY stage_id, worker_id)
          GROUP BY stage_id)"""


@dataclass
class Cell:
    """One query with one number of nodes."""

    runs: list[Run]
    #: Of the last run
    statistics: dict
    busy_ms: float
    waiting_ms: float
    #: What is wrong with the result; empty if it equals plain DuckDB's
    problem: str

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)


class Series:
    """All queries, on plain DuckDB and then with each number of nodes."""

    def __init__(self, options: argparse.Namespace, groups: ControlGroups):
        self.options, self.groups = options, groups
        self.nodes = numbers(options.nodes)
        names = SUITE.names(options.scale)
        self.queries = {name: names[name] for name in (f"Q{number}" for number in numbers(options.queries))} \
            if options.queries else names
        self.data = SUITE.parquet_directory(options.scale, ROOT / "build" / "bench-data")
        self.expected: dict[str, Result] = {}
        self.plain: dict[str, list[Run]] = {}
        self.cells: dict[tuple[str, int], Cell] = {}

    def measure_plain(self) -> None:
        with contextlib.ExitStack() as stack:
            plain = start_plain(stack, 1)
            SUITE.create_sources(plain, self.data, "VIEW")
            # These runs warm up and are not counted: no limit makes them longer
            self.expected = {name: plain.result(sql) for name, sql in self.queries.items()}
            with self.groups.limits({plain.pid: self.options.share}):
                for name, sql in self.queries.items():
                    self.plain[name] = [plain.run(sql) for _ in range(self.options.runs)]
                    report.say(f"plain DuckDB, {name}: {self.plain_seconds(name):.2f} s")

    def measure_nodes(self, nodes: int) -> None:
        with contextlib.ExitStack() as stack:
            ours = start_session(stack, nodes)
            SUITE.create_sources(ours, self.data, "VIEW")
            problems = {name: difference(self.expected[name], ours.result(sql)) for name, sql in self.queries.items()}
            shares = {pid: self.options.share for pid in ours.helper_pids}
            with self.groups.limits({**shares, ours.pid: self.options.session_share}):
                for name, sql in self.queries.items():
                    self.cells[name, nodes] = self._measure(ours, sql, nodes, problems[name])
                    report.say(f"{nodes} nodes, {name}: {self.speed_up(name, nodes):.2f}")

    def _measure(self, ours: Side, sql: str, nodes: int, problem: str) -> Cell:
        runs = [ours.run(sql) for _ in range(self.options.runs)]
        statistics = last_statistics(ours, sql)
        times = ours.result(TASK_TIME.format(nodes=nodes, query_id=statistics.get("query_id", ""))).rows[0]
        return Cell(runs, statistics, *times, problem)

    def plain_seconds(self, name: str) -> float:
        return median(run.seconds for run in self.plain[name])

    def speed_up(self, name: str, nodes: int) -> float:
        return self.plain_seconds(name) / self.cells[name, nodes].seconds

    def speed_ups(self) -> str:
        lines = ["| query | plain s | " + " | ".join(map(str, self.nodes)) + " |",
                 "|---|" + "---:|" * (1 + len(self.nodes))]
        for name in self.queries:
            cells = [f"{self.plain_seconds(name):.2f}", *(f"{self.speed_up(name, nodes):.2f}" for nodes in self.nodes)]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        means = [geometric_mean(self.speed_up(name, nodes) for name in self.queries) for nodes in self.nodes]
        return "\n".join([*lines, "| **geometric mean** | | " + " | ".join(f"**{mean:.2f}**" for mean in means) + " |"])

    def where_it_went(self) -> str:
        lines = ["| query | nodes | speed-up | tasks | waiting | session | share used | workers' CPU ratio "
                 "| session CPU ms | bytes exchanged | number of tasks | stages | mode | equal |",
                 "|---|" + "---:|" * 11 + "---|---|"]
        return "\n".join([*lines, *(self._row(name, nodes) for name in self.queries for nodes in self.nodes)])

    def _row(self, name: str, nodes: int) -> str:
        cell = self.cells[name, nodes]
        last, statistics = cell.runs[-1], cell.statistics
        busy = cell.busy_ms / 1000 / (nodes * last.seconds)
        # Stages that overlap make the waiting look longer than it can have been
        waiting = min(cell.waiting_ms / 1000 / (nodes * last.seconds), max(1 - busy, 0))
        used = last.helper_cpu_seconds / (nodes * self.options.share * last.seconds)
        ratio = last.helper_cpu_seconds / median(run.cpu_seconds for run in self.plain[name])
        session = last.cpu_seconds - last.helper_cpu_seconds
        cells = [name, str(nodes), f"{self.speed_up(name, nodes):.2f}", f"{busy:.0%}", f"{waiting:.0%}",
                 f"{max(1 - busy - waiting, 0):.0%}", f"{used:.0%}", f"{ratio:.2f}", f"{1000 * session:.0f}",
                 f"{statistics.get('bytes_exchanged') or 0:,}", str(statistics.get("num_tasks_generated") or 0),
                 str(statistics.get("num_stages") or 0), statistics.get("execution_mode", "?"), cell.problem or "yes"]
        return "| " + " | ".join(cells) + " |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", "--sf", type=float, default=10.0, help="scale factor (10)")
    parser.add_argument("--queries", default="1,3,5,6,12,18", help="for example 1,3,6-8; '' is all (1,3,5,6,12,18)")
    parser.add_argument("--nodes", default="1,2,4,8", help="numbers of workers (1,2,4,8)")
    parser.add_argument("--share", type=float, default=0.2, help="of a core, that a node has (0.2)")
    parser.add_argument("--session-share", type=float, default=1.0, help="of a core, that the session has (1)")
    parser.add_argument("--runs", type=int, default=1, help="counted runs of each query (1)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args()
    if min(options.share, options.session_share) < SMALLEST_SHARE:
        parser.error(f"a share is at least {SMALLEST_SHARE:g} of a core")
    needed, cores = max(numbers(options.nodes)) * options.share, os.cpu_count() or 1
    if needed > cores:
        parser.error(f"the nodes need {needed:g} cores, and this machine has {cores}: they would wait for each other")
    return options


def section(series: Series, sources: str) -> str:
    options = series.options
    return f"""{report.title(SUITE.data(options.scale), sources)}

Worker processes of 1 thread and {options.share:g} core each, and a session with {options.session_share:g} core, against
plain DuckDB of 1 thread on one such node; Parquet. {report.counted(options.runs)} after a warm-up. Speed-ups, by the
number of nodes:

{series.speed_ups()}

Where the workers' time went, in the last run. `tasks`: they had one to run, reading from and writing to exchanges
included. `waiting`: they had none of a stage while others ran the last ones of it, at most: a task of another stage may
have filled the gap. `session`: the rest, which is planning, rounds between stages, and what the session does. `share
used`: the workers' CPU time over what their shares allow. `workers' CPU ratio`: over plain DuckDB's; a speed-up is
about the number of nodes times the share used over this ratio.

{series.where_it_went()}

{report.origin()}
"""


def main() -> int:
    options = arguments()
    # A SIGTERM, too, leaves neither groups nor processes behind
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ControlGroups() as groups:
            report.say(f"data: {SUITE.data(options.scale)}")
            series = Series(options, groups)
            series.measure_plain()
            for nodes in series.nodes:
                series.measure_nodes(nodes)
    except Unavailable as error:
        sys.exit(f"no control groups: {error}")
    except KeyboardInterrupt:
        return 130
    sources = f"nodes of {options.share:g} core"
    text = section(series, sources)
    print(text)
    if options.write:
        report.write(SUITE.data(options.scale), sources, text)
    wrong = sorted({name for (name, _), cell in series.cells.items() if cell.problem})
    if wrong:
        report.say(f"different results: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
